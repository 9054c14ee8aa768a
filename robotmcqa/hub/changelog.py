"""``CHANGELOG.md`` of a released data set: one entry a version, the newest first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from robotmcqa.card.blocks import without_markers
from robotmcqa.hub.versions import Version

__all__ = ["HEAD", "entry", "newest", "with_entry"]

HEAD = """# Changelog

One entry per release; a release is a tag of this repository and never changes.
"""

_ENTRY = re.compile(r"^## (v\d+\.\d+\.\d+)\r?$", re.MULTILINE | re.ASCII)


def entry(version: Version, message: str, changes: Sequence[str], totals: str) -> str:
    """What is new in a version.

    Args:
        version: of the release.
        message: of whoever publishes it; may be empty.
        changes: since the release before.
        totals: questions in all, in words.
    """
    lines = [f"## {version}", ""]
    if message.strip():
        # A heading of the message's own would look like an entry.
        plain = re.sub(r"^#+ *", "", message.strip(), flags=re.MULTILINE)
        lines += [without_markers(plain), ""]
    lines += [f"- {change}" for change in changes]
    lines += [f"- {totals}"]
    return "\n".join(lines) + "\n"


def with_entry(text: str | None, new: str) -> str:
    """The changelog ``text`` (None where there is none yet) with one more entry."""
    text = text or HEAD
    first = _ENTRY.search(text)
    place = first.start() if first else len(text)
    before, after = text[:place].rstrip(), text[place:].rstrip()
    return f"{before}\n\n{new}" + (f"\n{after}\n" if after else "")


def newest(text: str) -> Version | None:
    """The version of the first entry."""
    first = _ENTRY.search(text)
    return Version.found(first[1]) if first else None
