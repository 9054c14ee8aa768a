"""What a worker does on a node of a cluster: see that it may, then do a few jobs."""

from __future__ import annotations

import json
import pickle
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from robotmcqa.engines import SameEverywhere
from robotmcqa.errors import EngineError

__all__ = ["SAME", "Answer", "answer", "conditions_of"]

SAME = "every node needs the same environment as this machine, best of all one container image"
"""The remedy where a node differs."""

Answer = tuple[float, list[Any]]
"""Seconds that some jobs took together, and the result of each."""


def answer(conditions: str, function: bytes, jobs: Sequence[Any]) -> Answer:
    """Do some jobs.

    Args:
        conditions: of the function, on the machine that asks.
        function: pickled.
        jobs: its arguments.

    Raises:
        EngineError: the conditions are others here, and so would be the results.
        Exception: whatever a job raises.
    """
    done = _unpickled(conditions, function)
    began = time.monotonic()
    results = [done(job) for job in jobs]
    return time.monotonic() - began, results


def conditions_of(function: Callable[..., Any]) -> str:
    """What a function's results depend on beside its argument, on this machine, as JSON."""
    conditions: Mapping[str, Any] = {}
    if isinstance(function, SameEverywhere):
        conditions = function.conditions()
    return json.dumps(conditions, sort_keys=True)


@lru_cache(maxsize=4)
def _unpickled(wanted: str, pickled: bytes) -> Callable[[Any], Any]:
    """The function, which a worker keeps: a simulator and templates are ready after the first job.

    An error is not kept.
    """
    function: Callable[[Any], Any] = pickle.loads(pickled)  # noqa: S301 - what our driver sent
    differing = _differences(json.loads(wanted), json.loads(conditions_of(function)))
    if told := "; ".join(differing):
        raise EngineError(f"the node {platform.node()} would make other bytes: {told}", SAME)
    return function


def _differences(wanted: Any, here: Any, path: str = "") -> Iterator[str]:
    """Where two JSON documents differ, in words."""
    if isinstance(wanted, Mapping) and isinstance(here, Mapping):
        for name in sorted({*wanted, *here}):
            inner = f"{path}.{name}" if path else name
            yield from _differences(wanted.get(name), here.get(name), inner)
    elif wanted != here:
        yield f"{path} is {here!r} on it, and {wanted!r} here"
