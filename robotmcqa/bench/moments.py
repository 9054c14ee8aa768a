"""Which frames of a demo make good pictures to ask about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from robotmcqa.coordinates import Millimetres
from robotmcqa.motion import MotionLabel, Step, motion_label

__all__ = ["agrees_with_picture", "candidates", "clear_motion", "stage_of"]

_SHARES = (0.35, 0.5, 0.2, 0.65, 0.0)
"""How far the movement may be on its way, best first. At 0 the gripper still rests."""

_STILL, _SLIGHT, _FULL, _DEPTH = 12, 25, 40, 80  # mm
_NEITHER = (0.42, 0.62)
"""Between these shares of the largest change nobody sees at a glance whether it is slight."""

_SEEN_ACROSS, _UNSEEN_ACROSS = 0.025, 0.045
"""Shares of the picture: what counts as a movement to a side, and what is none yet."""


def stage_of(number: int, pictures: int, keyframes: int) -> int:
    """The movement that picture ``number`` of a task is about, so that they span the demo."""
    return number * keyframes // pictures


def candidates(keyframes: Sequence[int], stage: int) -> Iterator[tuple[int, int]]:
    """Frames within one movement, best first, each with the keyframe that ends it.

    Args:
        keyframes: of the demo, ascending.
        stage: number of the movement, from 0: the one that ends at that keyframe.
    """
    start, end = (keyframes[stage - 1] if stage else 0), keyframes[stage]
    seen: set[int] = set()
    for share in _SHARES:
        frame = start + round(share * (end - start))
        if frame not in seen and frame < end:
            seen.add(frame)
            yield frame, end


def clear_motion(current: Millimetres, target: Millimetres) -> MotionLabel | None:
    """The label of a movement that two people would describe alike; None where they might not.

    Every axis either stands still, or moves so far that nobody overlooks it, and whether it is
    slight beside the largest is no near thing.
    """
    moved = [abs(b - a) for a, b in zip(current, target, strict=True)]
    largest = max(moved)
    if largest < _FULL:
        return None
    for distance in moved:
        if _STILL < distance < _SLIGHT or _NEITHER[0] < distance / largest < _NEITHER[1]:
            return None
    label = motion_label(current, target, dead_band=_STILL)
    # How far away something in the air is shows badly: a little to and fro shows not at all.
    unseen = abs(label.x) == Step.SLIGHTLY_FORTH or (label.x and moved[0] < _DEPTH)
    return None if unseen else label


def agrees_with_picture(label: MotionLabel, across: float, down: float) -> bool:
    """Whether the way that the gripper goes in the picture is the one that the label says.

    What comes towards the camera also moves outwards in the picture, so that the two can differ.

    Args:
        label: of a movement.
        across, down: that its projection takes, as shares of the picture.
    """
    if label.y and (across * label.y < 0 or abs(across) < _SEEN_ACROSS):
        return False
    if not label.y and abs(across) > _UNSEEN_ACROSS:
        return False
    return not (label.z and down * label.z > 0)
