"""The embedded simulator as a source of demos.

Episode k of a task's variation under a seed is the same demo wherever and whenever it is made.
MuJoCo is not imported before the first demo is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, SourceError
from robotmcqa.ground_truth import GroundTruth
from robotmcqa.licences import SIM
from robotmcqa.sources import SIMULATED_EPISODES, DemoRef, Selection, SourceOptions
from robotmcqa.sources.spread import spread

if TYPE_CHECKING:
    from robotmcqa.sim.simulation import Simulation
    from robotmcqa.sim.task import Task

__all__ = ["IMAGE_SIZE", "SimSource", "open_sim"]

IMAGE_SIZE = 224
"""Pixels, as in the paper."""

_CAMERAS = ("front", "left_shoulder", "right_shoulder", "overhead", "wrist")
_ENGINE = ("mujoco", "gymnasium-robotics", "fast-simplification", "numpy", "scipy")


def open_sim(rest: str, options: SourceOptions) -> SimSource:
    """The source behind ``--source sim``; ``sim:DIR`` adds the tasks in a folder of your own.

    Raises:
        SourceError: ``DIR`` is no folder, or holds no task.
    """
    folder = os.path.abspath(os.path.expanduser(rest)) if rest else ""
    if folder and not os.path.isdir(folder):
        raise SourceError(f"{rest}: no such folder", "--source sim:DIR takes a folder of tasks")
    if folder and not any(not file.name.startswith("_") for file in Path(folder).glob("*.py")):
        raise SourceError(
            f"{rest}: holds no task", "a task is a file NAME.py; docs/adding-a-task.md writes one"
        )
    size = IMAGE_SIZE if options.image_size is None else options.image_size
    return SimSource(folder, options.seed, size, options.shadows)


@dataclass(frozen=True, slots=True)
class SimSource:
    """Simulated demos.

    Attributes:
        folder: of tasks beside those that come with robotmcqa, or "".
        seed: of all chance.
        image_size: width and height of pictures, pixels.
        shadows: draw them.
    """

    folder: str = ""
    seed: int = 0
    image_size: int = IMAGE_SIZE
    shadows: bool = False

    @property
    def scheme(self) -> str:
        return "sim"

    @property
    def location(self) -> str:
        return self.folder

    @property
    def licence(self) -> str:
        return SIM

    @property
    def cameras(self) -> tuple[str, ...]:
        return _CAMERAS

    @property
    def replayable(self) -> bool:
        # A demo could be made again, but keeping a dozen pictures is cheaper.
        return False

    def tasks(self) -> list[str]:
        from robotmcqa.sim.tasks import task_names

        return task_names(self.folder)

    def variations(self, task: str) -> int:
        return self._task(task).variations

    def settings(self) -> Mapping[str, Any]:
        from robotmcqa.sim.gl import choose_renderer

        settings: dict[str, Any] = {
            "seed": self.seed,
            "image_size": self.image_size,
            "shadows": self.shadows,
            "renderer": "rays" if choose_renderer().kind == "rays" else "opengl",
            "packages": {name: version(name) for name in _ENGINE},
        }
        if self.folder:
            files = sorted(Path(self.folder).glob("*.py"))
            code = hashlib.sha256(b"\0".join(file.read_bytes() for file in files))
            settings["own_tasks"] = code.hexdigest()
        return settings

    def drawn_by(self) -> str:
        from robotmcqa.sim.gl import choose_renderer

        backend = choose_renderer()
        if backend.kind == "rays":
            return f"rays, which takes longer ({backend.reason}); robotmcqa doctor says what helps"
        return f"{backend.kind} ({backend.reason})"

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        for task in self._selected(selection):
            count = SIMULATED_EPISODES if selection.episodes is None else selection.episodes
            turns = spread(task, self.variations(task), selection.variation, count)
            for variation, episode in turns:
                yield self._ref(task, variation, "episode", episode)

    def references(self, task: str, selection: Selection, count: int) -> Iterator[DemoRef]:
        turns = spread(task, self.variations(task), selection.variation, count)
        for variation, episode in turns:
            yield self._ref(task, variation, "reference", episode)

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        task = self._task(ref.task)
        from robotmcqa.sim.simulation import simulate

        kind, number = ref.locator.split(":")
        made = simulate(task, ref.variation or 0, int(number), self.seed, kind)
        recording = made.recording
        return Demo(
            task=ref.task,
            variation=ref.variation or 0,
            instructions=made.instructions,
            gripper_pose=recording.gripper_pose,
            gripper_open=recording.gripper_open,
            joint_velocities=recording.joint_velocities,
            joint_positions=recording.joint_positions,
            finger_positions=recording.fingers,
            ground_truth=GroundTruth(recording.plan, recording.subtasks, recording.objects),
            **self._views(made, cameras),
        )

    def _views(self, made: Simulation, cameras: tuple[str, ...]) -> dict[str, Any]:
        """Pictures, depths, masks and matrices; nothing is drawn before it is asked for."""
        if not cameras:
            return {}
        from robotmcqa.sim.cameras import CAMERAS
        from robotmcqa.sim.studio import Studio

        studio = Studio(made.model, made.recording, self.image_size, self.shadows)
        poses = made.recording.gripper_pose
        return {
            "images": {camera: partial(studio.picture, camera) for camera in cameras},
            "depths": {camera: partial(studio.depth, camera) for camera in cameras},
            "masks": {camera: partial(studio.mask, camera) for camera in cameras},
            "cameras": {
                camera: CAMERAS[camera].model(self.image_size, poses) for camera in cameras
            },
        }

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        raise DemoError("simulated pictures are kept, not made twice")

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return ()

    def _task(self, name: str) -> Task:
        from robotmcqa.sim.gl import choose_renderer

        choose_renderer()  # before mujoco is imported, which a task's file does
        from robotmcqa.sim.tasks import task_named

        return task_named(name, self.folder)

    def _selected(self, selection: Selection) -> list[str]:
        from robotmcqa.sim.tasks import task_file

        for task in selection.tasks:
            task_file(task, self.folder)
        return sorted(set(selection.tasks)) if selection.tasks else self.tasks()

    def _ref(self, task: str, variation: int, kind: str, number: int) -> DemoRef:
        return DemoRef(
            task=task,
            variation=variation,
            name=f"{task}/variation{variation}/{kind}s/{kind}{number}",
            locator=f"{kind}:{number}",
        )
