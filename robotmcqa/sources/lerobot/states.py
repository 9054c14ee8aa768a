"""Columns of one episode, to the arrays of a demo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from robotmcqa.arrays import FloatArray
from robotmcqa.demo import FARTHEST
from robotmcqa.errors import DemoError
from robotmcqa.sources.lerobot.columns import numbers
from robotmcqa.sources.lerobot.kinematics import arm_of
from robotmcqa.sources.lerobot.mapping import ColumnMapping, Numbers
from robotmcqa.sources.lerobot.pose import (
    finite_differences,
    gripper_open,
    gripper_speed,
    poses,
    quaternions,
)

__all__ = ["states_of"]


def states_of(rows: pa.Table, mapping: ColumnMapping, fps: float) -> dict[str, Any]:
    """The low-dimensional arguments of a :class:`~robotmcqa.demo.Demo`.

    Joint velocities that are not recorded are differences of joint positions; speeds of the
    gripper's tip are always differences.

    Args:
        rows: of the episode, in order.
        mapping: which columns are what.
        fps: frames per second.

    Raises:
        DemoError: a column does not hold what the mapping says.
        MappingError: the kinematics are not those of these joints.
    """
    read: dict[str, FloatArray] = {}

    def some(chosen: Numbers) -> FloatArray:
        if chosen.column not in read:
            read[chosen.column] = numbers(rows, chosen.column)
        values = read[chosen.column]
        if chosen.index is None:
            return values
        if max(chosen.index) >= values.shape[1]:
            raise DemoError(
                f"column '{chosen.column}' has {values.shape[1]} numbers at each frame, the "
                f"mapping asks for number {max(chosen.index)}"
            )
        return np.ascontiguousarray(values[:, list(chosen.index)])

    joints = velocities = None
    if mapping.joint_positions:
        joints = some(mapping.joint_positions) * mapping.joint_scale
    if mapping.joint_velocities:
        velocities = some(mapping.joint_velocities)
    elif joints is not None:
        velocities = finite_differences(joints, fps)
    if mapping.position and mapping.rotation:
        position = some(mapping.position) * mapping.scale
        rotation, form = some(mapping.rotation), mapping.rotation_format
    else:
        assert joints is not None  # the mapping was checked
        _refuse_infinite(joints, "joint_positions")
        arm = arm_of(mapping.robot_file, mapping.body, mapping.joints, joints.shape[1])
        position, rotation = arm.forward(joints)
        form = "matrix"
    _refuse_infinite(position, "position")
    _refuse_infinite(rotation, "rotation")
    _refuse_far(position, mapping)
    rotation = quaternions(rotation, form, mapping.degrees)
    pose = poses(position, rotation, mapping.frame, mapping.tool)
    low, high = mapping.document["gripper"]["range"]
    grip = some(mapping.gripper)[:, 0]
    _refuse_infinite(grip[:, None], "gripper")
    return {
        "gripper_pose": pose,
        "gripper_open": gripper_open(
            grip,
            low,
            high,
            mapping.document["gripper"]["threshold"],
            mapping.document["gripper"]["inverted"],
        ),
        "joint_velocities": velocities,
        "joint_positions": joints,
        "gripper_speed": gripper_speed(pose, fps),
    }


def _refuse_infinite(values: FloatArray, field: str) -> None:
    if not np.isfinite(values).all():
        frame = int((~np.isfinite(values).all(axis=1)).argmax())
        raise DemoError(f"{field} is not a finite number at frame {frame}")


def _refuse_far(position: FloatArray, mapping: ColumnMapping) -> None:
    """What no demo may hold is said in the words of the mapping."""
    farthest = float(np.abs(position).max())
    if farthest > FARTHEST:
        remedy = "position.unit: millimetres" if mapping.scale == 1 else "position.column and index"
        raise DemoError(
            f"position is {farthest:.3g} m from the origin", f"in the mapping: {remedy}"
        )
