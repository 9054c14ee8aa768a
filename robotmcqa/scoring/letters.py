"""The letter that an answer names, however a model writes it."""

from __future__ import annotations

import re

from robotmcqa.scoring.plain import plain

__all__ = ["LETTERS", "letter_of"]

LETTERS = "ABCDEFGH"
"""Of options, in their order."""

_BRACKETED = re.compile(r"\[\[\s*([A-Za-z])\s*\]\]")
_DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|except)|n['\u2019]t)\s+(?:be\s+)?(?:option\s+)?[*_`\"'(]*\[\[",
    re.IGNORECASE,
)
_HEDGED = re.compile(r"\b(?:or|and)\s+(?:[Oo]ption\s+)?[(\[*]*([A-H])\b")
_WORDS = re.compile(
    r"(?:the\s+)?(?:(?:right|correct|final|best)\s+)?(?:answer|option|choice)?\s*(?:is\b\s*:?|:|=)?\s*"
    r"(?:option|choice)?\s*",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"\\boxed|\\(?:text|math)(?:bf|it|rm|tt)?|[*_`$\"'{}]")
_ENCLOSED = re.compile(r"[(\[<\u3010]{1,2}\s*([A-Za-z])\s*[)\]>\u3011]{1,2}")
_ALONE = re.compile(r"([A-Za-z])\s*[.)\]:,;]?")
_BEFORE_TEXT = re.compile(
    r"([A-Z])\s*(?:[.):\]]|-(?=\s)|\s[-\u2013\u2014](?=\s))\s*(.+)", re.DOTALL
)
_OTHERS = re.compile(r"[(\[]\s*([A-Z])\s*[)\]]|\b([B-H])\b|\b(?:or|and)\s+(A)\b")


def letter_of(answer: str, options: int = 8) -> str | None:
    """The one option that an answer names; None where it names none, several, or none there is.

    ``[[A]]`` is what prompts ask for, and counts wherever it stands in the answer, unless it is
    denied ("not [[A]]") or hedged ("[[A]] or B"). Else the answer has to be the letter, with or
    without brackets, a full stop, markup, words such as "option", or the option's text after it:
    ``A``, ``(b)``, ``**C**``, ``Option D.``, ``B) move left``. A small letter counts where it
    stands alone, so that the article "a" is no answer. Prose is not interpreted. Letters are
    compared in their plain form: a full-width A is an A, a Cyrillic one is not.

    Args:
        answer: what stands in the answer block.
        options: how many options there are.
    """
    text = plain(answer)
    letters = {found.upper() for found in _BRACKETED.findall(text)}
    if letters and _DENIED.search(text):
        return None
    letters = letters | set(_HEDGED.findall(text)) if letters else _written_otherwise(text)
    if len(letters) != 1:
        return None
    (letter,) = letters
    return letter if letter in LETTERS[:options] else None


def _written_otherwise(text: str) -> set[str]:
    bare = _MARKUP.sub("", text).strip()
    start = _WORDS.match(bare)
    rest = bare[start.end() :].strip() if start else bare
    whole = _ENCLOSED.fullmatch(rest.rstrip(".")) or _ALONE.fullmatch(rest)
    if whole:
        return {whole[1].upper()}
    enclosed = _ENCLOSED.match(rest)
    letter, explained = "", ""
    if enclosed:
        letter, explained = enclosed[1].upper(), rest[enclosed.end() :]
    elif told := _BEFORE_TEXT.fullmatch(rest):
        letter, explained = told[1], told[2]
    if not letter:
        return set()
    return {letter, *(name for found in _OTHERS.findall(explained) for name in found if name)}
