"""Schematic pictures of a stage: what RLBench's cameras would see of arm, table and things."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from robotmcqa.demo import FloatArray

Point = tuple[float, float, float]
Colour = tuple[int, int, int]

TABLE_Z = 0.752
BLOCK = 0.029  # half the edge of a block


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
