"""Ctrl-C and SIGTERM at any time, while Python imports too, and twice in a row."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.torture.conftest import Jobs
from tests.torture.tools import (
    ROUNDS,
    Done,
    begun,
    command,
    descendants,
    ended,
    finished,
    is_pythons,
    killed,
    litter,
    nobody_left,
)

pytestmark = pytest.mark.slow

TIMES = 6 * ROUNDS
CODES = {
    signal.SIGINT: (130, -signal.SIGINT),
    signal.SIGTERM: (143, -signal.SIGTERM),
}
"""Ended by the signal itself is the same to a shell: 128 and the signal's number."""


def struck(
    process: subprocess.Popen[str], moment: float, number: int, pause: float | None = None
) -> Done | None:
    """Signal a process after ``moment`` seconds, and once more; None where it was done before."""
    try:
        process.wait(moment)
        assert ended(process).code == 0
        return None
    except subprocess.TimeoutExpired:
        pass
    family = descendants(process.pid)
    killed(process.pid, number)
    if pause is not None:
        time.sleep(pause)
        killed(process.pid, number)
    done = ended(process, 60)
    nobody_left(family)
    return done


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["saved", "saved by two", "simulated", "recorded"])
def test_stopped_at_random_and_resumed(
    name: str, number: int, twice: bool, jobs: Jobs, rng: random.Random, tmp_path: Path
) -> None:
    job = jobs(name)
    again = () if name == "recorded" else ("--resume",)
    out = tmp_path / "out"
    stopped = 0
    for _ in range(TIMES // 2):
        pause = rng.uniform(0, 0.3) if twice else None
        done = struck(begun(job.to(out, *again)), rng.uniform(0, job.seconds), number, pause)
        if done is None or done.code == 0:  # it was about to end
            assert tree(out) == job.files
            shutil.rmtree(out)
        else:
            stopped += 1
            assert done.code in CODES[signal.Signals(number)] or is_pythons(done.err), done
    assert finished(job.to(out, *again)).code == 0
    assert tree(out) == job.files
    assert litter(out) == []
    print(f"{name}, {signal.Signals(number).name}: {stopped} of {TIMES // 2} stopped")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("--help",), ("extract", "--help"), ("doctor",), ("tasks",)])
def test_stopped_while_it_starts(
    words: tuple[str, ...], number: int, rng: random.Random, tmp_path: Path
) -> None:
    """From the first line of ours on. What Python itself prints before it is not ours to mend."""
    began = time.monotonic()
    assert finished(command(*words)).code == 0
    whole = time.monotonic() - began
    for _ in range(TIMES):
        process = begun(command(*words))
        time.sleep(rng.uniform(0, whole))
        killed(process.pid, number)
        _, err = process.communicate(timeout=60)
        if not is_pythons(err):
            assert process.returncode in (0, *CODES[signal.Signals(number)]), err
            assert "Traceback" not in err, err
