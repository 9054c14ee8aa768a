"""What one repository holds: a data set, or several as its configs.

A folder of ``extract`` is a data set. A folder that holds several of them, each in a subfolder
beside a common ``README.md``, is a *collection*: the subfolders' names are the configs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from robotmcqa.card.front_matter import Entry
from robotmcqa.dataset import Dataset
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.workplace import MANIFEST, WORK

__all__ = ["Part", "entries_of", "manifests_in", "parts_of", "place_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """A data set in its place.

    Attributes:
        config: its name for ``load_dataset``.
        prefix: of its files' paths, "" or "config/".
        dataset: itself.
    """

    config: str
    prefix: str
    dataset: Dataset

    @property
    def rows(self) -> int:
        """Questions in all splits."""
        return sum(split["rows"] for split in self.dataset.manifest["splits"].values())


def parts_of(path: Path, *, finished: bool = False) -> tuple[Part, ...]:
    """The data set in a folder, or those in its subfolders by name.

    Args:
        path: the folder.
        finished: leave out subfolders whose first extraction is still under way.

    Raises:
        DatasetError: there is none, one is unfinished or damaged, or has no name for a config.
    """
    folders = [] if _is_begun(path) else sorted(filter(_is_begun, path.glob("*/")))
    if finished:
        folders = [folder for folder in folders if (folder / MANIFEST).exists()]
    if not folders:
        return (Part(_ONLY, "", Dataset.open(path)),)
    for folder in folders:
        if not _is_name(folder.name):
            raise DatasetError(
                f"{folder}: a data set in a folder of several, but no config can have that name",
                f"rename it ({_RULE}), or move it away",
            )
    return tuple(Part(one.name, f"{one.name}/", Dataset.open(one)) for one in folders)


def place_of(out: Path, config: str | None) -> Path:
    """The folder that a data set is to be written into.

    Args:
        out: the folder of a data set, or of a collection.
        config: the data set's name in the collection; None where ``out`` is to be a data set.

    Raises:
        UsageError: a folder or a config cannot have that name, or ``out`` is the other kind.
    """
    if config is None:
        if not _is_begun(out) and any(map(_is_begun, out.glob("*/"))):
            raise UsageError(
                f"{out} holds data sets in its subfolders",
                "--config NAME adds or replaces one of them; --out DIR writes elsewhere",
            )
        return out
    if not _is_name(config):
        raise UsageError(f"--config {config}", _RULE)
    if _is_begun(out):
        raise UsageError(
            f"{out} is a data set, and cannot hold another as its config",
            "--out takes a new folder, or one that earlier runs with --config made",
        )
    return out / config


_ONLY = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TAKEN = (_ONLY, "assets", "data", "meta")
_RULE = f"a config's name is of letters, digits, - and _, and none of {', '.join(_TAKEN)}"


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and text not in _TAKEN


def _is_begun(path: Path) -> bool:
    """Whether a data set lies here, whole or unfinished."""
    return (path / MANIFEST).exists() or (path / WORK).exists()


def entries_of(parts: Iterable[Part]) -> list[Entry]:
    """What front matter is computed from."""
    return [
        (part.config, part.prefix, part.dataset.manifest, part.dataset.provenance) for part in parts
    ]


_MANIFEST = re.compile(rf"(?:(?P<config>[^/]+)/)?{re.escape(MANIFEST)}")


def manifests_in(paths: Iterable[str]) -> dict[str, str]:
    """Config -> path of its manifest, among the paths of a repository."""
    found = map(_MANIFEST.fullmatch, paths)
    return {match["config"] or _ONLY: match[0] for match in found if match}
