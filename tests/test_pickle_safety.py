"""A pickle from a stranger is never executed, and never brings the run down.

Every test runs in an empty folder. The attacks would make a file there if they ran, and
``test_the_marks_work`` proves that they can.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import importlib
import operator
import pickle
import resource
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, ForbiddenPickle
from robotmcqa.rlbench_layout import PickledDemo, PickledObservation, dump_pickle, save_demo
from robotmcqa.sources import Selection
from robotmcqa.sources.rlbench import RLBenchSource
from robotmcqa.sources.rlbench_pickle import (
    StoredArray,
    StoredDemo,
    StoredObservation,
    StoredType,
    array,
    read_pickle,
    stack,
)
from tests.factory import make_demo

FRAMES = 40


@pytest.fixture(autouse=True)
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing may make this file: attacks run in its folder and make it by its bare name."""
    folder = tmp_path / "canary"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == [], "a pickle was executed"


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """At most 2 GiB more than now: an attack on memory fails instead of taking the machine."""
    if not sys.platform.startswith("linux"):
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + (2 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# ------------------------------------------------------------------- pickles, opcode by opcode


def text(value: str) -> bytes:
    """A string on the stack."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    """A global on the stack, protocol 4 style, which also takes dotted attributes."""
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    """The result of a call on the stack."""
    return function + b"(" + b"".join(arguments) + b"tR"


def whole(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


TOUCH = text("touch canary")
ARGV = b"](" + text("touch") + text("canary") + b"e"
DEMO_CLASS = text("rlbench.demo") + text("Demo") + b"\x93"
PYTHON = text("open('canary', 'w')")
ATTACKS: dict[str, bytes] = {
    "os.system": call(name("os", "system"), TOUCH),
    "posix.system": call(name("posix", "system"), TOUCH),
    "os.popen": call(name("os", "popen"), TOUCH),
    "builtins.eval": call(name("builtins", "eval"), PYTHON),
    "builtins.exec": call(name("builtins", "exec"), PYTHON),
    "builtins.open": call(name("builtins", "open"), text("canary"), text("w")),
    "builtins.__import__": call(name("builtins", "__import__"), text("os")),
    "subprocess.Popen": call(name("subprocess", "Popen"), ARGV),
    "subprocess.check_output": call(name("subprocess", "check_output"), TOUCH),
    "builtins.getattr": call(name("builtins", "getattr"), DEMO_CLASS, text("__init__")),
    "importlib.import_module": call(name("importlib", "import_module"), text("os")),
    "numpy.testing._private.utils.runstring": call(
        name("numpy.testing._private.utils", "runstring"), PYTHON, b"}"
    ),
    "numpy.load": call(name("numpy", "load"), text("canary")),
    "numpy.fromfile": call(name("numpy", "fromfile"), text("canary")),
    "numpy.f2py.crackfortran.myeval": call(name("numpy.f2py.crackfortran", "myeval"), PYTHON),
    "pickle.loads": call(name("pickle", "loads"), b"C\x02N."),
    "_pickle.loads": call(name("_pickle", "loads"), b"C\x02N."),
    "functools.partial": call(name("functools", "partial"), name("rlbench.demo", "Demo")),
    "operator.attrgetter": call(name("operator", "attrgetter"), text("__class__")),
    "operator.methodcaller": call(name("operator", "methodcaller"), text("f")),
    "copyreg._reconstructor": call(name("copyreg", "_reconstructor")),
    "copyreg.add_extension": call(name("copyreg", "add_extension")),
    "_codecs.decode": call(name("_codecs", "decode"), text("a"), text("rot13")),
    "builtins.bytearray": call(name("builtins", "bytearray"), b"J\xff\xff\xff\x7f"),
    "rlbench.demo.Demo.__init__.__globals__": name("rlbench.demo", "Demo.__init__.__globals__"),
    "rlbench.demo.Demo.__class__": name("rlbench.demo", "Demo.__class__"),
    "numpy.ndarray.tofile": name("numpy", "ndarray.tofile"),
    "rlbench.backend.observation.os": name("rlbench.backend.observation", "os"),
    "robotmcqa.sources.rlbench_pickle._ALLOWED": name(
        "robotmcqa.sources.rlbench_pickle", "_ALLOWED"
    ),
    "webbrowser.open": call(name("webbrowser", "open"), text("http://localhost")),
    "pty.spawn": call(name("pty", "spawn"), TOUCH),
    "code.InteractiveInterpreter": call(name("code", "InteractiveInterpreter")),
}
"""Forbidden name -> the opcodes of an attack with it."""


@pytest.mark.parametrize("forbidden", ATTACKS)
def test_refused_by_name(forbidden: str) -> None:
    with pytest.raises(ForbiddenPickle) as caught:
        read_pickle(whole(ATTACKS[forbidden]))
    assert f" {forbidden}," in caught.value.what
    assert "nothing of it was executed" in caught.value.what
    assert caught.value.remedy


def test_the_marks_work(canary: Path) -> None:
    """The same bytes, given to the standard library, do what they threaten."""
    for forbidden in ("os.system", "builtins.eval", "builtins.open"):
        pickle.loads(whole(ATTACKS[forbidden]))
        (canary / "canary").unlink()


GLOBALS: dict[str, bytes] = {
    "GLOBAL": b"cos\nsystem\n(" + TOUCH + b"tR",
    "INST": b"(" + TOUCH + b"ios\nsystem\n",
    "OBJ": b"(" + name("os", "system") + TOUCH + b"o",
    "NEWOBJ": name("os", "system") + b"(" + TOUCH + b"t\x81",
    "NEWOBJ_EX": name("os", "system") + b"(" + TOUCH + b"t}\x92",
    "STACK_GLOBAL of memoised names": text("os") + b"\x94" + text("system") + b"\x94\x93",
    "python 2 names": b"c__builtin__\neval\n(" + PYTHON + b"tR",
}


@pytest.mark.parametrize("opcode", GLOBALS)
@pytest.mark.parametrize("protocol", range(6))
def test_every_way_to_name_a_global(opcode: str, protocol: int) -> None:
    header = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    with pytest.raises(ForbiddenPickle, match=r"system|eval"):
        read_pickle(header + GLOBALS[opcode] + b".")


class Gadget:
    """Pickles to a call of what it is given."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


# Protocols 0 to 2 use Python 2's names, and _codecs.encode for bytes.
GADGETS: list[tuple[Any, str]] = [
    (Gadget(eval, "open('canary', 'w')"), r"\.eval"),
    (Gadget(subprocess.Popen, ["touch", "canary"]), r"\.Popen"),
    (Gadget(functools.partial, print), r"functools\.partial"),
    (Gadget(operator.attrgetter("x")), r"operator\.attrgetter"),
    (Gadget(importlib.import_module, "os"), r"importlib\.import_module"),
    (Gadget(pickle.loads, b""), r"\.loads|_codecs|\.bytes"),
    (np.array([Gadget(eval, "1")], dtype=object), r"\.eval|_codecs"),
    (np.random.default_rng(0), r"numpy\.random"),
    (Path("canary"), r"pathlib\."),
    (1j, r"\.complex"),
    (range(3), r"range"),
    (Exception("x"), r"\.Exception"),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(("gadget", "forbidden"), GADGETS)
def test_gadgets_as_python_pickles_them(gadget: Any, forbidden: str, protocol: int) -> None:
    with pytest.raises(ForbiddenPickle, match=forbidden):
        read_pickle(pickle.dumps(gadget, protocol))


@pytest.mark.parametrize("value", [{1, 2}, frozenset([3]), bytearray(b"x"), None, 2**70, "ü", 1.5])
def test_plain_data_is_no_attack(value: Any) -> None:
    assert read_pickle(pickle.dumps(value, 5)) == value


def test_hidden_deep_inside_a_valid_demo() -> None:
    stored = demo_to_damage()
    stored._observations[-1].misc = {"a": [{"b": (1, [Gadget(eval, "open('canary', 'w')")])}]}
    with pytest.raises(ForbiddenPickle, match=r"builtins\.eval"):
        read_pickle(dump_pickle(stored))


def test_hidden_after_the_end() -> None:
    """The reader stops at the first STOP: what follows is never looked at."""
    assert read_pickle(dump_pickle(1) + whole(ATTACKS["os.system"])) == 1


@pytest.mark.parametrize("opcode", [b"Pos.system\n", text("os") + b"Q"])
def test_persistent_ids(opcode: bytes) -> None:
    with pytest.raises(ForbiddenPickle, match="persistent id"):
        read_pickle(whole(opcode))


@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\x00", b"\x84\xf0\x00\x00\x00"])
@pytest.mark.parametrize("registered", [True, False])
def test_extension_opcodes(opcode: bytes, registered: bool) -> None:
    if registered:
        copyreg.add_extension("os", "system", 0xF0)
    try:
        with pytest.raises(DemoError, match=r"os\.system" if registered else "damaged pickle"):
            read_pickle(whole(opcode + b"(" + TOUCH + b"tR"))
    finally:
        if registered:
            copyreg.remove_extension("os", "system", 0xF0)


# --------------------------------------------------------------------- changing the stand-ins

STAND_INS = {
    "Demo": name("rlbench.demo", "Demo"),
    "Observation": name("rlbench.backend.observation", "Observation"),
    "ndarray": name("numpy", "ndarray"),
    "dtype": name("numpy", "dtype"),
    "_reconstruct": name("numpy.core.multiarray", "_reconstruct"),
    "scalar": name("numpy._core.multiarray", "scalar"),
    "_frombuffer": name("numpy._core.numeric", "_frombuffer"),
}
ATTRIBUTES = ("__setstate__", "__new__", "__init__", "__class__", "__reduce__", "state", "anything")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("stand_in", STAND_INS)
@pytest.mark.parametrize("slots", [True, False])
def test_classes_cannot_be_changed(stand_in: str, attribute: str, slots: bool) -> None:
    change = b"}" + text(attribute) + STAND_INS["Demo"] + b"s"
    state = b"N" + change + b"\x86" if slots else change
    before = {
        cls: dict(vars(cls)) for cls in (StoredDemo, StoredObservation, StoredArray, StoredType)
    }
    with pytest.raises(DemoError):
        read_pickle(whole(STAND_INS[stand_in] + state + b"b"))
    assert before == {cls: dict(vars(cls)) for cls in before}
    assert_demo(read_pickle(dump_pickle(demo_to_damage())))


@pytest.mark.parametrize("stand_in", STAND_INS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("slots", [True, False])
def test_instances_can_be_changed_without_harm(stand_in: str, attribute: str, slots: bool) -> None:
    """``BUILD`` may put another stand-in anywhere on an instance: no code of ours runs it."""
    instance = STAND_INS[stand_in] + b")\x81"
    for value in (*STAND_INS.values(), text("os.system"), b"}", b"K\x01"):
        change = b"}" + text(attribute) + value + b"s"
        state = b"N" + change + b"\x86" if slots else change
        again = b"}" + text("a") + b"K\x01sb"  # a second BUILD, which would call a __setstate__
        for body in (instance + state + b"b", instance + state + b"b" + again):
            outcome = harmless(whole(body))
            if outcome is not None:
                assert type(type(outcome)).__name__ in ("_Sealed", "type")
    assert_demo(read_pickle(dump_pickle(demo_to_damage())))


def harmless(data: bytes) -> Any:
    """What the pickle holds, or None if it was refused; anything else raises."""
    try:
        return read_pickle(data)
    except DemoError:
        return None


def assert_demo(stored: Any) -> None:
    assert type(stored).__name__ == "StoredDemo"
    assert all(isinstance(frame, StoredObservation) for frame in stored._observations)
    pose = stack([frame.gripper_pose for frame in stored._observations])
    assert np.array_equal(pose, DEMO.gripper_pose)


# --------------------------------------------------------------------------- arrays that lie

DEMO = make_demo(frames=FRAMES, size=16)
F8 = ("f8", False, True)
LITTLE = (3, "<", None, None, None, -1, -1, 0)


def demo_to_damage() -> Any:
    observations = [
        PickledObservation(
            gripper_pose=DEMO.gripper_pose[frame].copy(),
            gripper_open=float(DEMO.gripper_open[frame]),
            joint_velocities=np.array(DEMO.joint_velocities)[frame].copy(),
            misc={},
        )
        for frame in range(FRAMES)
    ]
    return PickledDemo(observations, random_seed=None)


def stored_type(arguments: Any, state: Any) -> StoredType:
    kind = StoredType(*arguments)
    kind.__setstate__(state)
    return kind


NUMBERS = stored_type(F8, LITTLE)  # shared, as the arrays of one pickle share it


def stored_array(*state: Any, dtype: Any = None) -> StoredArray:
    """``state`` is (version, shape, order, data); the dtype goes in between."""
    kind = stored_type(*dtype) if dtype else NUMBERS
    stored = StoredArray()
    version, shape, fortran, data = state
    stored.__setstate__((version, shape, kind, fortran, data))
    return stored


def short_state() -> StoredArray:
    """The header of an honest array, and no data after it."""
    stored = StoredArray()
    stored.__setstate__((1, (7,), NUMBERS, False))
    return stored


HUGE = 2**62
LIES: dict[str, StoredArray] = {
    "huge shape": stored_array(1, (HUGE,), False, b"\0" * 8),
    "huge product": stored_array(1, (HUGE, HUGE), False, b"\0" * 8),
    "product that wraps to the length": stored_array(1, (2**61 + 7,), False, b"\0" * 56),
    "beyond 64 bits": stored_array(1, (10**30,), False, b"\0" * 8),
    "nothing, but beyond 64 bits": stored_array(1, (0, 10**30), False, b""),
    "too few bytes": stored_array(1, (7,), False, b"\0" * 55),
    "too many bytes": stored_array(1, (7,), False, b"\0" * 57),
    "negative": stored_array(1, (-7,), False, b"\0" * 56),
    "two negatives": stored_array(1, (-7, -1), False, b"\0" * 56),
    "shape of floats": stored_array(1, (7.5,), False, b"\0" * 60),
    "shape is no tuple": stored_array(1, [7], False, b"\0" * 56),
    "shape is None": stored_array(1, None, False, b"\0" * 56),
    "200 dimensions": stored_array(1, (1,) * 200, False, b"\0" * 8),
    "data is text": stored_array(1, (7,), False, "\0" * 56),
    "data is a list": stored_array(1, (7,), False, [0] * 56),
    "data is None": stored_array(1, (7,), False, None),
    "objects": stored_array(1, (1,), False, b"\0" * 8, dtype=(("O8", False, True), LITTLE)),
    "list of objects": stored_array(1, (1,), False, [1], dtype=(("O8", False, True), LITTLE)),
    "structured": stored_array(
        1, (1,), False, b"\0" * 8, dtype=(("V8", False, True), (3, "|", None, ("a",), {}, 8, 1, 16))
    ),
    "text": stored_array(1, (1,), False, b"\0" * 8, dtype=(("U2", False, True), LITTLE)),
    "dates": stored_array(1, (1,), False, b"\0" * 8, dtype=(("M8", False, True), LITTLE)),
    "complex": stored_array(1, (1,), False, b"\0" * 16, dtype=(("c16", False, True), LITTLE)),
    "dtype of another text": stored_array(1, (1,), False, b"\0" * 8, dtype=(("f8,O",), LITTLE)),
    "dtype of a list": stored_array(1, (1,), False, b"\0" * 8, dtype=((["f8"],), LITTLE)),
    "dtype of nothing": stored_array(1, (1,), False, b"\0" * 8, dtype=((), LITTLE)),
    "byte order is a word": stored_array(1, (1,), False, b"\0" * 8, dtype=(F8, (3, "O"))),
    "dtype state is a number": stored_array(1, (1,), False, b"\0" * 8, dtype=(F8, 3)),
    "dtype state is a dict": stored_array(1, (1,), False, b"\0" * 8, dtype=(F8, {"a": 1})),
    "dtype state is short": stored_array(1, (1,), False, b"\0" * 8, dtype=(F8, (3,))),
    "state is short": short_state(),
    "no state": StoredArray(),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_array_that_lies_is_refused(lie: str) -> None:
    with pytest.raises(DemoError):
        array(LIES[lie])


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("first", [True, False])
def test_an_array_that_lies_among_honest_ones_is_refused(lie: str, first: bool) -> None:
    honest = stored_array(1, (7,), False, b"\0" * 56)
    with pytest.raises(DemoError):
        stack([LIES[lie], honest] if first else [honest, LIES[lie]])


def test_states_of_the_wrong_kind() -> None:
    for state in (None, 1, (), (1, 2), (1, (7,), None, False, b""), {"a": 1}, "abcde", b"abcde"):
        stored = StoredArray()
        stored.__setstate__(state)
        with pytest.raises(DemoError):
            array(stored)


def test_a_header_that_contains_itself() -> None:
    """Comparing or printing it would never end."""
    nest: list[Any] = []
    nest.append(nest)
    other: list[Any] = []
    other.append(other)
    left, right = (stored_array(one, (7,), False, b"\0" * 56) for one in (nest, other))
    with contextlib.suppress(DemoError):
        stack([left, right])
    for shape in (nest, (nest,)):
        with pytest.raises(DemoError):
            array(stored_array(1, shape, False, b""))


def test_a_header_that_is_very_deep() -> None:
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    with pytest.raises(DemoError):
        array(stored_array(1, deep, False, b""))


def test_a_message_does_not_grow_with_the_lie() -> None:
    """20 tuples that share their parts print as a million: a message must not print them all."""
    shared: Any = ("a",)
    for _ in range(20):
        shared = (shared, shared)
    with pytest.raises(DemoError) as caught:
        array(stored_array(1, shared, False, b""))
    assert len(str(caught.value)) < 10_000


NO_NUMBERS: dict[str, Any] = {
    "a number beyond float64": 10**400,
    "a list with one": [1, -(10**400)],
    "text": "1.0",
    "bytes": b"1",
    "text in a list": ["a"],
    "a list in a list": [[1.0]],
    "a dict": {"a": 1},
    "a complex number": 1j,
    "None in a list": [None],
    "a stand-in": [StoredType()],
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_values_that_are_no_numbers(kind: str) -> None:
    with pytest.raises(DemoError):
        array(NO_NUMBERS[kind])


def test_lengths_of_billions_are_refused_quickly() -> None:
    bombs = [
        b"B" + struct.pack("<I", 2**31),
        b"\x8e" + struct.pack("<Q", 2**40),
        b"\x96" + struct.pack("<Q", 2**40),
        b"\x8d" + struct.pack("<Q", 2**40),
        b"\x95" + struct.pack("<Q", 2**40),
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"h" + b"\xff",
        b"j" + struct.pack("<I", 2**32 - 1),
    ]
    memory, seconds = cost(*map(whole, bombs))
    assert memory < 200 << 20
    assert seconds < 1


@pytest.mark.parametrize("opcode", [b"r" + struct.pack("<I", 2**25), b"p33554432\n"])
def test_a_large_memo_index_costs_no_memory(opcode: bytes) -> None:
    """The memo is a table up to the largest index: a dozen bytes could ask for 64 GiB of it.

    2**25 asks for 512 MiB, which every machine survives.
    """
    assert cost(whole(b"]" + opcode))[0] < 200 << 20


COST = """
import resource, sys, time
from robotmcqa.errors import DemoError
from robotmcqa.sources.rlbench_pickle import read_pickle
start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data in sys.argv[1:]:
    try:
        read_pickle(bytes.fromhex(data))
    except DemoError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - start)
"""


def cost(*pickles: bytes) -> tuple[int, float]:
    """Bytes and seconds that reading them takes, in a process of its own: a peak never falls."""
    command = [sys.executable, "-c", COST, *(data.hex() for data in pickles)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    memory, seconds = out.split()
    return int(memory) * (1 if sys.platform == "darwin" else 1024), float(seconds)


# --------------------------------------------------------------- whole demos, cut and corrupted


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one episode without pictures; its episode's folder."""
    root = tmp_path_factory.mktemp("saved")
    return save_demo(root, DEMO, 0, layout="all_variations", cameras={})


def load(folder: Path) -> Demo:
    source = RLBenchSource(str(folder))
    (ref,) = source.refs(Selection())
    return source.load(ref, ())


@pytest.mark.parametrize(
    "file", ["low_dim_obs.pkl", "variation_number.pkl", "variation_descriptions.pkl"]
)
def test_an_attack_in_any_file_is_a_named_failure(file: str, saved: Path, tmp_path: Path) -> None:
    """In the descriptions too, though they could be done without: the whole demo is suspect."""
    folder = tmp_path / "t/all_variations/episodes/episode0"
    shutil.copytree(saved, folder)
    (folder / file).write_bytes(whole(ATTACKS["os.system"]))
    with pytest.raises(ForbiddenPickle, match=r"os\.system") as caught:
        load(folder)
    assert file in caught.value.what


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_truncations(protocol: int, tmp_path: Path) -> None:
    folder = tmp_path / "t/variation0/episodes/episode0"
    folder.mkdir(parents=True)
    data = dump_pickle(demo_to_damage(), protocol)
    cuts = {*range(64), *range(64, len(data), 173), *range(len(data) - 32, len(data))}
    for cut in sorted(cuts):
        (folder / "low_dim_obs.pkl").write_bytes(data[:cut])
        with pytest.raises(DemoError, match=r"low_dim_obs\.pkl"):
            load(folder)


VALID = {protocol: dump_pickle(demo_to_damage(), protocol) for protocol in (3, 4, 5)}


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    protocol=st.sampled_from([3, 4, 5]),
    flips=st.lists(
        st.tuples(st.integers(0, 2**20) | st.integers(0, 600), st.integers(1, 255)),
        min_size=1,
        max_size=8,
    ),
)
def test_byte_flips(protocol: int, flips: list[tuple[int, int]], tmp_path: Path) -> None:
    """A demo or a DemoError: no other exception, and no execution (see ``canary``)."""
    data = bytearray(VALID[protocol])
    for position, mask in flips:
        data[position % len(data)] ^= mask
    folder = tmp_path / "t/variation0/episodes/episode0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "low_dim_obs.pkl").write_bytes(data)
    with contextlib.suppress(DemoError):
        assert isinstance(load(folder), Demo)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    harmless(data)
    harmless(b"\x80\x04" + data)
