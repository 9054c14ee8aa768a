"""Disks that are full and folders that nobody may write to: one sentence, and nothing half done."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import environment, tree
from tests.torture.conftest import SIM, Jobs
from tests.torture.tools import ROUNDS, Done, Room, command, litter, size_of

pytestmark = pytest.mark.slow

Rooms = Callable[[int], Room]

SIZES = 3 * ROUNDS
PLENTY = 64 << 20


def complains_of_room(done: Done) -> None:
    """One line that says what is wrong and one that says what to do."""
    assert done.code == 3, done
    ours = [line for line in done.err.splitlines() if line.startswith("robotmcqa: ")]
    assert len(ours) == 1, done.err
    assert "No space left on device" in ours[0]
    assert "  remedy: make room" in done.err


@pytest.mark.parametrize("name", ["saved", "saved by two", "simulated", "recorded"])
def test_a_disk_that_fills_up(name: str, jobs: Jobs, room: Rooms, rng: random.Random) -> None:
    job = jobs(name)
    again = () if name == "recorded" else ("--resume",)
    need = size_of(job.whole)
    refused = 0
    for _ in range(SIZES):
        disk = room(rng.randrange(4096, need) // 4096 * 4096)
        out = disk.folder / "out"
        done = disk.run(*job.words, "--out", out)
        if done.code:
            refused += 1
            complains_of_room(done)
            there = disk.inside / "out"
            assert not (there / "meta/manifest.json").exists()
            disk.remount(f"size={PLENTY}")
            resumed = disk.run(*job.words, "--out", out, *again)
            assert resumed.code == 0, resumed.err
        assert tree(disk.inside / "out") == job.files
        assert litter(disk.inside / "out") == []
        disk.close()
    assert refused
    print(f"{name}: {SIZES} disks, {refused} too small")


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("export", "--to", "trl"),
        ("export", "--to", "easyr1"),
        ("export", "--to", "sharegpt", "--completion", "direct"),
    ],
    ids=lambda words: " ".join(words),
)
def test_what_else_writes(
    words: tuple[str, ...], jobs: Jobs, room: Rooms, rng: random.Random, tmp_path: Path
) -> None:
    verb, *options = words
    dataset = jobs("saved").whole
    plain = tmp_path / "plain"
    command_words = (verb, dataset, *options, "--out")
    assert subprocess.run(command(*command_words, plain), env=environment()).returncode == 0
    files = tree(plain) if plain.is_dir() else plain.read_bytes()
    need = size_of(plain) if plain.is_dir() else plain.stat().st_size
    for _ in range(SIZES):
        disk = room(rng.randrange(0, need // 4096) * 4096 or 4096)
        done = disk.run(*command_words, disk.folder / "out")
        complains_of_room(done)
        left = [path for path in disk.inside.rglob("*") if path.is_file()]
        assert left == [], left
        disk.remount(f"size={PLENTY}")
        assert disk.run(*command_words, disk.folder / "out").code == 0
        made = disk.inside / "out"
        assert (tree(made) if made.is_dir() else made.read_bytes()) == files
        disk.close()


@pytest.mark.parametrize("words", [("--json",), ()], ids=["json", "words"])
@pytest.mark.parametrize("verb", ["validate", "audit", "show", "export", "tasks", "extract"])
def test_results_that_cannot_be_written(
    verb: str, words: tuple[str, ...], saved: Path, jobs: Jobs, tmp_path: Path
) -> None:
    """``> /dev/full`` is a full disk to whatever is printed."""
    job = jobs("saved")
    options: tuple[object, ...] = {
        "validate": (job.whole,),
        "audit": (job.whole, "--quick"),
        "show": (job.whole, "--out", tmp_path / "page.html"),
        "export": (job.whole, "--to", "trl", "--out", tmp_path / "trl"),
        "tasks": (),
        "extract": ("--source", f"rlbench:{saved}", "--out", tmp_path / "out"),
    }[verb]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(verb, *options, *words),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    complains_of_room(Done(done.returncode, "", done.stderr))
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------- read only


@pytest.mark.parametrize("name", ["saved", "recorded"])
def test_an_output_folder_that_may_only_be_read(name: str, jobs: Jobs, room: Rooms) -> None:
    """Refused before anything is read or made."""
    job = jobs(name)
    disk = room(PLENTY)
    for out in (disk.folder / "new", disk.folder / "there"):
        if out.name == "there":
            disk.remount("rw")
            (disk.inside / "there").mkdir()
        disk.remount("ro")
        done = disk.run(*job.words, "--out", out)
        assert done.code == 2, done
        assert "Read-only file system" in done.err
        assert "--out takes a folder to write to" in done.err


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may read and nobody but us write to; pytest's own are private."""
    if os.geteuid():
        pytest.skip("needs root, to become an ordinary user")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        home = Path(name, "home")
        home.mkdir()
        home.chmod(0o777)
        if as_nobody(command("--version"), home).code:
            pytest.skip("an ordinary user cannot run this Python")
        yield Path(name)


@pytest.mark.parametrize("verb", ["extract", "record", "show", "export"])
def test_no_right_to_write(verb: str, saved: Path, jobs: Jobs, public: Path) -> None:
    """As an ordinary user in somebody else's folder."""
    locked = public / "locked"
    locked.mkdir(mode=0o755)
    for folder, name in ((saved, "demos"), (jobs("saved").whole, "dataset")):
        shutil.copytree(folder, public / name)
        (public / name).chmod(0o755)
    words = {
        "extract": ("extract", "--source", f"rlbench:{public / 'demos'}", "--out", locked),
        "record": ("record", *SIM, "--out", locked),
        "show": ("show", public / "dataset", "--out", locked / "page.html"),
        "export": ("export", public / "dataset", "--to", "trl", "--out", locked / "trl"),
    }[verb]
    done = as_nobody(command(*words), public / "home")
    assert done.code in (2, 3), done
    assert str(locked) in done.err
    assert "Permission denied" in done.err
    assert "remedy: " in done.err
    assert list(locked.iterdir()) == []


def as_nobody(words: list[str], home: Path) -> Done:
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *words],
        env=environment(HOME=str(home), MPLCONFIGDIR=str(home)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_source_that_may_only_be_read(
    saved: Path, jobs: Jobs, room: Rooms, tmp_path: Path
) -> None:
    """Nothing is written into it."""
    disk = room(PLENTY)
    shutil.copytree(saved, disk.inside / "demos")
    disk.remount("ro")
    done = disk.run(
        "extract", "--source", f"rlbench:{disk.folder / 'demos'}", "--out", tmp_path / "o"
    )
    assert done.code == 0, done.err
    assert tree(tmp_path / "o") == jobs("saved").files


def test_demos_that_may_not_be_read(saved: Path, public: Path) -> None:
    """They fail by name; the others are read."""
    demos, home = public / "demos", public / "home"
    shutil.copytree(saved, demos)
    demos.chmod(0o755)
    episodes = demos / "reach_target/variation0/episodes"
    (episodes / "episode0/low_dim_obs.pkl").chmod(0)
    (episodes / "episode1/front_rgb").chmod(0)
    (episodes / "episode2").chmod(0)
    words = ("extract", "--source", f"rlbench:{demos}", "--out", home / "out")
    done = as_nobody(command(*words), home)
    assert done.code == 0, done.err
    for number in range(3):
        assert f"reach_target/variation0/episodes/episode{number}" in done.err
    demos.chmod(0)
    done = as_nobody(command(*words[:-1], home / "none"), home)
    assert done.code == 3, done
    assert f"{demos}: Permission denied" in done.err
    assert "check the path and its permissions" in done.err
