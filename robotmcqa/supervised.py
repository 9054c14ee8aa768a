"""An object in a process of its own, which is asked and watched.

For code that may hang or take its whole process down. The process and all that it starts form a
group, which is ended as one; Linux ends the process when whoever started it dies, however that
happens.

``python -m robotmcqa.supervised`` is that process: not :mod:`multiprocessing`, which would run the
user's script anew in it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Died", "Hung", "Refused", "Supervised", "Trouble", "die_with_parent"]

_LINES = 4
_FRAME = re.compile(r"\[0x[0-9a-f]+\]\s*$")
"""How a line of a stack trace ends."""

_GRACE = 1.0
"""Seconds between the polite signal and the other one."""


class Trouble(Exception):
    """No answer; the text says what happened instead.

    Attributes:
        said: the last lines that the process has written since it was asked; "" if there are none.
    """

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(what)
        self.said = said


class Hung(Trouble):
    """It did not answer in time."""


class Died(Trouble):
    """Its process ended."""


class Refused(Trouble):
    """It raised an exception."""


class Supervised:
    """An object of another process.

    Args:
        target: ``module:class``.
        arguments: of the class; they pickle.
        environment: all variables of the process.
        seconds: that making the object may take.

    Raises:
        Trouble: the object could not be made.
    """

    def __init__(
        self, target: str, *arguments: Any, environment: Mapping[str, str], seconds: float
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        # Appended to, so that it can be emptied while the process writes to it.
        fcntl.fcntl(self._output, fcntl.F_SETFL, os.O_APPEND)
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(os.getpid())],
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        try:
            self.ask(target, *arguments, seconds=seconds)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, method: str, *arguments: Any, seconds: float) -> Any:
        """What a method of the object returns.

        Raises:
            Trouble: nothing; the process may have ended. Whether it is fit for another question is
                for the caller to judge.
        """
        os.ftruncate(self._output.fileno(), 0)
        try:
            self._pipe.send((method, arguments))
            if not self._pipe.poll(seconds):
                raise Hung(f"no answer within {seconds:g} s", self._said())
            answered, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise Died(self._end(), self._said()) from None
        if not answered:
            raise Refused(answer, self._said())
        return answer

    def close(self, seconds: float = 10.0) -> None:
        """Have the object close itself, then end the process."""
        with suppress(OSError):
            self._pipe.send(("close", ()))
            self._wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End the process and all that it has started."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            # Not yet waited for, so its number is still its own, and its group's.
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, sign)
                self._wait(_GRACE)
        self._process.wait()
        self._pipe.close()
        self._output.close()

    def _said(self) -> str:
        """The last lines that it has written since it was asked, but for where C++ code stood."""
        self._output.seek(0)
        lines = self._output.read()[-65536:].decode("utf-8", "replace").splitlines()
        words = [" ".join(line.split()) for line in lines if not _FRAME.search(line)]
        last = list(dict.fromkeys(filter(None, reversed(words))))[:_LINES]
        return " | ".join(reversed(last))

    def _wait(self, seconds: float) -> None:
        """Until the process has ended, which nobody is told yet."""
        end = time.monotonic() + seconds
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process.pid, flags) is None and time.monotonic() < end:
            time.sleep(0.01)

    def _end(self) -> str:
        """How the process ended, which has closed its end of the pipe."""
        self._wait(_GRACE)
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return "it fell silent"
        if ended.si_code == os.CLD_EXITED:
            return f"its process ended with exit code {ended.si_status}"
        return f"its process crashed ({signal.Signals(ended.si_status).name})"


_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
_PR_SET_PDEATHSIG = 1


def die_with_parent(sign: int = signal.SIGKILL) -> None:
    """Have this process sent a signal when the thread that started it ends (Linux only)."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)


def _serve(pipe: Connection) -> None:
    """Make the object that the first message describes, then answer for it until it is closed."""
    made: Any = None
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            if made is None:
                module, _, name = method.partition(":")
                made = getattr(import_module(module), name)(*arguments)
                answer: tuple[bool, Any] = True, None
            else:
                answer = True, getattr(made, method)(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        if method == "close":
            return
        pipe.send(answer)


def _main() -> None:
    descriptor, parent = map(int, sys.argv[1:])
    die_with_parent()
    if os.getppid() != parent:  # it died before it could be followed
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.set_inheritable(descriptor, False)  # or a child of its own would keep the pipe open
    with Connection(descriptor) as pipe:
        _serve(pipe)
    sys.stdout.flush()
    os._exit(0)  # what the object's code would do on its way out may hang


if __name__ == "__main__":
    _main()
