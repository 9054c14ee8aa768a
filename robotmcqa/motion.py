"""Motion labels: a displacement in words, and the labels that lie next to it.

A label has one step per axis. A step has a direction (-1, 0, +1) and a size: "slightly" when the
change is at most half the largest one. The words themselves (forward, right, up, ...) come from
the scene metadata, because another robot may look along another axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from itertools import product

from robotmcqa.coordinates import Millimetres

__all__ = ["MotionLabel", "Step", "all_labels", "motion_label", "neighbours"]

STILL = "stay in place"


class Step(IntEnum):
    """Movement along one axis: its sign is the direction, its absolute value the size."""

    BACK = -2
    SLIGHTLY_BACK = -1
    NONE = 0
    SLIGHTLY_FORTH = 1
    FORTH = 2


@dataclass(frozen=True, slots=True)
class MotionLabel:
    """Steps along x, y and z. At least one is full size, or all three are none."""

    x: Step
    y: Step
    z: Step

    @property
    def steps(self) -> tuple[Step, Step, Step]:
        return (self.x, self.y, self.z)

    def is_possible(self) -> bool:
        """Whether a displacement with this label exists: its largest change is never slight."""
        largest = max(abs(step) for step in self.steps)
        return largest != abs(Step.SLIGHTLY_FORTH)

    @lru_cache(maxsize=1024)  # noqa: B019 - labels are few and live as long as the process
    def text(self, words: tuple[tuple[str, str], ...]) -> str:
        """In words, e.g. ``"move forward, slightly move left, and move down"``.

        Args:
            words: for x, y and z the pair (word for minus, word for plus).
        """
        parts = [
            f"{'slightly ' if abs(step) == 1 else ''}move {words[axis][step > 0]}"
            for axis, step in enumerate(self.steps)
            if step
        ]
        if not parts:
            return STILL
        if len(parts) < 3:
            return " and ".join(parts)
        return f"{parts[0]}, {parts[1]}, and {parts[2]}"


def motion_label(current: Millimetres, target: Millimetres, dead_band: int = 0) -> MotionLabel:
    """The label of the movement from ``current`` to ``target`` (both rounded, in mm).

    Changes of at most ``dead_band`` mm count as none; of the rest, one that is at most half the
    largest is slight. Every displacement has exactly one label.
    """
    moved = [b - a for a, b in zip(current, target, strict=True)]
    moved = [d if abs(d) > dead_band else 0 for d in moved]
    largest = max(abs(d) for d in moved)
    return MotionLabel(*(_step(d, largest) for d in moved))


def _step(moved: int, largest: int) -> Step:
    if moved == 0:
        return Step.NONE
    size = 1 if 2 * abs(moved) <= largest else 2
    return Step(size if moved > 0 else -size)


def all_labels() -> Iterator[MotionLabel]:
    """Every label that a displacement can have, "stay in place" included."""
    labels = (MotionLabel(*steps) for steps in product(Step, repeat=3))
    return (one for one in labels if one.is_possible())


@cache  # there are 125 labels at most
def neighbours(label: MotionLabel) -> tuple[MotionLabel, ...]:
    """Labels that differ from ``label`` in exactly one axis, in direction or size; fixed order.

    The paper calls such labels adjacent without saying what that is. A label that no
    displacement can have (nothing full size) is left out, and so is standing still: it is
    no movement.
    """
    found = []
    for axis in range(3):
        for step in Step:
            if step == label.steps[axis]:
                continue
            steps = list(label.steps)
            steps[axis] = step
            other = MotionLabel(*steps)
            if other.is_possible() and any(other.steps):
                found.append(other)
    return tuple(found)
