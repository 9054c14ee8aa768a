"""Marked blocks of a card: what people write, and what a release fills in.

::

    <!-- yours: begin about -->           people write here; a new rendering keeps it
    <!-- end -->
    <!-- release: begin version -->       push writes version, citation and changes here
    <!-- end -->

Everything else is computed from the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from robotmcqa.errors import DataError

__all__ = ["block", "blocks", "filled", "kept", "merged", "without_markers", "without_release"]

_BLOCK = re.compile(
    r"^<!-- (?P<kind>yours|release): begin (?P<name>[a-z][a-z-]*) -->[ \t]*\n"
    r"(?P<text>.*?)^<!-- end -->[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_MARKER = re.compile(r"<!--\s*(?:(?:yours|release)\s*:|end\s*-->)")


def block(kind: str, name: str, text: str = "") -> str:
    """A block with its markers, without the last line break."""
    body = f"{text.rstrip()}\n" if text.strip() else ""
    return f"<!-- {kind}: begin {name} -->\n{body}<!-- end -->"


def blocks(text: str, kind: str) -> dict[str, str]:
    """Name -> text of the blocks of one kind, without the space around it.

    Raises:
        DataError: a marker is damaged, so that nobody can tell where a block ends.
    """
    text = text.replace("\r\n", "\n")
    found = list(_BLOCK.finditer(text))
    if len(_MARKER.findall(text)) != 2 * len(found):
        raise DataError(
            "README.md: the markers of its blocks are damaged",
            "each block begins with <!-- yours: begin NAME --> and ends with <!-- end -->, both "
            "on lines of their own, and holds no other",
        )
    return {match["name"]: match["text"].strip("\n") for match in found if match["kind"] == kind}


def without_markers(text: str) -> str:
    """Other people's words, so that nothing in them is taken for a marker."""
    return text.replace("<!--", "<! --")


def filled(text: str, kind: str, texts: Mapping[str, str]) -> str:
    """The blocks of one kind with other texts; those that ``texts`` lacks stay as they are."""

    def fill(match: re.Match[str]) -> str:
        if match["kind"] != kind or match["name"] not in texts:
            return match[0]
        return block(kind, match["name"], texts[match["name"]])

    return _BLOCK.sub(fill, text.replace("\r\n", "\n"))


def kept(text: str, texts: Mapping[str, str]) -> str:
    """A card with what people wrote in an older one; blocks that it has no place for come last."""
    there = blocks(text, "yours")
    orphans = [block("yours", name, texts[name]) for name in texts if name not in there]
    return "\n\n".join([filled(text, "yours", texts).rstrip("\n"), *orphans]) + "\n"


def without_release(text: str) -> str:
    """The card with empty blocks of the release: what it says whatever its version."""
    return filled(text, "release", dict.fromkeys(blocks(text, "release"), ""))


def merged(
    mine: Mapping[str, str], theirs: Mapping[str, str], released: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """What people wrote here and on the Hub, brought together.

    A block that is empty here is taken from there, so that a new rendering loses nothing. One
    that was written on one side only is taken from that side. A text that an earlier release had
    was not written since: a folder does not hear of what is written on the Hub.

    Args:
        mine, theirs: block name -> text.
        released: the same of earlier releases, the latest first.

    Raises:
        DataError: the same block was written on both sides.
    """
    result = dict(mine)
    latest = released[0] if released else {}
    for name, text in theirs.items():
        own = mine.get(name, "")
        if not own or any(own == old.get(name, "") for old in released):
            result[name] = text
        elif text not in ("", latest.get(name, ""), own):
            raise DataError(
                f"README.md: the block 'yours: {name}' was written here and on the Hub, where it "
                f"says: {text}",
                "put the text that is to stand into the Hub's README.md, and the same into yours",
            )
    return result
