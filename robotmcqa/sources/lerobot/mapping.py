"""The mapping: which columns of a data set are position, rotation, gripper, joints and cameras.

A YAML document (schema: ``schemas/v1/mapping.schema.json``). Those of well-known data sets come
with robotmcqa, in ``presets/``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from robotmcqa.bounded_yaml import YAMLProblem, read_yaml
from robotmcqa.errors import MappingError
from robotmcqa.scene import SceneMetadata, scene_names, scene_preset
from robotmcqa.schema import first_problem
from robotmcqa.sources.lerobot.layout import Feature, Info
from robotmcqa.sources.lerobot.pose import FORMATS, Transform, numbers_of

__all__ = ["PAGE", "ColumnMapping", "Numbers", "listed", "load_mapping", "preset", "preset_names"]

PAGE = "docs/sources.md explains a whole mapping"

_LONGEST = 64 << 10
"""Bytes of a mapping: the longest of ours is a sixtieth of it."""
_LARGEST_ROBOT = 64 << 20
"""Bytes of a robot's description, which holds no mesh."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Some of the numbers of a column; all of them where ``index`` is None."""

    column: str
    index: tuple[int, ...] | None

    def count(self, features: Mapping[str, Feature]) -> int:
        """How many they are."""
        return features[self.column].size if self.index is None else len(self.index)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A checked mapping.

    Attributes:
        name: of the preset, or of the file.
        preset: whether it is one that comes with robotmcqa.
        document: it was read from, with every default filled in, without paths.
        position: xyz of the end effector, or None where kinematics are used.
        scale: metres in one unit of them.
        rotation: numbers of it, or None likewise.
        rotation_format: as in :mod:`~robotmcqa.sources.lerobot.pose`.
        degrees: whether its angles are degrees.
        gripper: the one number that says how open it is.
        frame, tool: fixed transforms.
        joint_positions, joint_velocities: or None.
        joint_scale: radians in one unit of the positions.
        robot_file, body, joints: of the kinematics; the file is "" where there are none.
        cameras: name -> column, those that the document names.
        task: name of the one task of all episodes, or None.
    """

    name: str
    preset: bool
    document: Mapping[str, Any]
    position: Numbers | None
    scale: float
    rotation: Numbers | None
    rotation_format: str
    degrees: bool
    gripper: Numbers
    frame: Transform
    tool: Transform
    joint_positions: Numbers | None
    joint_velocities: Numbers | None
    joint_scale: float
    robot_file: str
    body: str
    joints: tuple[str, ...]
    cameras: Mapping[str, str]
    task: str | None

    @property
    def columns(self) -> list[str]:
        """Names of the columns of numbers that are read."""
        return sorted({numbers.column for _, numbers in self._numbers()})

    @property
    def scene(self) -> SceneMetadata | None:
        """The scene that is named, if one is."""
        name = self.document.get("scene")
        return scene_preset(name) if name else None

    def _numbers(self) -> Iterator[tuple[str, Numbers]]:
        for field in ("position", "rotation", "gripper", "joint_positions", "joint_velocities"):
            numbers = getattr(self, field)
            if numbers is not None:
                yield field, numbers

    def check(self, info: Info) -> None:
        """Hold the mapping against the columns that there are.

        Raises:
            MappingError: a column, or a number of it, is not there; the columns are listed.
        """
        for field, numbers in self._numbers():
            feature = info.features.get(numbers.column)
            if feature is None or feature.is_picture:
                raise MappingError(
                    f"{self.name}: {field}.column: no column of numbers '{numbers.column}'",
                    f"the columns are:\n{listed(info)}",
                )
            beyond = [one for one in numbers.index or () if one >= feature.size]
            if beyond:
                raise MappingError(
                    f"{self.name}: {field}.index: {beyond[0]} is beyond the {feature.size} numbers "
                    f"of '{numbers.column}'",
                    f"they count from 0; the column is:\n  {feature}",
                )
            due = self._due(field)
            if due and numbers.count(info.features) != due:
                raise MappingError(
                    f"{self.name}: {field}: {numbers.count(info.features)} numbers, where "
                    f"{self._what(field)} has {due}",
                    f"choose them with {field}.index; the column is:\n  {feature}",
                )
        for name, column in self.cameras.items():
            if column not in info.features or not info.features[column].is_picture:
                raise MappingError(
                    f"{self.name}: cameras.{name}: no column of pictures '{column}'",
                    f"the columns are:\n{listed(info)}",
                )

    def _due(self, field: str) -> int | None:
        due = {"position": 3, "gripper": 1, "rotation": numbers_of(self.rotation_format)}
        return due.get(field)

    def _what(self, field: str) -> str:
        return f"a {self.rotation_format}" if field == "rotation" else f"a {field}"


def listed(info: Info) -> str:
    """The columns of a data set with their sizes and names, a line each."""
    own = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
    return "\n".join(f"  {one}" for name, one in info.features.items() if name not in own)


# ------------------------------------------------------------------------------------- documents


def load_mapping(text: str) -> ColumnMapping:
    """The preset of this name, or else the mapping in the file of this name.

    Raises:
        MappingError: neither exists, or the document is wrong; the message names the field.
    """
    if text in preset_names():
        return preset(text)
    try:
        path = Path(text).expanduser()
        with path.open("rb") as file:  # what never ends can be opened, too
            content = file.read(_LONGEST + 1).decode("utf-8")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~somebody unknown
        reason = getattr(error, "strerror", None) or str(error)
        raise MappingError(
            f"--mapping {text}: {reason}",
            f"it takes a YAML file, or one of: {', '.join(preset_names())}",
        ) from None
    return _parsed(content, text, path.parent)


@cache
def preset_names() -> tuple[str, ...]:
    """Names of the mappings that come with robotmcqa."""
    folder = files("robotmcqa.sources.lerobot").joinpath("presets")
    names = (one.name for one in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def preset(name: str) -> ColumnMapping:
    """A mapping that comes with robotmcqa, one of :func:`preset_names`."""
    return _parsed(preset_text(name), name, None)


def preset_text(name: str) -> str:
    """Its document."""
    folder = files("robotmcqa.sources.lerobot").joinpath("presets")
    return folder.joinpath(f"{name}.yaml").read_text("utf-8")


def _parsed(content: str, where: str, folder: Path | None) -> ColumnMapping:
    try:
        document = read_yaml(content, _LONGEST, text_keys=True)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except YAMLProblem as error:
        raise MappingError(f"{where}: {error}", PAGE) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise MappingError(f"{where}: JSON cannot say it: {error}", PAGE) from None
    problem = first_problem("mapping", document)
    if problem:
        version = 'write version: "1", in quotes' if problem.startswith("version: ") else ""
        raise MappingError(f"{where}: {problem}", version or PAGE)
    for wrong, what, remedy in _contradictions(document):
        if wrong:
            raise MappingError(f"{where}: {what}", remedy)
    return _mapping(document, where, folder)


def _contradictions(document: Mapping[str, Any]) -> Iterator[tuple[bool, str, str]]:
    pose = [name for name in ("position", "rotation") if name in document]
    rotation, gripper = document.get("rotation", {}), document["gripper"]
    low, high = gripper.get("range", (0.0, 1.0))
    known = ", ".join([*FORMATS, "euler_<order> (euler_xyz, euler_ZYX, ...)"])
    yield (
        "kinematics" in document and bool(pose),
        f"kinematics and {' and '.join(pose)}: one of them too many",
        "kinematics replace position and rotation",
    )
    yield (
        "kinematics" not in document and len(pose) < 2,
        f"no {'rotation' if pose == ['position'] else 'position'}",
        "give position and rotation, or joint_positions and kinematics (a URDF or MJCF file)",
    )
    yield (
        "kinematics" in document and "joint_positions" not in document,
        "kinematics without joint_positions",
        "joint_positions: {column: ..., index: [...]}",
    )
    yield (
        bool(rotation) and numbers_of(rotation["format"]) is None,
        f"rotation.format: no format '{rotation.get('format')}'",
        f"one of {known}",
    )
    angles = rotation.get("format", "").startswith(("euler", "rotation_vector"))
    yield (
        "unit" in rotation and not angles,
        f"rotation.unit: a {rotation.get('format')} has no unit",
        "leave it out",
    )
    scene = document.get("scene", "rlbench")
    yield (
        scene not in scene_names(),
        f"scene: no scene '{scene}' comes with robotmcqa",
        f"one of {', '.join(scene_names())}; or leave it out, and give your own with --metadata",
    )
    yield low >= high, f"gripper.range: {low:g} is not below {high:g}", "[lowest, highest]"
    for name in ("frame", "tool"):
        quaternion = document.get(name, {}).get("quaternion_xyzw", (0, 0, 0, 1))
        length = sum(one**2 for one in quaternion) ** 0.5
        yield (
            abs(length - 1) > 0.01,
            f"{name}.quaternion_xyzw: of length {length:g}, not 1",
            "a rotation of nothing is [0, 0, 0, 1]",
        )


def _mapping(document: Mapping[str, Any], where: str, folder: Path | None) -> ColumnMapping:
    full = _with_defaults(document)
    kinematics = document.get("kinematics", {})
    robot = ""
    if kinematics:
        try:
            path = ((folder or Path()) / Path(kinematics["file"]).expanduser()).absolute()
            digest = _robot_digest(path)
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MappingError(
                f"{where}: kinematics.file: {kinematics['file']}: {reason}",
                "a path relative to the mapping file",
            ) from None
        robot = str(path)
        full["kinematics"] = {
            **{name: one for name, one in kinematics.items() if name != "file"},
            "sha256": digest,
        }
    rotation, joints = full.get("rotation", {}), full.get("joint_positions", {})
    return ColumnMapping(
        name=where,
        preset=folder is None,
        document=full,
        position=_numbers(full, "position"),
        scale=0.001 if full.get("position", {}).get("unit") == "millimetres" else 1.0,
        rotation=_numbers(full, "rotation"),
        rotation_format=rotation.get("format", "matrix"),
        degrees=rotation.get("unit") == "degrees",
        gripper=_some(full["gripper"]),
        frame=_transform(full["frame"]),
        tool=_transform(full["tool"]),
        joint_positions=_numbers(full, "joint_positions"),
        joint_velocities=_numbers(full, "joint_velocities"),
        joint_scale=math.pi / 180 if joints.get("unit") == "degrees" else 1.0,
        robot_file=robot,
        body=kinematics.get("body", ""),
        joints=tuple(kinematics.get("joints", ())),
        cameras=full.get("cameras", {}),
        task=full.get("task"),
    )


def _robot_digest(path: Path) -> str:
    if not path.is_file() and path.exists():  # a pipe or a device may never end
        raise ValueError("no file")
    if path.stat().st_size > _LARGEST_ROBOT:
        raise ValueError(f"larger than {_LARGEST_ROBOT >> 20} MiB")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    full: dict[str, Any] = {name: one for name, one in document.items() if name != "fits"}
    full["gripper"] = {"range": [0.0, 1.0], "threshold": 0.5, "inverted": False} | full["gripper"]
    for name in ("frame", "tool"):
        nothing = {"position": [0.0, 0.0, 0.0], "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0]}
        full[name] = nothing | full.get(name, {})
    if "position" in full:
        full["position"] = {"unit": "metres"} | full["position"]
    if full.get("rotation", {}).get("format", "").startswith(("euler", "rotation_vector")):
        full["rotation"] = {"unit": "radians"} | full["rotation"]
    if "joint_positions" in full:
        full["joint_positions"] = {"unit": "radians"} | full["joint_positions"]
    return full


def _numbers(document: Mapping[str, Any], field: str) -> Numbers | None:
    return _some(document[field]) if field in document else None


def _some(part: Mapping[str, Any]) -> Numbers:
    index = part.get("index")
    if index is None:
        return Numbers(part["column"], None)
    return Numbers(part["column"], tuple(index) if isinstance(index, list) else (index,))


def _transform(part: Mapping[str, Any]) -> Transform:
    position, quaternion = map(float, part["position"]), map(float, part["quaternion_xyzw"])
    return Transform(tuple(position), tuple(quaternion))  # type: ignore[arg-type]
