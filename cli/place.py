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


def local(out: Path | str) -> Path:
    """What a verb writes to that knows no stores; ``file://`` names a folder like any other.

    Raises:
        UsageError: it is in a store.
    """
    from robotmcqa.errors import UsageError
    from robotmcqa.places import is_remote, is_url, located

    text = str(out)
    if not is_url(text):
        return Path(out)
    place = located(text)
    if is_remote(place):
        raise UsageError(
            f"--out {text}: only extract writes to a store",
            "--out takes a folder; copy it there with the store's own tools, or robotmcqa push",
        )
    return place
