"""Coordinates as the questions write them: whole millimetres inside, metres as text.

Options are compared, rounded and printed in one place, so that two positions are distinct
exactly when their texts are. Integers make that exact: no float is ever compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

__all__ = ["Millimetres", "coordinate_text", "distance_squared", "to_metres", "to_millimetres"]

Millimetres = tuple[int, int, int]


def to_millimetres(xyz: Sequence[float]) -> Millimetres:
    """Position in metres -> whole millimetres (halves to even, as Python rounds)."""
    return (round(float(xyz[0]) * 1000), round(float(xyz[1]) * 1000), round(float(xyz[2]) * 1000))


def to_metres(position: Millimetres) -> list[float]:
    """Whole millimetres -> metres, each the float nearest to three decimals."""
    return [position[0] / 1000, position[1] / 1000, position[2] / 1000]


def coordinate_text(position: Millimetres) -> str:
    """``(265, -70, 1154)`` -> ``"[0.265, -0.07, 1.154]"``: metres, no trailing zeros."""
    return f"[{', '.join(map(_metres_text, position))}]"


@lru_cache(maxsize=8192)
def _metres_text(millimetres: int) -> str:
    whole, rest = divmod(abs(millimetres), 1000)
    sign = "-" if millimetres < 0 else ""
    return f"{sign}{whole}.{rest:03d}".rstrip("0").rstrip(".")


def distance_squared(a: Millimetres, b: Millimetres) -> int:
    """Squared Euclidean distance in mm^2."""
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2
