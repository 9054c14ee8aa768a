"""The files of a data set: in a folder, or on the Hub and fetched as they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from robotmcqa.errors import DemoError, HubError, SourceError, UsageError

if TYPE_CHECKING:
    from robotmcqa.hub.remote import Remote

__all__ = ["Folder", "HubFolder", "LocalFolder", "holding", "nearby", "open_folder"]


MOST_NAMED = 5
"""Data sets that a remedy names."""


class Folder(Protocol):
    """Where the files of a data set are. Must pickle."""

    @property
    def name(self) -> str:
        """Of the data set, as people call it."""

    @property
    def location(self) -> str:
        """Folder, or address on the Hub."""

    @property
    def revision(self) -> str:
        """Commit on the Hub; "" for a folder."""

    def file(self, path: str) -> str:
        """Where a file is on this machine; fetched if need be.

        Raises:
            DemoError: the Hub has no such file. One that is missing in a folder is not looked for.
        """

    def below(self, path: str) -> list[str]:
        """Paths of the files below a folder, sorted."""

    def stamp(self, path: str) -> str:
        """Changes when the file does."""


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine."""

    location: str

    @property
    def name(self) -> str:
        return os.path.basename(self.location)

    @property
    def revision(self) -> str:
        return ""

    def file(self, path: str) -> str:
        return f"{self.location}/{path}"

    def below(self, path: str) -> list[str]:
        root = Path(self.location)
        found: Iterable[Path] = (root / path).rglob("*")
        return sorted(one.relative_to(root).as_posix() for one in found if one.is_file())

    def stamp(self, path: str) -> str:
        try:
            found = Path(self.location, path).stat()
        except OSError:
            return "missing"
        return f"{found.st_size} {found.st_mtime_ns}"


@dataclass(frozen=True, slots=True)
class HubFolder:
    """A data set on the Hub at a commit; what is read of it lies in the Hub's own cache.

    Attributes:
        repo: ``org/name``.
        revision: commit.
        root: folder of that commit in the cache.
    """

    repo: str
    revision: str
    root: str

    @property
    def name(self) -> str:
        return self.repo.rpartition("/")[2]

    @property
    def location(self) -> str:
        return f"hf://{self.repo}@{self.revision}"

    def file(self, path: str) -> str:
        there = f"{self.root}/{path}"
        if not Path(there).exists() and _remote(self.repo).fetch(path, self.revision) is None:
            raise DemoError(f"{path}: missing", f"{self.repo} has no such file")
        return there

    def below(self, path: str) -> list[str]:
        return sorted(_remote(self.repo).below(path, self.revision))

    def stamp(self, path: str) -> str:
        return self.revision


@lru_cache(maxsize=4)
def _remote(repo: str) -> Remote:
    """The client, once per process."""
    from robotmcqa.hub.remote import Remote

    return Remote(repo)


def holding(folder: Path) -> Path | None:
    """The data set that a folder is a part of (``meta``, ``data``, ...), if it is of one."""
    from robotmcqa.sources.lerobot.layout import INFO

    return next((one for one in folder.absolute().parents[:3] if (one / INFO).exists()), None)


def nearby(folder: Path) -> str:
    """A remedy for a folder that is no data set: what it is instead.

    A part of one, a folder of some (one or two levels up), or saved by RLBench; "" otherwise.
    """
    from robotmcqa.sources.lerobot.layout import INFO
    from robotmcqa.sources.rlbench_tree import find_variations

    above = holding(folder)
    if above:
        return f"it is a part of lerobot:{above}"
    for level in ("*", "*/*"):
        with suppress(OSError):  # a folder that may not be read is no suggestion
            found = sorted(islice(folder.glob(f"{level}/{INFO}"), MOST_NAMED))
            if found:
                named = ", ".join(f"lerobot:{one.parents[1]}" for one in found)
                return f"LeRobot data sets lie below it: {named}"
    with suppress(SourceError):
        if find_variations(folder):
            return f"it holds saved RLBench demos: rlbench:{folder}"
    return ""


def open_folder(text: str) -> LocalFolder | HubFolder:
    """What stands behind ``lerobot:``: a folder, ``hf://org/name@revision`` or the same without.

    Raises:
        UsageError: neither.
        SourceError: there is no such folder.
        HubError: the Hub has no such data set, refuses, or cannot be reached.
    """
    from robotmcqa.hub.pull import address_of

    if not text:
        raise UsageError(
            "no folder given", "--source lerobot:DIR, or lerobot:hf://org/name@revision"
        )
    address = address_of(text)
    if address:
        return _on_the_hub(address)
    path = os.path.abspath(os.path.expanduser(text))
    if not os.path.isdir(path):
        what = "is a file" if Path(path).exists() else "no such folder"
        raise SourceError(
            f"{path}: {what}",
            "--source lerobot:DIR; a data set on the Hub is lerobot:hf://org/name@revision",
        )
    return LocalFolder(path)


def _on_the_hub(address: str) -> HubFolder:
    from robotmcqa.hub.pull import parse_address
    from robotmcqa.sources.lerobot.layout import INFO

    repo, revision = parse_address(address)
    commit = _remote(repo).commit_of(revision or "main")
    if commit is None:
        raise HubError(
            f"there is no data set {repo} at {revision or 'main'} on the Hub, or your token may "
            "not see it",
            "check the name (org/name) and the revision, and that you are logged in",
        )
    info = _remote(repo).fetch(INFO, commit)
    if info is None:
        raise SourceError(f"{address}: no LeRobot data set ({INFO} is missing)")
    return HubFolder(repo, commit, str(info.parents[1]))
