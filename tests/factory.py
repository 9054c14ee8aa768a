"""Synthetic demos in RLBench's workspace, for tests and for ``make demo``.

``python -m tests.factory DIR`` writes a tree of them in RLBench's own saved layout. The tip moves
straight from waypoint to waypoint with minimum-jerk speed; ``tests.drawing`` draws the pictures.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from robotmcqa.demo import Demo, FloatArray
from robotmcqa.rlbench_layout import Layout, save_demo
from tests.drawing import BLOCK, TABLE_Z, Colour, Point, Stage, Thing, picture

HOME: Point = (0.278, -0.008, 1.472)
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
