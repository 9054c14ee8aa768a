"""An object in a process of its own: it answers, refuses, hangs or dies, and leaves nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from robotmcqa.supervised import Died, Hung, Refused, Supervised
from tests.runs import alive, wait_until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="there is no /proc to count processes in"
)


@pytest.fixture
def subject() -> Iterator[Supervised]:
    made = started("Ada")
    yield made
    made.kill()


def started(name: str) -> Supervised:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return Supervised("tests.subject:Subject", name, environment=environment, seconds=60)


def born(pid: int) -> str:
    """When a process started, which tells it from a later namesake."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def ask(subject: Supervised, method: str, *arguments: Any, seconds: float = 60) -> Any:
    return subject.ask(method, *arguments, seconds=seconds)


def test_it_answers_and_refuses_and_answers_again(subject: Supervised) -> None:
    assert ask(subject, "greet", "hello") == "hello, Ada"
    with pytest.raises(Refused, match="RuntimeError: not today"):
        ask(subject, "refuse")
    assert ask(subject, "greet", "bye") == "bye, Ada"
    with pytest.raises(Refused, match="AttributeError"):
        ask(subject, "sing")


def test_one_that_cannot_be_made_leaves_nothing() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(Refused, match="ValueError: no name"):
        started("")
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_hung_one_ends_with_all_that_it_started(subject: Supervised) -> None:
    child = ask(subject, "start_child")
    family = {subject.pid: born(subject.pid), child: born(child)}
    with pytest.raises(Hung, match=r"no answer within 0\.3 s") as error:
        ask(subject, "hang", seconds=0.3)
    assert error.value.said in ("thinking hard | more", ""), "it may not have come to that"
    subject.kill()
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 10)


def test_how_it_ended_is_told(subject: Supervised) -> None:
    ask(subject, "greet", "hello")
    with pytest.raises(Died, match="its process ended with exit code 3") as error:
        ask(subject, "leave", 3)
    assert error.value.said == "", "what it said before was about another question"
    subject.kill()
    other = started("Bob")
    with pytest.raises(Died, match=r"its process crashed \(SIGSEGV\)"):
        ask(other, "crash")
    other.kill()


def test_closed_in_peace(subject: Supervised) -> None:
    child = ask(subject, "start_child")
    family = {subject.pid: born(subject.pid), child: born(child)}
    subject.close()
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 10)


def test_one_that_was_killed_by_others_is_closed_too(subject: Supervised) -> None:
    os.kill(subject.pid, signal.SIGKILL)
    with pytest.raises(Died):
        ask(subject, "greet", "hello")
    subject.close()
