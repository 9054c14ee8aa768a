"""A data set repository on the Hub: what is there, and the few things done to it.

Nothing here decides what is released. The token comes by the Hub's own means (``hf auth login``,
``HF_TOKEN``), and goes nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from robotmcqa import __version__
from robotmcqa.errors import DataError, HubError, UsageError
from robotmcqa.hub.patience import explained, patiently, status_of
from robotmcqa.hub.versions import Version, versions_among

__all__ = ["LocalFile", "Moved", "Remote", "RemoteFile", "State", "TagTaken"]

Result = TypeVar("Result")

_KIND = "dataset"
_MAIN = "main"


class Moved(Exception):
    """The branch is not where it was: somebody else has committed."""


class TagTaken(Exception):
    """The tag exists already."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in the repository.

    Attributes:
        path: in the repository.
        size: bytes.
        oid: git's name of the blob (of the pointer, where the file lies in large storage).
        sha256: of the content, where the file lies in large storage.
    """

    path: str
    size: int
    oid: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be in the repository.

    Attributes:
        path: in the repository.
        size: bytes.
        sha256: of the content that was checked.
        content: the bytes of a small file, the path of a large one.
    """

    path: str
    size: int
    sha256: str
    content: bytes | Path

    def same_as(self, there: RemoteFile | None) -> bool:
        """Whether the repository has this very content. Reads the file at most once."""
        if there is None or there.size != self.size:
            return False
        if there.sha256 is not None:
            return there.sha256 == self.sha256
        return there.oid == self._git_oid()

    def _git_oid(self) -> str:
        data = self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class State:
    """A repository at a moment.

    Attributes:
        head: commit that ``main`` points to.
        tags: tag -> commit.
    """

    head: str
    tags: Mapping[str, str]

    @property
    def versions(self) -> dict[Version, str]:
        """Released version -> its commit, in order."""
        return {one: self.tags[tag] for one, tag in versions_among(self.tags).items()}

    @property
    def latest(self) -> Version | None:
        """The highest released version."""
        return max(self.versions, default=None)


class Remote:
    """``org/name`` on the Hub.

    Every method raises :class:`~robotmcqa.errors.HubError` when the Hub refuses or fails, and
    :class:`~robotmcqa.errors.UsageError` when the name is malformed.
    """

    def __init__(self, repo: str, say: Callable[[str], None] = lambda text: None) -> None:
        if repo.count("/") != 1 or not all(repo.split("/")):
            raise UsageError(f"--repo {repo}", "a data set's name on the Hub looks like org/name")
        self.repo = repo
        self._say = say
        self._api = HfApi(library_name="robotmcqa", library_version=__version__)

    def _do(self, doing: str, call: Callable[..., Result], *words: Any, **options: Any) -> Result:
        """Call the client; 404, 409 and 412 are left to the caller."""
        bound = partial(call, *words, **options)
        return patiently(f"{doing} {self.repo}", bound, self._say)

    def _expecting(self, doing: str, call: Callable[..., Result], **options: Any) -> Result:
        """Call the client about the repository; here no refusal is expected."""
        try:
            return self._do(doing, call, repo_id=self.repo, repo_type=_KIND, **options)
        except HfHubHTTPError as error:
            raise explained(f"{doing} {self.repo}", error) from None

    # ----------------------------------------------------------------------------------- looking

    def state(self) -> State | None:
        """Head and tags; None when there is no such repository, as far as this token can see."""
        try:
            refs = self._do("looking at", self._api.list_repo_refs, self.repo, repo_type=_KIND)
        except RepositoryNotFoundError:
            return None
        except HfHubHTTPError as error:
            raise explained(f"looking at {self.repo}", error) from None
        heads = {branch.name: branch.target_commit for branch in refs.branches}
        if _MAIN not in heads:
            raise HubError(f"{self.repo} has no branch '{_MAIN}'", "make one, or another data set")
        return State(heads[_MAIN], {tag.name: tag.target_commit for tag in refs.tags})

    def files(self, revision: str) -> dict[str, RemoteFile]:
        """Path -> file, of everything at a revision."""

        def listed() -> dict[str, RemoteFile]:
            tree = self._api.list_repo_tree(
                self.repo, repo_type=_KIND, revision=revision, recursive=True
            )
            return {one.path: _file(one) for one in tree if isinstance(one, RepoFile)}

        try:
            return self._do("listing the files of", listed)
        except HfHubHTTPError as error:
            raise explained(f"listing the files of {self.repo}", error) from None

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit stands for; None when there is none."""
        look = self._api.repo_info
        try:
            found = self._do("looking at", look, self.repo, repo_type=_KIND, revision=revision)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None
        except HfHubHTTPError as error:
            raise explained(f"looking at {self.repo}", error) from None
        return str(found.sha)

    def below(self, folder: str, revision: str) -> list[str]:
        """Paths of the files below a folder; none where there is no such folder."""

        def listed() -> list[str]:
            tree = self._api.list_repo_tree(
                self.repo, folder, repo_type=_KIND, revision=revision, recursive=True
            )
            return [one.path for one in tree if isinstance(one, RepoFile)]

        try:
            return self._do("listing the files of", listed)
        except EntryNotFoundError:
            return []
        except HfHubHTTPError as error:
            raise explained(f"listing the files of {self.repo}", error) from None

    def fetch(self, path: str, revision: str) -> Path | None:
        """A file, in the Hub's own cache; None when it is not there."""
        download = self._api.hf_hub_download
        try:
            local = self._do(
                f"reading {path} of",
                download,
                self.repo,
                path,
                repo_type=_KIND,
                revision=revision,
            )
        except EntryNotFoundError:
            return None
        except HfHubHTTPError as error:
            raise explained(f"reading {path} of {self.repo}", error) from None
        return Path(local)

    def read(self, path: str, revision: str) -> str | None:
        """A text file; None when it is not there."""
        local = self.fetch(path, revision)
        return local.read_text("utf-8") if local else None

    def history(self) -> list[tuple[str, str]]:
        """(commit, title) of ``main``, the newest first."""
        commits = self._expecting(
            "reading the history of", self._api.list_repo_commits, revision=_MAIN
        )
        return [(commit.commit_id, commit.title) for commit in commits]

    def download(self, revision: str) -> Path | None:
        """Everything at a revision, in the Hub's own cache; None when there is no such revision."""
        fetch = self._api.snapshot_download
        try:
            folder = self._do("fetching", fetch, self.repo, repo_type=_KIND, revision=revision)
        except RevisionNotFoundError:
            return None
        except HfHubHTTPError as error:
            raise explained(f"fetching {self.repo}", error) from None
        return Path(folder)

    # -------------------------------------------------------------------------------- permission

    def check_logged_in(self) -> str:
        """Who we are.

        Raises:
            HubError: nobody, or the token is not accepted.
        """
        if not get_token():
            raise HubError(
                "you are not logged in to the Hub",
                "hf auth login, or set HF_TOKEN (huggingface.co/settings/tokens makes one)",
            )
        return str(self._do("asking who you are, for", self._api.whoami)["name"])

    def check_may_write(self) -> None:
        """Ask before anything is uploaded; a refusal after an hour of uploading is no joy."""
        self._expecting("asking for write permission to", self._api.auth_check, write=True)

    def is_private(self) -> bool:
        """Whether others cannot see it."""
        return bool(self._expecting("looking at", self._api.repo_info).private)

    def create(self, private: bool) -> bool:
        """Make the repository; False where one exists by now, which is as good.

        Without ``private`` it is what the organisation makes by default.
        """
        try:
            self._do(
                "making",
                self._api.create_repo,
                self.repo,
                repo_type=_KIND,
                private=private or None,
                exist_ok=False,  # True would hide that we may not write to it
            )
        except HfHubHTTPError as error:
            if status_of(error) != 409:
                raise explained(f"making {self.repo}", error) from None
            if self.state() is None:
                raise HubError(
                    f"{self.repo} exists, but your token may not see it",
                    "ask its owner to let you in, or take another name",
                ) from None
            return False
        return True

    # ---------------------------------------------------------------------------------- changing

    def commit(
        self, files: Sequence[LocalFile], removed: Iterable[str], title: str, text: str, parent: str
    ) -> str:
        """Everything in one commit on top of ``parent``; returns the commit.

        Raises:
            Moved: ``main`` is not at ``parent`` any more.
            DataError: a file has changed since it was checked.
        """
        additions = [CommitOperationAdd(file.path, _content(file)) for file in files]
        deletions = [CommitOperationDelete(path, is_folder=False) for path in removed]
        self._expecting(
            "uploading to",
            self._api.preupload_lfs_files,
            additions=additions,
            free_memory=False,
        )
        _check_unchanged(files, additions)
        try:
            made = self._do(
                "committing to",
                self._api.create_commit,
                self.repo,
                [*deletions, *additions],
                repo_type=_KIND,
                commit_message=title,
                commit_description=text,
                parent_commit=parent,
            )
        except HfHubHTTPError as error:
            if status_of(error) in (409, 412):
                raise Moved from None
            raise explained(f"committing to {self.repo}", error) from None
        return str(made.oid)

    def tag(self, name: str, commit: str) -> None:
        """Make a tag; it is never moved.

        Raises:
            TagTaken: it exists already, wherever it points.
        """
        try:
            self._do(
                f"tagging {name} of",
                self._api.create_tag,
                self.repo,
                tag=name,
                revision=commit,
                repo_type=_KIND,
            )
        except HfHubHTTPError as error:
            if status_of(error) == 409:
                raise TagTaken from None
            raise explained(f"tagging {name} of {self.repo}", error) from None


def _file(one: RepoFile) -> RemoteFile:
    return RemoteFile(one.path, one.size, one.blob_id, one.lfs.sha256 if one.lfs else None)


def _content(file: LocalFile) -> bytes | str:
    return file.content if isinstance(file.content, bytes) else str(file.content)


def _check_unchanged(files: Sequence[LocalFile], additions: Sequence[CommitOperationAdd]) -> None:
    """What was uploaded is what was checked: hashes are taken while uploading."""
    for file, addition in zip(files, additions, strict=True):
        if addition.upload_info.sha256.hex() != file.sha256:
            raise DataError(
                f"{file.path} has changed while it was being pushed",
                "push again once nothing writes to the folder",
            )
