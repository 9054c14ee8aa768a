"""What the test Hub keeps: repositories in memory, content in a folder.

``blobs/`` holds small files by their git hash, ``objects/`` large ones by their SHA-256. Content is
written beside its place and moved there once it is whole, so a broken upload leaves nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.hub_server.errors import HubError
from tests.hub_server.git import Commit, Entry, folders_of, git_hash

Files = dict[str, Entry]

LARGE_SUFFIXES = (
    *("7z", "arrow", "avro", "bin", "bz2", "ckpt", "gz", "h5", "jpeg", "jpg", "mp4", "npy", "npz"),
    *("onnx", "parquet", "pickle", "pkl", "png", "pt", "pth", "safetensors", "tar", "tgz", "wav"),
    *("webp", "xz", "zip", "zst"),
)
GIT_ATTRIBUTES = "".join(
    f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LARGE_SUFFIXES
)


@dataclass
class Repository:
    """A data set (``dataset``) or a model (``model``): commits, branches, tags and large objects.

    ``objects`` names the large objects that were uploaded to this repository (SHA-256): no other
    may be committed to it.
    """

    kind: str
    id: str
    author: str
    private: bool
    created: datetime
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)

    @property
    def namespace(self) -> str:
        """The user or the organisation that owns it."""
        return self.id.partition("/")[0]

    @property
    def web_path(self) -> str:
        """Its path on the web, without a slash in front."""
        return self.id if self.kind == "model" else f"{self.kind}s/{self.id}"

    def at(self, revision: str = "main") -> Commit:
        """The commit that a branch, a tag or (the beginning of) a commit's hash names.

        Raises:
            HubError: 404 RevisionNotFound.
        """
        name = re.sub("^refs/(heads|tags)/", "", revision)
        oid = self.branches.get(name) or self.tags.get(name)
        if oid is None and re.fullmatch("[0-9a-f]{7,40}", revision):
            oid = next((known for known in self.commits if known.startswith(revision)), None)
        if oid is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def history(self, commit: Commit) -> Iterator[Commit]:
        """A commit and those before it, newest first."""
        yield commit
        while commit.parent is not None:
            commit = self.commits[commit.parent]
            yield commit


def is_large(path: str, size: int, limit: int) -> bool:
    """Whether a file is uploaded as a large object: by its ending, or from ``limit`` bytes on."""
    return size >= limit or path.rpartition(".")[2] in LARGE_SUFFIXES


class Storage:
    """All repositories and their content below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.repositories: dict[tuple[str, str], Repository] = {}
        for name in ("blobs", "objects", "parts", "xorbs"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------------------------- content

    def keep(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all."""
        handle, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)

    def add_blob(self, content: bytes) -> Entry:
        """Keep a small file."""
        entry = Entry(git_hash("blob", content), len(content))
        self.keep(self.folder / "blobs" / entry.oid, content)
        return entry

    def add_object(self, sha256: str, content: bytes) -> None:
        """Keep a large object.

        Raises:
            HubError: 400, where the bytes are not those that the name promises.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise HubError(400, f"The uploaded bytes are not those of {sha256}")
        self.keep(self.object_path(sha256), content)

    def object_path(self, sha256: str) -> Path:
        """Where a large object lies, or would."""
        return self.folder / "objects" / sha256

    def path_of(self, entry: Entry) -> Path:
        """Where the content of a file lies."""
        if entry.sha256 is not None:
            return self.object_path(entry.sha256)
        return self.folder / "blobs" / entry.oid

    # -------------------------------------------------------------------------- repositories

    def create(self, kind: str, repo_id: str, author: str, private: bool) -> Repository:
        """A new repository with its first commit.

        Raises:
            HubError: 409, where it exists.
        """
        with self.lock:
            if (kind, repo_id) in self.repositories:
                raise HubError(409, f"You already created this {kind} repo")
            made = Repository(kind, repo_id, author, private, datetime.now(UTC))
            self.repositories[kind, repo_id] = made
            made.branches["main"] = self._record(
                made,
                {".gitattributes": self.add_blob(GIT_ATTRIBUTES.encode())},
                None,
                author,
                "initial commit",
            ).oid
            return made

    def commit(
        self,
        repository: Repository,
        branch: str,
        edit: Callable[[Files], None],
        *,
        author: str,
        title: str,
        message: str = "",
        parent: str | None = None,
    ) -> Commit:
        """Add a commit to a branch; ``edit`` changes the files of its head in place.

        Raises:
            HubError: 412, where ``parent`` is given and is not the head; 404, without the branch.
        """
        with self.lock:
            if branch not in repository.branches:
                raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            head = repository.commits[repository.branches[branch]]
            if parent not in (None, head.oid):
                raise HubError(
                    412, f"The branch {branch} has moved since {parent}. Please try again."
                )
            files = dict(head.files)
            edit(files)
            made = self._record(repository, files, head.oid, author, title, message)
            repository.branches[branch] = made.oid
            return made

    @staticmethod
    def _record(
        repository: Repository,
        files: Mapping[str, Entry],
        parent: str | None,
        author: str,
        title: str,
        message: str = "",
    ) -> Commit:
        now = datetime.now(UTC)
        made = Commit(
            dict(sorted(files.items())), folders_of(files), parent, author, title, message, now
        )
        repository.commits[made.oid] = made
        return made
