"""Lines that are added as they come and survive a kill: what has been paid for is never lost."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """A file of JSON lines, each under a key. The last line of a key counts.

    A line is on the disk before :meth:`add` returns. Half a line at the end, left by a kill, is
    cut off when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, Mapping[str, Any]] = {}
        self._torn = False
        if path.is_file():
            self._read(path.read_bytes())

    def _read(self, data: bytes) -> None:
        whole, newline, rest = data.rpartition(b"\n")
        self._torn = bool(rest)
        for line in whole.split(b"\n") if newline else ():
            document = json.loads(line)
            self._lines[document["key"]] = document
        self._length = len(whole) + len(newline)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The line under a key."""
        return self._lines.get(key)

    def add(self, key: str, document: Mapping[str, Any]) -> None:
        """Write a line."""
        line = {"key": key, **document}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._torn:
            os.truncate(self.path, self._length)
            self._torn = False
        with self.path.open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._lines[key] = line

    def lines(self) -> list[Mapping[str, Any]]:
        """The line that counts of each key, in the order in which the keys came."""
        return list(self._lines.values())

    def __len__(self) -> int:
        """Number of keys."""
        return len(self._lines)
