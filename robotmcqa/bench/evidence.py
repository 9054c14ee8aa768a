"""Whether a spatial answer follows from the positions that stand beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from robotmcqa.bench.record import Row

__all__ = ["evidence_problem"]

_WORDS = {
    "left": ("left",),
    "right": ("right",),
    "forward": ("front", "nearer", "closer", "camera"),
    "backward": ("behind", "farther", "away", "camera"),
    "higher": ("higher",),
    "lower": ("lower",),
}
_BARE = ("side", "place", "half")
"""Relations whose answer names the side itself, whatever the phrasing."""


def evidence_problem(row: Row) -> str | None:
    """Why the answer does not follow from the evidence; None where it does, or there is none."""
    evidence = row.get("evidence")
    if not evidence:
        return None
    relation, value = evidence["relation"], evidence["value"]
    wrong = _contradiction(evidence)
    if wrong:
        return wrong
    if relation in _BARE:
        answer = row["answer"].lower()
        for side in value:
            if not any(word in answer for word in _WORDS.get(side, ("",))):
                return f"says '{side}', but the answer is: {row['answer']}"
    return None


def _contradiction(evidence: Mapping[str, Any]) -> str | None:
    """A relation that the points do not bear out; None where they do, or have nothing to say."""
    points, relation = evidence["points"], evidence["relation"]
    one = points.get(evidence["subject"])
    others = [points[key] for key in evidence["others"] if key in points]
    if relation in ("side", "depth", "place", "height") and one and others:
        for value in evidence["value"]:
            if not _holds(value, one, others[0]):
                return f"'{value}' does not follow from {one} and {others[0]}"
    if relation == "order":
        across = [points[key][1] for key in evidence["value"] if key in points]
        if across != sorted(across):
            return f"the order does not follow from {across}"
    if relation == "nearer" and one and len(others) == 2:
        near = min(evidence["others"], key=lambda key: math.dist(points[key], one))
        if near != evidence["value"][0]:
            return f"'{evidence['value'][0]}' is not the nearer one"
    return None


def _holds(value: str, one: Sequence[float], other: Sequence[float]) -> bool:
    axis, sign = {
        "left": (1, -1),
        "right": (1, 1),
        "forward": (0, 1),
        "backward": (0, -1),
        "higher": (2, 1),
        "lower": (2, -1),
    }[value]
    return (one[axis] - other[axis]) * sign > 0
