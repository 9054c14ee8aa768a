"""RLBench itself, at work: demos that CoppeliaSim makes while they are asked for.

CoppeliaSim can hang, and can take its process down. So it works in a process of its own
(:class:`LiveRLBench`), one for each process that loads demos, and is started anew after every
failure (:mod:`robotmcqa.sources.keeper`).

Nothing else in robotmcqa imports RLBench or PyRep. Only their documented interface is used.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from robotmcqa.demo import Demo
from robotmcqa.display import PrivateDisplay, display
from robotmcqa.errors import DemoError, SourceError, UsageError
from robotmcqa.licences import RLBENCH
from robotmcqa.sources import SIMULATED_EPISODES, DemoRef, Selection, SourceOptions
from robotmcqa.sources.keeper import REMEDY, Launch, asked, end
from robotmcqa.sources.live_options import Renderer
from robotmcqa.sources.rlbench_install import environment, missing, task_names, versions
from robotmcqa.sources.rlbench_observations import LOW_DIM, Packed, demo_of, packed
from robotmcqa.sources.spread import spread

__all__ = ["EPISODE_SECONDS", "IMAGE_SIZE", "RETRIES", "RLBenchLiveSource", "open_rlbench_live"]

IMAGE_SIZE = 224
"""Pixels, as in the paper."""

EPISODE_SECONDS = 300.0
"""Ten times what a long demo of RLBench's takes on a slow machine."""

LONGEST_SECONDS = 7 * 86_400.0

RETRIES = 2

LAUNCH_SECONDS = 120.0
"""Importing and launching, or loading a task, takes a few."""

_CAMERAS = ("front", "left_shoulder", "right_shoulder", "overhead", "wrist")


class Views(NamedTuple):
    """What a simulator draws.

    Attributes:
        cameras: that are switched on.
        channels: of each: ``rgb``, perhaps ``depth`` and ``mask``.
        size: width and height in pixels.
        renderer: CoppeliaSim's.
    """

    cameras: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("rgb",)
    size: int = IMAGE_SIZE
    renderer: Renderer = "opengl"


class LiveRLBench:
    """A running RLBench. One to a process, which it may take down with it."""

    def __init__(self, views: Views) -> None:
        # RLBench logs why an attempt of its own has failed.
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        self._display = None if os.environ.get("DISPLAY") else PrivateDisplay()
        if self._display:
            os.environ["DISPLAY"] = self._display.name
        from rlbench.action_modes.action_mode import MoveArmThenGripper
        from rlbench.action_modes.arm_action_modes import JointVelocity
        from rlbench.action_modes.gripper_action_modes import Discrete
        from rlbench.environment import Environment

        self._views = views
        self._task: tuple[str, Any] | None = None
        self._environment = Environment(
            MoveArmThenGripper(JointVelocity(), Discrete()),
            obs_config=_observation_config(views),
            headless=True,
        )
        self._environment.launch()

    def ready(self) -> bool:
        """Whether it is there to be asked."""
        return True

    def variations(self, task: str) -> int:
        """How many variations a task has."""
        return int(self._loaded(task).variation_count())

    def demo(self, task: str, variation: int) -> Packed:
        """Make a demo of a task's variation."""
        loaded = self._loaded(task)
        loaded.set_variation(variation)
        descriptions, _ = loaded.reset()
        (demo,) = loaded.get_demos(1, live_demos=True)
        return packed(demo, descriptions, self._views.cameras, self._views.channels)

    def close(self) -> None:
        """End CoppeliaSim, then its display."""
        try:
            self._environment.shutdown()
        finally:
            if self._display:
                self._display.close()

    def _loaded(self, task: str) -> Any:
        if self._task is None or self._task[0] != task:
            from rlbench.utils import name_to_task_class

            self._task = task, self._environment.get_task(name_to_task_class(task))
        return self._task[1]


def _observation_config(views: Views) -> Any:
    """Everything off but what a demo keeps."""
    from pyrep.const import RenderMode
    from rlbench.observation_config import ObservationConfig

    config = ObservationConfig()
    config.set_all(False)
    for name in LOW_DIM:
        setattr(config, name, True)
    for name in views.cameras:
        camera = getattr(config, f"{name}_camera")
        for channel in views.channels:
            setattr(camera, channel, True)
        camera.image_size = (views.size, views.size)
        camera.render_mode = getattr(RenderMode, views.renderer.upper())
    return config


def open_rlbench_live(rest: str, options: SourceOptions) -> RLBenchLiveSource:
    """The source behind ``--source rlbench-live``.

    Raises:
        UsageError: something that it needs is not installed, or the options do not fit.
    """
    if rest:
        raise UsageError(
            f"rlbench-live:{rest}: it takes no folder", f"for saved demos: --source rlbench:{rest}"
        )
    live = options.live
    renderer: Renderer = live.renderer or "opengl"
    if options.shadows and renderer != "opengl3":
        raise UsageError(
            "--shadows with rlbench-live: its fast renderer draws none", "--renderer opengl3 does"
        )
    timeout = EPISODE_SECONDS if live.episode_timeout is None else live.episode_timeout
    if not 0 < timeout <= LONGEST_SECONDS:  # nor is it infinite, or no number
        raise UsageError(f"--episode-timeout {timeout}", f"at most {LONGEST_SECONDS:.0f} seconds")
    if lacking := missing():
        raise UsageError(
            "live RLBench is not complete: "
            + "; ".join(f"{piece.what}: {piece.found}" for piece in lacking),
            lacking[0].remedy if len(lacking) == 1 else "robotmcqa doctor says how to get each",
        )
    return RLBenchLiveSource(
        image_size=IMAGE_SIZE if options.image_size is None else options.image_size,
        renderer=renderer,
        channels=("rgb", *(["depth"] if live.depth else []), *(["mask"] if live.mask else [])),
        episode_timeout=timeout,
        retries=RETRIES if live.retries is None else live.retries,
    )


@dataclass(frozen=True, slots=True)
class RLBenchLiveSource:
    """Demos that RLBench makes. Its planner has no seed: none of them is ever made again.

    Attributes:
        image_size: width and height of pictures, pixels.
        renderer: CoppeliaSim's.
        channels: of each camera: ``rgb``, perhaps ``depth`` and ``mask``.
        episode_timeout: seconds after which an episode counts as hung.
        retries: how often a failed episode is tried again.
    """

    image_size: int = IMAGE_SIZE
    renderer: Renderer = "opengl"
    channels: tuple[str, ...] = ("rgb",)
    episode_timeout: float = EPISODE_SECONDS
    retries: int = RETRIES

    @property
    def scheme(self) -> str:
        return "rlbench-live"

    @property
    def location(self) -> str:
        return ""

    @property
    def licence(self) -> str:
        return RLBENCH

    @property
    def cameras(self) -> tuple[str, ...]:
        return _CAMERAS

    @property
    def replayable(self) -> bool:
        return False

    def settings(self) -> Mapping[str, Any]:
        return {
            "image_size": self.image_size,
            "renderer": self.renderer,
            "reproducible": False,
            "packages": versions(),
        }

    def drawn_by(self) -> str:
        found = display()
        if found is None:
            raise UsageError("there is no display, and no Xvfb", "robotmcqa doctor says how")
        return f"CoppeliaSim ({self.renderer}, on {found})"

    def tasks(self) -> list[str]:
        return task_names()

    def variations(self, task: str) -> int:
        self._known([task])
        counted = self._counted(task)
        if isinstance(counted, DemoError):
            raise SourceError(f"{task}: {counted.what}", counted.remedy)
        return counted

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        self._known(selection.tasks)
        tasks = sorted(set(selection.tasks)) if selection.tasks else self.tasks()
        try:
            counts = {task: self._counted(task) for task in tasks}
        finally:
            self.release()
        count = SIMULATED_EPISODES if selection.episodes is None else selection.episodes
        for task, counted in counts.items():
            if isinstance(counted, DemoError):
                # One task that does not load is one failure among the demos of the others.
                yield _ref(task, 0, 0, f"the task cannot be loaded: {counted.what}")
                continue
            for variation, episode in spread(task, counted, selection.variation, count):
                yield _ref(task, variation, episode)

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        if ref.locator:
            raise DemoError(ref.locator, REMEDY)
        variation = ref.variation or 0
        made, troubles = asked(
            _launch(Views(cameras, self.channels, self.image_size, self.renderer)),
            1 + self.retries,
            self.episode_timeout,
            "demo",
            ref.task,
            variation,
        )
        notes = [f"attempt {number}: {text}" for number, text in enumerate(troubles, 1)]
        return demo_of(cast(Packed, made), ref.task, variation, notes)

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        raise DemoError("live pictures are kept, not made twice")

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return ()

    def release(self) -> None:
        """End this process's simulator; the next demo starts another."""
        end()

    def _known(self, tasks: tuple[str, ...] | list[str]) -> None:
        known = self.tasks()
        for task in tasks:
            if task not in known:
                raise SourceError(
                    f"rlbench-live: no task '{task}'",
                    "robotmcqa tasks --source rlbench-live lists them",
                )

    def _counted(self, task: str) -> int | DemoError:
        """How many variations a task has, or why nobody knows.

        Raises:
            SourceError: no simulator starts, so that there is nobody to ask.
        """
        try:
            asked(_launch(Views()), 2, LAUNCH_SECONDS, "ready")
        except DemoError as error:
            raise SourceError(
                f"CoppeliaSim does not start: {error.what}",
                "robotmcqa doctor says what is there; without DISPLAY it gets an Xvfb of its own",
            ) from None
        try:
            counted, _ = asked(_launch(Views()), 2, LAUNCH_SECONDS, "variations", task)
        except DemoError as error:
            return error
        return cast(int, counted)


def _launch(views: Views) -> Launch:
    target = f"{__name__}:{LiveRLBench.__name__}"
    return Launch(target, views, environment, LAUNCH_SECONDS)


def _ref(task: str, variation: int, episode: int, broken: str = "") -> DemoRef:
    return DemoRef(
        task=task,
        variation=variation,
        name=f"{task}/variation{variation}/episodes/episode{episode}",
        locator=broken,
    )
