"""Ctrl-C twice: whoever does not wait gets an end all the same, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import SCRIPT, Run
from tests.runs import alive, family_of, started, wait_until


@pytest.mark.parametrize("pause", [0.0, 0.2, 1.0])
def test_a_second_interrupt_ends_it_soon(pause: float, script: Run, tmp_path: Path) -> None:
    arguments = ["extract", "--task", "stack_cups", "--episodes", "16", "--no-images"]
    arguments += ["--workers", "2", "--out", str(tmp_path / "out")]
    process = started([str(SCRIPT), *arguments])
    wait_until(lambda: len(family_of(process.pid)) >= 2)
    time.sleep(0.7)
    family = family_of(process.pid)
    process.send_signal(signal.SIGINT)
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("it hangs")
    # Killed by the signal on the way out is 130 too, to the shell.
    assert process.returncode in (130, -signal.SIGINT), said
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 10)
    assert script(*arguments, "--resume").returncode == 0
    assert script("validate", tmp_path / "out").returncode == 0
