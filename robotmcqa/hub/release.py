"""A release before it is pushed: which files, which version, what it says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa import __version__
from robotmcqa.card.blocks import blocks, filled, kept, merged, without_release
from robotmcqa.card.front_matter import body_of, default_config, with_extras
from robotmcqa.card.presentation import older_card
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
    "Card",
    "Checked",
    "Plan",
    "Released",
    "carries",
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


@dataclass(frozen=True, slots=True)
class Card:
    """A card of the release: the repository's, or that of one of several configs.

    Attributes:
        text: the folder's.
        manifests: config -> manifest, of what it is about.
        config: that it tells readers to name; None where there is but one.
    """

    text: str
    manifests: Mapping[str, Mapping[str, Any]]
    config: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that has passed ``validate``.

    Attributes:
        manifests: config -> manifest.
        files: path in the repository -> file, of everything but cards and changelog.
        cards: path in the repository -> card.
    """

    manifests: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, LocalFile]
    cards: Mapping[str, Card]

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
        DataError: the markers of a card's blocks are damaged.
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
    manifests = {part.config: part.dataset.manifest for part in parts}
    cards = {}
    if parts[0].prefix:
        if (path / EVAL).is_file():  # of a collection, and in no manifest
            files.append(_text(EVAL, (path / EVAL).read_text("utf-8")))
        cards[CARD] = Card(older_card(path), manifests, default_config(manifests))
    for part in parts:
        about = {part.config: part.dataset.manifest}
        config = part.config if part.prefix else None
        cards[part.prefix + CARD] = Card(older_card(part.dataset.path), about, config)
    return Checked(manifests, {file.path: file for file in files}, cards)


def _files(part: Part) -> list[LocalFile]:
    folder = part.dataset.path
    listed = [
        _file(folder / file["path"], part.prefix + file["path"], file["bytes"], file["sha256"])
        for file in part.dataset.manifest["files"]
    ]
    return [*listed, _text(part.prefix + MANIFEST, (folder / MANIFEST).read_text("utf-8"))]


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
        cards: path -> text, of those that are there.
        changelog: None where there is none.
        manifests: config -> manifest, of the data sets that robotmcqa has put there.
    """

    version: Version | None
    files: Mapping[str, RemoteFile]
    cards: Mapping[str, str]
    changelog: str | None
    manifests: Mapping[str, Mapping[str, Any]]

    @classmethod
    def at(cls, remote: Remote, commit: str, version: Version | None = None) -> Released:
        """Read it."""
        files = remote.files(commit)

        def texts(*paths: str) -> dict[str, str]:
            found = {path: remote.read(path, commit) for path in paths if path in files}
            return {path: text for path, text in found.items() if text is not None}

        manifests = {}
        for config, path in manifests_in(files).items():
            manifest = _manifest(texts(path).get(path, ""))
            if manifest:
                manifests[config] = manifest
        cards = texts(CARD, *(f"{config}/{CARD}" for config in manifests))
        return cls(version, files, cards, texts(CHANGELOG).get(CHANGELOG), manifests)

    def owned(self) -> set[str]:
        """The files of the release, which the next one may replace or remove; no one else's."""
        if not self.manifests:
            return set()
        paths = {CARD, CHANGELOG, EVAL}
        for config, path in manifests_in(self.files).items():
            if config in self.manifests:
                prefix = path.removesuffix(MANIFEST)
                paths |= {path, prefix + CARD}
                paths |= {prefix + file["path"] for file in self.manifests[config]["files"]}
        return paths & self.files.keys()

    def refuse_foreign(self, repo: str) -> None:
        """Never write over what robotmcqa has not put there.

        A repository that was only just made may hold a licence, and a card that is all front
        matter: the Hub's own page writes those.

        Raises:
            UsageError: the repository holds something else.
        """
        if self.manifests:
            return
        others = [path for path in self.files if path not in (".gitattributes", "LICENSE", CARD)]
        if (card := self.cards.get(CARD)) and body_of(card).strip():
            others.append(CARD)
        if others:
            raise UsageError(
                f"{repo} holds other things already ({', '.join(sorted(others)[:3])} ...)",
                "--repo takes a new data set, or one that robotmcqa push has made",
            )


def _manifest(text: str) -> Mapping[str, Any] | None:
    """A manifest of ours, of whatever version; None where it is anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    ours = isinstance(found, dict) and str(found.get("generator", "")).startswith("robotmcqa ")
    return found if ours and isinstance(found.get("files"), list) else None


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
    word, _, version = title.partition(" ")
    return Version.found(version) if word == "Release" else None


def plan_release(
    mine: Checked,
    repo: str,
    head: Released | None,
    latest: Released | None,
    asked: Version | None = None,
    message: str = "",
    earlier: Callable[[str], Iterable[str]] = lambda path: (),
) -> Plan:
    """What is to be done so that ``mine`` is released.

    Args:
        mine: the folder.
        repo: ``org/name``.
        head: what ``main`` holds; None where the repository is yet to be made.
        latest: the latest release, or the one that ``asked`` names.
        asked: the version that the user wants; by default the next.
        message: of the user, for the changelog.
        earlier: the texts of a card in the releases before ``latest``.

    Raises:
        UsageError: ``asked`` is released with other content, or comes before the latest; or no
            config of the release would be left.
        DataError: people have written in the same block of a card here and on the Hub.
    """
    if latest and not asked:
        _refuse_other_configs(repo, mine, latest)
    cards = {path: _merged(mine, path, head, latest, earlier) for path in mine.cards}
    change, words = _change(mine, cards, latest)
    last = latest.version if latest else None
    if last and change is Change.NONE and asked in (None, last):
        return Plan(last, unchanged=True)
    if last and asked:
        _refuse_taken(repo, asked, last)
    version = asked or next_version(last, change)
    news = entry(version, message, words or ["the content is unchanged"], mine.totals)
    files = {**mine.files, **_filled(mine, cards, repo, version, news)}
    older = [where.changelog for where in (head, latest) if where and where.changelog]
    files[CHANGELOG] = _text(CHANGELOG, with_entry(older[0] if older else None, news))
    return _difference(version, files, head, news)


def carries(mine: Checked, there: Released) -> bool:
    """Whether a release has these questions and the files beside them; cards may differ."""
    change, _ = changed(there.manifests, mine.manifests)
    same = (file.same_as(there.files.get(path)) for path, file in mine.files.items())
    return change is Change.NONE and all(same)


def _merged(
    mine: Checked,
    path: str,
    head: Released | None,
    latest: Released | None,
    earlier: Callable[[str], Iterable[str]],
) -> str:
    """The folder's card with what people have written into the Hub's."""
    card = mine.cards[path].text
    theirs = head.cards.get(path, "") if head else ""
    own, other = blocks(card, "yours"), blocks(theirs, "yours")
    released = [blocks(latest.cards.get(path, ""), "yours")] if latest else []
    if any(own.get(name) and own[name] != other[name] for name in other):  # rare, and costs reading
        released += [blocks(text, "yours") for text in earlier(path)]
    return with_extras(kept(card, merged(own, other, released)), theirs)


def _change(
    mine: Checked, cards: Mapping[str, str], before: Released | None
) -> tuple[Change, list[str]]:
    """How much differs from a release, and what."""
    if before is None:
        return Change.SPEC, ["first release"]
    change, words = changed(before.manifests, mine.manifests)
    if change is not Change.NONE:
        return change, words
    other = [path for path, file in mine.files.items() if not file.same_as(before.files.get(path))]
    if other:
        return Change.CARD, [f"only files beside the questions: {', '.join(sorted(other))}"]
    for path, card in cards.items():
        if without_release(before.cards.get(path, "")) != without_release(card):
            return Change.CARD, ["only the card"]
    return Change.NONE, []


def _refuse_other_configs(repo: str, mine: Checked, latest: Released) -> None:
    """Nobody means to replace all configs of a release by others, unless they say so."""
    if not mine.manifests.keys() & latest.manifests.keys():
        theirs, ours = (
            ", ".join(sorted(one)) or "none" for one in (latest.manifests, mine.manifests)
        )
        raise UsageError(
            f"{repo} has the configs {theirs}; this folder has {ours}, and would replace them all",
            "check --repo and the folder; --version vX.Y.Z publishes it all the same",
        )


def _refuse_taken(repo: str, asked: Version, last: Version) -> None:
    """A version that is not after the last one is there already, or never will be."""
    if asked <= last:
        raise UsageError(
            f"{repo} {last} is released with other content, and a release never changes"
            if asked == last
            else f"{asked} does not come after {last}, the latest release of {repo}",
            "--version takes one after the latest; without it the next one is chosen",
        )


def _filled(
    mine: Checked, cards: Mapping[str, str], repo: str, version: Version, news: str
) -> dict[str, LocalFile]:
    """The cards with what they say of the release."""
    files = {}
    for path, card in cards.items():
        about = mine.cards[path]
        texts = release_texts(about.manifests, repo, str(version), news, about.config)
        files[path] = _text(path, filled(card, "release", texts))
    return files


def _difference(
    version: Version, files: Mapping[str, LocalFile], head: Released | None, news: str
) -> Plan:
    """What has to be sent and removed, so that ``main`` has these files."""
    there: Mapping[str, RemoteFile] = head.files if head else {}
    same = {path for path, file in files.items() if file.same_as(there.get(path))}
    owned = head.owned() if head else set()
    return Plan(
        version,
        unchanged=False,
        upload=tuple(files[path] for path in sorted(files.keys() - same)),
        new=tuple(sorted(files.keys() - there.keys())),
        changed=tuple(sorted((files.keys() & there.keys()) - same)),
        same=tuple(sorted(same)),
        removed=tuple(sorted(owned - files.keys())),
        title=title_of(version),
        text=news.partition("\n")[2].strip(),
    )


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
        return head, Released(version, head.files, head.cards, head.changelog, head.manifests)
    return head, Released.at(remote, commit, version)
