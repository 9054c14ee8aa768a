"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "fsync",
    "is_refusal",
    "json_text",
    "move_into_place",
    "read_jsonl",
    "remove_halves",
    "sha256_of",
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_jsonl(path: Path, documents: Iterable[Any]) -> None:
    """One JSON document a line."""
    lines = (json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in documents)
    write_text(path, "".join(lines))


def read_jsonl(path: Path) -> list[Any]:
    """The documents of a file that :func:`write_jsonl` wrote."""
    # Not splitlines(): it also splits at characters that JSON may hold as they are.
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def move_into_place(temporary: Path, path: Path) -> None:
    """fsync ``temporary``, then rename it to ``path``.

    After a power failure the folder may have lost the new name, but never shows half a file.
    """
    fsync(temporary)
    os.replace(temporary, path)


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
