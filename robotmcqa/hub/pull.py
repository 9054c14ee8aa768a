"""Released data sets, fetched: at a version, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robotmcqa.errors import HubError, UsageError
from robotmcqa.hub.patience import explained
from robotmcqa.hub.remote import Remote, State
from robotmcqa.hub.versions import Version

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["address_of", "fetch", "is_address", "load", "parse_address"]

_ADDRESS = re.compile(r"hf://(?:datasets/)?(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^@]+?))?/?")


def load(
    repo: str, *, version: str | None = None, config: str | None = None, **options: Any
) -> DatasetDict | Any:
    """A released data set, its pictures decoded as they are asked for.

    ``datasets.load_dataset(repo, config, revision=version)`` gives the same, unless a folder of
    that name lies in the current one; this names the versions there are when there is none such.

    Args:
        repo: ``org/name`` on the Hub.
        version: ``vX.Y.Z``; by default the latest.
        config: of a repository with several, e.g. ``"grounded"``.
        options: of ``load_dataset``, e.g. ``split="test"`` or ``streaming=True``.

    Raises:
        UsageError: there is no such version, or no such config.
        HubError: the Hub refuses, fails, or cannot be reached.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    remote = Remote(repo)
    pinned = version or str(_latest(remote))
    Version.parse(pinned)
    here = Path(repo).exists()  # datasets would read that folder
    place = str(fetch(f"hf://{repo}@{pinned}")) if here else repo
    try:
        return load_dataset(place, config, revision=None if here else pinned, **options)
    except DatasetNotFoundError:
        _refuse_unknown(remote, pinned)
        raise
    except ValueError as error:
        raise UsageError(f"{repo} {pinned}: {error}", "config= takes one of its configs") from None
    except OSError as error:
        raise explained(f"loading {repo} {pinned}", error) from None


def is_address(text: str) -> bool:
    """Whether ``text`` names a data set on the Hub (``hf://org/name@v1.2.0``), not a folder."""
    return text.startswith("hf://")


def address_of(named: str) -> str | None:
    """The address that ``org/name@v1.2.0`` or ``hf://...`` stands for; None for a folder."""
    if is_address(named):
        return named
    match = _ADDRESS.fullmatch(f"hf://{named}")
    return f"hf://{named}" if match and match["revision"] and not Path(named).exists() else None


def parse_address(address: str) -> tuple[str, str | None]:
    """Data set and revision of ``hf://org/name@v1.2.0``; the revision may be missing.

    Raises:
        UsageError: it is no such address.
    """
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(f"{address} is no address", "one looks like hf://org/name@v1.2.0")
    return match["repo"], match["revision"]


def fetch(address: str) -> Path:
    """The folder that ``hf://org/name@v1.2.0`` is fetched into (the Hub's own cache).

    Without a version it is the latest; any other revision (a branch, a commit) may stand there.

    Raises:
        UsageError: the address is malformed, or there is no such version.
        HubError: the Hub refuses, fails, or cannot be reached.
    """
    repo, named = parse_address(address)
    remote = Remote(repo)
    revision = named or str(_latest(remote))
    found = remote.download(revision)
    if found is None:
        _refuse_unknown(remote, revision)
        raise HubError(f"{remote.repo} has no revision {revision}", "name a tag or a commit")
    return found


def _latest(remote: Remote) -> Version:
    state = _state(remote)
    if state.latest is None:
        raise UsageError(
            f"{remote.repo} has no release", "name a revision, or release it: robotmcqa push"
        )
    return state.latest


def _refuse_unknown(remote: Remote, revision: str) -> None:
    """Say which versions there are, where ``revision`` is none of them."""
    state = _state(remote)
    if revision not in state.tags:
        known = ", ".join(map(str, state.versions)) or "none"
        raise UsageError(f"{remote.repo} has no {revision}", f"its versions are: {known}")


def _state(remote: Remote) -> State:
    state = remote.state()
    if state is None:
        raise HubError(
            f"there is no data set {remote.repo} on the Hub, or your token may not see it",
            "check the name (org/name), and that you are logged in as somebody who may see it",
        )
    return state
