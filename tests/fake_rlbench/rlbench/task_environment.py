import logging
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rlbench.backend.exceptions import TaskEnvironmentError
from rlbench.backend.observation import Observation
from rlbench.demo import Demo
from rlbench.observation_config import LOW_DIM, ObservationConfig
from tests.factory import make_demo
from tests.fake_rlbench import control
from tests.fake_rlbench.names import CAMERAS

HANDLE = 70_000
"""More than two bytes: all three channels of a mask count."""


class TaskEnvironment:
    def __init__(self, task_class: Any, config: ObservationConfig) -> None:
        self._task, self._config = task_class, config
        self._variation = 0

    def variation_count(self) -> int:
        return int(self._task.variations)

    def set_variation(self, v: int) -> None:
        if v >= self.variation_count():
            raise TaskEnvironmentError(f"there are only {self.variation_count()} variations")
        self._variation = v

    def reset(self) -> tuple[list[str], Observation]:
        task, variation = self._task.name, self._variation
        if control.planned(task, variation, "placement"):
            raise TaskEnvironmentError("no place for the task in 40 attempts")
        replayed = _replayed(task, variation)
        if replayed:
            beside = replayed[0].parent.parent / "variation_descriptions.pkl"
            return pickle.loads(beside.read_bytes()), Observation()
        return list(make_demo(task, 0, variation, cameras=()).instructions), Observation()

    def get_demos(self, amount: int, live_demos: bool = False) -> list[Demo]:
        assert amount == 1
        if not live_demos:
            raise RuntimeError("no folder of stored demos was given")
        task, variation = self._task.name, self._variation
        control.log("begin", task, variation)
        for fault, happens in (
            ("hang", control.hang),
            ("crash", control.crash),
            ("exit", lambda: os._exit(3)),
        ):
            if control.planned(task, variation, fault):
                happens()
        if control.planned(task, variation, "runtime"):
            for attempt in range(10):
                logging.info(f"Bad demo. No way to waypoint {attempt % 2}.")
            raise RuntimeError("no demo in 10 attempts")
        number = control.number(task, variation)
        replayed = _replayed(task, variation)
        demo = self._played(replayed[number]) if replayed else self._planned(task, number)
        control.log("demo", task, variation)
        return [demo]

    def _planned(self, task: str, number: int) -> Demo:
        made = make_demo(task, number, self._variation, 60, cameras=())
        assert made.joint_velocities is not None
        assert made.joint_positions is not None
        frames = []
        for frame in range(len(made)):
            fields = {
                "joint_velocities": made.joint_velocities[frame],
                "joint_positions": made.joint_positions[frame],
                "gripper_open": float(made.gripper_open[frame]),
                "gripper_pose": made.gripper_pose[frame],
                "gripper_joint_positions": np.full(2, 0.04 * made.gripper_open[frame]),
            }
            kept = {name: fields.get(name) for name in LOW_DIM if getattr(self._config, name)}
            frames.append(Observation(**dict.fromkeys(LOW_DIM) | kept, **self._seen(frame)))
        return Demo(frames)

    def _seen(self, frame: int) -> dict[str, Any]:
        """A picture's colour tells its frame and its camera."""
        fields: dict[str, Any] = {}
        misc: dict[str, Any] = {"variation_index": self._variation}
        for index, name in enumerate(CAMERAS):
            camera = getattr(self._config, f"{name}_camera")
            width, height = camera.image_size
            rgb = np.zeros((height, width, 3), np.uint8)
            rgb[:] = frame, 50 * index, 255
            fields[f"{name}_rgb"] = rgb if camera.rgb else None
            share = np.full((height, width), frame / 100, np.float32)
            fields[f"{name}_depth"] = share if camera.depth else None
            handles = np.full((height, width), HANDLE + frame)
            fields[f"{name}_mask"] = handles if camera.mask else None
            fields[f"{name}_point_cloud"] = None
            if camera.rgb or camera.depth:
                misc |= {
                    f"{name}_camera_extrinsics": np.diag([1.0, -1.0, -1.0, 1.0]),
                    f"{name}_camera_intrinsics": np.diag([-175.8, -175.8, 1.0]),
                    f"{name}_camera_near": 0.01,
                    f"{name}_camera_far": 4.5,
                }
        return {**fields, "misc": misc}

    def _played(self, folder: Path) -> Demo:
        """A demo that RLBench has saved, with the pictures that were asked for."""
        demo = pickle.loads((folder / "low_dim_obs.pkl").read_bytes())
        for frame, observation in enumerate(demo):
            for name in CAMERAS:
                picture = folder / f"{name}_rgb" / f"{frame}.png"
                if getattr(self._config, f"{name}_camera").rgb and picture.exists():
                    setattr(observation, f"{name}_rgb", np.array(Image.open(picture)))
        return demo


def _replayed(task: str, variation: int) -> list[Path]:
    """Saved episodes of ``FAKE_RLBENCH_REPLAY`` to give in place of new ones."""
    root = os.environ.get("FAKE_RLBENCH_REPLAY")
    if not root:
        return []
    episodes = Path(root, task, f"variation{variation}", "episodes").glob("episode*")
    return sorted(episodes, key=lambda path: int(path.name.removeprefix("episode")))
