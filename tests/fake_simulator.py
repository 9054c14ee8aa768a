"""A simulator for tests: the factory's demos, with everything that a simulator knows beside them.

``FakeSimulator`` is a source like any other; ``installed`` makes it one that the ``robotmcqa``
command finds under ``--source fake``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from robotmcqa.camera import CameraModel, pinhole_intrinsics
from robotmcqa.demo import Demo, FloatArray
from robotmcqa.errors import DemoError, SourceError
from robotmcqa.ground_truth import GroundTruth
from robotmcqa.keyframes import find_keyframes
from robotmcqa.sources import DemoRef, Selection, SourceOptions
from tests.factory import TASKS, make_demo

VARIATIONS = 3
REFERENCE = 1000
"""References are the demos from this number on."""

FRONT = np.array(
    [[0, -0.42262, -0.90631, 1.35], [-1, 0, 0, 0], [0, 0.90631, -0.42262, 1.58], [0, 0, 0, 1]]
)


@dataclass(frozen=True)
class FakeSimulator:
    """A source that makes demos.

    Attributes:
        options: as ``--source`` gets them.
        failing: demos whose names end like this cannot be made.
        log: a file in which each demo that is made stands with the cameras it is made for.
        replayable: whether a demo can be made a second time for its pictures.
        copies: the first reference demo is the first demo of the data set again.
    """

    options: SourceOptions = field(default_factory=SourceOptions)
    failing: tuple[str, ...] = ()
    log: Path | None = None
    replayable: bool = False
    copies: bool = False

    scheme = "fake"
    location = ""
    licence = "made up"
    cameras = ("front", "overhead")

    @property
    def _size(self) -> int:
        return self.options.image_size or 32

    def settings(self) -> Mapping[str, Any]:
        return {
            "image_size": self._size,
            "shadows": self.options.shadows,
            "seed": self.options.seed,
        }

    def drawn_by(self) -> str:
        return "hand"

    def tasks(self) -> list[str]:
        return sorted(TASKS)

    def variations(self, task: str) -> int:
        return VARIATIONS

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        assert selection.episodes is not None, "a simulator has no end of demos"
        for task in sorted(selection.tasks or TASKS):
            if task not in TASKS:
                raise SourceError(f"fake: no task '{task}'", f"tasks: {', '.join(self.tasks())}")
            refs = [self._ref(task, selection, number) for number in range(selection.episodes)]
            yield from sorted(refs, key=lambda ref: ref.variation or 0)

    def references(self, task: str, selection: Selection, count: int) -> Iterator[DemoRef]:
        for number in range(REFERENCE, REFERENCE + count):
            ref = self._ref(task, selection, number)
            if self.copies and number == REFERENCE:
                ref = replace(self._ref(task, selection, 0), name=ref.name)
            yield ref

    def _ref(self, task: str, selection: Selection, number: int) -> DemoRef:
        variation = number % VARIATIONS if selection.variation is None else selection.variation
        return DemoRef(
            task=task,
            variation=variation,
            name=f"{task}/variation{variation}/demo{number}",
            locator=str(number),
            revision=repr(self.options),
        )

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        if self.log:
            with self.log.open("a") as log:
                log.write(f"{ref.name} {','.join(cameras)}\n")
        if ref.name.endswith(self.failing or "\0"):
            raise DemoError("no way to the target was found", "another seed may have one")
        return self._demo(ref)

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        assert self.replayable
        return self._demo(ref).image(camera, frame)

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return ()

    def _demo(self, ref: DemoRef) -> Demo:
        number, variation = int(ref.locator), ref.variation or 0
        seed = 10_000 * self.options.seed + number
        demo = make_demo(ref.task, seed, variation, cameras=())
        frames = len(demo)
        drawn = partial(_picture, ref.task, seed, variation, self._size)
        return replace(
            demo,
            images={camera: partial(drawn, camera) for camera in self.cameras},
            ground_truth=ground_truth_of(demo),
            cameras={
                "front": CameraModel(pinhole_intrinsics(self._size, 40), FRONT, 0.01, 4.5),
                "overhead": CameraModel(
                    pinhole_intrinsics(self._size, 60), swinging(frames), 0.01, 3.3
                ),
            },
            finger_positions=np.column_stack([0.04 * demo.gripper_open, 0.03 * demo.gripper_open]),
            depths={camera: partial(plain, self._size, 90) for camera in self.cameras},
            masks={camera: partial(plain, self._size, 20) for camera in self.cameras},
        )


@cache
def _picture(task: str, seed: int, variation: int, size: int, camera: str, frame: int) -> bytes:
    """Drawn once, however many tests record the same demos."""
    return _drawn(task, seed, variation, size, camera).image(camera, frame)


@lru_cache(maxsize=32)
def _drawn(task: str, seed: int, variation: int, size: int, camera: str) -> Demo:
    return make_demo(task, seed, variation, size=size, cameras=(camera,))


def ground_truth_of(demo: Demo) -> GroundTruth:
    """A plan with a subtask for each keyframe, and two objects: one at rest, one in the gripper."""
    keyframes = find_keyframes(demo)
    nouns = demo.task.replace("_", " ")
    ends = np.searchsorted(keyframes, np.arange(len(demo)))
    return GroundTruth(
        plan=tuple(f"part {number} of {nouns}" for number in range(1, len(keyframes) + 1)),
        subtasks=tuple(ends.tolist()),
        objects={
            "tip": demo.gripper_pose.copy(),
            "base": np.tile([0.1 + 0.2, 1 / 3, 0.752, 0.0, 0.0, 0.0, 1.0], (len(demo), 1)),
        },
    )


def swinging(frames: int) -> FloatArray:
    """``(N, 4, 4)``: a camera above the table that is raised a millimetre a frame."""
    poses = np.tile(np.diag([-1.0, 1.0, -1.0, 1.0]), (frames, 1, 1))
    poses[:, :3, 3] = np.column_stack(
        [np.full(frames, 0.25), np.zeros(frames), 2.4 + 0.001 * np.arange(frames)]
    )
    return poses


def plain(size: int, shade: int, frame: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (size, size), (shade, frame % 256, 0)).save(data, "PNG")
    return data.getvalue()


def open_fake(rest: str, options: SourceOptions) -> FakeSimulator:
    """What ``--source fake`` opens; ``fake:LOG`` names the file that demos are logged in."""
    return FakeSimulator(options, log=Path(rest) if rest else None)


def installed(folder: Path) -> dict[str, str]:
    """Environment of a process for which the fake simulator is an installed plugin."""
    info = folder / "fake_simulator-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-simulator\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[robotmcqa.sources]\nfake = tests.fake_simulator:open_fake\n"
    )
    root = Path(__file__).parents[1]
    return {"PYTHONPATH": f"{folder}:{root}"}


@dataclass(frozen=True)
class Unseeded(FakeSimulator):
    """Says that it never makes a demo twice, which is why failed ones are worth another try.

    In truth it does, so that bytes can be compared.
    """

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "reproducible": False}
