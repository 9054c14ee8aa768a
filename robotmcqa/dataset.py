"""A data set on disk, opened for reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa.errors import DatasetError, SceneError
from robotmcqa.failures import Failure
from robotmcqa.files import JsonLines
from robotmcqa.scene import SceneMetadata, load_scene
from robotmcqa.schema import first_problem
from robotmcqa.shards import read_rows
from robotmcqa.workplace import MANIFEST, WORK

__all__ = ["Dataset"]

_AGAIN = "extract it again, or fetch it again"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder that ``extract`` wrote.

    Attributes:
        path: the folder.
        manifest: ``meta/manifest.json``, valid against its schema.
        provenance: ``meta/provenance.json``, likewise.
        scene: ``meta/metadata.json``.
    """

    path: Path
    manifest: Mapping[str, Any]
    provenance: Mapping[str, Any]
    scene: SceneMetadata

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Open a data set.

        Raises:
            DatasetError: there is none, it is unfinished, or its metadata is damaged.
        """
        if not (path / MANIFEST).exists():
            if (path / WORK).exists():
                raise DatasetError(
                    f"{path}: the extraction was interrupted",
                    "run the same robotmcqa extract with --resume",
                )
            raise DatasetError(
                f"{path}: no data set here ({MANIFEST} is missing)",
                "robotmcqa extract makes one; name its folder",
            )
        manifest = _document(path / MANIFEST, "manifest")
        provenance = _document(path / "meta/provenance.json", "provenance")
        try:
            scene = load_scene(path / "meta/metadata.json")
        except SceneError as error:
            raise DatasetError(error.what, _AGAIN) from None
        return cls(path, manifest, provenance, scene)

    def shards(self, split: str | None = None) -> list[Mapping[str, Any]]:
        """Manifest entries of the data files, of one split or of all."""
        return [
            file
            for file in self.manifest["files"]
            if "split" in file and split in (None, file["split"])
        ]

    def rows(
        self, split: str | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows in order, streamed.

        Raises:
            DatasetError: a shard is missing or damaged.
        """
        for shard in self.shards(split):
            yield from read_rows(self.path / shard["path"], columns)

    def failures(self) -> Sequence[Failure]:
        """What was left out or repaired; read from the file whenever it is looked at.

        Raises:
            DatasetError: the list is missing or damaged. Looking at it may raise it too.
        """
        return _Failures(self.path / "meta/failures.jsonl")


class _Failures(JsonLines):
    """The lines of ``meta/failures.jsonl``, or what is wrong with them in a sentence."""

    def __iter__(self) -> Iterator[Failure]:
        try:
            yield from super().__iter__()
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"{self.path}: {error}", _AGAIN) from None


def _document(path: Path, schema: str) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
        json.dumps(document, ensure_ascii=False).encode()  # refuses lone surrogates
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: {error}", _AGAIN) from None
    problem = first_problem(schema, document)
    if problem:
        raise DatasetError(f"{path}: {problem}", _AGAIN)
    checked: Mapping[str, Any] = document
    return checked
