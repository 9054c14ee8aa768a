"""What runs the jobs of an extraction: processes of this machine, or a Ray cluster.

An engine decides where a job runs, never what comes out of it: results come in any order, and
whoever needs an order sorts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from robotmcqa.errors import UsageError
from robotmcqa.workers import available_cores, run_jobs

__all__ = ["ENGINES", "LOCAL", "Engine", "LocalEngine", "SameEverywhere", "open_engine"]

Job = TypeVar("Job")
Result = TypeVar("Result")

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs one function over many jobs."""

    def fitting(self, jobs: int, per_worker: int) -> int:
        """Workers to use where nobody says how many.

        Args:
            jobs: how many there are.
            per_worker: so many jobs take as long as starting a process of this machine.
        """

    def run_jobs(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
    ) -> Iterator[Result]:
        """Results of ``function`` for each job, in any order.

        ``function`` is pickled once and called many times, more than once for one job where a
        machine is lost in between. Only a few jobs are in flight, so ``jobs`` may be endless.

        Raises:
            RobotMCQAError: raised by ``function``, or a worker died and nothing more can be done.
        """


@runtime_checkable
class SameEverywhere(Protocol):
    """A function whose results also depend on the machine that it is called on."""

    def conditions(self) -> Mapping[str, Any]:
        """What has to be equal on all machines, as JSON.

        Raises:
            RobotMCQAError: this machine cannot do the jobs at all.
        """


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """This process, or several of this machine."""

    def fitting(self, jobs: int, per_worker: int) -> int:
        return min(available_cores(), 1 + jobs // per_worker)

    def run_jobs(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
    ) -> Iterator[Result]:
        return run_jobs(function, jobs, workers)


LOCAL = LocalEngine()


def open_engine(
    name: str, address: str | None = None, workers: int | None = None
) -> AbstractContextManager[Engine]:
    """The engine that ``--engine`` names, to be used in a ``with`` statement.

    Args:
        name: one of :data:`ENGINES`.
        address: of a Ray cluster; None for a Ray of this machine's own.
        workers: how many will be asked of it; None for as many as there are cores.

    Raises:
        UsageError: no such engine, or it has no address.
        EngineError: Ray is not installed, or there is no cluster at the address.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine '{name}'", f"--engine takes one of: {', '.join(ENGINES)}")
    if name == "ray":
        from robotmcqa.engines.ray import connected

        return connected(address, workers)
    if address is not None:
        raise UsageError(f"--ray-address {address}", "it belongs to --engine ray")
    return nullcontext(LOCAL)
