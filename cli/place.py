"""Where a data set lies: a folder, or a release on the Hub."""

from __future__ import annotations

from pathlib import Path

HELP = "The data set: a folder, or hf://org/name@v1.2.0."


def folder_of(named: str) -> Path:
    """The folder that is named, or the one that a release has been fetched into."""
    from robotmcqa.hub.pull import fetch, is_address

    from . import output

    if not is_address(named):
        return Path(named)
    output.quiet_hub()
    return fetch(named)
