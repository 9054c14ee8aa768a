"""Ray as the engine: a cluster's cores, and its patience with machines that go away.

Jobs are Ray tasks, not calls of actors. A task whose worker or node has died runs again wherever
a core is free; an actor of a lost node would wait, and its jobs with it, until there is room for
the whole of it. Ray hands the next task of a kind to the process that ran the last one, so that a
worker keeps its simulator and its templates as an actor would.

Nothing of size passes the driver: it holds a few jobs for each core, and takes their results as
they come.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from robotmcqa.engines import Engine
from robotmcqa.engines.node import SAME, Answer, conditions_of
from robotmcqa.errors import EngineError, RobotMCQAError, UsageError
from robotmcqa.provenance import versions
from robotmcqa.workers import available_cores

__all__ = ["RETRIES", "connected"]

Job = TypeVar("Job")
Result = TypeVar("Result")

RETRIES = 5
"""How often a job runs again whose worker or node has died, before it is given up."""

_GONE = ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError")

_PER_CORE = 2
"""Jobs in flight for each core: one at work, and the next already there."""

_SECONDS_PER_TASK = 1.0
_JOBS_PER_TASK = 64
"""Short jobs travel together, or the driver would do little but send them."""

_OBJECT_STORE = 128 << 20
"""Bytes of shared memory for a Ray of our own, through which hardly anything passes."""

_PLACE = re.compile(r"(?:ray://)?(?P<host>[^/@:]+|\[[^/@]+\]):(?P<port>\d{1,5})")
_FORMS = "auto or HOST:PORT on a machine that is a node of it, ray://HOST:10001 on another"

_TOKEN = "RAY_AUTH_TOKEN"
_SWITCH = "_worker_logs_enabled"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_METRICS_COLLECTION": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "error",
    "RAY_SCHEDULER_EVENTS": "0",
}


@contextmanager
def connected(address: str | None, workers: int | None) -> Iterator[Engine]:
    """A Ray cluster as an engine.

    Args:
        address: ``"auto"`` for the cluster that this machine is a node of, its ``"host:port"``,
            ``"ray://host:port"`` for one that it is no node of; None for a Ray of our own, which
            is started here and ended at the end. A connection that the program already has is
            used as it is, and kept.
        workers: processes of a Ray of our own; None for one a core.

    Raises:
        UsageError: Ray is not installed, or the address is none.
        EngineError: Ray does not start, or does not answer at the address.
    """
    if address is not None and address != "auto" and not _PLACE.fullmatch(address):
        raise UsageError(f"--ray-address {address}", f"it is {_FORMS}")
    ray = _imported()
    if ray.is_initialized():
        yield RayEngine(ray, kept=True)
        return
    with nullcontext("") if address else _session_folder() as folder:
        try:
            with _sigint_held():
                if address:
                    _connect(ray, address)
                else:
                    _start(ray, workers or available_cores(), folder)
            _hush()
            yield RayEngine(ray)
        finally:
            with _sigint_held():
                ray.shutdown()


def _imported() -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--engine ray needs Ray, which is not installed", "pip install 'robotmcqa[ray]'"
        ) from None
    return ray


@contextmanager
def _session_folder() -> Iterator[str]:
    """For sockets and logs of a Ray of our own; and a token, which keeps strangers out of it.

    Without one in the environment Ray would leave one in the user's home.
    """
    place = tempfile.gettempdir()
    short = place if len(place) < 32 else "/tmp"  # paths of sockets are
    before = os.environ.get(_TOKEN)
    os.environ[_TOKEN] = before or secrets.token_hex(32)
    folder = tempfile.mkdtemp(prefix="robotmcqa-ray-", dir=short)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            del os.environ[_TOKEN]


def _start(ray: Any, workers: int, folder: str) -> None:
    try:
        with _stderr_aside():
            ray.init(
                "local",
                num_cpus=workers,
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                log_to_driver=False,
                logging_level="ERROR",
                _temp_dir=folder,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(
            f"Ray does not start on this machine: {_first_line(error)}",
            "--engine local needs none; --ray-address names a cluster that runs",
        ) from None


def _connect(ray: Any, address: str) -> None:
    try:
        if match := _PLACE.fullmatch(address):
            # Ray itself would try for a minute or two.
            socket.create_connection((match["host"], int(match["port"])), 10).close()
        with _stderr_aside():
            ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise EngineError(
            f"no Ray cluster answers at --ray-address {address}: {_first_line(error)}",
            f"{_FORMS}; where the cluster wants a token, RAY_AUTH_MODE=token beside it",
        ) from None


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Ray's own log of a start, line by line on stderr, goes nowhere; its exception says enough."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _sigint_held() -> Iterator[None]:
    """Ctrl-C is heard at the end: it can crash a Ray that is half started.

    Processes that are started here never hear it, and so wait for us to end them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signal handlers belong to the main thread
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _hush() -> None:
    """Have Ray keep to itself what it would print on stdout: each worker that dies, as it dies.

    There is no public switch. Should this one go in a later Ray, the messages will be back.
    """
    internals = import_module("ray._private.worker")
    if hasattr(internals, _SWITCH):
        setattr(internals, _SWITCH, False)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@dataclass(frozen=True, slots=True)
class RayEngine:
    """The cluster that this process is connected to.

    Attributes:
        ray: the package.
        kept: the connection goes on when the engine is not used any more.
    """

    ray: Any
    kept: bool = False

    def __str__(self) -> str:
        nodes = sum(bool(node["Alive"]) for node in self.ray.nodes())
        cores = int(self.ray.cluster_resources().get("CPU", 0))
        there = f"Ray, {cores} core{'' if cores == 1 else 's'}"
        return f"{there} on {nodes} nodes" if nodes > 1 else there

    def fitting(self, jobs: int, per_worker: int) -> int:
        return jobs  # as many as the cluster has, now and when it has grown

    def run_jobs(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
    ) -> Iterator[Result]:
        task = self.ray.remote(num_cpus=1, max_retries=RETRIES)(function_for_nodes())
        fixed = (
            versions(),
            conditions_of(function),
            self.ray.put(self.ray.cloudpickle.dumps(function)),
        )
        remaining = iter(jobs)
        running: dict[Any, Sequence[Job]] = {}
        size = 1
        try:
            while True:
                most = min(workers, _PER_CORE * self._cores())
                while len(running) < most and (some := list(islice(remaining, size))):
                    running[task.remote(*fixed, some)] = some
                if not running:
                    return
                for ref in self._finished(list(running)):
                    seconds, results = self._answer(ref, running.pop(ref))
                    size = _next_size(size, seconds / len(results))
                    yield from results
        finally:
            if self.kept:  # else the end of the connection ends them
                for ref in running:
                    self.ray.cancel(ref)

    def _cores(self) -> int:
        return max(1, int(self.ray.cluster_resources().get("CPU", 0)))

    def _finished(self, refs: list[Any]) -> list[Any]:
        """Those that are done, as soon as one is."""
        self.ray.wait(refs, num_returns=1)
        done: list[Any] = self.ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return done

    def _answer(self, ref: Any, jobs: Sequence[Any]) -> Answer:
        """What has come out of a task.

        Raises:
            EngineError: its worker died again and again, or its node would not do as we do.
            BaseException: whatever a job raised, as itself.
        """
        try:
            answer: Answer | str = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            raise _original(error) from None
        except self.ray.exceptions.RayError as error:
            gone = isinstance(error, tuple(getattr(self.ray.exceptions, one) for one in _GONE))
            what = f"its worker died {RETRIES + 1} times" if gone else "Ray has failed"
            raise EngineError(
                f"{getattr(jobs[0], 'name', 'a job')}: {what} ({_first_line(error)})",
                "run again with --resume; where memory is what ran out, with fewer --workers",
            ) from None
        if isinstance(answer, str):
            raise EngineError(answer, SAME)
        return answer


def _next_size(size: int, seconds: float) -> int:
    """Jobs of the next task, where one of the last took so many seconds."""
    wanted = int(_SECONDS_PER_TASK / max(seconds, 1e-6))
    return max(1, min(wanted, 2 * size, _JOBS_PER_TASK))


def _original(error: Any) -> BaseException:
    """The exception that a job raised; where it is none of ours, with the trace from there."""
    cause: BaseException = error.cause if isinstance(error.cause, BaseException) else error
    if not isinstance(cause, RobotMCQAError):
        cause.add_note(str(error))
    return cause


def function_for_nodes() -> Callable[..., Answer | str]:
    """The function that runs on the nodes: an answer, or why there is none.

    Made here, so that Ray sends it as code and not by its name: it can say that robotmcqa is
    missing, or is another one, before anything of ours is unpickled.
    """

    def on_node(
        packages: tuple[tuple[str, str], ...], conditions: str, function: bytes, jobs: list[Any]
    ) -> Answer | str:
        import platform
        from importlib.metadata import PackageNotFoundError, version

        for name, here in packages:
            try:
                there = version(name) if name != "python" else platform.python_version()
                if name == "robotmcqa":
                    there = __import__(name).__version__
            except PackageNotFoundError:
                there = "missing"
            if there != here and not (name == "python" and there.startswith(f"{here}.")):
                return f"on the node {platform.node()} {name} is {there}, and here it is {here}"
        from robotmcqa.engines.node import answer

        return answer(conditions, function, jobs)

    return on_node
