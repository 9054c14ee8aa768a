"""Extractions that a test starts, watches, and ends at a moment of its choosing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, open_source
from robotmcqa.demo import Demo
from robotmcqa.sources import DemoRef, DemoSource, Selection
from tests.conftest import SCRIPT, environment

SLOW_RULE = """
import os, time
from robotmcqa.keyframes import ArmRule

def rule(demo):
    time.sleep(float(os.environ.get("SLOW_RULE", "0")))
    return ArmRule()(demo)
"""
"""Keyframes as usual, found slowly: time enough to interrupt a run in the middle."""


def command(source: Path, out: Path, *options: object) -> list[str]:
    arguments = ("extract", "--source", f"rlbench:{source}", "--out", out, *options)
    return [str(SCRIPT), *map(str, arguments)]


def made(demos: Path, out: Path, spec: Spec, **options: Any) -> Path:
    """By the library in this process, where nothing hangs on the command."""
    extract(open_source(f"rlbench:{demos}"), spec, out, workers=1, **options)
    return out


def started(arguments: list[str], **changes: str) -> subprocess.Popen[str]:
    """A process that hears Ctrl-C, though the tests may run where it is ignored (``pytest &``)."""
    return subprocess.Popen(
        arguments,
        env=environment(**changes),
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Poll; a test that waits for ever is no test."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def family_of(driver: int) -> dict[int, str]:
    """Children of a process -> their start time, which tells them from a later namesake."""
    found = {}
    for entry in Path("/proc").iterdir():
        stat = _stat(entry.name) if entry.name.isdecimal() else None
        if stat and stat[1] == str(driver):
            found[int(entry.name)] = stat[19]
    return found


def _stat(pid: str) -> list[str] | None:
    """Fields of ``/proc/PID/stat`` from the state on; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def alive(pid: int, start: str) -> bool:
    stat = _stat(str(pid))
    return stat is not None and stat[19] == start and stat[0] != "Z"


def spooled(out: Path) -> int:
    return len(list(out.glob(".extract/episodes/*.json")))


class Enough(Exception):
    """Ends an extraction at a chosen moment."""


@dataclass
class StopAfter:
    """A listener that ends the run after so many demos of a stage."""

    stage_name: str
    count: int
    heard: list[str] = field(default_factory=list)

    def stage(self, name: str, episodes: int) -> None:
        self.heard.append(name)
        self.left = self.count
        if name == self.stage_name and not self.left:
            raise Enough

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
        if self.heard[-1] == self.stage_name:
            self.left -= episodes
            if self.left <= 0:
                raise Enough


@dataclass
class Counting:
    """A source that remembers what was loaded from it."""

    inner: DemoSource
    loaded: list[str] = field(default_factory=list)

    scheme = property(lambda self: self.inner.scheme)
    location = property(lambda self: self.inner.location)
    licence = property(lambda self: self.inner.licence)
    replayable = property(lambda self: self.inner.replayable)

    def tasks(self) -> list[str]:
        return self.inner.tasks()

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        return self.inner.refs(selection)

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        self.loaded.append(ref.name)
        return self.inner.load(ref, cameras)

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        return self.inner.picture(ref, camera, frame)

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return self.inner.broken_files(ref, cameras)


def interrupted(demos: Path, out: Path, stage: str, count: int, **options: Any) -> None:
    source = open_source(f"rlbench:{demos}")
    with pytest.raises(Enough):
        extract(source, Spec(), out, workers=1, listener=StopAfter(stage, count), **options)


class Killed(BaseException):
    """Stands for the end of the process; no ``except Exception`` stops it."""


def killed_at(step: int, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do ``run`` until its ``step``-th rename or removal; whether it got that far."""
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps >= step:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: 1)  # the one that resumes is another process
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        try:
            run()
        except Killed:
            return True
    return False
