"""Plans, next actions and movements in words, in one of several phrasings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from robotmcqa.bench.wording import first_upper, listed
from robotmcqa.draws import Draws
from robotmcqa.motion import MotionLabel

__all__ = ["high_level", "motion", "planning"]

Pair = tuple[str, str]

_VERBS: Mapping[str, Sequence[str]] = {
    "move above": ("move above", "go over to a place above", "position the gripper above"),
    "grasp": ("grasp", "take hold of", "grip"),
    "lift": ("lift", "raise"),
    "move": ("move", "carry"),
    "put": ("put", "place"),
}
"""Beginnings of a subtask -> other words for the same; the first is the task's own."""

_WAYS = (
    ("backward (away from the camera)", "forward (towards the camera)"),
    ("to the left", "to the right"),
    ("down", "up"),
)
"""Of each axis the words for minus and plus."""

_SHORT = (("backward", "forward"), ("left", "right"), ("down", "up"))


def planning(instruction: str, remaining: Sequence[str], draws: Draws) -> Pair:
    """What is left to be done, step by step."""
    told = _told(instruction, draws)
    question = draws.choice(
        (
            f"{told} Which steps are left from this moment on, in order?",
            f"{told} Give the plan from here to the end.",
            f"{told} What does the robot still have to do, step by step?",
        )
    )
    steps = [_reworded(step, draws) for step in remaining]
    if len(steps) == 1:
        only = steps[0]
        answers = [f"Only one step is left: {only}.", f"{first_upper(only)}; that is all."]
    else:
        numbered = " ".join(f"{n}. {first_upper(step)}." for n, step in enumerate(steps, 1))
        spoken = f"First {steps[0]}, then {', then '.join(steps[1:])}."
        # A comma in front of the last one: a step may hold an "and" of its own.
        plain = f"{first_upper(', '.join(steps[:-1]))}, and finally {steps[-1]}."
        answers = [numbered, spoken, plain]
    return question, draws.choice(answers)


def high_level(instruction: str, remaining: Sequence[str], draws: Draws) -> Pair:
    """The step at hand."""
    told = _told(instruction, draws)
    question = draws.choice(
        (
            f"{told} What is the next thing for the robot to do?",
            f"{told} Which action comes next?",
            f"{told} What should the robot do now?",
        )
    )
    step = _reworded(remaining[0], draws)
    return question, draws.choice((f"{first_upper(step)}.", f"The robot should {step}."))


def motion(remaining: Sequence[str], label: MotionLabel, draws: Draws) -> Pair:
    """The way to go to the end of the step at hand."""
    step = remaining[0].partition(" and close the gripper")[0]
    question = draws.choice(
        (
            f"The next step is to {step}. In which direction does the gripper have to move for it?",
            f"In order to {step}, which way must the gripper move from where it is?",
            f"The robot is about to {step}. How does the gripper have to move?",
        )
    )
    words = _SHORT if draws.below(2) else _WAYS
    full = [words[axis][step > 0] for axis, step in enumerate(label.steps) if abs(step) == 2]
    slight = [words[axis][step > 0] for axis, step in enumerate(label.steps) if abs(step) == 1]
    parts = [*full, *(f"slightly {part}" for part in slight)]
    way = listed(parts)
    return question, draws.choice((f"{first_upper(way)}.", f"The gripper has to move {way}."))


def _told(instruction: str, draws: Draws) -> str:
    return draws.choice(
        (
            f'The robot has been told: "{instruction}".',
            f'The task of the robot is: "{instruction}".',
            f'Instruction: "{instruction}".',
        )
    )


def _reworded(step: str, draws: Draws) -> str:
    """The same step, its verb drawn anew."""
    for beginning, others in _VERBS.items():
        if re.match(rf"{beginning}\b", step):
            if beginning == "move" and not _carries(step):
                return step
            return draws.choice(others) + step[len(beginning) :]
    return step


def _carries(step: str) -> bool:
    """Whether a thing is taken along: "move the handset above the base", not "move in front"."""
    return step.startswith("move the ")
