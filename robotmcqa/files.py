"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

__all__ = [
    "JsonLines",
    "fsync",
    "iterate_jsonl",
    "json_text",
    "move_into_place",
    "sha256_of",
    "temporary_beside",
    "write_bytes",
    "write_jsonl",
    "write_text",
]


def json_text(document: Any) -> str:
    """JSON with sorted keys, one field a line: the same document is the same text."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """As :func:`write_bytes`, of a text in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or none: temporary name, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(data)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """A name in the folder of ``path`` that no other writer has, on whatever machine it runs."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def write_jsonl(path: Path, documents: Iterable[Any]) -> None:
    """One JSON document a line. Whole or not at all, and never all of it in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for one in documents:
                file.write(json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n")
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def iterate_jsonl(path: Path) -> Iterator[Any]:
    """The documents of a file that :func:`write_jsonl` wrote, one at a time."""
    # Not splitlines(): it also splits at characters that JSON may hold as they are.
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


class JsonLines(Sequence[Any]):
    """The same as a sequence that is read from the file whenever it is looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Any]:
        return iterate_jsonl(self._path)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return list(self)[place]


def move_into_place(temporary: Path, path: Path) -> None:
    """fsync ``temporary``, then rename it to ``path``.

    After a power failure the folder may have lost the new name, but never shows half a file.
    """
    fsync(temporary)
    os.replace(temporary, path)


def fsync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
