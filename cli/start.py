"""Where the ``robotmcqa`` command begins: an interrupt while it imports ends it without a trace."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Entry point of the ``robotmcqa`` command."""
    from .app import main as run

    run()
