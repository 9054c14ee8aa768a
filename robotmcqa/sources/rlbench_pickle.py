"""Read RLBench's pickles without RLBench, and without running anything in them.

A pickle is a program. This reader lets it build lists, dicts, numbers, strings and the handful of
classes that RLBench's demos are made of; every other global is refused by name before it is even
looked up. The classes it does build are stand-ins defined here: they store what they are given,
and :func:`array` turns a stored numpy array into a real one after checking its header against its
length.

What is left to a crafted pickle is to keep the reader busy, or to crash it: so demos are read by
way of :func:`read_safely`.
"""

from __future__ import annotations

import io
import math
import pickle
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from robotmcqa.apart import Ended, apart, memory_bounded
from robotmcqa.errors import DemoError, ForbiddenPickle

__all__ = [
    "StoredArray",
    "StoredDemo",
    "StoredObservation",
    "array",
    "read_pickle",
    "read_pickle_file",
    "read_safely",
    "stack",
]

Result = TypeVar("Result")


class _Sealed(type):
    """A class that a pickle cannot change: ``BUILD`` may set attributes of whatever it is given."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise ForbiddenPickle(
            f"the pickle tries to change the class {cls.__name__} (attribute {name}), "
            "which no RLBench demo does",
            "get the demo from a source you trust",
        )


class StoredObservation(metaclass=_Sealed):
    """``rlbench.backend.observation.Observation``: one frame, fields as attributes."""

    def __new__(cls, *_: Any) -> StoredObservation:
        return super().__new__(cls)


class StoredDemo(metaclass=_Sealed):
    """``rlbench.demo.Demo``: ``_observations`` and what else the recorder wrote."""

    def __new__(cls, *_: Any) -> StoredDemo:
        return super().__new__(cls)


class StoredType(metaclass=_Sealed):
    """``numpy.dtype`` as pickled: ``("f8", False, True)``, then a state with the byte order."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class StoredArray(metaclass=_Sealed):
    """``numpy.ndarray`` as pickled: (version, shape, dtype, fortran order, bytes)."""

    __slots__ = ("state",)

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _StoredScalar(StoredArray):
    """``numpy.core.multiarray.scalar(dtype, bytes)``."""

    __slots__ = ()

    def __init__(self, dtype: Any, data: Any = b"") -> None:
        self.state = (1, (), dtype, False, data)


class _StoredBuffer(StoredArray):
    """``numpy.core.numeric._frombuffer``, which protocol 5 uses.

    ``axis_order`` permutes axes of arrays that are in neither C nor Fortran order; no field that
    is read here ever is.
    """

    __slots__ = ()

    def __init__(
        self, data: Any, dtype: Any, shape: Any, order: Any = "C", axis_order: Any = None
    ) -> None:
        self.state = (1, shape, dtype, order == "F", data) if order in ("C", "F") else None


class _Latin1Bytes(metaclass=_Sealed):
    """``_codecs.encode(text, "latin1")``: how protocol 2 stores bytes."""

    def __new__(cls, text: Any, encoding: Any = None) -> bytes:  # type: ignore[misc]
        if not isinstance(text, str) or encoding != "latin1":
            raise DemoError("bytes in an encoding other than latin1")
        return text.encode("latin1")


class _NdarrayType(metaclass=_Sealed):
    """Stands for the class ``numpy.ndarray`` itself, which pickles pass to ``_reconstruct``."""


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("rlbench.demo", "Demo"): StoredDemo,
    ("rlbench.backend.observation", "Observation"): StoredObservation,
    ("numpy", "ndarray"): _NdarrayType,
    ("numpy", "dtype"): StoredType,
    # numpy 1 and numpy 2 name the same functions differently.
    ("numpy.core.multiarray", "_reconstruct"): StoredArray,
    ("numpy._core.multiarray", "_reconstruct"): StoredArray,
    ("_codecs", "encode"): _Latin1Bytes,
    ("numpy.core.multiarray", "scalar"): _StoredScalar,
    ("numpy._core.multiarray", "scalar"): _StoredScalar,
    ("numpy.core.numeric", "_frombuffer"): _StoredBuffer,
    ("numpy._core.numeric", "_frombuffer"): _StoredBuffer,
}


class _Reader(pickle.Unpickler):
    """The standard unpickler, with the door closed."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ForbiddenPickle(
                f"the pickle asks for {module}.{name}, which no RLBench demo needs; "
                "nothing of it was executed",
                "do not load this file with other tools; get the demo from a source you trust",
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise ForbiddenPickle(
            "the pickle asks for an outside object (persistent id), which no RLBench demo needs",
            "get the demo from a source you trust",
        )


_SPARE_MEMORY = 128 << 20
_SECONDS = 10.0
"""CPU time that any pickle may take, and a second more for each MiB: a demo takes a hundredth."""
_LARGEST = 1 << 30
"""Bytes of a pickle; the demos of RLBench's tasks take a thousandth of it."""
_TINY = 32
"""Bytes that are too few to keep anybody busy: 13 doublings of a tuple, and a key made of it."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever reads it says why it cannot


def read_safely(function: Callable[..., Result], *arguments: Any, files: Sequence[Path]) -> Result:
    """What ``function`` makes of pickle files, in a process that may hang or crash over them.

    Of memory and time there is as much as a file of that size may need with a wide margin: the
    standard unpickler can be told to fill tables of 64 GiB, and to hash tuples of tuples for years.

    Raises:
        DemoError: the function's own, or time or memory ran out, or the reader crashed.
    """
    size = sum(map(_size, files))
    if size <= _TINY:
        return function(*arguments)
    try:
        return apart(
            function,
            *arguments,
            seconds=_SECONDS + size / (1 << 20),
            memory=_SPARE_MEMORY + 64 * size,
        )
    except MemoryError:
        what = f"{files[0].name}: reading it takes more memory than any demo of its size"
    except Ended as ended:
        what = f"{files[0].name}: reading it {ended}, which no RLBench demo does"
    raise DemoError(what, "get the demo from a source you trust")


def read_pickle(data: bytes) -> Any:
    """What a pickle of RLBench's holds, with stand-ins for its classes.

    Raises:
        ForbiddenPickle: it names anything outside the allow-list.
        DemoError: it is empty, truncated or not a pickle.
    """
    if not data:
        raise DemoError("empty file", "copy or record this demo again")
    try:
        with memory_bounded(_SPARE_MEMORY + 64 * len(data)):
            return _Reader(io.BytesIO(data)).load()
    except ForbiddenPickle:
        raise
    # A damaged pickle can fail in any way its opcodes can; all of them mean the same to the user.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DemoError(
            f"damaged pickle ({type(error).__name__}: {reason})", "copy or record this demo again"
        ) from None


def read_pickle_file(path: Path) -> Any:
    """What a pickle file holds (see :func:`read_pickle`); errors name the file.

    Raises:
        ForbiddenPickle: it names anything outside the allow-list.
        DemoError: it is missing, cannot be read, or is damaged.
    """
    try:
        about = path.stat()  # first: a pipe in a file's place would let us wait for ever
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            what = "more than 1 GiB" if stat.S_ISREG(about.st_mode) else "no file"
            raise DemoError(f"{path.name}: {what}", "copy or record this demo again")
        data = path.read_bytes()
    except FileNotFoundError:
        raise DemoError(f"{path.name} is missing", "copy or record this demo again") from None
    except OSError as error:
        raise DemoError(f"{path.name}: {error.strerror}", "check its permissions") from None
    try:
        return read_pickle(data)
    except DemoError as error:
        raise type(error)(f"{path.name}: {error.what}", error.remedy) from None


_NUMBERS = frozenset(("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"))


def array(stored: Any) -> np.ndarray:
    """A numeric array out of what :func:`read_pickle` stored for one; plain numbers pass too.

    Raises:
        DemoError: it is no numeric array, or its header and its bytes disagree.
    """
    if isinstance(stored, StoredArray):
        return _checked(stored.state)
    values = stored if isinstance(stored, (list, tuple)) else (stored,)
    if not all(isinstance(value, (bool, int, float)) for value in values):
        raise DemoError(f"{type(stored).__name__} where an array of numbers is expected")
    try:
        return np.asarray(stored, dtype=np.float64)
    except OverflowError:
        raise DemoError("an integer too large for an array of numbers") from None


def stack(stored: Sequence[Any]) -> np.ndarray:
    """Several arrays of one shape -> one array with a leading axis; at least one is given.

    Raises:
        DemoError: one of them is no numeric array, or the shapes differ.
    """
    first = stored[0]
    if isinstance(first, StoredArray):
        whole = _checked(first.state)
        _, shape, dtype, _, data = first.state
        # A demo's arrays mostly share one header, down to the same dtype object: check it once
        # and take the bytes of those that have it.
        size = len(data)
        parts = [
            state[4]
            for one in stored
            if type(one) is StoredArray
            and type(state := one.state) is tuple
            and len(state) == 5
            and state[1] == shape
            and state[2] is dtype
            and state[3] is False
            and type(state[4]) is bytes
            and len(state[4]) == size
        ]
        if len(parts) == len(stored) and whole.flags.c_contiguous:
            return np.frombuffer(b"".join(parts), whole.dtype).reshape(len(parts), *whole.shape)
    arrays = [array(one) for one in stored]
    shapes = {one.shape for one in arrays}
    if len(shapes) > 1:
        raise DemoError(f"arrays of different shapes: {sorted(shapes)}")
    return np.stack(arrays)


def _is_shape(shape: Any) -> bool:
    return type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape)


def _checked(state: Any) -> np.ndarray:
    if type(state) is not tuple or len(state) != 5:
        raise DemoError("an array with a damaged header")
    _, shape, dtype, fortran, data = state
    if not _is_shape(shape) or not isinstance(data, (bytes, bytearray)):
        raise DemoError("an array with a damaged shape or without bytes")
    real = _number_type(dtype)
    if math.prod(shape) * real.itemsize != len(data):
        raise DemoError(f"an array of shape {shape[:8]} with {len(data)} bytes")
    if len(shape) > 8 or max(shape, default=0) > max(len(data), 1):
        raise DemoError(f"an array of the impossible shape {shape[:8]}")
    return np.frombuffer(data, dtype=real).reshape(shape, order="F" if fortran is True else "C")


def _is_pair(state: Any) -> bool:
    return type(state) is tuple and len(state) > 1


def _number_type(stored: Any) -> np.dtype[Any]:
    if isinstance(stored, StoredType) and stored.arguments:
        kind, state = stored.arguments[0], stored.state
        # (version, byte order, ...); numpy leaves it out for types of a single byte
        order = "|" if state is None else state[1] if _is_pair(state) else None
        if isinstance(kind, str) and kind in _NUMBERS and order in ("<", ">", "|", "="):
            return np.dtype(f"{'<' if order == '=' else order}{kind}")
    raise DemoError("an array of something else than numbers")
