"""Positions that answers to open-ended questions name, and how close they are."""

from __future__ import annotations

import math
import re
import unicodedata

__all__ = ["l1_score", "position_of"]

_NUMBER = r"([+-]?(?:\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][+-]?\d{1,2})?)"
_GAP = r"\s*[,;\s]\s*"
_POSITION = re.compile(
    rf"[\[({{]*\s*(?:x\s*[=:])?\s*{_NUMBER}{_GAP}(?:y\s*[=:])?\s*{_NUMBER}{_GAP}"
    rf"(?:z\s*[=:])?\s*{_NUMBER}\s*(?:m|metres|meters)?\s*[\])}}]*\s*\.?"
)

Position = tuple[float, float, float]

_LONGEST = 200
"""Characters of a position; the pattern would take long on a page of blanks."""


def position_of(answer: str) -> Position | None:
    """``"[0.265, -0.07, 1.154]"`` -> metres; None where the answer is not one position.

    Round or square brackets or none, commas or spaces, and names of the axes are all read.
    """
    # The minus of typesetting is not the hyphen of programs.
    text = unicodedata.normalize("NFKC", answer).replace("\u2212", "-").strip()
    found = _POSITION.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    x, y, z = (float(number) for number in found.groups())
    return (x, y, z)


def l1_score(position: Position, target: Position) -> float:
    """``clip(1 - L1, 0, 1)``, L1 the sum of absolute differences in metres (Robot-R1's open-ended
    variant)."""
    away = math.fsum(abs(a - b) for a, b in zip(position, target, strict=True))
    return min(1.0, max(0.0, 1.0 - away))
