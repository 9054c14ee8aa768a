"""Ctrl-C: the first is heard, by all means; another would only break the way out."""

from __future__ import annotations

import signal

_heard = False


def interrupted(signum: int, frame: object) -> None:
    """The handler of SIGINT."""
    global _heard
    _heard = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def check() -> None:
    """Interrupt again, for whoever gets on although the first was heard.

    An exception that a handler raises can land where nobody passes it on, such as a finaliser.
    """
    if _heard:
        raise KeyboardInterrupt
