"""Simulated demos, written as LeRobot and read back, give the questions that they give at once."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robotmcqa.demo import Demo
from robotmcqa.extraction import extract
from robotmcqa.keyframes import find_keyframes
from robotmcqa.sources import Selection, SourceOptions, open_source
from robotmcqa.spec import Spec
from tests.conftest import Row, rows_of
from tests.lerobot_writer import (
    JOINTS,
    MAPPING,
    SIZE,
    Style,
    of_demo,
    write_lerobot,
    write_mapping,
)

TASK = "reach_target"
EPISODES = 6


@pytest.fixture(scope="module")
def simulated() -> list[Demo]:
    source = open_source("sim", SourceOptions(image_size=SIZE))
    selection = Selection((TASK,), variation=0, episodes=EPISODES)
    return [source.load(ref, ("front",)) for ref in source.refs(selection)]


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    out = tmp_path_factory.mktemp("sim") / "out"
    source = open_source("sim", SourceOptions(image_size=SIZE))
    extract(source, Spec(), out, Selection((TASK,), variation=0, episodes=EPISODES))
    return rows_of(out)


def picture(row: Row) -> Any:
    (image,) = row["images"]
    return np.asarray(Image.open(BytesIO(image["bytes"])).convert("RGB"), dtype=float)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_the_same_questions_up_to_the_picture(
    simulated: list[Demo], at_once: list[Row], tmp_path: Path, version: str
) -> None:
    """Also up to the reasoning, which follows the simulator's plan: LeRobot has no place for it."""

    def pixels(demo: Demo, frame: int) -> Any:
        data = demo.image("front", frame)
        return np.asarray(Image.open(BytesIO(data)).convert("RGB"))

    episodes = [
        of_demo(demo, {"observation.images.front": partial(pixels, demo)}) for demo in simulated
    ]
    root = write_lerobot(tmp_path / "set", episodes, Style(version, fps=20))
    mapping = write_mapping(tmp_path / "m.yaml", MAPPING, JOINTS, task=TASK)
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(mapping)))
    extract(source, Spec(), tmp_path / "out")
    read_back = rows_of(tmp_path / "out")
    assert len(read_back) == len(at_once) > 50
    for one, other in zip(at_once, read_back, strict=True):
        apart = ("images", "reasoning")
        assert {name: one[name] for name in one if name not in apart} == {
            name: other[name] for name in other if name not in apart
        }
        assert np.abs(picture(one) - picture(other)).mean() < 8


def test_without_recorded_velocities_the_keyframes_are_nearly_those(
    simulated: list[Demo], tmp_path: Path
) -> None:
    """Differences of joint positions for velocities; then no joints at all, but the tip's speed."""
    root = write_lerobot(tmp_path / "set", [of_demo(demo) for demo in simulated])
    positions = {"joint_positions": JOINTS["joint_positions"]}
    for number, joints in enumerate((positions, {})):
        mapping = write_mapping(tmp_path / f"{number}.yaml", MAPPING, joints, task=TASK)
        source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(mapping)))
        for ref, demo in zip(source.refs(Selection()), simulated, strict=True):
            found = find_keyframes(source.load(ref, ()))
            right = find_keyframes(demo)
            for keyframe in right:
                place = demo.gripper_pose[keyframe, :3]
                nearest = np.linalg.norm(demo.gripper_pose[found, :3] - place, axis=1).min()
                assert nearest < 0.03
