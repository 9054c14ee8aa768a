"""Processes to torment, file systems to fill, and what has to be left afterwards: nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import SCRIPT, environment
from tests.runs import alive, family_of, wait_until

ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "1"))
"""Multiplies how often each fault is tried."""


def command(*words: object) -> list[str]:
    """A command line of ours."""
    return [str(SCRIPT), *map(str, words)]


def begun(words: Sequence[str], **changes: str) -> subprocess.Popen[str]:
    """A process that hears Ctrl-C, though the tests may run where it is ignored."""
    return subprocess.Popen(
        words,
        env=environment(**changes),
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )


@dataclass(frozen=True)
class Done:
    """How a process ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def is_pythons(trace: str) -> bool:
    """Whether a trace is of Python's own start, before the first line of ours."""
    return "<frozen site>" in trace


def ended(process: subprocess.Popen[str], seconds: float = 300) -> Done:
    """Wait for its end; a bug of ours shows its trace, and is none that a fault excuses."""
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err or is_pythons(err), err
    return Done(process.returncode, out, err)


def finished(words: Sequence[str], **changes: str) -> Done:
    """Run to the end."""
    return ended(begun(words, **changes))


def descendants(pid: int) -> dict[int, str]:
    """Children and their children -> start time of each."""
    found = family_of(pid)
    for child in list(found):
        found |= descendants(child)
    return found


def nobody_left(family: dict[int, str]) -> None:
    """Every process of a family ends by itself, soon."""
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 30)


def killed(pid: int, number: int = signal.SIGKILL) -> None:
    """A signal to a process that may have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def outlive(
    process: subprocess.Popen[str], moment: float, victim: str, rng: random.Random
) -> Done | None:
    """Kill somebody after ``moment`` seconds; how it ended, or None where the driver was killed.

    Args:
        process: the driver.
        moment: seconds.
        victim: "driver", "worker" or "both".
        rng: draws the worker.
    """
    try:
        process.wait(moment)
        return ended(process)
    except subprocess.TimeoutExpired:
        pass
    family = descendants(process.pid)
    workers = sorted(pid for pid in family if not _is_pythons_own(pid))
    if victim != "driver" and workers:
        killed(rng.choice(workers))
    if victim == "worker":
        done = ended(process)
        nobody_left(family)
        return done
    process.kill()
    process.communicate()
    nobody_left(family)
    return None


def _is_pythons_own(pid: int) -> bool:
    """Of ``multiprocessing``, which starts another and warns when it is killed."""
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def litter(folder: Path) -> list[str]:
    """What no finished run may leave behind: temporary files, unfinished work, locks."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob(".*")
        if path.name.endswith((".tmp", ".lock", ".exporting")) or path.name == ".extract"
    )


# ------------------------------------------------------------------ file systems of their own


class Room:
    """A file system in memory that only some processes see, of a size that can be changed.

    It needs no rights: the processes live in a name space of their own, and it goes with them.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        script = 'mount -t tmpfs -o size="$1" room "$2" && echo ready && exec cat'
        self._holder = subprocess.Popen(
            [
                *("unshare", "--user", "--map-root-user", "--mount"),
                *("sh", "-c", script, "sh", str(size), str(folder)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        if self._holder.stdout.readline() != "ready\n":
            pytest.skip(f"no file system of our own: {self._holder.communicate()[1]}")

    @property
    def inside(self) -> Path:
        """The folder as the processes in the room see it, seen from here."""
        return Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line that runs in the room."""
        inside = ["nsenter", "--target", str(self._holder.pid), "--user", "--mount"]
        return [*inside, "--preserve-credentials", "--", *words]

    def run(self, *words: object) -> Done:
        """A command of ours in the room."""
        return finished(self.words(command(*words)))

    def remount(self, options: str) -> None:
        """E.g. ``size=1000000`` or ``ro``."""
        mount = ["mount", "-o", f"remount,{options}", str(self.folder)]
        subprocess.run(self.words(mount), check=True, timeout=60)

    def close(self) -> None:
        """It is gone, with everything in it."""
        self._holder.communicate("")


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take on a disk of 4 KiB blocks."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // 4096) * 4096 for size in sizes)


def seconds_of(words: Sequence[str], **changes: str) -> float:
    """How long a command takes here and now; it has to succeed."""
    began = time.monotonic()
    done = finished(words, **changes)
    assert done.code == 0, done.err
    return time.monotonic() - began
