"""Text as a reader sees it: what Unicode can write in several ways, written in one."""

from __future__ import annotations

import unicodedata

__all__ = ["plain"]


def plain(text: str) -> str:
    """Characters in their plain form (full-width A -> A), those without width left out.

    Characters are taken one by one. Of a whole string, normalisation sorts its combining marks,
    which takes the square of their number: a model that stammers accents would halt a training.
    """
    return text if text.isascii() else "".join(map(_plain, text))


def _plain(character: str) -> str:
    if unicodedata.category(character) == "Cf":  # zero-width spaces and joiners, byte-order marks
        return ""
    return unicodedata.normalize("NFKC", character)
