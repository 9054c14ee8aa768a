"""What the model and the judge are told. The words are ours; the structure is the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["GUIDELINES", "judge_text", "prompt_text"]

GUIDELINES: Mapping[str, str] = {
    "planning": (
        "This question is about a plan. Name the steps that are left, in order, from what the "
        "picture shows to the end of the task. One step is one thing that the gripper does, such "
        "as moving above an object, grasping it, lifting it."
    ),
    "high_level_action": (
        "This question is about the next action. Name the one step that comes next: what the "
        "gripper does and with which object."
    ),
    "motion": (
        "This question is about a movement. Name the directions in which the gripper has to move, "
        "out of forward, backward, left, right, up and down. Say 'slightly' for a direction in "
        "which it moves at most half as far as in the main one, and leave out directions in which "
        "it hardly moves."
    ),
    "spatial": (
        "This question is about where things are. Name the object, the side or the relation that "
        "is asked for, as it is in the picture."
    ),
}
"""Type -> what a good answer of that type consists of."""


@cache
def _template(name: str) -> str:
    place = files("robotmcqa.bench").joinpath("templates", f"{name}.txt")
    return place.read_text("utf-8").strip()


def prompt_text(kind: str) -> str:
    """The system prompt for a question of that type."""
    return _template("system").replace("{guideline}", GUIDELINES[kind])


def judge_text(question: str, reference: str, answer: str) -> str:
    """What the judge reads."""
    # Split first: an answer may hold "{question}", and is not to be filled in.
    parts = {"{question}": question, "{reference}": reference, "{answer}": answer}
    text = []
    rest = _template("judge")
    for name in ("{question}", "{reference}", "{answer}"):
        before, _, rest = rest.partition(name)
        text += [before, _fenced(parts[name])]
    return "".join([*text, rest])


def _fenced(text: str) -> str:
    """Without lines that look like the marks between the parts."""
    return "\n".join(
        f" {line}" if line.startswith("===") else line for line in text.strip().splitlines()
    )
