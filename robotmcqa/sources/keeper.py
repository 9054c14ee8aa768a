"""This process's simulator: started when it is first asked, and anew after every failure.

Whatever went wrong, a new one is as good as on the first day, and is there within seconds. It ends
with :func:`end`, with this process, and with this process's death.
"""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from robotmcqa.errors import DemoError
from robotmcqa.supervised import Died, Hung, Refused, Supervised, Trouble

__all__ = ["REMEDY", "Launch", "asked", "end"]

REMEDY = (
    "the same command makes it again (extract: with --resume, or another with --append); "
    "--episode-timeout and --retries allow more"
)


class Launch(NamedTuple):
    """What simulator is wanted; equal ones are the same simulator.

    Attributes:
        target: ``module:class`` of the object that has it in its process.
        argument: of the class.
        environment: gives the variables of that process.
        seconds: that starting it may take.
    """

    target: str
    argument: Any
    environment: Callable[[], Mapping[str, str]]
    seconds: float


class _Running(NamedTuple):
    launch: Launch
    simulator: Supervised


_running: _Running | None = None


def asked(
    launch: Launch, attempts: int, seconds: float, method: str, *arguments: Any
) -> tuple[Any, list[str]]:
    """The answer of a simulator, and what became of each attempt before it.

    Args:
        launch: of the simulator.
        attempts: at most.
        seconds: after which it counts as hung.
        method, arguments: of the object in its process.

    Raises:
        DemoError: no attempt gave an answer; it says what happened in each.
    """
    troubles: list[str] = []
    while len(troubles) < attempts:
        try:
            return _simulator(launch).ask(method, *arguments, seconds=seconds), troubles
        except Trouble as trouble:
            end(at_once=True)
            last = f"; it last said: {trouble.said}" if trouble.said else ""
            troubles.append(_published(f"{_HAPPENED[type(trouble)]}{trouble}{last}"))
        except BaseException:  # nobody waits for an episode after Ctrl-C
            end(at_once=True)
            raise
    if len(set(troubles)) == 1:
        times = f"{attempts} attempts failed alike: " if attempts > 1 else ""
        raise DemoError(f"{times}{troubles[0]}", REMEDY)
    told = "; ".join(f"{number}: {trouble}" for number, trouble in enumerate(troubles, 1))
    raise DemoError(f"{attempts} attempts failed: {told}", REMEDY)


def end(*, at_once: bool = False) -> None:
    """End the simulator, if there is one; at once, or when it has closed itself."""
    global _running
    ending, _running = _running, None
    if ending and at_once:
        ending.simulator.kill()
    elif ending:
        ending.simulator.close()


def _simulator(launch: Launch) -> Supervised:
    """The one that is running, if it is the same; else a new one in its place."""
    global _running
    if _running and _running.launch != launch:
        end()
    if _running is None:
        made = Supervised(
            launch.target,
            launch.argument,
            environment=launch.environment(),
            seconds=launch.seconds,
        )
        _running = _Running(launch, made)
    return _running.simulator


def _forget() -> None:
    """A forked child has none: the simulator that it knows of is its parent's."""
    global _running
    _running = None


atexit.register(end)
os.register_at_fork(after_in_child=_forget)


_HAPPENED: Mapping[type[Trouble], str] = {
    Hung: "the simulator hung: ",
    Died: "the simulator died: ",
    Refused: "",  # the exception says it
}

_FOLDER = re.compile(r"(?<![\w/:.])(?:/[\w.+-]+)+/(?=[\w.+-])")


def _published(text: str) -> str:
    """Words that go into a data set: a few lines at most, and no folder of this machine."""
    return " ".join(_FOLDER.sub("", text).split())[:500]
