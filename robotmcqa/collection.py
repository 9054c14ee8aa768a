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
from robotmcqa.workplace import MANIFEST

__all__ = ["Part", "entries_of", "manifests_in", "parts_of"]


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


def parts_of(path: Path) -> tuple[Part, ...]:
    """The data set in a folder, or those in its subfolders by name.

    Raises:
        DatasetError: there is none, or one is unfinished or damaged.
    """
    inner = sorted(path.glob(f"*/{MANIFEST}")) if not (path / MANIFEST).exists() else []
    if not inner:
        return (Part("default", "", Dataset.open(path)),)
    folders = [manifest.parents[1] for manifest in inner]
    return tuple(Part(one.name, f"{one.name}/", Dataset.open(one)) for one in folders)


def entries_of(parts: Iterable[Part]) -> list[Entry]:
    """What front matter is computed from."""
    return [
        (part.config, part.prefix, part.dataset.manifest, part.dataset.provenance) for part in parts
    ]


_MANIFEST = re.compile(rf"(?:(?P<config>[^/]+)/)?{re.escape(MANIFEST)}")


def manifests_in(paths: Iterable[str]) -> dict[str, str]:
    """Config -> path of its manifest, among the paths of a repository."""
    found = map(_MANIFEST.fullmatch, paths)
    return {match["config"] or "default": match[0] for match in found if match}
