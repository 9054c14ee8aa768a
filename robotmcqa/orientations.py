"""Are rotations read as they were written? Degrees for radians, w first for w last.

What the rules rest on:

* *Turns.* An arm turns little within a second. Angles in degrees that are read as radians are 57
  times as large, so that 3 degrees become any turn at all. Where the frames' rate is not known, the
  few frames between a question and a keyframe are less than a second at any rate in use.
* *All alike.* Angles in radians that are read as degrees lie within pi degrees of 0: every
  orientation is all but the same, and none of them points down.
* *Order.* q1 . q2 does not change when the components of both change places, so a permuted
  quaternion is as smooth as the right one, and of length 1. What changes is where the gripper
  points. Its z axis, out of the fingers, points along -z of the world where x^2 + y^2 - z^2 - w^2
  is near 1; read with w first, x moves to y, y to z, z to w and w to x. A gripper that is turned
  about the vertical over a table then seems to be tilted by that angle, and RLBench's home pose
  (0, 0.99, 0, 0.12) to point up. Turns about the world's x axis do the opposite, so that the two
  readings can only be told apart where one of them has the gripper start by pointing up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robotmcqa.arrays import FloatArray

IntArray = NDArray[np.int_]

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

__all__ = ["IntArray", "OrientationCheck"]

WHERE = "state[3:7]"

FEW_EPISODES = 3
FEW_STATES = 20
"""Fewer say nothing."""

TURN = 90.0
"""Degrees. Arms can turn further within a second, but next to none does in a demonstration."""

SHORT = 5
"""Frames that are a second at most, if a second has at least five."""

TURNS = {"short": 0.05, "second": 0.1, "step": 0.2}
"""Share of steps (of up to ``SHORT`` frames; of up to a second; of all) that turn by more. On demos
of five to twenty frames a second it is 0, 0 and up to 0.30; on such in degrees that are read as
radians mostly 0.1 to 0.6, 0.3 to 0.6 and 0.3 to 0.7."""

FEWEST = 3
"""Turns. Fewer may be slips of a sensor."""

STEEP = np.cos(np.pi / 4)
"""The z axis points down (or up) within 45 degrees of the vertical."""

SMALL = np.pi * np.sqrt(3)
"""Degrees: three angles of up to pi degrees make no larger rotation."""

NOTHING = 1.5
"""Degrees. Where half of the rotations are below, the gripper may be one that never turns."""

_ANGLES = ("euler", "rotation_vector")


class OrientationCheck:
    """Takes in the orientations of episodes, then says how they may have been misread."""

    def __init__(self, mapping: Mapping[str, Any] | None, fps: float | None) -> None:
        """For orientations read by ``mapping``; without one they are quaternions xyzw.

        Args:
            mapping: of the source, or None.
            fps: frames in a second, where it is known.
        """
        self._mapping = mapping
        rotation = (mapping or {}).get("rotation")
        self._format = (
            rotation["format"] if rotation else "" if mapping else "quaternion_xyzw"
        )  # kinematics give rotations that nobody has declared
        self._unit = (rotation or {}).get("unit", "radians")
        self._fps = fps
        self._episodes = 0
        self._turns = {kind: _Share() for kind in TURNS}
        self._as_read, self._other = _Axes(), _Axes()
        self._all_alike = True
        self._turned = _Share()
        self._in_radians = _Axes()

    def add(self, frames: IntArray, quaternions: FloatArray) -> None:
        """Take in one episode: ``(N,)`` ascending frames, ``(N, 4)`` unit quaternions xyzw."""
        self._episodes += 1
        cosines = np.abs((quaternions[1:] * quaternions[:-1]).sum(axis=1))
        far = 2 * np.degrees(np.arccos(np.clip(cosines, 0, 1))) > TURN
        gaps = np.diff(frames)
        self._turns["short"].add(far[gaps <= SHORT])
        if self._fps:
            self._turns["second"].add(far[gaps <= self._fps])
        else:
            self._turns["step"].add(far)
        self._as_read.add(quaternions)
        if self._format.startswith("quaternion"):
            self._other.add(self._reordered(quaternions))
        elif self._format.startswith(_ANGLES) and self._unit == "degrees" and self._all_alike:
            self._add_small(quaternions)

    def findings(self) -> Iterator[tuple[str, str, bool]]:
        """(where, what, sure) for each way in which they seem to be misread."""
        if self._as_read.states < FEW_STATES:
            return
        turning = [kind for kind, least in TURNS.items() if self._turns[kind].is_above(least)]
        if turning:
            what, sure = self._turning(turning[0])
            yield WHERE, what, sure
            if sure:
                return
        if self._format.startswith("quaternion") and self._episodes >= FEW_EPISODES:
            yield from self._order()
        elif self._unit == "degrees" and self._read_too_small():
            yield (
                WHERE,
                f"all rotations are within {SMALL:.1f} degrees of none, and the gripper never "
                "points down, as when radians are read as degrees; "
                "set rotation.unit: radians in the mapping",
                True,
            )

    def _turning(self, kind: str) -> tuple[str, bool]:
        """What orientations that jump are taken for, and whether that is sure."""
        steps = {
            "short": f"within {SHORT} frames",
            "second": "within a second",
            "step": "from one question frame to the next",
        }
        what = (
            f"{steps[kind]} the gripper turns by more than {TURN:g} degrees in "
            f"{self._turns[kind].of_all():.0%} of the cases"
        )
        if self._format.startswith(_ANGLES) and self._unit == "radians":
            change = "set rotation.unit: degrees in the mapping"
        elif self._mapping and self._format:
            change = "check rotation.format, rotation.index and rotation.column in the mapping"
        elif self._mapping:
            change = "check joint_positions.unit and joint_positions.index in the mapping"
        else:
            change = "the source has to turn its angles into a quaternion x, y, z, w; mind degrees"
        if kind == "step":
            return f"{what}; unless seconds lie between them, {change}", False
        return f"{what}, which no arm does; {change}", True

    def _order(self) -> Iterator[tuple[str, str, bool]]:
        """Whether the gripper points down only when w is read at the other end."""
        read, other = self._as_read, self._other
        last_is_first = self._format == "quaternion_xyzw"
        end, value = ("first", "wxyz") if last_is_first else ("last", "xyzw")
        if self._mapping:
            change = f"set rotation.format: quaternion_{value} in the mapping"
        else:
            change = "a source gives x, y, z, w"
        what = (
            f"the gripper points down in {read.down:.0%} of the states, but would in "
            f"{other.down:.0%} if w stood {end}; {change}"
        )
        turned_up = read.start_down < 0.1 and other.start_down > 0.9
        if last_is_first and turned_up and read.down < 0.5 and other.mostly_down(0.75):
            yield WHERE, f"{what} ({_Z_AXIS})", True
        elif other.mostly_down(0.9) and (read.concentration < 0.85 or read.down < 0.5):
            yield WHERE, f"{what}, unless the gripper does turn about the x axis ({_Z_AXIS})", False

    def _reordered(self, quaternions: FloatArray) -> FloatArray:
        """The same numbers read in the other order, from the pose's frame to the world again."""
        left, right = self._around()
        shift = -1 if self._format == "quaternion_xyzw" else 1  # xyzw -> yzwx, or -> wxyz
        if left is None or right is None:
            return np.roll(quaternions, shift, axis=1)
        recorded = (left.inv() * _rotation(quaternions) * right.inv()).as_quat()
        read: FloatArray = (left * _rotation(np.roll(recorded, shift, axis=1)) * right).as_quat()
        return read

    def _add_small(self, quaternions: FloatArray) -> None:
        """Take in what the angles would be, were they radians."""
        left, right = self._around()
        recorded = _rotation(quaternions)
        if left is not None and right is not None:
            recorded = left.inv() * recorded * right.inv()
        sizes = np.degrees(recorded.magnitude())
        self._all_alike = bool(sizes.max() <= SMALL)
        if not self._all_alike:
            return
        self._turned.add(sizes > NOTHING)
        if self._format == "rotation_vector":
            larger = type(recorded).from_rotvec(np.degrees(recorded.as_rotvec()))
        else:
            order = self._format.removeprefix("euler_")
            angles = recorded.as_euler(order, degrees=True)
            larger = type(recorded).from_euler(order, angles)
        if left is not None and right is not None:
            larger = left * larger * right
        self._in_radians.add(larger.as_quat())

    def _read_too_small(self) -> bool:
        return (
            self._all_alike
            and self._turned.of_all() > 0.5
            and self._as_read.down == 0
            and self._in_radians.down > 0.2
        )

    def _around(self) -> tuple[Rotation | None, Rotation | None]:
        """The mapping's rotations before and behind the recorded one; None where it has none."""
        turns = [
            (self._mapping or {}).get(name, {}).get("quaternion_xyzw", [0, 0, 0, 1])
            for name in ("frame", "tool")
        ]
        if all(list(turn) == [0, 0, 0, 1] for turn in turns):
            return None, None
        return _rotation(np.array(turns[0])), _rotation(np.array(turns[1]))


_Z_AXIS = "its z axis is taken to point out of the fingers; a mapping's tool turns it there"


def _rotation(quaternions: FloatArray) -> Rotation:
    from scipy.spatial.transform import Rotation  # takes half a second to load

    return Rotation.from_quat(quaternions)


class _Axes:
    """Where grippers point: counts over orientations."""

    def __init__(self) -> None:
        self.states = self._down = self._episodes = self._start_down = 0
        self._sum = np.zeros(3)

    def add(self, quaternions: FloatArray) -> None:
        x, y, z, w = quaternions.T
        # The world's z axis in the gripper's frame: the last row of the rotation matrix.
        up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), z * z + w * w - x * x - y * y])
        down = up[2] <= -STEEP
        self.states += len(quaternions)
        self._episodes += 1
        self._down += int(down.sum())
        self._start_down += int(down[0])
        self._sum += up.sum(axis=1)

    @property
    def down(self) -> float:
        """Share of the states in which the z axis points down."""
        return self._down / max(1, self.states)

    @property
    def start_down(self) -> float:
        """Share of the episodes that start so."""
        return self._start_down / max(1, self._episodes)

    def mostly_down(self, share: float) -> bool:
        """Whether the z axis points down in so many states, and alike in all."""
        return min(self.down, self.concentration) >= share

    @property
    def concentration(self) -> float:
        """Length of the mean of the vertical, as the gripper sees it: 1 if it is always the same.

        Turns about the vertical do not change it, nor does the choice of the gripper's axes.
        """
        return float(np.linalg.norm(self._sum)) / max(1, self.states)


class _Share:
    """How many of all."""

    def __init__(self) -> None:
        self._count = self._all = 0

    def add(self, which: NDArray[np.bool_]) -> None:
        self._count += int(which.sum())
        self._all += len(which)

    def of_all(self) -> float:
        return self._count / max(1, self._all)

    def is_above(self, least: float) -> bool:
        return self._count >= FEWEST and self.of_all() > least
