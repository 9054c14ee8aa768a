"""Simulated moments, each with its picture. The only part of the benchmark that simulates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robotmcqa.arrays import FloatArray
from robotmcqa.bench.moments import (
    agrees_with_picture,
    candidates,
    clear_motion,
    stage_of,
)
from robotmcqa.bench.things import COLOUR, PLAIN, TASKS, TWINS, BenchTask, Thing
from robotmcqa.bench.view import HAND, Box, Point, Seen, View, gap
from robotmcqa.coordinates import to_millimetres
from robotmcqa.demo import Demo
from robotmcqa.draws import Draws
from robotmcqa.errors import DemoError, SourceError
from robotmcqa.ground_truth import GroundTruth
from robotmcqa.keyframes import find_keyframes

__all__ = ["CAMERA", "KIND", "Shot", "shots"]

CAMERA = "front"
KIND = "bench"
"""Kind of episode: the simulator keys its chance by it, so no data set holds one of these."""

_ATTEMPTS = 200
_LEAST_PIXELS, _LEAST_SEEN, _LEAST_SEEN_HELD = 8e-4, 0.55, 0.25
_EDGE = 0.005
_CARRIED, _MOVED = 0.015, 0.02  # metres
_Mask = NDArray[np.int64]
_HAND_BODIES = ("hand", "finger_left", "finger_right")


@dataclass(frozen=True, slots=True)
class Shot:
    """A moment and what the front camera saw of it, as PNG."""

    view: View
    picture: bytes


def shots(task: str, number: int, pictures: int, seed: int, size: int) -> Iterator[Shot]:
    """Moments for one picture of a task, best first; the caller takes what it can ask about.

    Each is of an episode of its own, drawn from the task's variations.

    Args:
        task: of :data:`robotmcqa.bench.things.TASKS`.
        number: of the picture within the task, from 0: later pictures are of later movements.
        pictures: that the task gets.
        seed: of all chance.
        size: width and height of the picture, pixels.

    Raises:
        DemoError: no further episode will do.
    """
    for attempt in range(_ATTEMPTS):
        draws = Draws("robotmcqa.bench", seed, task, number, attempt, "episode")
        variation = draws.choice(TASKS[task].variations)
        if not _well_painted(task, variation, number * _ATTEMPTS + attempt, seed):
            continue
        try:
            episode = _Episode(task, variation, number * _ATTEMPTS + attempt, seed, size)
        except SourceError:
            raise
        except DemoError:
            continue
        stage = stage_of(number, pictures, len(episode.keyframes))
        instruction = draws.choice(episode.instructions)
        for frame, keyframe in candidates(episode.keyframes, stage):
            view = episode.view(frame, keyframe, instruction)
            if view is not None:
                yield Shot(view, episode.picture(frame))
    raise DemoError(
        f"{task}: none of {_ATTEMPTS} episodes has a moment that can be asked about",
        "another --seed, or a larger --image-size",
    )


def _well_painted(task: str, variation: int, number: int, seed: int) -> bool:
    """Whether the colours of an episode's first placement have plain names: asked before the demo
    is simulated, which takes ten times as long."""
    if not any(COLOUR in thing.name for thing in TASKS[task].things.values()):
        return True
    from robotmcqa.sim.gl import choose_renderer

    choose_renderer()  # before mujoco is imported, which a task's file does
    from robotmcqa.sim.chance import Chance
    from robotmcqa.sim.simulation import set_up
    from robotmcqa.sim.tasks import task_named

    chance = Chance(KIND, task, variation, seed, number, 0, "placement")
    try:
        model = set_up(task_named(task), variation, chance)[0].model
    except DemoError:
        return False
    painted = [
        _colour_name(model.geom_rgba[model.body(thing.bodies[0]).geomadr[0], :3])
        for thing in TASKS[task].things.values()
        if COLOUR in thing.name
    ]
    return _plain(painted)


def _plain(painted: list[str]) -> bool:
    """Whether nobody would confuse these colours, or look for their names."""
    colours = set(painted)
    distinct = len(colours) == len(painted) and colours <= set(PLAIN)
    return distinct and not any(pair <= colours for pair in TWINS)


class _Episode:
    """A simulated demo and the means to look at it."""

    def __init__(self, task: str, variation: int, number: int, seed: int, size: int) -> None:
        from robotmcqa.sim.gl import choose_renderer

        choose_renderer()  # before mujoco is imported, which a task's file does
        from robotmcqa.sim.cameras import CAMERAS
        from robotmcqa.sim.simulation import simulate
        from robotmcqa.sim.studio import Studio
        from robotmcqa.sim.tasks import task_named

        made = simulate(task_named(task), variation, number, seed, KIND)
        recording = made.recording
        self._task, self._size = TASKS[task], size
        self.instructions = made.instructions
        self._demo = Demo(
            task=task,
            variation=variation,
            instructions=made.instructions,
            gripper_pose=recording.gripper_pose,
            gripper_open=recording.gripper_open,
            joint_velocities=recording.joint_velocities,
            joint_positions=recording.joint_positions,
            ground_truth=GroundTruth(recording.plan, recording.subtasks, recording.objects),
        )
        self.keyframes = find_keyframes(self._demo)
        self._tips = recording.gripper_pose
        self._objects = recording.objects
        self._camera = CAMERAS[CAMERA].model(size, recording.gripper_pose)
        self._studio = Studio(made.model, recording, size, shadows=False)
        self._body = {made.model.body(at).name: at for at in range(made.model.nbody)}
        self._colours = {
            name: _colour_name(recording.rgba[0][made.model.body_geomadr[at], :3])
            for name, at in self._body.items()
            if made.model.body_geomnum[at]
        }
        self._first = self._pixels(0)

    def picture(self, frame: int) -> bytes:
        return self._studio.picture(CAMERA, frame)

    def view(self, frame: int, keyframe: int, instruction: str) -> View | None:
        """The moment; None where people could not tell what is asked for."""
        tips = self._tips[[frame, keyframe], :3]
        label = clear_motion(to_millimetres(tips[0]), to_millimetres(tips[1]))
        pixels = self._camera.project(tips) / self._size
        if label is not None and not agrees_with_picture(label, *(pixels[1] - pixels[0])):
            label = None
        gripper = self._gripper(frame) if label is not None else None
        names = self._names(frame) if gripper is not None else None
        if label is None or gripper is None or names is None:
            return None
        held = self._held(frame, keyframe)
        mask = self._pixels(frame)
        things = {}
        for key, thing in self._task.things.items():
            box = self._plainly(mask, thing, held == key)
            if box is None:
                return None
            if thing.asked:
                things[key] = Seen(key, names[key], self._point(thing, frame), box)
        truth = self._demo.ground_truth or GroundTruth()
        return View(
            task=self._demo.task,
            variation=self._demo.variation,
            episode=self._demo.digest(),
            frame=frame,
            instruction=instruction,
            gripper=gripper,
            things=things,
            held=held,
            moved=frozenset(key for key in self._task.things if self._has_moved(key, frame)),
            remaining=truth.plan[truth.subtasks[keyframe] :],
            label=label,
            extras=self._extras(frame),
        )

    # What is where

    def _pose(self, thing: Thing, frame: int) -> FloatArray:
        pose: FloatArray = self._objects[thing.bodies[0]][frame]
        return pose

    def _point(self, thing: Thing, frame: int) -> Point:
        return _placed(self._pose(thing, frame), thing.centre)

    def _has_moved(self, key: str, frame: int) -> bool:
        thing = self._task.things[key]
        return math.dist(self._point(thing, 0), self._point(thing, frame)) > _MOVED

    def _held(self, frame: int, keyframe: int) -> str:
        """The thing that goes where the closed gripper goes, now and until the keyframe."""
        if self._demo.gripper_open[frame] > 0:
            return ""
        moved = self._tips[keyframe, :3] - self._tips[frame, :3]
        if np.linalg.norm(moved) < 2 * _CARRIED:
            return ""
        # The keyframe at which the gripper lets go is one frame late for what falls.
        last = keyframe - 1 if self._demo.gripper_open[keyframe] > 0 else keyframe
        moved = self._tips[last, :3] - self._tips[frame, :3]
        for key, thing in self._task.things.items():
            along = self._pose(thing, last)[:3] - self._pose(thing, frame)[:3]
            if np.linalg.norm(along - moved) < _CARRIED:
                return key
        return ""

    # What is seen

    def _pixels(self, frame: int) -> _Mask:
        """``(size, size)`` number of the body that each pixel shows."""
        mask = np.asarray(Image.open(BytesIO(self._studio.mask(CAMERA, frame))), dtype=np.int64)
        numbers: _Mask = mask[..., 0] + 256 * mask[..., 1] + 65536 * mask[..., 2]
        return numbers

    def _shown(self, pixels: _Mask, bodies: tuple[str, ...]) -> _Mask:
        """``(size, size)`` 1 where one of them is seen, else 0."""
        return np.isin(pixels, [self._body[body] for body in bodies]).astype(np.int64)

    def _plainly(self, pixels: _Mask, thing: Thing, held: bool) -> Box | None:
        """The box around a thing; None where it is hidden, cut off or too small to be noticed."""
        shown = self._shown(pixels, thing.bodies)
        count, at_first = int(shown.sum()), int(self._shown(self._first, thing.bodies).sum())
        least = _LEAST_SEEN_HELD if held else _LEAST_SEEN
        if count < max(_LEAST_PIXELS * self._size**2, least * at_first):
            return None
        return self._box(shown, cut=thing.large)

    def _box(self, shown: _Mask, cut: bool = False) -> Box | None:
        """Around what is shown; None where the picture's edge cuts it off, unless it may."""
        rows, columns = np.nonzero(shown)
        box = (
            float(columns.min() / self._size),
            float(rows.min() / self._size),
            float((columns.max() + 1) / self._size),
            float((rows.max() + 1) / self._size),
        )
        return box if cut or (min(box) > _EDGE and max(box) < 1 - _EDGE) else None

    def _gripper(self, frame: int) -> Seen | None:
        shown = self._shown(self._pixels(frame), _HAND_BODIES)
        column, row = self._camera.project(self._tips[frame, :3]) / self._size
        inside = 0.04 < column < 0.96 and 0.06 < row < 0.96
        if not inside or shown.sum() < 3 * _LEAST_PIXELS * self._size**2:
            return None
        box = self._box(shown)
        x, y, z = map(float, self._tips[frame, :3])
        return None if box is None else Seen(HAND, "the gripper", (x, y, z), box)

    # What it is called

    def _names(self, frame: int) -> dict[str, str] | None:
        """Key -> name; None where two would be confused."""
        names, painted = {}, []
        for key, thing in self._task.things.items():
            colour = self._colours[thing.bodies[0]]
            if COLOUR in thing.name:
                painted.append(colour)
            names[key] = thing.name.replace(COLOUR, colour)
        if not _plain(painted):
            return None
        if self._task.twins:
            pixels = self._pixels(frame)
            boxes = [self._plainly(pixels, self._task.things[k], False) for k in self._task.twins]
            return None if None in boxes else _sided(self._task, names, boxes)
        return names

    def _extras(self, frame: int) -> Mapping[str, str]:
        if self._demo.task == "take_lid_off_saucepan":
            # The handle goes out along the saucepan's own -x.
            pan = self._objects["saucepan"][frame]
            x, y, _ = np.subtract(_placed(pan, (-1.0, 0.0, 0.0)), pan[:3])
            return {"handle": _compass(x, y)}
        if self._demo.task == "open_drawer":
            drawers = {name: self._objects[name] for name in ("bottom", "middle", "top")}
            out = [
                name
                for name, poses in drawers.items()
                if math.dist(poses[0, :3], poses[frame, :3]) > 0.06
            ]
            ajar = [
                name
                for name, poses in drawers.items()
                if 0.008 < math.dist(poses[0, :3], poses[frame, :3]) <= 0.06
            ]
            return {"open": "".join(out), "ajar": "".join(ajar), "at": self._handle_at(frame)}
        return {}

    def _handle_at(self, frame: int) -> str:
        """The drawer whose handle the gripper is at or in front of; "" where there is none."""
        from robotmcqa.sim.furniture import DRAWER_SIZE, DRAWERS

        handle = (0.0, DRAWER_SIZE[1] / 2 + 0.03, 0.0)
        tip = self._tips[frame, :3]
        for drawer in DRAWERS:
            off = tip - _placed(self._objects[drawer][frame], handle)
            if abs(off[2]) < 0.02 and np.linalg.norm(off) < 0.10:
                return drawer
        return ""


def _placed(pose: FloatArray, offset: Point) -> Point:
    """A point given in the frame of a pose (xyz + xyzw), in the world's."""
    from scipy.spatial.transform import Rotation

    x, y, z = pose[:3] + Rotation.from_quat(pose[3:]).apply(offset)
    return float(x), float(y), float(z)


def _compass(x: float, y: float) -> str:
    """Where a direction on the table points, as seen in the picture; "" between two of them."""
    turn = math.degrees(math.atan2(y, x)) % 360
    for angle, word in ((0, "forward"), (90, "right"), (180, "backward"), (270, "left")):
        if abs((turn - angle + 180) % 360 - 180) < 20:
            return word
    return ""


def _colour_name(rgb: FloatArray) -> str:
    from robotmcqa.sim.colours import COLOURS

    near = [name for name, one in COLOURS.items() if np.abs(np.subtract(one, rgb)).max() < 0.02]
    return near[0] if near else ""


def _sided(
    task: BenchTask, names: dict[str, str], boxes: list[Box | None]
) -> dict[str, str] | None:
    """Names of two things that look the same, by side; None where neither is clearly left."""
    (one, other), (box, other_box) = task.twins, boxes
    assert box is not None
    assert other_box is not None
    if gap(other_box, box) > 0:
        one, other = other, one
    elif gap(box, other_box) <= 0:
        return None
    noun = names[one]
    return {**names, one: f"the left {noun}", other: f"the right {noun}"}
