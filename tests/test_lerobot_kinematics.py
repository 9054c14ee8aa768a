"""Joint positions to poses, through MuJoCo, against formulas."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robotmcqa.arrays import FloatArray
from robotmcqa.errors import MappingError
from robotmcqa.sim.panda import ARM_JOINTS, TIP, add_panda, from_rlbench
from robotmcqa.sources import Selection, SourceOptions, open_source
from tests.lerobot_writer import Recorded, Style, write_lerobot

URDF = """<robot name="planar">
  <link name="base"/>
  <link name="upper">
    <inertial><mass value="1"/>
      <inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
    <visual><geometry><mesh filename="nowhere/upper.stl"/></geometry></visual>
  </link>
  <link name="lower"/>
  <link name="tip"/>
  <joint name="shoulder" type="continuous">
    <parent link="base"/><child link="upper"/><origin xyz="0 0 0.3"/><axis xyz="0 0 1"/></joint>
  <joint name="elbow" type="continuous">
    <parent link="upper"/><child link="lower"/><origin xyz="0.5 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="flange" type="fixed">
    <parent link="lower"/><child link="tip"/><origin xyz="0.4 0 0"/></joint>
</robot>
"""

MJCF = """<mujoco><worldbody>
  <body name="upper" pos="0 0 0.3">
    <joint name="shoulder" axis="0 0 1"/><geom size="0.1" mass="1"/>
    <body name="lower" pos="0.5 0 0">
      <joint name="elbow" axis="0 0 1"/><geom size="0.1" mass="1"/>
      <site name="tip" pos="0.4 0 0"/>
      <body name="finger" pos="0.3 0 0">
        <joint name="finger" type="slide" axis="0 1 0"/><geom size="0.1"/></body>
    </body></body>
</worldbody></mujoco>
"""


def angles(count: int = 40) -> FloatArray:
    return np.random.default_rng(3).uniform(-2.5, 2.5, (count, 2))


def expected(joints: FloatArray) -> FloatArray:
    """Tip of a planar arm of 0.5 m and 0.4 m at a height of 0.3 m."""
    first, both = joints[:, 0], joints.sum(axis=1)
    x = 0.5 * np.cos(first) + 0.4 * np.cos(both)
    y = 0.5 * np.sin(first) + 0.4 * np.sin(both)
    zeros = np.zeros(len(joints))
    turn = Rotation.from_rotvec(np.outer(both, [0.0, 0.0, 1.0])).as_quat()
    return np.column_stack([x, y, zeros + 0.3, turn])


def poses_of(tmp_path: Path, joints: FloatArray, **mapping: object) -> FloatArray:
    columns = {"joints": joints, "grip": np.ones((len(joints), 1))}
    root = write_lerobot(tmp_path / "set", [Recorded(columns)], Style(fps=10))
    document = {"version": "1", "gripper": {"column": "grip"}, **mapping}
    (tmp_path / "m.yaml").write_text(json.dumps(document))
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(tmp_path / "m.yaml")))
    (ref,) = source.refs(Selection())
    demo = source.load(ref, ())
    assert demo.joint_positions is not None
    assert demo.joint_velocities is not None
    assert np.allclose(
        demo.joint_velocities[5], (demo.joint_positions[6] - demo.joint_positions[4]) * 5
    )
    assert str(tmp_path) not in repr(source.settings())  # type: ignore[attr-defined]
    return demo.gripper_pose


def same(found: FloatArray, right: FloatArray, apart: float = 1e-8) -> bool:
    """Quaternions of either sign are the same rotation."""
    signs = np.sign((found[:, 3:] * right[:, 3:]).sum(axis=1, keepdims=True))
    turned = np.column_stack([right[:, :3], right[:, 3:] * signs])
    return np.allclose(found, turned, rtol=0, atol=apart)


@pytest.mark.parametrize(("name", "text"), [("robot.urdf", URDF), ("robot.xml", MJCF)])
def test_a_planar_arm(tmp_path: Path, name: str, text: str) -> None:
    """A tip on a fixed joint is there, meshes need not be, and the file is found by the mapping."""
    (tmp_path / name).write_text(text)
    joints = angles()
    found = poses_of(
        tmp_path,
        joints,
        joint_positions={"column": "joints"},
        kinematics={"file": name, "body": "tip", "joints": ["shoulder", "elbow"]},
    )
    assert same(found, expected(joints))


def test_joints_in_another_order_and_in_degrees(tmp_path: Path) -> None:
    (tmp_path / "robot.urdf").write_text(URDF)
    joints = angles()
    found = poses_of(
        tmp_path,
        np.degrees(joints),
        joint_positions={"column": "joints", "index": [1, 0], "unit": "degrees"},
        kinematics={"file": "robot.urdf", "body": "tip", "joints": ["elbow", "shoulder"]},
    )
    assert same(found, expected(joints))


@pytest.mark.parametrize(
    ("kinematics", "words"),
    [
        ({"file": "robot.urdf", "body": "hand"}, "no body or site 'hand'.*it has: .*tip"),
        ({"file": "robot.xml", "body": "tip"}, r"2 joint positions for 3 joints.*finger"),
        (
            {"file": "robot.xml", "body": "tip", "joints": ["shoulder", "wrist"]},
            "kinematics.joints",
        ),
        ({"file": "nowhere.urdf", "body": "tip"}, "kinematics.file: .*nowhere.urdf: No such file"),
        ({"file": "broken.urdf", "body": "tip"}, "kinematics.file: .*MuJoCo reads"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, kinematics: dict[str, object], words: str
) -> None:
    (tmp_path / "robot.urdf").write_text(URDF)
    (tmp_path / "robot.xml").write_text(MJCF)
    (tmp_path / "broken.urdf").write_text("<robot")
    with pytest.raises(MappingError, match=f"(?s){words}"):
        poses_of(tmp_path, angles(), joint_positions={"column": "joints"}, kinematics=kinematics)


def test_the_simulators_arm_from_its_joints_alone(tmp_path: Path) -> None:
    """Seven joints of a Panda, as RLBench counts them, and the tip where it was recorded."""
    spec = mujoco.MjSpec()
    add_panda(spec)
    for part in (*spec.geoms, *spec.meshes, *spec.materials, *spec.textures):
        spec.delete(part)
    spec.compiler.boundmass = spec.compiler.boundinertia = 1e-6
    spec.compile()
    (tmp_path / "panda.xml").write_text(spec.to_xml())
    source = open_source("sim", SourceOptions())
    demo = source.load(next(source.refs(Selection(("reach_target",), episodes=1))), ())
    assert demo.joint_positions is not None
    found = poses_of(
        tmp_path,
        from_rlbench(demo.joint_positions),
        joint_positions={"column": "joints"},
        kinematics={"file": "panda.xml", "body": TIP, "joints": list(ARM_JOINTS)},
    )
    assert same(found, demo.gripper_pose, apart=1e-5)  # XML rounds to seven digits
