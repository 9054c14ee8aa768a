"""Touch the large red ball, which is at one of five places beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from robotmcqa.sim.conditions import tip_near
from robotmcqa.sim.pose import top_down
from robotmcqa.sim.scene import Scene
from robotmcqa.sim.task import Task, Waypoint
from robotmcqa.sim.world import TABLE_TOP, World

RADIUS = 0.07
START_X = 0.278
PLACES = ((-0.37, -0.29), (-0.16, -0.09), (-0.04, 0.02), (0.08, 0.15), (0.28, 0.36))
"""Ranges of y: left, slightly left, ahead, slightly right, right; each is a label of its own."""


class ReachLargeBall(Task):
    """The gripper goes down, straight or to one side: the ball is below where it starts."""

    def build(self, world: World) -> None:
        world.fixture("ball").sphere(RADIUS, solid=False)

    def place(self, scene: Scene) -> Sequence[str]:
        y = scene.chance.uniform(*scene.chance.choice(PLACES))
        scene.put("ball", (START_X, y, TABLE_TOP + scene.chance.uniform(0.2, 0.35)))
        scene.paint("ball", (1.0, 0.0, 0.0))
        return ("reach the red ball", "touch the red ball", "go to the red ball")

    def waypoints(self, scene: Scene) -> Iterator[Waypoint]:
        ball = top_down(scene.pose("ball").position)
        yield Waypoint(ball, "reach the red ball", path="linear")

    def success(self, scene: Scene) -> bool:
        return tip_near(scene, "ball", RADIUS)
