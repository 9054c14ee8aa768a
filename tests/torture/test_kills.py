"""``kill -9`` of the driver, of a worker, of both, again and again: resumed, the same bytes."""

from __future__ import annotations

import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.torture.conftest import Jobs
from tests.torture.tools import (
    ROUNDS,
    begun,
    descendants,
    ended,
    finished,
    killed,
    litter,
    outlive,
)

pytestmark = pytest.mark.slow

KILLS = 4 * ROUNDS


@pytest.mark.parametrize("victim", ["driver", "worker", "both"])
@pytest.mark.parametrize("name", ["saved", "saved by two", "simulated", "recorded"])
def test_killed_at_random_and_resumed(
    name: str, victim: str, jobs: Jobs, rng: random.Random, tmp_path: Path
) -> None:
    job = jobs(name)
    again = () if name == "recorded" else ("--resume",)
    out = tmp_path / "out"
    deaths = 0
    for _ in range(KILLS):
        moment = rng.uniform(0, job.seconds)
        done = outlive(begun(job.to(out, *again)), moment, victim, rng)
        if done is None:
            deaths += 1
        elif done.code:
            deaths += 1
            assert done.code == 1
            assert "robotmcqa: a worker process died" in done.err
            assert "--resume" in done.err
        elif out.exists():
            assert tree(out) == job.files
            shutil.rmtree(out)
    done = finished(job.to(out, *again))
    assert done.code == 0, done.err
    assert tree(out) == job.files
    assert litter(out) == []
    print(f"{name}, {victim}: {KILLS} kills, {deaths} runs died")


@pytest.mark.parametrize("name", ["simulated", "recorded"])
def test_the_trial_of_opengl_is_killed(
    name: str, jobs: Jobs, rng: random.Random, tmp_path: Path
) -> None:
    """Once, and the pictures are those of an undisturbed run; each time, and the run ends."""
    job = jobs(name)
    for turn in range(2 * ROUNDS):
        out, deaths = tmp_path / f"out{turn}", 1 if turn % 2 else 3
        driver = begun(job.to(out))
        killed_ones: set[int] = set()
        while len(killed_ones) < deaths and driver.poll() is None:
            time.sleep(0.01)
            for pid in trials(driver.pid) - killed_ones:
                time.sleep(rng.uniform(0, 0.01))
                killed(pid, rng.choice((signal.SIGKILL, signal.SIGTERM)))
                killed_ones.add(pid)
        done = ended(driver)
        assert len(killed_ones) == deaths, "OpenGL was not tried out, or not seen"
        if deaths == 3:
            assert done.code == 1, done
            assert "was killed (out of memory?), 3 times" in done.err
            assert "choose what draws" in done.err
            done = finished(job.to(out, *(() if name == "recorded" else ("--resume",))))
        assert done.code == 0, done
        assert tree(out) == job.files


def trials(driver: int) -> set[int]:
    """The process in which it tries OpenGL out, if one runs."""
    found = set()
    for pid in descendants(driver):
        with suppress(OSError):
            if b"robotmcqa.sim import gl" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found
