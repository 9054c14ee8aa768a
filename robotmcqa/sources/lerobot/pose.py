"""Numbers as a data set has them, to poses as a demo has them. Pure; scipy does the rotations."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robotmcqa.arrays import FloatArray
from robotmcqa.errors import DemoError

__all__ = [
    "FORMATS",
    "IDENTITY",
    "Transform",
    "finite_differences",
    "gripper_open",
    "gripper_speed",
    "numbers_of",
    "poses",
    "quaternions",
]

FORMATS = {
    "quaternion_xyzw": 4,
    "quaternion_wxyz": 4,
    "rotation_vector": 3,
    "rotation_6d": 6,
    "rotation_6d_rows": 6,
    "matrix": 9,
}
"""Format of a rotation -> how many numbers it has; ``euler_<order>`` has three."""

_EULER = re.compile("euler_(?=([xyz]{3}|[XYZ]{3})$)(?!.*(.)\\2)(.{3})")


@dataclass(frozen=True, slots=True)
class Transform:
    """A fixed pose of one frame in another: metres and a quaternion xyzw."""

    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


IDENTITY = Transform()


def numbers_of(format: str) -> int | None:
    """How many numbers a rotation of this format has; None where there is no such format."""
    return 3 if _EULER.fullmatch(format) else FORMATS.get(format)


def quaternions(values: FloatArray, format: str, degrees: bool) -> FloatArray:
    """Rotations as quaternions.

    Quaternions come back as they are, not scaled to length 1: a wrong mapping shows in them.

    Args:
        values: ``(N, K)``, K as :func:`numbers_of` says.
        format: one of :data:`FORMATS`, or ``euler_`` and an order of scipy's: small letters turn
            about fixed axes, capital ones about those that turn along.
        degrees: whether angles (Euler, rotation vector) are degrees.

    Returns:
        ``(N, 4)`` xyzw.

    Raises:
        DemoError: a frame holds no rotation.
    """
    if format == "quaternion_xyzw":
        return values
    if format == "quaternion_wxyz":
        return values[:, [1, 2, 3, 0]]
    try:
        return np.asarray(_rotation(values, format, degrees).as_quat(), dtype=np.float64)
    except ValueError as error:
        raise DemoError(f"no rotation as {format}: {error}", _OTHER_FORMAT) from None


_OTHER_FORMAT = "look at rotation.format and rotation.index in the mapping"


def _rotation(values: FloatArray, format: str, degrees: bool) -> Rotation:
    if format == "rotation_vector":
        return Rotation.from_rotvec(values, degrees=degrees)
    if format == "matrix":
        return Rotation.from_matrix(values.reshape(-1, 3, 3))
    if format == "rotation_6d":
        return Rotation.from_matrix(np.swapaxes(_orthonormal(values), 1, 2))
    if format == "rotation_6d_rows":
        return Rotation.from_matrix(_orthonormal(values))
    return Rotation.from_euler(format.removeprefix("euler_"), values, degrees=degrees)


def _orthonormal(values: FloatArray) -> FloatArray:
    """``(N, 3, 3)``, row by row: two vectors made orthonormal, and their cross product.

    Gram-Schmidt, as in Zhou et al., "On the Continuity of Rotation Representations" (2019).
    """
    first = _unit(values[:, :3])
    second = values[:, 3:]
    second = _unit(second - (first * second).sum(axis=1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (lengths < 1e-9).any():
        frame = int((lengths[:, 0] < 1e-9).argmax())
        raise DemoError(f"no rotation at frame {frame}: a vector of length 0", _OTHER_FORMAT)
    return np.asarray(vectors / lengths, dtype=np.float64)


def poses(
    position: FloatArray, quaternion: FloatArray, frame: Transform, tool: Transform
) -> FloatArray:
    """Pose of the gripper's tip in the scene's world frame.

    Args:
        position: ``(N, 3)`` metres, of the recorded end effector in the frame it is recorded in.
        quaternion: ``(N, 4)`` xyzw, likewise.
        frame: pose of that frame in the world.
        tool: pose of the tip in the frame of the end effector.

    Returns:
        ``(N, 7)``: xyz, xyzw. Nothing is recomputed where neither transform does anything.

    Raises:
        DemoError: a quaternion of length 0 was to be transformed.
    """
    if frame == IDENTITY and tool == IDENTITY:
        return np.column_stack([position, quaternion])
    try:
        recorded = Rotation.from_quat(quaternion)
    except ValueError as error:
        raise DemoError(f"no rotation: {error}", _OTHER_FORMAT) from None
    turned = Rotation.from_quat(frame.quaternion)
    tip = turned.apply(position + recorded.apply(tool.position)) + frame.position
    rotation = turned * recorded * Rotation.from_quat(tool.quaternion)
    return np.column_stack([tip, rotation.as_quat()])


def gripper_open(
    values: FloatArray, low: float, high: float, threshold: float, inverted: bool
) -> FloatArray:
    """1.0 where the gripper is open, 0.0 where it is closed.

    Args:
        values: ``(N,)`` as recorded.
        low, high: the range that becomes 0 to 1.
        threshold: of that; at or above it the gripper is open.
        inverted: whether larger values are more closed; 0 to 1 is turned round first.
    """
    opening = (values - low) / (high - low)
    if inverted:
        opening = 1.0 - opening
    return (opening >= threshold).astype(np.float64)


def finite_differences(values: FloatArray, fps: float) -> FloatArray:
    """Change per second of ``(N, K)``: central differences, one-sided at the ends."""
    if len(values) < 2:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, 1.0 / fps, axis=0), dtype=np.float64)


def gripper_speed(pose: FloatArray, fps: float) -> FloatArray | None:
    """``(N, 2)``: speed of the tip in m/s and rad/s, over the frame before and the one after.

    None where a quaternion is of length 0, or none at all.
    """
    if len(pose) < 2 or not (np.linalg.norm(pose[:, 3:], axis=1) > 1e-9).all():
        return None
    linear = np.linalg.norm(finite_differences(pose[:, :3], fps), axis=1)
    before = np.clip(np.arange(len(pose)) - 1, 0, None)
    after = np.clip(np.arange(len(pose)) + 1, None, len(pose) - 1)
    rotation = Rotation.from_quat(pose[:, 3:])
    angle = (rotation[before].inv() * rotation[after]).magnitude()
    return np.column_stack([linear, angle * fps / (after - before)])
