"""Where a data set lies: a folder, a release on the Hub, or a URL."""

from __future__ import annotations

from pathlib import Path

DEFAULT_OUT = Path("robotmcqa-dataset")

HELP = "The data set: a folder, hf://org/name@v1.2.0, or s3://bucket/name."


def folder_of(named: str) -> Path:
    """The folder that is named, or the one that what is named has been fetched into."""
    from robotmcqa.hub.pull import fetch, is_address
    from robotmcqa.places import is_url

    from . import output

    if is_address(named) and not named.startswith("hf://buckets/"):
        output.quiet_hub()
        return fetch(named)
    if not is_url(named):
        return Path(named)
    from robotmcqa.fetching import fetched

    return fetched(named)
