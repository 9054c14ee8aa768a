"""Git's own names: the hashes of blobs, LFS pointers, trees and commits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath

from tests.hub_server.errors import HubError


def git_hash(kind: str, content: bytes) -> str:
    """The name that git gives an object: SHA-1 over its kind, length and bytes."""
    header = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a commit: ``size`` in bytes; ``sha256`` only of a large object."""

    oid: str
    size: int
    sha256: str | None = None

    @property
    def etag(self) -> str:
        """What the client takes for the content's name."""
        return self.sha256 or self.oid


def pointer(sha256: str, size: int) -> bytes:
    """The small file that stands in git for a large object (Git LFS specification, version 1)."""
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{sha256}", f"size {size}")
    return "".join(f"{line}\n" for line in lines).encode()


def large(sha256: str, size: int) -> Entry:
    """The entry of a large object."""
    return Entry(git_hash("blob", pointer(sha256, size)), size, sha256)


def folders_of(files: Mapping[str, Entry]) -> dict[str, str]:
    """Every folder of a tree with its git hash; the root is ``""``.

    Raises:
        HubError: 400, where a path is a file and a folder at once.
    """
    children: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path in files:
        for parent in PurePosixPath(path).parents:
            children.setdefault("" if str(parent) == "." else str(parent), {})
    for path, entry in files.items():
        if path in children:
            raise HubError(400, f"{path} is a file and a folder")
        parent_name, _, name = path.rpartition("/")
        children[parent_name][name] = ("100644", entry.oid)
    found: dict[str, str] = {}
    for folder in sorted(children, key=lambda path: (-path.count("/"), path == "", path)):
        found[folder] = _tree_hash(children[folder])
        if folder:
            parent_name, _, name = folder.rpartition("/")
            children[parent_name][name] = ("40000", found[folder])
    return found


def _tree_hash(children: Mapping[str, tuple[str, str]]) -> str:
    """Git sorts a folder as though its name ended with a slash."""
    order = sorted(children, key=lambda name: name + "/" * (children[name][0] == "40000"))
    lines = (
        f"{children[name][0]} {name}\0".encode() + bytes.fromhex(children[name][1])
        for name in order
    )
    return git_hash("tree", b"".join(lines))


@dataclass(frozen=True)
class Commit:
    """A state of a repository: every file, and where it came from."""

    files: Mapping[str, Entry]
    folders: Mapping[str, str]
    parent: str | None
    author: str
    title: str
    message: str
    date: datetime

    @cached_property
    def oid(self) -> str:
        """The commit's SHA-1, over its tree, parent, author, second and words, as git takes it."""
        stamp = f"{self.author} <{self.author}@hub.test> {int(self.date.timestamp())} +0000"
        head = [f"tree {self.folders['']}", *([f"parent {self.parent}"] if self.parent else [])]
        words = "\n\n".join(filter(None, (self.title, self.message)))
        text = "\n".join((*head, f"author {stamp}", f"committer {stamp}", "", f"{words}\n"))
        return git_hash("commit", text.encode())
