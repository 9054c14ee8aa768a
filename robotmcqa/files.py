"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from robotmcqa.places import is_remote, make_folder, move_into_place, temporary_beside

__all__ = [
    "JsonLines",
    "is_refusal",
    "is_whole",
    "iterate_jsonl",
    "json_text",
    "printable",
    "remove_halves",
    "sha256_of",
    "write_bytes",
    "write_jsonl",
    "write_text",
]


def json_text(document: Any) -> str:
    """JSON with sorted keys, one field a line: the same document is the same text."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def printable(name: str) -> str:
    """A name as it can be written down: bytes that are no UTF-8 as ``\\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode()


def write_text(path: Path, text: str) -> None:
    """As :func:`write_bytes`, of a text in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or none: temporary name, fsync, rename."""
    make_folder(path.parent)
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(data)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_jsonl(path: Path, documents: Iterable[Any]) -> None:
    """One JSON document a line. Whole or not at all, and never all of it in memory."""
    make_folder(path.parent)
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
        self.path = path

    def __iter__(self) -> Iterator[Any]:
        return iterate_jsonl(self.path)

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


def is_refusal(error: OSError) -> bool:
    """Whether nobody may write there, as on a read-only disk: more room would not help."""
    return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def remove_halves(paths: Iterable[Path]) -> None:
    """Delete what killed runs have left half-written; nobody else may be writing there."""
    for half in paths:
        if half.is_dir() and not half.is_symlink():
            shutil.rmtree(half)
        else:
            half.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether a file is there as it was written.

    In a store the size tells: it holds what it has taken, and reading all of it would take long.

    Raises:
        FileNotFoundError: there is none.
    """
    if is_remote(path):
        return path.stat().st_size == size
    return sha256_of(path) == sha256
