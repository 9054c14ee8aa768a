"""``kill -9`` of the driver, of a worker, of both, again and again: resumed, the same bytes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.torture.conftest import Jobs
from tests.torture.tools import ROUNDS, begun, finished, litter, outlive

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
