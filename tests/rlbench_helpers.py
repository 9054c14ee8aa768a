"""Saved RLBench demos: how tests find, load and compare them, and how they store damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from robotmcqa.demo import Demo
from robotmcqa.rlbench_layout import PickledDemo, PickledObservation, dump_pickle
from robotmcqa.sources import DemoRef, Selection
from robotmcqa.sources.rlbench import RLBenchSource

EVERYTHING = Selection()
SMALL: dict[str, Any] = {"frames": 60, "size": 16}


def refs(folder: Path, selection: Selection = EVERYTHING) -> list[DemoRef]:
    return list(RLBenchSource(str(folder)).refs(selection))


def names(folder: Path, selection: Selection = EVERYTHING) -> list[str]:
    return [ref.name for ref in refs(folder, selection)]


def load_all(folder: Path) -> list[Demo]:
    source = RLBenchSource(str(folder))
    return [source.load(ref, ()) for ref in source.refs(EVERYTHING)]


def load_one(folder: Path) -> Demo:
    (demo,) = load_all(folder)
    return demo


def same(left: Demo, right: Demo) -> bool:
    return (
        left.digest() == right.digest()
        and (left.task, left.variation, left.instructions)
        == (right.task, right.variation, right.instructions)
        and np.array_equal(left.gripper_pose, right.gripper_pose)
        and np.array_equal(left.gripper_open, right.gripper_open)
    )


def as_pickled(demo: Demo) -> Any:
    """A PickledDemo: what ``low_dim_obs.pkl`` holds, to be damaged by a test."""
    observations = [
        PickledObservation(
            front_rgb=None,
            joint_velocities=np.array(demo.joint_velocities)[frame].copy(),
            joint_positions=np.array(demo.joint_positions)[frame].copy(),
            gripper_open=float(demo.gripper_open[frame]),
            gripper_pose=demo.gripper_pose[frame].copy(),
            misc={},
        )
        for frame in range(len(demo))
    ]
    return PickledDemo(observations, random_seed=None)


def episode(root: Path, stored: Any, protocol: int = 4, **options: Any) -> Path:
    """A data set of one episode that holds ``stored``; the episode's folder."""
    folder = root / "reach_target/variation0/episodes/episode0"
    folder.mkdir(parents=True)
    (folder / "low_dim_obs.pkl").write_bytes(dump_pickle(stored, protocol, **options))
    descriptions = dump_pickle(["reach the red target"], protocol)
    (folder.parent.parent / "variation_descriptions.pkl").write_bytes(descriptions)
    return folder
