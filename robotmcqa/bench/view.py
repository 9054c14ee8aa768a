"""One moment of a demo as a question needs it: what is seen where, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robotmcqa.motion import MotionLabel

__all__ = ["HAND", "Box", "Point", "Seen", "View", "gap", "middle"]

Point = tuple[float, float, float]
"""Metres, world frame: +x towards the camera, +y to the right, +z up."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture, from 0 to 1; rows count from the top."""

HAND = "gripper"
"""Key of the gripper beside the keys of things."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing, or the gripper, that is in plain sight.

    Attributes:
        key: what the task's table of things calls it.
        name: what a person calls it.
        point: where its middle is.
        box: around what is seen of it.
    """

    key: str
    name: str
    point: Point
    box: Box


@dataclass(frozen=True, slots=True)
class View:
    """A moment.

    Attributes:
        task, variation, episode, frame: whose; ``episode`` is the demo's digest.
        instruction: what the robot was told.
        gripper: its finger tips; the box is that of the whole hand.
        things: that can be asked about, by key: all of the task's, and all in plain sight.
        held: key of the thing in the gripper, or "".
        moved: keys of things that do not lie where they lay at the start.
        remaining: the steps that are left, the present one first.
        label: the movement to the next keyframe.
        extras: what only one task knows: how the saucepan's handle points, which drawer is
            open, which one the gripper is at.
    """

    task: str
    variation: int
    episode: str
    frame: int
    instruction: str
    gripper: Seen
    things: Mapping[str, Seen]
    held: str
    moved: frozenset[str]
    remaining: tuple[str, ...]
    label: MotionLabel
    extras: Mapping[str, str]


def middle(box: Box) -> tuple[float, float]:
    """Column and row of the middle."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def gap(one: Box, other: Box) -> float:
    """How far one box is to the left of the other: from its right edge to the other's left one.

    Negative where they overlap in their columns, or lie the other way round.
    """
    return other[0] - one[2]
