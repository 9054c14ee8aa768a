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
from collections.abc import Mapping

from robotmcqa.errors import DataError

__all__ = ["block", "blocks", "filled", "kept", "merged", "without_release"]

_BLOCK = re.compile(
    r"<!-- (?P<kind>yours|release): begin (?P<name>[a-z][a-z-]*) -->\n"
    r"(?P<text>.*?)^<!-- end -->$",
    re.MULTILINE | re.DOTALL,
)


def block(kind: str, name: str, text: str = "") -> str:
    """A block with its markers, without the last line break."""
    body = f"{text.rstrip()}\n" if text.strip() else ""
    return f"<!-- {kind}: begin {name} -->\n{body}<!-- end -->"


def blocks(text: str, kind: str) -> dict[str, str]:
    """Name -> text of the blocks of one kind, without the space around it."""
    found = _BLOCK.finditer(text.replace("\r\n", "\n"))
    return {match["name"]: match["text"].strip("\n") for match in found if match["kind"] == kind}


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
    mine: Mapping[str, str], theirs: Mapping[str, str], base: Mapping[str, str]
) -> dict[str, str]:
    """What people wrote here and on the Hub, brought together.

    A block that is empty here is taken from there, so that a new rendering loses nothing. One
    that was written on one side only since ``base`` (the last release) is taken from that side.

    Raises:
        DataError: the same block was written on both sides.
    """
    result = dict(mine)
    for name, text in theirs.items():
        own, old = mine.get(name, ""), base.get(name, "")
        if not own or own == old:
            result[name] = text
        elif text not in ("", old, own):
            raise DataError(
                f"README.md: the block 'yours: {name}' was written here and on the Hub",
                "copy the Hub's text into your README.md, or yours into the Hub's",
            )
    return result
