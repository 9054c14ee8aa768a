"""Call a function in a process of its own, which may hang, crash or eat memory without harm.

For code that a stranger's bytes steer and that cannot be stopped from within: what runs in C inside
one call hears neither signals nor other threads, and an overflowing stack takes the process with
it. The process is forked at the first call, which takes milliseconds, and serves the calls after
it, which takes tens of microseconds each. The kernel ends it when its time is up.
"""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from robotmcqa.errors import RobotMCQAError

__all__ = ["Ended", "apart", "memory_bounded"]

Result = TypeVar("Result")

_PROTOCOL = pickle.HIGHEST_PROTOCOL
_ATTEMPTS = 3
"""Calls of a function whose process somebody else has killed."""


class Ended(Exception):
    """The process has ended while it ran the function; the message says in which way."""


def apart(function: Callable[..., Result], *arguments: Any, seconds: float, memory: int) -> Result:
    """What ``function`` returns, or raises, in another process.

    Args:
        function: of a module, not of a class or another function.
        arguments: of the function. They, the result and the exception have to pickle.
        seconds: of CPU time that it may take.
        memory: bytes that it may take more than it has (Linux; elsewhere there is no bound).

    Raises:
        Ended: it took too long, or crashed.
        RobotMCQAError: somebody killed its process, and again.
    """
    global _helper
    with _lock:
        for _ in range(_ATTEMPTS):
            if _helper is None:
                _helper = _Helper()
            try:
                succeeded, outcome = _helper.call(function, arguments, seconds, memory)
                break
            except (EOFError, OSError):
                ended = _helper.end()
                _helper = None
                if ended == signal.SIGPROF:
                    raise Ended(f"takes more than {seconds:.0f} s of CPU time") from None
                if ended not in (signal.SIGKILL, signal.SIGTERM):
                    raise Ended(f"crashes ({_name(ended)})") from None
            except BaseException:  # Ctrl-C: what it would answer now, nobody waits for
                _helper.end()
                _helper = None
                raise
        else:
            raise RobotMCQAError(
                f"a reading process was killed {_ATTEMPTS} times (out of memory?)",
                "run again with --resume, perhaps with fewer --workers",
            )
    if succeeded:
        return cast(Result, outcome)
    raise outcome


def _name(number: int) -> str:
    return signal.Signals(number).name if number else "it exits"


_bounded = False


@contextmanager
def memory_bounded(more: int) -> Iterator[None]:
    """Let this process ask for so many more bytes at most (Linux; elsewhere there is no bound).

    A bound within another one changes nothing.
    """
    global _bounded
    if _bounded:
        yield
        return
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = pages * resource.getpagesize() + more
    if soft != resource.RLIM_INFINITY:
        bound = min(bound, soft)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    _bounded = True
    try:
        yield
    finally:
        _bounded = False
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _Helper:
    """The process, seen from the one that it works for. It ends when that one does."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with warnings.catch_warnings():
            # Newer Pythons warn of threads that hold locks: the child takes none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if not self._process:
            _serve(theirs)
        theirs.close()

    # Both ends are ours, and neither hands on what a stranger's bytes could have chosen to run.
    def call(self, *request: Any) -> tuple[bool, Any]:
        self._connection.send_bytes(pickle.dumps(request, _PROTOCOL))
        answer: tuple[bool, Any] = pickle.loads(self._connection.recv_bytes())  # noqa: S301
        return answer

    def end(self) -> int:
        """Kill it, unless it is dead; the signal that ended it, or 0."""
        self._connection.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        try:
            _, status = os.waitpid(self._process, 0)
        except ChildProcessError:  # somebody has waited for all children
            return signal.SIGKILL
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    def forget(self) -> None:
        """It works for another process."""
        self._connection.close()


_helper: _Helper | None = None
_lock = threading.Lock()


def _after_fork() -> None:
    """A forked process has to ask for a helper of its own, or answers would be mixed up."""
    global _helper, _lock
    if _helper:
        _helper.forget()
    _helper, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _serve(connection: Connection) -> NoReturn:
    """Answer calls until nobody can ask any more."""
    try:
        _alone(connection.fileno())
        while True:
            request = pickle.loads(connection.recv_bytes())  # noqa: S301
            function, arguments, seconds, memory = request
            signal.setitimer(signal.ITIMER_PROF, seconds)
            connection.send_bytes(pickle.dumps(_outcome(function, arguments, memory), _PROTOCOL))
            signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        os._exit(1)  # no buffer and no lock of the other process is this one's to clear away


def _outcome(
    function: Callable[..., Any], arguments: tuple[Any, ...], memory: int
) -> tuple[bool, Any]:
    try:
        with memory_bounded(memory):
            return True, function(*arguments)
    except Exception as error:
        return False, error


def _alone(connection: int) -> None:
    """Hold nothing of the other process: a lock or a pipe that is open here outlives it."""
    gc.freeze()  # what it holds is neither collected nor copied
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) != connection:
            with suppress(OSError):
                os.close(int(name))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's to handle
    for number in (signal.SIGPROF, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF, signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0)
