"""Where things are: every relation in a view that a person would agree to at a glance.

Each function yields what it is sure of. Sure means twice: in metres, by a margin, and in the
picture, where the boxes around what is seen lie the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations

from robotmcqa.bench.things import TASKS
from robotmcqa.bench.view import HAND, Seen, View, gap, middle

__all__ = ["Fact", "facts"]

_SIDE, _DEPTH, _HEIGHT, _LEVEL = 0.07, 0.10, 0.09, 0.05
"""Metres: from here on a difference is plain; below the last two things lie equally high."""

_SAME = 0.025
"""Metres: less than this is no difference that anybody would mention."""

_GAP, _ROWS = 0.02, 0.04
"""Shares of the picture between boxes, and between their lower edges."""

_NEARER, _NEARER_BY = 1.6, 0.08
_NEARER_SEEN = 1.3
_OVER, _OFF = 0.025, 0.13


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation that holds.

    Attributes:
        relation: what kind; :mod:`robotmcqa.bench.wording` has its words.
        subject: key of what is asked about.
        others: keys of what it is compared with.
        value: the answer as the relation counts it: a side, a key, several of either.
    """

    relation: str
    subject: str
    others: tuple[str, ...]
    value: tuple[str, ...]


def facts(view: View) -> list[Fact]:
    """All of them, in a fixed order."""
    found: list[Fact] = []
    for kind in (_places, _heights, _rows, _outermost, _nearest, _over, _halves, _supports):
        found.extend(kind(view))
    found.extend(_own(view))
    return found


def _all(view: View) -> list[Seen]:
    return [view.gripper, *view.things.values()]


def _apart(one: Seen, other: Seen) -> str:
    """``left`` or ``right``: where ``one`` is of ``other``; "" where it is not plain."""
    across = one.point[1] - other.point[1]
    if across < -_SIDE and gap(one.box, other.box) > _GAP:
        return "left"
    return "right" if across > _SIDE and gap(other.box, one.box) > _GAP else ""


def _in_depth(one: Seen, other: Seen) -> str:
    """``forward`` (nearer to the camera) or ``backward``; "" where the picture does not show it."""
    along = one.point[0] - other.point[0]
    level = abs(one.point[2] - other.point[2]) < _LEVEL
    if not level or HAND in (one.key, other.key):
        return ""  # how far away something in the air is cannot be seen in one picture
    lower = one.box[3] - other.box[3]
    if along > _DEPTH and lower > _ROWS:
        return "forward"
    return "backward" if along < -_DEPTH and lower < -_ROWS else ""


def _places(view: View) -> Iterator[Fact]:
    """Left or right, in front or behind, and both together for an open question."""
    for one, other in permutations(_all(view), 2):
        if view.held in (one.key, other.key) and HAND in (one.key, other.key):
            continue
        side, depth = _apart(one, other), _in_depth(one, other)
        if side:
            yield Fact("side", one.key, (other.key,), (side,))
        if depth:
            yield Fact("depth", one.key, (other.key,), (depth,))
        if HAND not in (one.key, other.key):
            level = abs(one.point[0] - other.point[0]) < 2 * _SAME
            if side and (depth or level):
                yield Fact("place", one.key, (other.key,), (side, depth) if depth else (side,))


def _heights(view: View) -> Iterator[Fact]:
    """Higher or lower, where one of the two is in the air."""
    for one, other in permutations(_all(view), 2):
        if view.held in (one.key, other.key) and HAND in (one.key, other.key):
            continue
        airborne = {HAND, view.held, "ball"} & {one.key, other.key}
        up = one.point[2] - other.point[2]
        if airborne and up > _HEIGHT and one.box[3] < other.box[1] + 0.01:
            yield Fact("height", one.key, (other.key,), ("higher",))
        elif airborne and up < -_HEIGHT and other.box[3] < one.box[1] + 0.01:
            yield Fact("height", one.key, (other.key,), ("lower",))


def _rows(view: View) -> Iterator[Fact]:
    """The order from left to right of three or more things, all that there are."""
    if len(view.things) < 3:
        return
    order = sorted(view.things.values(), key=lambda thing: thing.point[1])
    if all(_apart(one, other) for one, other in pairwise(order)):
        yield Fact("order", "", tuple(view.things), tuple(thing.key for thing in order))


def _outermost(view: View) -> Iterator[Fact]:
    """Which of the cups, blocks, shapes is farthest to a side, or nearest to the camera."""
    kinds: dict[str, list[str]] = {}
    for key, thing in TASKS[view.task].things.items():
        if thing.kind:
            kinds.setdefault(thing.kind, []).append(key)
    for members in kinds.values():
        group = [view.things[key] for key in members]
        keys = tuple(one.key for one in group)
        for side, compare in (
            *(("left", _apart), ("right", _apart)),
            *(("forward", _in_depth), ("backward", _in_depth)),
        ):
            for one in group:
                if all(compare(one, other) == side for other in group if other is not one):
                    yield Fact("outermost", side, keys, (one.key,))


def _nearest(view: View) -> Iterator[Fact]:
    """Which of two things is nearer to a third, in space and in the picture."""
    for target in _all(view):
        others = [one for one in view.things.values() if one is not target]
        for pair in combinations(others, 2):
            if view.held and view.held in (target.key, pair[0].key, pair[1].key):
                continue
            if _rest_on(view, target, pair[0]) or _rest_on(view, target, pair[1]):
                continue
            near, far = sorted(pair, key=lambda one: math.dist(one.point, target.point))
            distances = [math.dist(one.point, target.point) for one in (near, far)]
            seen = [math.dist(middle(one.box), middle(target.box)) for one in (near, far)]
            if (
                distances[1] > max(_NEARER * distances[0], distances[0] + _NEARER_BY)
                and seen[1] > _NEARER_SEEN * seen[0]
            ):
                yield Fact("nearer", target.key, tuple(one.key for one in pair), (near.key,))


def _rest_on(view: View, one: Seen, other: Seen) -> bool:
    """Whether one of the two still lies on the other: too close to compare distances."""
    for upper, lower in ((one, other), (other, one)):
        at_rest = upper.key != HAND and upper.key not in view.moved
        if at_rest and TASKS[view.task].things[upper.key].rests_on == lower.name:
            return True
    return False


def _over(view: View) -> Iterator[Fact]:
    """Whether the gripper is straight above a thing, or off to a side of it."""
    tip = view.gripper
    for thing in view.things.values():
        up = tip.point[2] - thing.point[2]
        off = math.dist(tip.point[:2], thing.point[:2])
        if thing.key == view.held or not 0.05 < up < 0.30:
            continue
        if off < _OVER:
            yield Fact("over", HAND, (thing.key,), ("over",))
        elif off > _OFF and _apart(tip, thing):
            yield Fact("over", HAND, (thing.key,), (_apart(tip, thing),))


def _halves(view: View) -> Iterator[Fact]:
    """Which half of the picture, where there is next to nothing to compare with."""
    if len(view.things) > 2:
        return
    for thing in _all(view):
        if thing.box[2] < 0.45 or thing.box[0] > 0.55:
            yield Fact("half", thing.key, (), ("left" if thing.box[2] < 0.45 else "right",))


def _supports(view: View) -> Iterator[Fact]:
    """What carries a thing: the gripper, or what it has lain on from the start."""
    for key in view.things:
        rests_on = TASKS[view.task].things[key].rests_on
        if key == view.held:
            yield Fact("support", key, (), (HAND,))
        elif rests_on and key not in view.moved:
            yield Fact("support", key, (), (rests_on,))


def _own(view: View) -> Iterator[Fact]:
    """What only one task has: a handle, drawers."""
    if view.extras.get("handle") and "saucepan" in view.things:
        yield Fact("handle", "saucepan", (), (view.extras["handle"],))
    if "open" in view.extras and not view.extras["ajar"]:
        yield Fact("drawers", "chest", (), (view.extras["open"] or "none",))
    if view.extras.get("at"):
        yield Fact("at", HAND, (), (view.extras["at"],))
