"""A display for programs that insist on one, on a machine without."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from functools import partial

from robotmcqa.errors import UsageError
from robotmcqa.supervised import die_with_parent

__all__ = ["INSTALL_XVFB", "PrivateDisplay", "display"]

INSTALL_XVFB = "sudo apt install xvfb"

_SECONDS = 30.0
"""Xvfb is ready within one; a busy machine takes longer."""


def display() -> str | None:
    """What programs can draw on: the display there is, or a private one; None if neither."""
    there = os.environ.get("DISPLAY")
    if there:
        return f"display {there}"
    return "a private Xvfb" if shutil.which("Xvfb") else None


class PrivateDisplay:
    """An X server that shows nothing, under a number that no other has.

    It ends with :meth:`close`, and with this process however that ends.

    Attributes:
        name: for ``DISPLAY``, e.g. ``":1"``.

    Raises:
        UsageError: Xvfb is not installed, or does not start.
    """

    def __init__(self) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise UsageError("DISPLAY is not set and there is no Xvfb", INSTALL_XVFB)
        reading, writing = os.pipe()
        try:
            self._server = subprocess.Popen(
                [program, "-displayfd", str(writing), *_LIKE_A_SCREEN],
                stdin=subprocess.DEVNULL,
                pass_fds=(writing,),
                # SIGTERM: it then takes its lock file away.
                preexec_fn=partial(die_with_parent, signal.SIGTERM),
            )
            os.close(writing)
            number = _line(reading)
        finally:
            os.close(reading)
        if not number.isdecimal():
            self.close()
            raise UsageError("Xvfb does not start", f"{program} :99 says why")
        self.name = f":{number}"

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


_LIKE_A_SCREEN = (
    *("-screen", "0", "1024x768x24", "+extension", "GLX", "+render", "-noreset"),
    *("-nolisten", "tcp"),
)


def _line(descriptor: int) -> str:
    """What is written up to the end of the line, or until the writer ends; "" if it takes long."""
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], _SECONDS)
        part = os.read(descriptor, 64) if ready else b""
        if not part:
            return ""
        data += part
    return data.decode("ascii", "replace").strip()
