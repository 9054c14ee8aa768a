"""A release before it is pushed: which files, which version, what it says about itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa import __version__
from robotmcqa.card.blocks import blocks, filled, kept, merged, without_release
from robotmcqa.card.render import release_texts
from robotmcqa.collection import Part, manifests_in, parts_of
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.hub.changelog import entry, with_entry
from robotmcqa.hub.remote import LocalFile, Remote, RemoteFile, State
from robotmcqa.hub.versions import Change, Version, changed, next_version
from robotmcqa.validation import validate
from robotmcqa.workplace import CARD, EVAL, MANIFEST

__all__ = [
    "CHANGELOG",
    "Checked",
    "Plan",
    "Released",
    "checked",
    "plan_release",
    "state_of",
    "title_of",
    "version_in",
]

CHANGELOG = "CHANGELOG.md"

_SMALL = 1 << 20
_BINARY = (".parquet", ".png")
"""Texts up to so many bytes are read once and held; other files are read while uploading."""

_FOLDERS = ("data", "meta", "assets")


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that has passed ``validate``.

    Attributes:
        manifests: config -> manifest.
        files: path in the repository -> file, of everything but card and changelog.
        card: the folder's ``README.md``.
    """

    manifests: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, LocalFile]
    card: str

    @property
    def totals(self) -> str:
        """How many questions there are, in words."""
        counts: dict[str, int] = {}
        for manifest in self.manifests.values():
            for split, numbers in manifest["splits"].items():
                counts[split] = counts.get(split, 0) + numbers["rows"]
        each = ", ".join(f"{split} {rows}" for split, rows in counts.items())
        return f"{sum(counts.values())} questions ({each}), pushed with robotmcqa {__version__}"


def checked(path: Path, advance: Callable[[int], None] = lambda rows: None) -> Checked:
    """Validate a folder, and say what of it is published. There is no way round the validation.

    Raises:
        DatasetError: there is no data set, or something in it is wrong.
    """
    parts = parts_of(path)
    report = validate(path, advance)
    if not report.ok:
        first = report.problems[0]
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        raise DatasetError(
            f"{path} is not published, for it is wrong: {first.where}: {first.what}{more}",
            f"robotmcqa validate {path} names everything; extract it again",
        )
    files = [file for part in parts for file in _files(part)]
    if parts[0].prefix and (path / EVAL).is_file():  # of a collection, and in no manifest
        files.append(_text(EVAL, (path / EVAL).read_text("utf-8")))
    card = (path / CARD).read_text("utf-8")
    manifests = {part.config: part.dataset.manifest for part in parts}
    return Checked(manifests, {file.path: file for file in files}, card)


def _files(part: Part) -> list[LocalFile]:
    folder = part.dataset.path
    listed = [
        _file(folder / file["path"], part.prefix + file["path"], file["bytes"], file["sha256"])
        for file in part.dataset.manifest["files"]
    ]
    texts = [MANIFEST] + ([CARD] if part.prefix else [])  # without a prefix it is the whole's card
    return [
        *listed,
        *(_text(part.prefix + name, (folder / name).read_text("utf-8")) for name in texts),
    ]


def _file(local: Path, path: str, size: int, sha256: str) -> LocalFile:
    held = size <= _SMALL and local.suffix not in _BINARY
    return LocalFile(path, size, sha256, local.read_bytes() if held else local)


def _text(path: str, text: str) -> LocalFile:
    data = text.encode()
    return LocalFile(path, len(data), hashlib.sha256(data).hexdigest(), data)


@dataclass(frozen=True, slots=True)
class Released:
    """What the repository holds at a commit.

    Attributes:
        version: of the release, None where the commit is no release.
        files: everything, by path.
        card, changelog: texts, None where there are none.
        manifests: config -> manifest.
    """

    version: Version | None
    files: Mapping[str, RemoteFile]
    card: str | None
    changelog: str | None
    manifests: Mapping[str, Mapping[str, Any]]

    @classmethod
    def at(cls, remote: Remote, commit: str, version: Version | None = None) -> Released:
        """Read it."""
        files = remote.files(commit)

        def text(path: str) -> str | None:
            return remote.read(path, commit) if path in files else None

        manifests = {
            config: json.loads(text(path) or "{}") for config, path in manifests_in(files).items()
        }
        return cls(version, files, text(CARD), text(CHANGELOG), manifests)

    def owns(self, path: str) -> bool:
        """Whether a file belongs to the release, so that the next one may remove it."""
        top, slash, _ = path.partition("/")
        return path == EVAL or (bool(slash) and (top in _FOLDERS or top in self.manifests))

    def refuse_foreign(self, repo: str) -> None:
        """Never write over what robotmcqa has not put there.

        Raises:
            UsageError: the repository holds something else.
        """
        others = [path for path in self.files if self.owns(path) or path.endswith(".parquet")]
        if others and not self.manifests:
            raise UsageError(
                f"{repo} holds other data already ({', '.join(sorted(others)[:3])} ...)",
                "--repo takes a new data set, or one that robotmcqa push has made",
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would do.

    Attributes:
        version: it would make, or that is there already.
        unchanged: nothing is to be done: that version has this content.
        upload: files to be sent.
        new, changed, same, removed: paths, sorted.
        title, text: of the commit.
    """

    version: Version
    unchanged: bool
    upload: tuple[LocalFile, ...] = ()
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    title: str = ""
    text: str = ""


def title_of(version: Version) -> str:
    """First line of the commit that makes a version; also how an interrupted push is found."""
    return f"Release {version}"


def version_in(title: str) -> Version | None:
    """The version that such a line names."""
    match = re.fullmatch(r"Release (v\d+\.\d+\.\d+)", title)
    return Version.parse(match[1]) if match else None


def plan_release(
    mine: Checked,
    repo: str,
    head: Released | None,
    latest: Released | None,
    asked: Version | None = None,
    message: str = "",
) -> Plan:
    """What is to be done so that ``mine`` is released.

    Args:
        mine: the folder.
        repo: ``org/name``.
        head: what ``main`` holds; None where the repository is yet to be made.
        latest: the latest release, or the one that ``asked`` names.
        asked: the version that the user wants; by default the next.
        message: of the user, for the changelog.

    Raises:
        UsageError: ``asked`` is released with other content, or comes before the latest.
        DataError: people have written in the same block of the card here and on the Hub.
    """
    card = _card(mine, head, latest)
    change, words = _change(mine, card, latest)
    last = latest.version if latest else None
    if last and change is Change.NONE and asked in (None, last):
        return Plan(last, unchanged=True)
    if last and asked and asked <= last:
        raise UsageError(
            f"{repo} {last} is released with other content, and a release never changes"
            if asked == last
            else f"{asked} does not come after {last}, the latest release of {repo}",
            "--version takes one after the latest; without it the next one is chosen",
        )
    version = asked or next_version(last, change)
    news = entry(version, message, words or ["the content is unchanged"], mine.totals)
    texts = release_texts(mine.manifests, repo, str(version), news)
    files = {
        **mine.files,
        CARD: _text(CARD, filled(card, "release", texts)),
        CHANGELOG: _text(CHANGELOG, with_entry(latest.changelog if latest else None, news)),
    }
    there: Mapping[str, RemoteFile] = head.files if head else {}
    same = {path for path, file in files.items() if file.same_as(there.get(path))}
    return Plan(
        version,
        unchanged=False,
        upload=tuple(files[path] for path in sorted(files.keys() - same)),
        new=tuple(sorted(files.keys() - there.keys())),
        changed=tuple(sorted((files.keys() & there.keys()) - same)),
        same=tuple(sorted(same)),
        removed=tuple(sorted(p for p in there if head and head.owns(p) and p not in files)),
        title=title_of(version),
        text=news.partition("\n")[2].strip(),
    )


def _card(mine: Checked, head: Released | None, latest: Released | None) -> str:
    """The folder's card with what people have written into the Hub's."""

    def yours(text: str | None) -> dict[str, str]:
        return blocks(text or "", "yours")

    theirs = yours(head.card if head else None)
    base = yours(latest.card if latest else None)
    return kept(mine.card, merged(yours(mine.card), theirs, base))


def _change(mine: Checked, card: str, before: Released | None) -> tuple[Change, list[str]]:
    """How much differs from a release, and what."""
    if before is None:
        return Change.SPEC, ["first release"]
    change, words = changed(before.manifests, mine.manifests)
    if change is not Change.NONE:
        return change, words
    other = [path for path, file in mine.files.items() if not file.same_as(before.files.get(path))]
    if other:
        return Change.CARD, [f"only files beside the questions: {', '.join(sorted(other))}"]
    if before.card is None or without_release(before.card) != without_release(card):
        return Change.CARD, ["only the card"]
    return Change.NONE, []


def state_of(
    remote: Remote, state: State, asked: Version | None
) -> tuple[Released, Released | None]:
    """What ``main`` holds, and the latest release (or the one asked for, where it exists)."""
    head = Released.at(remote, state.head)
    version = asked if asked in state.versions else state.latest
    if version is None:
        return head, None
    commit = state.versions[version]
    if commit == state.head:
        return head, Released(version, head.files, head.card, head.changelog, head.manifests)
    return head, Released.at(remote, commit, version)
