"""The rule for demos that somebody steered: where the gripper comes to rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError
from robotmcqa.keyframes import ArmRule, RestRule, find_keyframes, keyframe_rule


def demo_of(moving: list[int], gripper: list[int] | None = None, turning: float = 0.0) -> Demo:
    """Frames at which the tip moves (1) or rests (0), and what the gripper does."""
    frames = len(moving)
    speed = np.column_stack([np.array(moving) * 0.2, np.full(frames, turning)])
    pose = np.tile([0.0, 0, 0, 0, 0, 0, 1], (frames, 1))
    opening = np.array(gripper or [1] * frames, dtype=float)
    return Demo("t", 0, ("do",), pose, opening, gripper_speed=speed)


CASES = {
    "each rest once, however long": (
        [1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1],
        None,
        [2, 11, 14],
    ),
    "the start is no rest": ([0, 0, 0, 1, 1, 1], None, [5]),
    "nor is a moment": ([1, 1, 0, 1, 1, 1], None, [5]),
    "where it ends at rest": ([1, 1, 1, 1, 0, 0, 0], None, [6]),
    "a grasp counts by itself": (
        [1, 1, 0, 0, 0, 0, 0, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
        [4, 9],
    ),
    "a grasp while moving": ([1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [3, 5]),
    "a grasp at the end": ([1, 1, 1, 1], [1, 1, 1, 0], [3]),
    "always at rest": ([0, 0, 0, 0], None, [3]),
    "never at rest": ([1, 1, 1, 1], None, [3]),
}


@pytest.mark.parametrize(("moving", "gripper", "keyframes"), CASES.values(), ids=CASES.keys())
def test_keyframes(moving: list[int], gripper: list[int] | None, keyframes: list[int]) -> None:
    demo = demo_of(moving, gripper)
    assert find_keyframes(demo, keyframe_rule("rest")) == keyframes
    assert find_keyframes(demo) == keyframes  # what 'arm' does where there are no joints


def test_turning_is_no_rest() -> None:
    assert find_keyframes(demo_of([1, 0, 0, 0, 1, 1], turning=0.3), RestRule()) == [5]
    assert find_keyframes(demo_of([1, 0, 0, 0, 1, 1], turning=0.05), RestRule()) == [1, 5]


def test_thresholds_are_parameters() -> None:
    demo = demo_of([1, 1, 0, 0, 0, 1, 1])
    assert RestRule(hold=4)(demo) == [6]
    assert RestRule(linear=1.0)(demo) == [6]  # all of it is rest


def test_joints_come_first() -> None:
    demo = demo_of([1, 1, 1, 1, 1, 1, 1, 1])
    with_joints = dataclasses.replace(demo, joint_velocities=np.zeros((8, 7)))
    assert ArmRule()(with_joints) == [2, 7]
    assert RestRule()(with_joints) == [7]


def test_without_speeds_the_remedy_is_another_rule() -> None:
    demo = dataclasses.replace(demo_of([1, 1, 0]), gripper_speed=None)
    with pytest.raises(DemoError, match="--keyframes arm"):
        keyframe_rule("rest")(demo)
    with pytest.raises(DemoError, match="no joint_velocities"):
        keyframe_rule("arm")(demo)


@given(
    moving=st.lists(st.integers(0, 1), min_size=2, max_size=60),
    data=st.data(),
)
def test_keyframes_are_changes_beginnings_of_rests_and_the_end(
    moving: list[int], data: st.DataObject
) -> None:
    gripper = data.draw(st.lists(st.integers(0, 1), min_size=len(moving), max_size=len(moving)))
    found = find_keyframes(demo_of(moving, gripper), RestRule())
    assert found[-1] == len(moving) - 1
    for frame in range(1, len(moving)):
        if gripper[frame] != gripper[frame - 1]:
            assert frame in found
        elif frame in found[:-1]:
            assert (moving[frame - 1], moving[frame], moving[frame + 1]) == (1, 0, 0)
