"""Rewards of Robot-R1, as TRL calls them: R = format + answer.

Each takes the completions of a batch and the columns of its rows by name, and returns a number
from 0 to 1 for each. ``solution`` is the row's ``answer``: a letter, or the position that an
open-ended question asks for; it may stand in answer tags, into which VLM-R1 puts it. A completion
is text, or a conversation whose last message is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robotmcqa.errors import UsageError
from robotmcqa.scoring.completion import parse_completion
from robotmcqa.scoring.letters import LETTERS, letter_of
from robotmcqa.scoring.positions import l1_score, position_of

__all__ = [
    "FORMAT_WEIGHT",
    "answer_reward",
    "combined_reward",
    "completion_text",
    "format_reward",
    "l1_reward",
    "ungated_answer_reward",
]

FORMAT_WEIGHT = 0.5
"""Weight of the format in the sum; the paper states none, its framework's default is this one."""

Said = str | Sequence[Mapping[str, Any]]

_IN_TAGS = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)


def format_reward(completions: Sequence[Said], **columns: Any) -> list[float]:
    """1 where the completion is exactly one think block and one answer block, else 0."""
    return [float(parse_completion(completion_text(one)).well_formed) for one in completions]


def answer_reward(
    completions: Sequence[Said], solution: Sequence[str], gated: bool = True, **columns: Any
) -> list[float]:
    """1 where the answer block names the right letter, else 0.

    Args:
        completions: of a batch.
        solution: the right letter of each.
        gated: count an answer only where the completion is well-formed. Without this, small
            models give up the reasoning and shout the letter.
        columns: whatever else TRL hands over.
    """
    options = _option_counts(columns.get("options"), len(completions))
    return [
        float(_is_right(completion_text(one), right, gated, count))
        for one, right, count in zip(completions, solution, options, strict=True)
    ]


def ungated_answer_reward(
    completions: Sequence[Said], solution: Sequence[str], **columns: Any
) -> list[float]:
    """:func:`answer_reward` whatever the form of the completion."""
    return answer_reward(completions, solution, gated=False, **columns)


def combined_reward(
    completions: Sequence[Said],
    solution: Sequence[str],
    format_weight: float = FORMAT_WEIGHT,
    gated: bool = True,
    **columns: Any,
) -> list[float]:
    """``format_weight`` x format + (1 - ``format_weight``) x answer, for trainers that take one."""
    form = format_reward(completions)
    right = answer_reward(completions, solution, gated, **columns)
    return [
        format_weight * well_formed + (1 - format_weight) * is_right
        for well_formed, is_right in zip(form, right, strict=True)
    ]


def l1_reward(
    completions: Sequence[Said], solution: Sequence[str], gated: bool = True, **columns: Any
) -> list[float]:
    """``clip(1 - L1, 0, 1)`` of the position in the answer block; 0 where there is none.

    Raises:
        UsageError: a solution is no position: open-ended questions about movements have none.
    """
    return [
        _closeness(completion_text(one), right, gated)
        for one, right in zip(completions, solution, strict=True)
    ]


def completion_text(completion: Said) -> str:
    """The text of a completion, or of the last message of a conversation."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or ())


def _option_counts(options: Iterable[Sequence[str] | None] | None, questions: int) -> list[int]:
    """How many options each question has; as many as there can be where nobody says."""
    if options is None:
        return [len(LETTERS)] * questions
    return [len(LETTERS) if texts is None else len(texts) for texts in options]


def _bare(solution: str) -> str:
    inside = _IN_TAGS.fullmatch(solution)
    return inside[1].strip() if inside else solution


def _is_right(text: str, solution: str, gated: bool, options: int) -> bool:
    parsed = parse_completion(text)
    if parsed.answer is None or (gated and not parsed.well_formed):
        return False
    return letter_of(parsed.answer, options) == _bare(solution)


def _closeness(text: str, solution: str, gated: bool) -> float:
    target = position_of(_bare(solution))
    if target is None:
        raise UsageError(
            f"the solution '{solution}' is no position",
            "train open-ended questions on waypoint and current_state only",
        )
    parsed = parse_completion(text)
    if parsed.answer is None or (gated and not parsed.well_formed):
        return 0.0
    position = position_of(parsed.answer)
    return 0.0 if position is None else l1_score(position, target)
