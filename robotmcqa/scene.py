"""Scene metadata: what a prompt says about the world and the robot, as data.

A scene is a JSON document (schema: ``schemas/v1/scene.schema.json``). ``scenes/rlbench.json`` is
the preset; another robot brings its own with ``--metadata FILE``. No family holds a number of its
own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from robotmcqa.coordinates import Millimetres, coordinate_text, to_millimetres
from robotmcqa.errors import SceneError
from robotmcqa.schema import first_problem

__all__ = [
    "Axis",
    "ReferencePoint",
    "SceneMetadata",
    "ValidBox",
    "load_scene",
    "scene_names",
    "scene_preset",
]


@dataclass(frozen=True, slots=True)
class ValidBox:
    """The positions that may be distractors: ``(low, high)`` per axis in mm, both included."""

    x: tuple[int, int]
    y: tuple[int, int]
    z: tuple[int, int]

    def __contains__(self, point: Millimetres) -> bool:
        return (
            self.x[0] <= point[0] <= self.x[1]
            and self.y[0] <= point[1] <= self.y[1]
            and self.z[0] <= point[2] <= self.z[1]
        )


@dataclass(frozen=True, slots=True)
class ReferencePoint:
    """A named fixed point of the scene."""

    name: str
    position: Millimetres

    @property
    def text(self) -> str:
        return coordinate_text(self.position)


@dataclass(frozen=True, slots=True)
class Axis:
    """What moving along an axis means: a word for motion labels, a phrase for prompts."""

    name: str
    plus_word: str
    plus_meaning: str
    minus_word: str
    minus_meaning: str


@dataclass(frozen=True, slots=True)
class SceneMetadata:
    """What prompts may tell about a scene (method: fixed points, axes, size of the gripper).

    Attributes:
        name: of the scene, e.g. ``"rlbench"``.
        robot: the robot in words, e.g. ``"a Franka Emika Panda arm with a parallel gripper"``.
        frame: name of the coordinate frame all positions are in.
        reference_points: fixed points that a reader can find in the picture.
        axes: x, y and z.
        gripper_size: metres along x, y, z of the frame.
        finger_length: metres.
        valid_box: where distractors may lie.
        cameras: camera name -> where that camera looks from, in words.
        document: the JSON document all of this was read from.
    """

    name: str
    robot: str
    frame: str
    reference_points: tuple[ReferencePoint, ...]
    axes: tuple[Axis, Axis, Axis]
    gripper_size: tuple[float, float, float]
    finger_length: float
    valid_box: ValidBox
    cameras: Mapping[str, str]
    document: Mapping[str, Any]

    @property
    def motion_words(self) -> tuple[tuple[str, str], ...]:
        """For each axis the pair (word for minus, word for plus)."""
        return tuple((axis.minus_word, axis.plus_word) for axis in self.axes)

    def camera_text(self, camera: str) -> str:
        """A camera in words; its own name where the scene does not describe it."""
        return self.cameras.get(camera, f"the {camera.replace('_', ' ')} camera")


def scene_from_document(document: Any, where: str) -> SceneMetadata:
    """A scene from its JSON document.

    Raises:
        SceneError: the document breaks the schema; the message names file and field.
    """
    problem = first_problem("scene", document)
    if problem:
        raise SceneError(f"{where}: {problem}", "docs/scene-metadata.md shows a whole document")
    low_high = {
        name: (round(low * 1000), round(high * 1000))
        for name, (low, high) in document["valid_box"].items()
    }
    for name, (low, high) in low_high.items():
        if low >= high:
            raise SceneError(
                f"{where}: valid_box.{name}: {low / 1000:g} is not below {high / 1000:g}",
                "give each axis as [low, high] in metres",
            )
    x, y, z = (
        Axis(
            name,
            axis["plus"]["word"],
            axis["plus"]["meaning"],
            axis["minus"]["word"],
            axis["minus"]["meaning"],
        )
        for name, axis in sorted(document["axes"].items())
    )
    _refuse_equal_words((x, y, z), where)
    size = document["gripper"]["size"]
    return SceneMetadata(
        name=document["name"],
        robot=document["robot"],
        frame=document["frame"],
        reference_points=tuple(
            ReferencePoint(point["name"], to_millimetres(point["position"]))
            for point in document["reference_points"]
        ),
        axes=(x, y, z),
        gripper_size=(size[0], size[1], size[2]),
        finger_length=document["gripper"]["finger_length"],
        valid_box=ValidBox(**low_high),
        cameras=document["cameras"],
        document=document,
    )


def _refuse_equal_words(axes: tuple[Axis, ...], where: str) -> None:
    """Two directions with one word would make two different motion labels read the same."""
    seen: dict[str, str] = {}
    for axis in axes:
        for side, word in (("plus", axis.plus_word), ("minus", axis.minus_word)):
            place = f"axes.{axis.name}.{side}.word"
            first = seen.setdefault(word, place)
            if first != place:
                raise SceneError(
                    f"{where}: {place}: '{word}' already stands in {first}",
                    "give each of the six directions a word of its own",
                )


def load_scene(path: Path) -> SceneMetadata:
    """A user's own scene.

    Raises:
        SceneError: the file cannot be read, is not JSON, or breaks the schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(document, ensure_ascii=False).encode()  # refuses lone surrogates
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror}", "--metadata takes a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path}: not JSON: {error}", "--metadata takes a JSON file") from None
    return scene_from_document(document, str(path))


@cache
def scene_names() -> tuple[str, ...]:
    """Names that :func:`scene_preset` takes."""
    names = (one.name for one in files("robotmcqa").joinpath("scenes").iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


@cache
def scene_preset(name: str = "rlbench") -> SceneMetadata:
    """A scene that ships with robotmcqa, one of :func:`scene_names`."""
    text = files("robotmcqa").joinpath("scenes", f"{name}.json").read_text(encoding="utf-8")
    return scene_from_document(json.loads(text), f"scenes/{name}.json")
