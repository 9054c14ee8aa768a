"""Keyframes: the frames of a demo that a policy has to reach.

The ARM-style rule (James & Davison, "Q-attention", 2022; as Robot-R1 uses it): a frame is a
keyframe when the gripper has just opened or closed, when the arm has come to a stop, or when it
is the last one. Demos without joint velocities are asked for the speed of the gripper instead
(:class:`RestRule`). Two other rules stand beside these, and :func:`keyframe_rule` reads the names
that the command line takes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from inspect import getsource
from operator import index
from typing import cast

import numpy as np

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, UsageError

__all__ = [
    "ArmRule",
    "EveryK",
    "GripperOnly",
    "KeyframeRule",
    "RestRule",
    "find_keyframes",
    "keyframe_rule",
]

KeyframeRule = Callable[[Demo], list[int]]


@dataclass(frozen=True, slots=True)
class ArmRule:
    """Stops, gripper changes and the last frame.

    Frame ``i`` of ``N`` is a *stop* when every joint velocity is at most ``threshold``, the
    gripper is the same at ``i-2, i-1, i, i+1``, ``i < N-2``, and no stop was seen in the
    ``cooldown`` frames before. Neighbours are real frames: nothing wraps round the ends.

    A demo without joint velocities, but with the speed of its gripper, follows :class:`RestRule`.

    Attributes:
        threshold: rad/s; at or below it a joint counts as standing still.
        cooldown: frames after a stop in which no other stop is seen.
        merge: when the last two keyframes are neighbours, keep only the later one.
    """

    threshold: float = 0.1
    cooldown: int = 4
    merge: bool = True

    def __post_init__(self) -> None:
        if self.cooldown < 0:
            raise UsageError(f"a cooldown of {self.cooldown} frames", "0 or more")

    def __call__(self, demo: Demo) -> list[int]:
        """Keyframe indices, ascending.

        Raises:
            DemoError: the demo has neither joint velocities nor the speed of its gripper.
        """
        if demo.joint_velocities is None and demo.gripper_speed is not None:
            return RestRule()(demo)
        if demo.joint_velocities is None:
            raise DemoError(
                "no joint_velocities, which the keyframe rule 'arm' needs",
                "--keyframes gripper-only or every-10 need none",
            )
        gripper = demo.gripper_open
        frames = len(gripper)
        changed = gripper[1:] != gripper[:-1]  # changed[i]: between frames i and i+1
        keyframe = np.zeros(frames, dtype=bool)
        keyframe[1:] = changed
        keyframe[-1] = True
        if frames >= 5:
            # Candidates are the frames 2 .. N-3; each row below is about those frames.
            calm = (np.abs(demo.joint_velocities[2:-2]) <= self.threshold).all(axis=1)
            calm &= ~(changed[:-3] | changed[1:-2] | changed[2:-1])
            keyframe[self._after_cooldown(np.flatnonzero(calm).tolist())] = True
        found: list[int] = np.flatnonzero(keyframe).tolist()
        if self.merge and len(found) > 1 and found[-1] == found[-2] + 1:
            del found[-2]
        return found

    def _after_cooldown(self, calm: list[int]) -> list[int]:
        """First calm candidate, then always the next one outside the cooldown of the last."""
        stops: list[int] = []
        at = 0
        while at < len(calm):
            stop = calm[at]
            stops.append(stop + 2)  # candidates count from frame 2
            at = bisect_left(calm, stop + self.cooldown + 1, at)
        return stops

    def __str__(self) -> str:
        return "arm"


@dataclass(frozen=True, slots=True)
class RestRule:
    """Where the gripper comes to rest, changes, and the last frame.

    A *rest* is a run of at least ``hold`` frames at which the tip is no faster than ``linear`` and
    turns no faster than ``angular``. Its first frame is a keyframe: one for each rest, however
    long somebody at the controls has waited. A rest in which the gripper opens or closes counts by
    that change alone, and the one that the demo begins with does not count.

    Attributes:
        linear: m/s.
        angular: rad/s.
        hold: frames.
    """

    linear: float = 0.02
    angular: float = 0.1
    hold: int = 2

    def __call__(self, demo: Demo) -> list[int]:
        """Keyframe indices, ascending.

        Raises:
            DemoError: the speed of the gripper is not known.
        """
        if demo.gripper_speed is None:
            raise DemoError(
                "no gripper_speed, which the keyframe rule 'rest' needs",
                "--keyframes arm, gripper-only or every-10 need none",
            )
        last = len(demo) - 1
        changes = np.flatnonzero(demo.gripper_open[1:] != demo.gripper_open[:-1]) + 1
        calm = np.all(demo.gripper_speed <= (self.linear, self.angular), axis=1)
        edges = np.flatnonzero(np.diff(calm, prepend=False, append=False)).reshape(-1, 2)
        rests = [
            start
            for start, stop in edges.tolist()
            if start > 0
            and stop - start >= self.hold
            and not ((changes >= start) & (changes <= stop)).any()
        ]
        found = sorted({*changes.tolist(), *rests, last})
        if len(found) > 1 and found[-2] in rests and calm[found[-2] :].all():
            del found[-2]  # the last frame is where the demo comes to rest
        return found

    def __str__(self) -> str:
        return "rest"


@dataclass(frozen=True, slots=True)
class GripperOnly:
    """Frames at which the gripper has just opened or closed, and the last frame."""

    def __call__(self, demo: Demo) -> list[int]:
        gripper = demo.gripper_open
        found: list[int] = (np.flatnonzero(gripper[1:] != gripper[:-1]) + 1).tolist()
        last = len(gripper) - 1
        return found if found and found[-1] == last else [*found, last]

    def __str__(self) -> str:
        return "gripper-only"


@dataclass(frozen=True, slots=True)
class EveryK:
    """Every ``k``-th frame (k, 2k, ...), and the last frame."""

    k: int

    def __call__(self, demo: Demo) -> list[int]:
        last = len(demo) - 1
        return [*range(self.k, last, self.k), last]

    def __str__(self) -> str:
        return f"every-{self.k}"


def keyframe_rule(name: str) -> KeyframeRule:
    """The rule called ``name``: ``arm``, ``rest``, ``gripper-only``, ``every-K`` or
    ``module:function``.

    Raises:
        UsageError: there is no such rule.
    """
    if name == "arm":
        return ArmRule()
    if name == "rest":
        return RestRule()
    if name == "gripper-only":
        return GripperOnly()
    every = re.fullmatch(r"every-([1-9]\d{0,5})", name)
    if every:
        return EveryK(int(every[1]))
    if ":" in name:
        return _own_rule(name)
    raise UsageError(
        f"no keyframe rule '{name}'",
        "--keyframes takes arm, rest, gripper-only, every-K (every-10) or your own module:function",
    )


def _own_rule(path: str) -> KeyframeRule:
    module, _, attribute = path.partition(":")
    try:
        rule = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"--keyframes {path}: {error}", "name an importable function as module:function"
        ) from None
    if not callable(rule):
        raise UsageError(f"--keyframes {path}: not a function")
    return cast(KeyframeRule, rule)


def rule_code(name: str) -> str | None:
    """Hash of the source of a rule of the user's own; None for ours, and where none is to be had.

    Two versions of one function are two rules.
    """
    if ":" not in name:
        return None
    try:
        source = getsource(keyframe_rule(name))
    except (OSError, TypeError):
        return None
    return blake2b(source.encode(), digest_size=8, person=b"robotmcqa.rule").hexdigest()


def find_keyframes(demo: Demo, rule: KeyframeRule | None = None) -> list[int]:
    """Keyframe indices of a demo, ascending, each in ``1 .. N-1``.

    ``rule`` is any function from a demo to indices; the ARM-style rule by default.

    Raises:
        DemoError: the rule found nothing usable, or needs a field that the demo lacks.
    """
    answer = (rule or ArmRule())(demo)
    remedy = "a rule returns ascending, distinct frame numbers from 1 to the last frame"
    try:
        found = [index(frame) for frame in answer]  # numpy integers become plain ones
    except TypeError as error:
        raise DemoError(f"the keyframe rule gave no list of integers: {error}", remedy) from None
    if not found or found != sorted(set(found)) or found[0] < 1 or found[-1] >= len(demo):
        raise DemoError(
            f"the keyframe rule gave {found[:8]} for a demo of {len(demo)} frames", remedy
        )
    return found
