"""Two runs in one folder, and clocks that go backwards."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.runs import wait_until
from tests.torture.conftest import Jobs
from tests.torture.tools import ROUNDS, begun, descendants, ended, finished, litter, nobody_left

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["saved", "simulated", "recorded"])
def test_the_second_run_in_a_folder_is_refused_while_the_first_lives(
    name: str, jobs: Jobs, rng: random.Random, tmp_path: Path
) -> None:
    """The lock dies with its owner, whatever kills that."""
    job = jobs(name)
    again, what = ((), "recording") if name == "recorded" else (("--resume",), "extraction")
    lock = ".recording.lock" if name == "recorded" else ".extract/lock"
    for turn in range(2 * ROUNDS):
        out = tmp_path / f"out{turn}"
        first = begun(job.to(out))
        wait_until((out / lock).exists)
        first.send_signal(19)  # SIGSTOP: it holds the lock for as long as it takes
        second = finished(job.to(out, *again))
        assert second.code == 2, second
        assert f"another {what} is working in {out}" in second.err
        assert "wait for it, or use another --out" in second.err
        first.send_signal(18)
        time.sleep(rng.uniform(0, job.seconds / 4))
        family = descendants(first.pid)
        first.kill()
        first.communicate()
        done = finished(job.to(out, *again))  # at once: no process of the first holds the lock
        if name != "recorded" and done.code == 2:
            assert "already" not in done.err, done
        assert done.code == 0, done
        nobody_left(family)
        assert tree(out) == job.files
        assert litter(out) == []


CLOCK = """
import time
_time, _ns, _calls = time.time, time.time_ns, [0]

def _back():
    _calls[0] += 1
    return 3600.0 * _calls[0]

time.time = lambda: _time() - _back()
time.time_ns = lambda: _ns() - int(_back() * 1e9)
"""
"""An hour back at each look at the wall clock, as after a bad NTP server or a dead battery."""


@pytest.mark.parametrize("name", ["saved by two", "simulated", "recorded"])
def test_a_clock_that_goes_backwards(name: str, jobs: Jobs, tmp_path: Path) -> None:
    job = jobs(name)
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(CLOCK)
    done = ended(begun(job.to(tmp_path / "out", "--json"), PYTHONPATH=str(modules)))
    assert done.code == 0, done
    assert tree(tmp_path / "out") == job.files
    durations = re.findall(r'"seconds": (\S+?),?\n| in (\S+) s\.', done.said)
    assert durations
    assert all(float(one or other) >= 0 for one, other in durations)
