"""Can the recorded states be what they are said to be?

A pose column that is declared wrongly gives numbers like any others: degrees for radians, w first,
an inverted gripper. What betrays them is looked for here, over the states of whole episodes, in
memory that does not grow with them.

Unit quaternions, a gripper of two values and positions near the scene are asked of every source.
What is merely told by the way arms move is asked only where somebody has declared the columns: of
data sets with a mapping, and of sources that robotmcqa does not know. The columns of simulators and
of RLBench's files are fixed.

``docs/dataset.md`` has the rules and what they find on demos of which the truth is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robotmcqa.arrays import FloatArray
from robotmcqa.errors import DatasetError
from robotmcqa.grippers import GripperCheck
from robotmcqa.orientations import IntArray, OrientationCheck
from robotmcqa.scene import ValidBox

__all__ = ["Finding", "Origin", "Plausibility", "RowStates"]

NOT_UNIT = 0.01
"""A quaternion's norm may differ from 1 by so much: half-precision floats differ by 0.001."""

FAR = 2.0
"""Metres outside the valid box. No arm that is meant by it reaches there."""

OUTSIDE = 0.25
"""Metres outside the valid box at which most positions make one doubt the frame."""

ONE_POINT = 0.01
"""Metres. Demos that stay within so much of each other show no movement."""

FEW = 20
"""States. Fewer say nothing about what most states are like."""

FIXED_COLUMNS = frozenset({"rlbench", "rlbench-live", "sim"})
"""Schemes of sources that nobody has to declare a column of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the states that cannot be, or is odd.

    Attributes:
        where: the columns of ``state``, or the row.
        what: in words, with what to change.
        sure: it cannot be. Otherwise it can, but seldom is.
    """

    where: str
    what: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Origin:
    """Where states come from, as far as it decides what they may be like.

    Attributes:
        mapping: which columns they were read from (the source's ``--mapping``), or None.
        declared: whether somebody has declared the columns, and may have been wrong.
        fps: frames in a second, where the source tells.
    """

    mapping: Mapping[str, Any] | None = None
    declared: bool = False
    fps: float | None = None

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> Origin:
        """From ``source`` in ``meta/provenance.json``, or from a dictionary like it.

        Raises:
            DatasetError: the mapping is none.
        """
        settings = source.get("settings", {})
        mapping = settings.get("mapping")
        if mapping is not None and not _is_mapping(mapping):
            raise DatasetError(
                "meta/provenance.json: source.settings.mapping is no mapping of columns",
                "extract it again, or fetch it again",
            )
        fixed = {source["scheme"], source.get("recorded_by")} & FIXED_COLUMNS
        return cls(mapping, mapping is not None or not fixed, settings.get("fps"))


_EULER = r"euler_(?!.*(.)\1)([xyz]{3}|[XYZ]{3})"
"""Three axes, none twice in a row, as scipy takes them."""


def _is_mapping(value: Any) -> bool:
    """Whether what is asked of a mapping can be asked of this: it may come from a stranger."""
    parts = ("position", "rotation", "gripper", "frame", "tool")
    if not isinstance(value, Mapping):
        return False
    if not all(isinstance(value.get(name, {}), Mapping) for name in parts):
        return False
    turns = [value.get(name, {}).get("quaternion_xyzw", [0, 0, 0, 1]) for name in ("frame", "tool")]
    try:
        norms = np.linalg.norm(np.array(turns, dtype=np.float64).reshape(2, 4), axis=1)
    except (TypeError, ValueError):
        return False
    if not (np.isfinite(norms) & (norms > 0)).all():
        return False
    named = value.get("rotation", {"format": ""}).get("format")
    return isinstance(named, str) and (
        not named.startswith("euler") or re.fullmatch(_EULER, named) is not None
    )


class Plausibility:
    """Takes in episodes one by one, then says what is wrong with them."""

    def __init__(self, origin: Origin, box: ValidBox) -> None:
        """For states from ``origin`` in a scene with this valid box."""
        self._mapping = origin.mapping
        self._low, self._high = np.array([box.x, box.y, box.z]).T / 1000
        self._states = self._far = self._outside = 0
        self._least, self._most = np.full(3, np.inf), np.full(3, -np.inf)
        self._not_unit = _Counted()
        self._not_two_valued = _Counted()
        self._orientations = (
            OrientationCheck(origin.mapping, origin.fps) if origin.declared else None
        )
        self._grippers = GripperCheck(origin.mapping) if origin.declared else None

    def add(self, where: str, task: str, states: Mapping[int, Sequence[float]]) -> None:
        """Take in the states of one episode.

        Args:
            where: names the episode in a finding.
            task: of the episode.
            states: frame -> 8 numbers: xyz in metres, quaternion xyzw, gripper open.
        """
        frames, table = in_time(states)
        xyz, quaternions, gripper = table[:, :3], table[:, 3:7], table[:, 7]
        self._states += len(table)
        outside = np.linalg.norm(xyz - np.clip(xyz, self._low, self._high), axis=1)
        self._far += int((outside > FAR).sum())
        self._outside += int((outside > OUTSIDE).sum())
        self._least = np.minimum(self._least, xyz.min(axis=0))
        self._most = np.maximum(self._most, xyz.max(axis=0))
        norms = np.linalg.norm(quaternions, axis=1)
        wrong = np.abs(norms - 1) > NOT_UNIT
        self._not_unit.add(where, norms[wrong])
        self._not_two_valued.add(where, gripper[(gripper != 0) & (gripper != 1)])
        if self._orientations and not wrong.any():
            self._orientations.add(frames, quaternions)
        if self._grippers:
            self._grippers.add(task, xyz[:, 2], gripper)

    def findings(self) -> list[Finding]:
        """What is wrong, the certain first."""
        found = [*self._unit(), *self._workspace(), *self._two_valued()]
        for check in (self._orientations, self._grippers):
            if check:
                found += [Finding(*one) for one in check.findings()]
        return sorted(found, key=lambda finding: not finding.sure)

    def _unit(self) -> Iterator[Finding]:
        bad = self._not_unit
        if not bad.count:
            return
        change = "a quaternion x, y, z, w of length 1 has to stand there"
        if self._mapping:
            change = "check rotation.column, rotation.index and rotation.format in the mapping"
        yield Finding(
            bad.first,
            f"state[3:7] is no rotation in {bad.count} of {self._states} states, first in this "
            f"episode: the quaternions' length is {bad.range()} instead of 1; {change}",
        )

    def _two_valued(self) -> Iterator[Finding]:
        bad = self._not_two_valued
        if not bad.count:
            return
        change = "the source has to give 1 for open and 0 for closed"
        if self._mapping:
            change = "check gripper.range and gripper.threshold in the mapping"
        yield Finding(
            bad.first,
            f"state[7] is neither 0 (closed) nor 1 (open) in {bad.count} of {self._states} states, "
            f"first in this episode, but {bad.range()}; {change}",
        )

    def _workspace(self) -> Iterator[Finding]:
        if not self._states:
            return
        where, far, outside = "state[0:3]", self._far / self._states, self._outside / self._states
        reach = float(max(-self._least.min(), self._most.max()))
        if far > 0.5:
            yield Finding(
                where,
                f"{far:.0%} of the positions lie more than {FAR:g} m outside the scene's valid box "
                f"(up to {reach:.3g} m from the origin): {self._unit_in_words(reach)}",
            )
        elif self._states >= FEW and float((self._most - self._least).max()) < ONE_POINT:
            yield Finding(
                where,
                f"all positions lie within {ONE_POINT * 1000:g} mm of each other: "
                + self._unit_in_words(0.0),
            )
        elif self._states >= FEW and outside > 0.5 and self._mapping:
            yield Finding(
                where,
                f"{outside:.0%} of the positions lie more than {OUTSIDE:g} m outside the scene's "
                "valid box, where no wrong option is: set frame in the mapping, from the robot's "
                "base to the scene's world, or give the scene of this robot (--metadata)",
                sure=False,
            )

    def _unit_in_words(self, reach: float) -> str:
        """What to change where lengths are wrong by a factor."""
        if not self._mapping:
            return "positions are metres in the world frame of the scene (--metadata names another)"
        declared = self._mapping.get("position", {}).get("unit", "metres")
        if reach > 20 and declared == "metres":
            return "set position.unit: millimetres in the mapping"
        if not reach and declared == "millimetres":
            return "set position.unit: metres in the mapping"
        return "check position.column, position.index and position.unit in the mapping, and frame"


class RowStates:
    """Puts the rows of a data set together to episodes, and gives those to a plausibility check.

    A row tells two states: that of its frame, and that of the keyframe it asks about.
    """

    def __init__(self, plausibility: Plausibility) -> None:
        self._plausibility = plausibility
        self._episode = ("", "")
        self._states: dict[int, Sequence[float]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row; those of one episode come one after the other."""
        if (row["episode"], row["task"]) != self._episode:
            self.end()
            self._episode = (row["episode"], row["task"])
        self._states[row["frame"]] = row["state"]
        self._states[row["keyframe"]] = row["target"]

    def end(self) -> None:
        """After the last row of an episode."""
        if self._states:
            episode, task = self._episode
            self._plausibility.add(f"episode {episode}", task, self._states)
        self._states = {}


def in_time(states: Mapping[int, Sequence[float]]) -> tuple[IntArray, FloatArray]:
    """``(N,)`` frames in the order of time, and ``(N, 8)`` states."""
    frames = sorted(states)
    return np.array(frames), np.array([states[frame] for frame in frames], dtype=np.float64)


class _Counted:
    """How many values are wrong, where the first was, and from what to what they go."""

    def __init__(self) -> None:
        self.count, self.first = 0, ""
        self._least, self._most = np.inf, -np.inf

    def add(self, where: str, values: FloatArray) -> None:
        if not len(values):
            return
        self.first = self.first or where
        self.count += len(values)
        self._least = min(self._least, float(values.min()))
        self._most = max(self._most, float(values.max()))

    def range(self) -> str:
        least, most = f"{self._least:.3g}", f"{self._most:.3g}"
        return least if least == most else f"{least} to {most}"
