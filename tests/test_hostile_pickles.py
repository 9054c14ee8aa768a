"""Pickles that need no forbidden name to do harm: they keep the reader busy, or crash it.

The reader is a process of its own, so whatever happens there fails one demo, by its name.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from robotmcqa import Spec, apart, extract, open_source, validate
from robotmcqa.errors import DemoError, RobotMCQAError
from robotmcqa.rlbench_layout import save_demo
from robotmcqa.sources import Selection
from robotmcqa.sources.rlbench import RLBenchSource
from tests.factory import make_demo, write_demos
from tests.pickles import name, text, whole
from tests.runs import family_of

LATIN = name("_codecs", "encode")
HOSTILE = {
    "a tuple of tuples as a key": b"})" + b"2\x86" * 60 + b"Ns",
    "a tuple of tuples in a set": b"\x8f()" + b"2\x86" * 60 + b"\x90",
    "numbers that all hash alike": b"}("
    + b"".join(b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little") + b"N" for n in range(40_000))
    + b"u",
    "a tuple so deep that its hash overflows the stack": b"})" + b"\x85" * 400_000 + b"Ns",
    "one text encoded again and again": text("a" * 1_000_000)
    + b"\x94"
    + LATIN
    + b"\x94"
    + text("latin1")
    + b"\x94"
    + b"h\x01h\x00h\x02\x86R0" * 100_000,
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robotmcqa.sources.rlbench_pickle._SECONDS", 0.2)


@pytest.fixture
def source(tmp_path: Path) -> RLBenchSource:
    write_demos(tmp_path / "demos", {"reach_target": 2}, cameras=(), frames=60)
    return RLBenchSource(str(tmp_path / "demos"))


@pytest.mark.parametrize("what", HOSTILE)
def test_it_fails_by_name_in_bounded_time(what: str, source: RLBenchSource) -> None:
    one, other = source.refs(Selection())
    (Path(one.locator) / "low_dim_obs.pkl").write_bytes(whole(HOSTILE[what]))
    with pytest.raises(DemoError, match=r"low_dim_obs\.pkl: reading it (takes more|crashes)"):
        source.load(one, ())
    assert len(source.load(other, ())) == 60


def test_the_other_demos_of_a_run_go_on(source: RLBenchSource, tmp_path: Path) -> None:
    (one, _) = source.refs(Selection())
    hostile = whole(HOSTILE["a tuple so deep that its hash overflows the stack"])
    (Path(one.locator) / "low_dim_obs.pkl").write_bytes(hostile)
    (line,) = extract(source, Spec(cameras=()), tmp_path / "out").failures
    assert line["where"] == one.name
    assert line["why"] == (
        "low_dim_obs.pkl: reading it crashes (SIGSEGV), which no RLBench demo does"
    )
    assert line["files"] == [{"path": f"{one.name}/low_dim_obs.pkl", "cause": line["why"][17:]}]
    assert validate(tmp_path / "out").ok


def test_a_hostile_variation_number_too(tmp_path: Path) -> None:
    """It is read while demos are looked for, before any of them is."""
    folder = save_demo(tmp_path, make_demo(frames=60, size=16), 0, layout="all_variations")
    number = folder / "variation_number.pkl"
    number.write_bytes(whole(HOSTILE["a tuple of tuples as a key"]))
    source = RLBenchSource(str(tmp_path))
    (ref,) = source.refs(Selection())
    assert ref.variation is None
    with pytest.raises(DemoError, match="takes more than"):
        source.load(ref, ())


@pytest.mark.parametrize("file", ["low_dim_obs.pkl", "variation_descriptions.pkl"])
def test_a_pipe_in_a_files_place_is_not_waited_for(file: str, tmp_path: Path) -> None:
    (folder,) = write_demos(
        tmp_path / "demos", {"reach_target": 1}, "all_variations", cameras=(), frames=60
    )
    (folder / file).unlink()
    os.mkfifo(folder / file)
    source = open_source(f"rlbench:{tmp_path / 'demos'}")
    (ref,) = source.refs(Selection())
    if file == "low_dim_obs.pkl":
        with pytest.raises(DemoError, match=r"low_dim_obs\.pkl: no file"):
            source.load(ref, ())
    else:
        assert "no file" in source.load(ref, ()).notes[0]


def test_a_pickle_of_gigabytes_is_not_read(source: RLBenchSource) -> None:
    one, _ = source.refs(Selection())
    os.truncate(Path(one.locator) / "low_dim_obs.pkl", 3 << 30)
    with pytest.raises(DemoError, match="more than 1 GiB"):
        source.load(one, ())


# ---------------------------------------------------------------------------- the process itself


def double(number: int) -> int:
    return 2 * number


def suicide(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def spin() -> None:
    while True:
        pass


def run(function: object, *arguments: object) -> object:
    return apart.apart(function, *arguments, seconds=0.2, memory=64 << 20)  # type: ignore[arg-type]


def test_it_is_one_process_for_all_calls() -> None:
    first = run(os.getpid)
    assert first == run(os.getpid) != os.getpid()
    assert run(double, 4) == 8


@pytest.mark.parametrize("function", [spin, (suicide, signal.SIGSEGV), (suicide, signal.SIGABRT)])
def test_after_a_bad_end_there_is_another(function: object) -> None:
    before = run(os.getpid)
    with pytest.raises(apart.Ended):
        run(*function) if isinstance(function, tuple) else run(function)
    assert run(os.getpid) != before


def test_what_a_function_raises_is_raised() -> None:
    with pytest.raises(DemoError, match="no such thing") as caught:
        run(raise_it)
    assert caught.value.remedy == "look for it"


def raise_it() -> None:
    raise DemoError("no such thing", "look for it")


def test_memory_is_bounded() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no bound on this system")
    with pytest.raises(MemoryError):
        run(bytes, 1 << 30)


def test_whoever_kills_it_does_not_fail_a_demo() -> None:
    """A killer from outside is no fault of the bytes: the call is made again."""
    pid = run(os.getpid)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    assert run(double, 3) == 6
    with pytest.raises(RobotMCQAError, match="was killed 3 times") as caught:
        run(suicide, signal.SIGKILL)
    assert "--resume" in caught.value.remedy


def test_it_holds_no_file_of_the_one_it_works_for(tmp_path: Path) -> None:
    """Or a lock would outlive its owner."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("there is no /proc")
    with (tmp_path / "lock").open("w"):
        apart._after_fork()  # forget the one of earlier tests
        pid = run(os.getpid)
        held = {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    assert not [name for name in held if not name.startswith(("/dev/null", "socket:"))]
    assert pid in family_of(os.getpid())
