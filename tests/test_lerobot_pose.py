"""Numbers to poses: laws of rotations, transforms, grippers and speeds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robotmcqa.errors import DemoError
from robotmcqa.sources.lerobot.pose import (
    IDENTITY,
    Transform,
    finite_differences,
    gripper_open,
    gripper_speed,
    numbers_of,
    poses,
    quaternions,
)

ORDERS = [
    "".join(order)
    for letters in ("xyz", "XYZ")
    for order in itertools.product(letters, repeat=3)
    if order[0] != order[1] != order[2]
]


def rotations(seed: int, count: int = 5) -> Rotation:
    return Rotation.random(count, random_state=seed)


def written(rotation: Rotation, format: str, degrees: bool) -> Any:
    """A rotation as somebody's data set would have it."""
    if format == "quaternion_xyzw":
        return rotation.as_quat()
    if format == "quaternion_wxyz":
        return np.roll(rotation.as_quat(), 1, axis=1)
    if format == "rotation_vector":
        return rotation.as_rotvec(degrees=degrees)
    matrix = rotation.as_matrix()
    if format == "matrix":
        return matrix.reshape(-1, 9)
    if format == "rotation_6d":  # the first two columns, one after the other
        return np.concatenate([matrix[:, :, 0], matrix[:, :, 1]], axis=1)
    if format == "rotation_6d_rows":  # the first two rows
        return matrix[:, :2].reshape(-1, 6)
    return rotation.as_euler(format.removeprefix("euler_"), degrees=degrees)


FORMATS = [
    *("quaternion_xyzw", "quaternion_wxyz", "rotation_vector"),
    *("rotation_6d", "rotation_6d_rows", "matrix"),
    *(f"euler_{order}" for order in ORDERS),
]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), format=st.sampled_from(FORMATS), degrees=st.booleans())
def test_every_format_is_read_as_it_is_written(seed: int, format: str, degrees: bool) -> None:
    rotation = rotations(seed)
    values = written(rotation, format, degrees)
    assert values.shape[1] == numbers_of(format)
    read = Rotation.from_quat(quaternions(values, format, degrees))
    assert (read * rotation.inv()).magnitude().max() < 1e-6


@pytest.mark.parametrize(
    "format", ["", "euler", "euler_", "euler_xxy", "euler_xYz", "euler_xy", "quaternion", "xyzw"]
)
def test_what_is_no_format(format: str) -> None:
    assert numbers_of(format) is None


def test_quaternions_are_not_scaled() -> None:
    """One that is none has to show, or nobody could tell that the columns are wrong."""
    values = np.array([[3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert np.array_equal(quaternions(values, "quaternion_xyzw", False), values)
    pose = poses(np.zeros((2, 3)), values, IDENTITY, IDENTITY)
    assert np.array_equal(pose[:, 3:], values)
    assert gripper_speed(pose, 20) is None
    with pytest.raises(DemoError, match=r"rotation\.format"):
        poses(np.zeros((2, 3)), values, Transform((1.0, 0.0, 0.0)), IDENTITY)


def test_six_numbers_that_are_no_rotation() -> None:
    values = np.array([[1.0, 0, 0, 0, 1, 0], [1, 0, 0, 2, 0, 0]])
    with pytest.raises(DemoError, match="frame 1"):
        quaternions(values, "rotation_6d", False)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_frame_and_tool_are_the_two_sides_of_the_pose(seed: int) -> None:
    """World <- base <- end effector <- tip, as products of 4 by 4 matrices."""
    rng = np.random.default_rng(seed)
    recorded, turned, bent = rotations(seed, 4), rotations(seed + 1, 1), rotations(seed + 2, 1)
    position, shift, reach = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=3)
    frame = Transform(tuple(shift), tuple(turned.as_quat()[0]))
    tool = Transform(tuple(reach), tuple(bent.as_quat()[0]))
    pose = poses(position, recorded.as_quat(), frame, tool)
    for row, xyz, rotation in zip(pose, position, recorded, strict=True):
        product = (
            homogeneous(turned[0], shift) @ homogeneous(rotation, xyz) @ homogeneous(bent[0], reach)
        )
        found = homogeneous(Rotation.from_quat(row[3:]), row[:3])
        assert np.allclose(found, product, atol=1e-9)


def homogeneous(rotation: Rotation, position: Any) -> Any:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation.as_matrix(), position
    return matrix


def test_nothing_is_recomputed_where_nothing_is_moved() -> None:
    position, quaternion = np.random.default_rng(0).normal(size=(2, 9, 4))
    pose = poses(position[:, :3], quaternion, IDENTITY, IDENTITY)
    assert np.array_equal(pose, np.column_stack([position[:, :3], quaternion]))


@given(
    opening=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    low=st.floats(-2, 2),
    width=st.floats(0.01, 5),
    threshold=st.floats(0.05, 0.95),
)
def test_the_gripper_is_open_above_the_threshold_of_its_range(
    opening: list[float], low: float, width: float, threshold: float
) -> None:
    values = np.array(opening)
    values = values[np.abs(values - threshold) > 1e-6]
    recorded = low + values * width
    expected = (values > threshold).astype(float)
    assert np.array_equal(gripper_open(recorded, low, low + width, threshold, False), expected)
    closing = low + (1 - values) * width
    assert np.array_equal(gripper_open(closing, low, low + width, threshold, True), expected)


@given(speed=st.floats(-3, 3), fps=st.sampled_from([5.0, 15.0, 20.0, 30.0]))
def test_differences_of_a_steady_movement_are_its_velocity(speed: float, fps: float) -> None:
    seconds = np.arange(12) / fps
    values = np.column_stack([seconds * speed, np.ones(12)])
    found = finite_differences(values, fps)
    assert np.allclose(found[:, 0], speed)
    assert np.allclose(found[:, 1], 0)


@given(turn=st.floats(0, 2), speed=st.floats(0, 0.5), fps=st.sampled_from([5.0, 20.0, 50.0]))
def test_the_speed_of_a_gripper_that_moves_and_turns_steadily(
    turn: float, speed: float, fps: float
) -> None:
    seconds = np.arange(15) / fps
    rotation = Rotation.from_rotvec(np.outer(seconds * turn, [0.6, 0.0, 0.8]))
    position = np.outer(seconds * speed, [0.0, 0.6, 0.8])
    found = gripper_speed(np.column_stack([position, rotation.as_quat()]), fps)
    assert found is not None
    assert np.allclose(found, [speed, turn], atol=1e-6)
