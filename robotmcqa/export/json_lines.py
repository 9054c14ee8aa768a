"""Lines of JSON, with pictures as files beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from robotmcqa.export.format import Row, picture_paths

__all__ = ["JsonLines"]


class JsonLines:
    """Rows of one split, a line each.

    Written in ASCII: trainers open such files in whatever encoding the machine is set to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> JsonLines:
        self._file = self._path.open("w", encoding="ascii", newline="\n")
        return self

    def add(self, document: Mapping[str, Any]) -> None:
        """Append one line."""
        self._file.write(json.dumps(document) + "\n")

    def add_pictures(self, row: Row) -> None:
        """Write a row's pictures, byte for byte, unless an equal one lies there already."""
        for name, image in zip(picture_paths(row), row["images"], strict=True):
            path = self._path.parent / name
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(image["bytes"])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
