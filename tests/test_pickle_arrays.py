"""A pickle from a stranger never brings the run down: arrays that lie, memory, cuts, flipped bytes.

Every test runs in an empty folder, where a pickle that was executed would leave a file.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError
from robotmcqa.rlbench_layout import dump_pickle
from robotmcqa.sources.rlbench_pickle import StoredArray, StoredType, array, stack
from tests.pickles import demo_to_damage, harmless, load, whole

pytestmark = pytest.mark.usefixtures("canary", "memory")


# --------------------------------------------------------------------------- arrays that lie


F8 = ("f8", False, True)
LITTLE = (3, "<", None, None, None, -1, -1, 0)


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
