"""Synthetic demos in RLBench's workspace, for tests and for ``make demo``.

``python -m tests.factory DIR`` writes a tree of them in RLBench's own saved layout. The tip moves
straight from waypoint to waypoint with minimum-jerk speed; the pictures are schematic, drawn as
RLBench's front camera would see them.
"""

from __future__ import annotations

import argparse
import io
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from robotmcqa.demo import Demo, FloatArray
from robotmcqa.rlbench_layout import Layout, save_demo

Point = tuple[float, float, float]
Colour = tuple[int, int, int]

HOME: Point = (0.278, -0.008, 1.472)
TABLE_Z = 0.752
BLOCK = 0.029  # half the edge of a block
DT = 0.05
STOP_SPEED = 0.02  # rad/s of the fastest joint within a frame of a stop
MOVE_SPEED = 0.15  # rad/s that it has at least elsewhere: the rule's threshold is 0.1
HOME_JOINTS = (0.0, 0.175, 0.0, -0.873, 0.0, 1.222, 0.785)

COLOURS: Mapping[str, Colour] = {
    "red": (204, 51, 46),
    "blue": (48, 94, 196),
    "green": (63, 150, 74),
    "yellow": (235, 188, 52),
    "purple": (132, 72, 168),
    "orange": (232, 120, 40),
}

# ------------------------------------------------------------------------------------ movements


@dataclass(frozen=True, slots=True)
class Thing:
    """Something on the table; ``path`` is ``(N, 3)``, its centre in metres at each frame."""

    kind: Literal["ball", "box", "button"]
    colour: Colour
    path: FloatArray


@dataclass(frozen=True, slots=True)
class Stage:
    """What the camera sees: ``tip (N, 3)`` m, ``yaw (N,)`` rad, ``opening (N,)`` 0..1."""

    tip: FloatArray
    yaw: FloatArray
    opening: FloatArray
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A waypoint: where the tip stops, and what the gripper does there."""

    at: Point
    gripper: Literal["open", "close"] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A task made concrete: wordings, waypoints, things; the carried one is lifted at ``lift``."""

    instructions: tuple[str, ...]
    stops: tuple[Stop, ...]
    things: tuple[tuple[Literal["ball", "box", "button"], str, Point], ...]
    carried: int | None = None


def _spot(rng: random.Random, z: float, y: tuple[float, float] = (-0.36, 0.36)) -> Point:
    return (rng.uniform(0.02, 0.4), rng.uniform(*y), z)


def _above(point: Point, height: float) -> Point:
    return (point[0], point[1], min(point[2] + height, 1.2))


def _sides(rng: random.Random) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two ranges of y, left and right of each other, in a random order."""
    sides = [(-0.36, -0.1), (0.1, 0.36)]
    rng.shuffle(sides)
    return sides[0], sides[1]


def _reach(rng: random.Random, colour: str, other: str) -> Plan:
    here, there = _sides(rng)
    target = _spot(rng, rng.uniform(0.8, 1.05), here)
    false = _spot(rng, rng.uniform(0.8, 1.05), there)
    return Plan(
        (f"reach the {colour} target", f"touch the {colour} ball with the gripper"),
        (Stop(_above(_spot(rng, 1.0), 0.1)), Stop(target)),
        (("ball", colour, target), ("ball", other, false)),
    )


def _pick(rng: random.Random, colour: str, other: str) -> Plan:
    here, there = _sides(rng)
    block, false = _spot(rng, TABLE_Z + BLOCK, here), _spot(rng, TABLE_Z + BLOCK, there)
    return Plan(
        (f"pick up the {colour} block", f"grasp the {colour} block and lift it"),
        (
            Stop(_above(block, rng.uniform(0.12, 0.2))),
            Stop(block, "close"),
            Stop(_above(block, rng.uniform(0.2, 0.35))),
        ),
        (("box", colour, block), ("box", other, false)),
        carried=0,
    )


def _push(rng: random.Random, colour: str, other: str) -> Plan:
    here, there = _sides(rng)
    button, false = _spot(rng, 0.765, here), _spot(rng, 0.765, there)
    return Plan(
        (f"push the {colour} button", f"press the {colour} button down"),
        (Stop(_above(button, rng.uniform(0.15, 0.25)), "close"), Stop(_above(button, 0.015))),
        (("button", colour, button), ("button", other, false)),
    )


def _stack(rng: random.Random, colour: str, other: str) -> Plan:
    here, there = _sides(rng)
    block, base = _spot(rng, TABLE_Z + BLOCK, here), _spot(rng, TABLE_Z + BLOCK, there)
    return Plan(
        (f"put the {colour} block on the {other} block", f"stack {colour} on {other}"),
        (
            Stop(block, "close"),
            Stop(_above(base, 2 * BLOCK), "open"),
            Stop(_above(base, rng.uniform(0.2, 0.3))),
        ),
        (("box", colour, block), ("box", other, base)),
        carried=0,
    )


TASKS: Mapping[str, Callable[[random.Random, str, str], Plan]] = {
    "reach_target": _reach,
    "pick_up_block": _pick,
    "push_button": _push,
    "stack_blocks": _stack,
}
"""Task -> its plan; a name that is not here gets the movements of ``pick_up_block``."""


@dataclass(slots=True)
class Columns:
    """Frame by frame, what the robot does; grows while the plan is carried out."""

    tip: list[Point]
    opening: list[float]
    velocity: list[FloatArray]
    halts: list[int]

    def hold(self, frames: int, opening: float) -> None:
        for _ in range(frames):
            self.tip.append(self.tip[-1])
            self.opening.append(opening)
            self.velocity.append(np.zeros(7))
            self.halts.append(len(self.tip) - 1)

    def move(self, to: Point, frames: int, joints: FloatArray) -> None:
        """A straight line in ``frames`` steps; ``joints`` is the direction, largest entry 1."""
        start = np.array(self.tip[-1])
        for step in range(1, frames + 1):
            t = step / frames
            along = t**3 * (10 - 15 * t + 6 * t**2)
            speed = 16 * t**2 * (1 - t) ** 2  # minimum jerk, scaled to a peak of 1
            x, y, z = (start + along * (np.array(to) - start)).tolist()
            self.tip.append((x, y, z))
            self.opening.append(self.opening[-1])
            self.velocity.append(joints * max(1.1 * speed, MOVE_SPEED))
        self.halts.append(len(self.tip) - 1)


def _carry_out(plan: Plan, frames: int, rng: random.Random) -> Columns:
    """Exactly ``frames`` frames; each stop is one pause, each grasp a pause and a change."""
    pauses = 3 * sum(stop.gripper is not None for stop in plan.stops)
    points = [HOME, *(stop.at for stop in plan.stops)]
    weights = [math.sqrt(math.dist(a, b)) for a, b in pairwise(points)]
    free = frames - 1 - pauses - 8 * len(weights)
    if free < 0:
        raise ValueError(f"{frames} frames are too few for {len(weights)} moves")
    steps = [8 + int(free * weight / sum(weights)) for weight in weights]
    steps[0] += frames - 1 - pauses - sum(steps)
    columns = Columns([HOME], [1.0], [np.zeros(7)], [0])
    for stop, count in zip(plan.stops, steps, strict=True):
        direction = np.array([rng.choice((-1, 1)) * rng.uniform(0.2, 1.0) for _ in range(7)])
        columns.move(stop.at, count, direction / np.abs(direction).max())
        if stop.gripper:
            columns.hold(2, columns.opening[-1])
            columns.hold(1, 1.0 if stop.gripper == "open" else 0.0)
    return columns


def _velocities(columns: Columns) -> FloatArray:
    """``(N, 7)`` rad/s: slow within one frame of a halt, faster than the rule's bound elsewhere."""
    velocities = np.array(columns.velocity)
    for halt in columns.halts:
        for frame in range(max(halt - 1, 0), min(halt + 2, len(velocities))):
            fastest = np.abs(velocities[frame]).max()
            velocities[frame] *= min(1.0, STOP_SPEED / fastest) if fastest else 0.0
    return velocities


def _carried(plan: Plan, columns: Columns, index: int) -> FloatArray:
    """``(N, 3)``: where thing ``index`` is; the carried one goes with the closed gripper."""
    path = np.tile(np.array(plan.things[index][2]), (len(columns.tip), 1))
    if index == plan.carried:
        for frame in range(1, len(path)):
            path[frame] = columns.tip[frame] if columns.opening[frame] < 0.5 else path[frame - 1]
    return path


def make_demo(
    task: str = "reach_target",
    seed: int = 0,
    variation: int = 0,
    frames: int | None = None,
    *,
    size: int = 224,
    cameras: Sequence[str] = ("front",),
) -> Demo:
    """A demo of ``frames`` frames, 60 to 110 of them by default: same arguments, same demo.

    The variation chooses the colours. Pictures are drawn when asked for, ``size`` pixels square.
    """
    rng = random.Random(f"{task}/{variation}/{seed}")
    names = list(COLOURS)
    colour = names[variation % len(names)]
    other = names[(variation + 1 + variation // len(names) % (len(names) - 1)) % len(names)]
    plan = TASKS.get(task, _pick)(rng, colour, other)
    columns = _carry_out(plan, frames or rng.randint(60, 110), rng)
    velocities = _velocities(columns)
    tip, opening = np.array(columns.tip), np.array(columns.opening)
    yaw = np.linspace(0.0, rng.uniform(-0.6, 0.6), len(tip))
    things = tuple(
        Thing(kind, COLOURS[name], _carried(plan, columns, index))
        for index, (kind, name, _) in enumerate(plan.things)
    )
    stage = Stage(tip, yaw, opening, things)
    return Demo(
        task=task,
        variation=variation,
        instructions=plan.instructions,
        gripper_pose=np.column_stack([tip, _pointing_down(yaw)]),
        gripper_open=opening,
        joint_velocities=velocities,
        joint_positions=HOME_JOINTS + np.cumsum(velocities, axis=0) * DT,
        images={name: partial(picture, stage, name, size) for name in cameras},
    )


def _pointing_down(yaw: FloatArray) -> FloatArray:
    """``(N, 4)`` xyzw: (0, 1, 0, 0), which points the gripper down, turned about z by ``yaw``."""
    zero = np.zeros_like(yaw)
    return np.column_stack([-np.sin(yaw / 2), np.cos(yaw / 2), zero, zero])


# ------------------------------------------------------------------------------------- pictures

WALL_TOP, WALL_LOW = (226, 231, 236), (198, 206, 214)
FLOOR: Colour = (158, 152, 146)
WOOD: Colour = (196, 152, 106)
STEEL: Colour = (232, 234, 238)
DARK: Colour = (66, 72, 82)
LIGHT = np.array([0.55, -0.35, 0.76])
SMOOTH = 2  # drawn so many times too large, then reduced: smooth edges


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with a field of view of 40 degrees; axes are unit vectors."""

    position: FloatArray
    right: FloatArray
    up: FloatArray
    forward: FloatArray
    size: int

    def project(self, points: FloatArray) -> list[tuple[float, float]]:
        """``(K, 3)`` metres -> pixels."""
        ray = points - self.position
        depth = np.maximum(ray @ self.forward, 0.05)
        focal = self.scale / depth
        u = self.size / 2 + focal * (ray @ self.right)
        v = self.size / 2 - focal * (ray @ self.up)
        return list(zip(u.tolist(), v.tolist(), strict=True))

    @property
    def scale(self) -> float:
        """Focal length in pixels."""
        return self.size / 2 / math.tan(math.radians(20))

    def pixels(self, metres: float, at: FloatArray) -> float:
        """How large a length appears at a point."""
        return self.scale * metres / max(float((at - self.position) @ self.forward), 0.05)


VIEWS: Mapping[str, tuple[Point, Point, Point]] = {
    # camera -> position, forward, right
    "front": ((1.35, 0.0, 1.58), (-0.9063, 0.0, -0.4226), (0.0, 1.0, 0.0)),
    "overhead": ((-0.175, 0.0, 2.43), (0.34, 0.0, -0.94), (0.0, -1.0, 0.0)),
}


@cache
def _camera(name: str, size: int) -> Camera:
    position, forward, right = (np.array(vector) for vector in VIEWS[name])
    forward /= np.linalg.norm(forward)
    return Camera(position, right, np.cross(right, forward), forward, size)


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return red, green, blue


def _raised(point: FloatArray, height: float) -> FloatArray:
    raised: FloatArray = point + np.array([0.0, 0.0, height])
    return raised


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws solids as one camera sees them."""

    draw: ImageDraw.ImageDraw
    camera: Camera

    def polygon(self, points: Sequence[Sequence[float]], colour: Colour) -> None:
        self.draw.polygon(self.camera.project(np.array(points, dtype=float)), fill=colour)

    def disc(self, centre: FloatArray, radius: float, colour: Colour) -> None:
        """Flat on the table: a shadow, or the top of a button."""
        turn = np.linspace(0, 2 * math.pi, 25)[:-1]
        ring = np.column_stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)])
        self.polygon((centre + radius * ring).tolist(), colour)

    def ball(self, centre: FloatArray, radius: float, colour: Colour) -> None:
        (u, v), *_ = self.camera.project(centre[None])
        size = self.camera.pixels(radius, centre)
        for shrink, factor in ((1.0, 0.72), (0.86, 0.9), (0.6, 1.05), (0.25, 1.35)):
            r, x, y = size * shrink, u - size * (1 - shrink) * 0.5, v - size * (1 - shrink) * 0.6
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=_shade(colour, factor))

    def box(self, centre: FloatArray, half: Point, colour: Colour, yaw: float = 0.0) -> None:
        """A box turned about z; only the faces that look at the camera, each in its own light."""
        c, s = math.cos(yaw), math.sin(yaw)
        axes = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        for axis in range(3):
            for sign in (-1.0, 1.0):
                normal = sign * axes[axis]
                middle = centre + normal * half[axis]
                if normal @ (self.camera.position - middle) <= 0:
                    continue
                a, b = (axes[other] * half[other] for other in range(3) if other != axis)
                corners = [middle + a + b, middle + a - b, middle - a - b, middle - a + b]
                light = 0.74 + 0.34 * max(0.0, float(normal @ LIGHT))
                self.draw.polygon(
                    self.camera.project(np.array(corners)), fill=_shade(colour, light)
                )

    def limb(self, start: FloatArray, end: FloatArray, radius: float, colour: Colour) -> None:
        """A rounded link of the arm, with a lighter line along it."""
        ends = self.camera.project(np.array([start, end]))
        width = self.camera.pixels(radius, (start + end) / 2)
        for shrink, factor in ((1.0, 0.78), (0.8, 0.94), (0.4, 1.04)):
            r = width * shrink
            self.draw.line(ends, fill=_shade(colour, factor), width=max(1, round(2 * r)))
            for u, v in ends:
                self.draw.ellipse((u - r, v - r, u + r, v + r), fill=_shade(colour, factor))


@cache
def _background(camera: Camera) -> Image.Image:
    """Wall, floor, table and the robot's foot: the same in every frame."""
    image = Image.new("RGB", (camera.size, camera.size), WALL_TOP)
    draw = ImageDraw.Draw(image)
    for row in range(camera.size):
        t = min(1.0, row / (0.6 * camera.size))
        wall = [round(a + (b - a) * t) for a, b in zip(WALL_TOP, WALL_LOW, strict=True)]
        draw.line((0, row, camera.size, row), fill=(wall[0], wall[1], wall[2]))
    brush = Brush(draw, camera)
    brush.polygon([(-1.5, -4, 0), (-1.5, 4, 0), (1.2, 4, 0), (1.2, -4, 0)], FLOOR)
    brush.box(np.array([0.3, 0.0, TABLE_Z - 0.03]), (0.8, 0.556, 0.03), _shade(WOOD, 0.8))
    planks = 7
    for plank in range(planks):
        left, right = (-0.556 + 1.112 * (plank + side) / planks for side in (0, 1))
        tone = _shade(WOOD, (1.04, 0.99, 1.07, 1.01, 1.05, 0.98, 1.03)[plank])
        z = TABLE_Z
        brush.polygon([(-0.5, left, z), (-0.5, right, z), (1.1, right, z), (1.1, left, z)], tone)
        for grain in (0.28, 0.61, 0.8):
            y = left + grain * (right - left)
            points = camera.project(np.array([(-0.5, y, z), (1.1, y + 0.012, z)]))
            draw.line(points, fill=_shade(tone, 0.95), width=max(1, camera.size // 224))
    foot = np.array([-0.31, 0.0, TABLE_Z])
    brush.disc(foot, 0.12, _shade(WOOD, 0.8))
    brush.box(_raised(foot, 0.06), (0.08, 0.08, 0.06), DARK)
    return image


def picture(stage: Stage, camera: str, size: int, frame: int) -> bytes:
    """PNG bytes of one frame, ``size`` pixels square."""
    view = _camera(camera, size * SMOOTH)
    image = _background(view).copy()
    brush = Brush(ImageDraw.Draw(image), view)
    tip = stage.tip[frame]
    _shadows(brush, stage, frame)
    _arm(brush, tip)
    things = sorted(stage.things, key=lambda thing: float(thing.path[frame, 0]))
    for thing in things:
        if thing.path[frame, 0] <= tip[0] + 1e-9:
            _thing(brush, thing, frame)
    held = any(np.allclose(thing.path[frame], tip) for thing in things if thing.kind == "box")
    apart = max(0.009 + 0.04 * float(stage.opening[frame]), BLOCK + 0.009 if held else 0.0)
    _gripper(brush, tip, float(stage.yaw[frame]), apart)
    for thing in things:
        if thing.path[frame, 0] > tip[0] + 1e-9:
            _thing(brush, thing, frame)
    data = io.BytesIO()
    image.reduce(SMOOTH).save(data, "PNG", compress_level=1)
    return data.getvalue()


def _shadows(brush: Brush, stage: Stage, frame: int) -> None:
    shadow = _shade(WOOD, 0.84)
    for point, radius in [(stage.tip[frame], 0.06)] + [(t.path[frame], 0.04) for t in stage.things]:
        height = float(point[2]) - TABLE_Z
        flat = np.array([point[0] - 0.1 * height, point[1] + 0.1 * height, TABLE_Z])
        brush.disc(flat, radius * (1 + 0.6 * height), shadow)


def _thing(brush: Brush, thing: Thing, frame: int) -> None:
    at = thing.path[frame]
    if thing.kind == "ball":
        brush.ball(at, 0.038, thing.colour)
    elif thing.kind == "box":
        brush.box(at, (BLOCK, BLOCK, BLOCK), thing.colour)
    else:
        brush.box(at, (0.05, 0.05, 0.013), (92, 96, 104))
        brush.disc(_raised(at, 0.014), 0.034, _shade(thing.colour, 0.75))
        brush.disc(_raised(at, 0.022), 0.034, thing.colour)


def _arm(brush: Brush, tip: FloatArray) -> None:
    """Foot to shoulder, shoulder to elbow, elbow to wrist, wrist down to the hand."""
    shoulder = np.array([-0.31, 0.0, 1.08])
    wrist = _raised(tip, 0.34)
    elbow = (shoulder + wrist) / 2 + np.array([-0.06, 0.0, 0.3])
    brush.limb(np.array([-0.31, 0.0, 0.86]), shoulder, 0.06, STEEL)
    brush.limb(shoulder, elbow, 0.055, STEEL)
    brush.limb(elbow, wrist, 0.05, STEEL)
    brush.limb(wrist, _raised(tip, 0.15), 0.042, STEEL)


def _gripper(brush: Brush, tip: FloatArray, yaw: float, apart: float) -> None:
    """A hand of 0.063 x 0.204 x 0.092 m and two fingers, each ``apart`` metres off the middle."""
    across = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    for side in (-1.0, 1.0):
        finger = tip + side * apart * across
        brush.box(_raised(finger, 0.03), (0.011, 0.009, 0.04), DARK, yaw)
        brush.box(_raised(finger, -0.004), (0.011, 0.009, 0.008), (150, 154, 160), yaw)
    brush.box(_raised(tip, 0.106), (0.0315, 0.102, 0.046), STEEL, yaw)
    brush.box(_raised(tip, 0.155), (0.035, 0.045, 0.008), DARK, yaw)


# ------------------------------------------------------------------------------------ whole trees


def write_demos(
    root: Path,
    tasks: Mapping[str, int],
    layout: Layout = "variations",
    *,
    variations: int = 1,
    seed: int = 0,
    frames: int | None = None,
    size: int = 224,
    cameras: Sequence[str] = ("front",),
    protocol: int = 4,
) -> list[Path]:
    """Write ``tasks`` (name -> number of episodes) below ``root``; the episodes' folders.

    Episodes take the variations in turn. In ``variations`` each variation counts its episodes
    from 0; in ``all_variations`` the task does.
    """
    return list(_written(root, tasks, layout, variations, seed, frames, size, cameras, protocol))


def _written(
    root: Path,
    tasks: Mapping[str, int],
    layout: Layout,
    variations: int,
    seed: int,
    frames: int | None,
    size: int,
    cameras: Sequence[str],
    protocol: int,
) -> Iterator[Path]:
    for task, episodes in tasks.items():
        for index in range(episodes):
            demo = make_demo(
                task, seed + index, index % variations, frames, size=size, cameras=cameras
            )
            number = index if layout == "all_variations" else index // variations
            yield save_demo(root, demo, number, layout=layout, protocol=protocol)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.factory", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS)[:3], metavar="TASK")
    parser.add_argument("--episodes", type=int, default=12, metavar="N", help="of each task")
    parser.add_argument("--variations", type=int, default=3, metavar="N", help="of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    options = parser.parse_args(arguments)
    for task in options.tasks:
        written = write_demos(
            options.folder,
            {task: options.episodes},
            variations=options.variations,
            seed=options.seed,
            size=options.size,
        )
        print(f"{options.folder / task}: {len(written)} episodes")
    print(f"read them with: --source rlbench:{options.folder}")


if __name__ == "__main__":
    main()
