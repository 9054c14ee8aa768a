"""Pose columns as somebody declares them wrongly: states ``(N, 8)`` to states ``(N, 8)``.

Each is the conversion that a reader makes of the recorded numbers, under a declaration that is not
true of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from robotmcqa.demo import FloatArray

QUATERNION = {"column": "observation.state", "index": [3, 4, 5, 6], "format": "quaternion_xyzw"}


def mapping(**changes: Any) -> dict[str, Any]:
    """A mapping as the provenance records it, with single fields changed: ``rotation={...}``."""
    whole: dict[str, Any] = {
        "version": "1",
        "position": {"column": "observation.state", "index": [0, 1, 2], "unit": "metres"},
        "rotation": QUATERNION,
        "gripper": {"column": "observation.state", "index": 7, "inverted": False},
    }
    return whole | {name: whole.get(name, {}) | change for name, change in changes.items()}


def w_first_read_as_last(states: FloatArray) -> FloatArray:
    return states[:, [0, 1, 2, 6, 3, 4, 5, 7]]


def w_last_read_as_first(states: FloatArray) -> FloatArray:
    return states[:, [0, 1, 2, 4, 5, 6, 3, 7]]


def degrees_read_as_radians(states: FloatArray, order: str = "xyz") -> FloatArray:
    angles = Rotation.from_quat(states[:, 3:7]).as_euler(order, degrees=True)
    return _rotated(states, Rotation.from_euler(order, angles))


def radians_read_as_degrees(states: FloatArray, order: str = "xyz") -> FloatArray:
    angles = Rotation.from_quat(states[:, 3:7]).as_euler(order)
    return _rotated(states, Rotation.from_euler(order, angles, degrees=True))


def vector_in_degrees_read_as_radians(states: FloatArray) -> FloatArray:
    vectors = Rotation.from_quat(states[:, 3:7]).as_rotvec()
    return _rotated(states, Rotation.from_rotvec(np.degrees(vectors)))


def inverted(states: FloatArray) -> FloatArray:
    return np.column_stack([states[:, :7], 1 - states[:, 7]])


def millimetres_read_as_metres(states: FloatArray) -> FloatArray:
    return np.column_stack([states[:, :3] * 1000, states[:, 3:]])


def metres_read_as_millimetres(states: FloatArray) -> FloatArray:
    return np.column_stack([states[:, :3] / 1000, states[:, 3:]])


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong declaration: what it makes of states, the mapping, and the remedy to be named."""

    read: Callable[[FloatArray], FloatArray]
    mapping: Mapping[str, Any]
    remedy: str


def _angles(format: str, unit: str) -> dict[str, Any]:
    return mapping(rotation={"format": format, "unit": unit})


MISTAKES: Mapping[str, Mistake] = {
    "w first read as w last": Mistake(
        w_first_read_as_last, mapping(), "rotation.format: quaternion_wxyz"
    ),
    "w last read as w first": Mistake(
        w_last_read_as_first,
        mapping(rotation={"format": "quaternion_wxyz"}),
        "rotation.format: quaternion_xyzw",
    ),
    "degrees read as radians, Euler xyz": Mistake(
        degrees_read_as_radians, _angles("euler_xyz", "radians"), "rotation.unit: degrees"
    ),
    "degrees read as radians, rotation vector": Mistake(
        vector_in_degrees_read_as_radians,
        _angles("rotation_vector", "radians"),
        "rotation.unit: degrees",
    ),
    "radians read as degrees, Euler xyz": Mistake(
        radians_read_as_degrees, _angles("euler_xyz", "degrees"), "rotation.unit: radians"
    ),
    "open read as closed": Mistake(inverted, mapping(), "gripper.inverted: true"),
    "millimetres read as metres": Mistake(
        millimetres_read_as_metres, mapping(), "position.unit: millimetres"
    ),
    "metres read as millimetres": Mistake(
        metres_read_as_millimetres,
        mapping(position={"unit": "millimetres"}),
        "position.unit: metres",
    ),
}


def _rotated(states: FloatArray, rotation: Rotation) -> FloatArray:
    return np.column_stack([states[:, :3], rotation.as_quat(), states[:, 7:]])
