"""Columns declared wrongly: read as they are told, and told of by ``validate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError
from robotmcqa.sources import Selection, SourceOptions, open_source
from tests.conftest import Run
from tests.lerobot_writer import Recorded, Style, write_lerobot, write_mapping

EPISODES = 6
TASK = "put_rubbish_in_bin"

BASE = (0.0, 0.0, 0.75)
"""Of the robot in the world: its data are in its own frame."""


@pytest.fixture(scope="module")
def demos() -> list[Demo]:
    """Simulated ones that take a thing and let it go: what an inverted gripper shows in."""
    source = open_source("sim", SourceOptions())
    refs = source.refs(Selection((TASK,), episodes=EPISODES))
    return [source.load(ref, ()) for ref in refs]


def columns_of(demo: Demo) -> dict[str, Any]:
    """The pose in several ways, as somebody's data set might have one of them."""
    quaternion = demo.gripper_pose[:, 3:]
    xyz = demo.gripper_pose[:, :3] - BASE
    euler = Rotation.from_quat(quaternion).as_euler("xyz")
    return {
        "xyz": xyz,
        "millimetres": xyz * 1000,
        "quaternion_wxyz": quaternion[:, [3, 0, 1, 2]],
        "euler": euler,
        "euler_degrees": np.degrees(euler),
        "open": demo.gripper_open,
        "closed": 1 - demo.gripper_open,
    }


def rotation(column: str, format: str, **unit: str) -> dict[str, Any]:
    return {"rotation": {"column": column, "format": format, **unit}}


RIGHT: dict[str, Any] = {
    "version": "1",
    "position": {"column": "xyz"},
    **rotation("quaternion_wxyz", "quaternion_wxyz"),
    "gripper": {"column": "open"},
    "frame": {"position": BASE},
    "scene": "rlbench",
}

MISTAKES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "degrees for radians": (
        rotation("euler_degrees", "euler_xyz"),
        "rotation.unit: degrees",
        rotation("euler_degrees", "euler_xyz", unit="degrees"),
    ),
    "w first": (
        rotation("quaternion_wxyz", "quaternion_xyzw"),
        "rotation.format: quaternion_wxyz",
        rotation("quaternion_wxyz", "quaternion_wxyz"),
    ),
    "gripper inverted": (
        {"gripper": {"column": "closed"}},
        "gripper.inverted: true",
        {"gripper": {"column": "closed", "inverted": True}},
    ),
    "millimetres for metres": (
        {"position": {"column": "millimetres"}},
        "position.unit: millimetres",
        {"position": {"column": "millimetres", "unit": "millimetres"}},
    ),
}


@pytest.mark.parametrize(("wrong", "words", "right"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_column_is_told_with_what_to_write(
    demos: list[Demo],
    tmp_path: Path,
    robotmcqa: Run,
    wrong: dict[str, Any],
    words: str,
    right: dict[str, Any],
) -> None:
    episodes = [Recorded(columns_of(demo), demo.instructions) for demo in demos]
    root = write_lerobot(tmp_path / "set", episodes, Style("v3.0", fps=20))
    for fields, code in ((wrong, 3), (right, 0)):
        mapping = write_mapping(tmp_path / "m.yaml", {**RIGHT, "task": TASK}, fields)
        out = tmp_path / f"out-{code}"
        read = ("--source", f"lerobot:{root}", "--mapping", mapping, "--no-images")
        done = robotmcqa("extract", *read, "--keyframes", "every-10", "--out", out)
        assert done.returncode == 0, done.stderr
        checked = robotmcqa("validate", out, "--json")
        assert checked.returncode == code, checked.stdout + checked.stderr
        problems = [problem["what"] for problem in json.loads(checked.stdout)["problems"]]
        assert any(words in what for what in problems) == bool(code), problems


def test_a_position_that_nothing_has_is_refused_with_the_unit(
    demos: list[Demo], tmp_path: Path
) -> None:
    """A kilometre away there is no scene to hold it against."""
    columns = columns_of(demos[0])
    columns["millimetres"] = columns["millimetres"] + 900
    root = write_lerobot(tmp_path / "set", [Recorded(columns)])
    mapping = write_mapping(tmp_path / "m.yaml", RIGHT, position={"column": "millimetres"})
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(mapping)))
    (ref,) = source.refs(Selection())
    with pytest.raises(DemoError, match=r"position\.unit: millimetres"):
        source.load(ref, ())
