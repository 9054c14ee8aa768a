"""What ``tests.test_ray`` wants to know of a real Ray, in a process of its own.

``python -m tests.ray_cases FOLDER`` prints a JSON document. FOLDER is for notes that jobs leave.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa.engines import Engine, open_engine
from robotmcqa.errors import DemoError, RobotMCQAError


@dataclass(frozen=True)
class Job:
    name: str


@dataclass(frozen=True)
class Deadly:
    """Kills its own worker so often, then answers."""

    folder: Path
    times: int

    def __call__(self, job: Job) -> str:
        attempts = len(list(self.folder.glob(f"{job.name}.*")))
        (self.folder / f"{job.name}.{attempts}").touch()
        if attempts < self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return job.name


@dataclass(frozen=True)
class Particular:
    """Wants to be where it was made."""

    def conditions(self) -> Mapping[str, Any]:
        return {"process": os.getpid()}

    def __call__(self, job: Job) -> str:
        return job.name


def refuse(job: Job) -> str:
    raise DemoError(f"{job.name} is broken", "mend it")


def full(job: Job) -> str:
    raise OSError(28, "No space left on device", job.name)


def slow(number: int) -> tuple[int, int]:
    time.sleep(0.01)
    return number, os.getpid()


def raised(engine: Engine, function: Callable[[Job], str]) -> dict[str, str]:
    try:
        list(engine.run_jobs(function, [Job("one")], 1))
    except Exception as error:
        remedy = error.remedy if isinstance(error, RobotMCQAError) else ""
        notes = "".join(getattr(error, "__notes__", ()))
        what = error.what if isinstance(error, RobotMCQAError) else str(error)
        return {"kind": type(error).__name__, "what": what, "remedy": remedy, "notes": notes}
    return {}


def endless(engine: Engine) -> dict[str, int]:
    """Results of 300 jobs of a source without an end, and how far ahead it was asked."""
    asked = 0

    def jobs() -> Iterator[int]:
        nonlocal asked
        for number in itertools.count():
            asked = number
            yield number

    ahead = 0
    seen = []
    for number, pid in itertools.islice(engine.run_jobs(slow, jobs(), 10**6), 300):
        seen.append((number, pid))
        ahead = max(ahead, asked - len(seen))
    return {
        "distinct": len({number for number, _ in seen}),
        "workers": len({pid for _, pid in seen}),
        "ahead": ahead,
    }


def main(folder: Path) -> dict[str, Any]:
    (folder / "twice").mkdir()
    jobs = [Job(f"job{number}") for number in range(6)]
    with open_engine("ray", workers=2) as engine:
        with open_engine("ray") as again:  # the connection that there is
            nested = sorted(again.run_jobs(Deadly(folder, 0), jobs, 2))
        return {
            "nested": nested,
            "refused": raised(engine, refuse),
            "full": raised(engine, full),
            "elsewhere": raised(engine, Particular()),
            "killed_twice": sorted(engine.run_jobs(Deadly(folder / "twice", 2), jobs, 2)),
            "killed_always": raised(engine, Deadly(folder, 10**6)),
            "attempts": len(list(folder.glob("one.*"))),
            "endless": endless(engine),
        }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
