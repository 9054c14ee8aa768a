"""Positions that answers to open-ended questions name, and how close they are."""

from __future__ import annotations

import re

from robotmcqa.scoring.plain import plain

__all__ = ["l1_score", "position_of"]

_NUMBER = r"([+-]?(?:\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][+-]?\d{1,2})?)"
_UNIT = r"\s*(?:m|metres|meters)?"
_GAP = r"\s*[,;\s]\s*"
_POSITION = re.compile(
    rf"[\[({{]*\s*(?:x\s*[=:])?\s*{_NUMBER}{_UNIT}{_GAP}(?:y\s*[=:])?\s*{_NUMBER}{_UNIT}{_GAP}"
    rf"(?:z\s*[=:])?\s*{_NUMBER}{_UNIT}\s*[\])}}]*{_UNIT}\s*\.?",
    re.ASCII,
)

Position = tuple[float, float, float]

_LONGEST = 200
"""Characters of a position; the pattern would take long on a page of blanks."""


def position_of(answer: str) -> Position | None:
    """``"[0.265, -0.07, 1.154]"`` -> metres; None where the answer is not one position.

    Round or square brackets or none, commas or spaces, names of the axes and the unit m are read.
    """
    if len(answer) > _LONGEST:
        return None
    # The minus of typesetting is not the hyphen of programs.
    found = _POSITION.fullmatch(plain(answer).replace("\u2212", "-").strip()[:_LONGEST])
    if not found:
        return None
    x, y, z = (float(number) for number in found.groups())
    return (x, y, z)


def l1_score(position: Position, target: Position) -> float:
    """``clip(1 - L1, 0, 1)``, L1 the sum of absolute differences in metres (Robot-R1's open-ended
    variant)."""
    away = sum(abs(a - b) for a, b in zip(position, target, strict=True))
    return min(1.0, max(0.0, 1.0 - away))
