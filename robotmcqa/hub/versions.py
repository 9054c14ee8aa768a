"""Versions of a released data set: ``vX.Y.Z``, and which comes next.

A tag of that form is a release, and never moves. The number says what a reader has to expect:
*major* is for people to decide, *minor* for another schema or other questions (the spec has
changed), *patch* for other rows, more rows (``extract --append``) or another card under the same
spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from robotmcqa.errors import UsageError

__all__ = ["FIRST", "Change", "Version", "changed", "next_version", "versions_among"]

_FORM = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """``vMAJOR.MINOR.PATCH``; ordered as numbers."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """The version that ``text`` names.

        Raises:
            UsageError: it is not of the form ``vX.Y.Z``.
        """
        version = cls.found(text)
        if version is None:
            raise UsageError(f"'{text}' is no version", "versions look like v1.2.0")
        return version

    @classmethod
    def found(cls, text: str) -> Version | None:
        """The version that ``text`` names, if it is one."""
        match = _FORM.fullmatch(text)
        return cls(*map(int, match.groups())) if match else None

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


FIRST = Version(1, 0, 0)
"""What is published can be cited: it starts at one."""


def versions_among(tags: Iterable[str]) -> dict[Version, str]:
    """Version -> tag, in order, for those tags that are versions."""
    return {Version.parse(tag): tag for tag in sorted(tags, key=_key) if _FORM.fullmatch(tag)}


def _key(tag: str) -> tuple[int, ...]:
    match = _FORM.fullmatch(tag)
    return tuple(map(int, match.groups())) if match else ()


class Change(IntEnum):
    """How much differs between two releases; the larger, the more."""

    NONE = 0
    CARD = 1
    ROWS = 2
    SPEC = 3


Manifests = Mapping[str, Mapping[str, Any]]
"""Config name -> ``meta/manifest.json``."""


def changed(before: Manifests, after: Manifests) -> tuple[Change, list[str]]:
    """What of the questions differs between two releases, and in which words to say it.

    The card is not in a manifest, so ``CARD`` is never the answer.
    """
    added, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    spec = [f"new config `{name}`" for name in added] + [f"no config `{name}`" for name in gone]
    rows: list[str] = []
    for name in sorted(before.keys() & after.keys()):
        of = f" of `{name}`" if len(after) > 1 else ""
        one, other = before[name], after[name]
        spec += [f"{what}{of}" for what in _spec_changes(one, other)]
        rows += [f"{what}{of}" for what in _row_changes(one, other)]
    change = Change.SPEC if spec else Change.ROWS if rows else Change.NONE
    return change, spec + rows


def _spec_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    if before["version"] != after["version"] or _schema(before) != _schema(after):
        yield "the schema has changed"
    one, other = before["spec"], after["spec"]
    for field in sorted(one.keys() | other.keys()):
        # Another seed asks the same questions with other options: that is a matter of rows.
        if field != "seed" and one.get(field) != other.get(field):
            yield f"spec: {field} {_short(one.get(field))} is now {_short(other.get(field))}"


def _schema(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the rows' schema."""
    found = (file["sha256"] for file in manifest["files"] if file["path"] == _ITEM_SCHEMA)
    return next(found, "")


_ITEM_SCHEMA = "meta/item.schema.json"


def _row_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    if _data(before) == _data(after):
        return
    for split in sorted(before["splits"].keys() | after["splits"].keys()):
        one, other = (which["splits"].get(split, {"rows": 0})["rows"] for which in (before, after))
        if one != other:
            yield f"{split}: {one} questions are now {other}"
    kept = dict(_data(before)).items() & dict(_data(after)).items()
    changed = len(_data(after)) - len(kept)
    if len(kept) == len(_data(before)):
        yield f"{changed} data files are new; those that were there are unchanged"
        return
    yield f"rows have changed in {changed} of {len(_data(after))} data files"


def _data(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(file["path"], file["sha256"]) for file in manifest["files"] if "split" in file]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def next_version(latest: Version | None, change: Change) -> Version:
    """The version that follows ``latest`` after a change of that size."""
    if latest is None:
        return FIRST
    if change is Change.SPEC:
        return Version(latest.major, latest.minor + 1, 0)
    return Version(latest.major, latest.minor, latest.patch + 1)
