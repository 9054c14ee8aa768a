"""The scorer: what :mod:`robotmcqa.scoring` reads in a completion, as inspect's scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from robotmcqa.evaluation.completions import written
from robotmcqa.scoring import agrees, l1_score, letter_of, parse_completion, position_of

__all__ = ["Verdict", "answered", "judged"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one completion is worth.

    Attributes:
        answer: the letter or position that was read; "" where there is none.
        correct: 1 right, 0 wrong; of a position ``clip(1 - L1, 0, 1)``, L1 in metres.
        well_formed: one think block, one answer block, nothing else.
        agrees: whether the reasoning names the chosen option last; None where it names none.
    """

    answer: str
    correct: float
    well_formed: bool
    agrees: bool | None


def judged(completion: str, solution: str, options: Sequence[str]) -> Verdict:
    """Score a completion.

    The one answer block counts whether or not the completion is well-formed: how many are stands
    beside it.

    Args:
        completion: whole, with its thought.
        solution: the right letter, or the right position where there are no options.
        options: texts; none for open-ended questions.
    """
    parsed = parse_completion(completion)
    answer = parsed.answer or ""
    if options:
        letter = letter_of(answer, len(options)) if answer else None
        right = float(letter == solution)
        return Verdict(letter or "", right, parsed.well_formed, agrees(completion, options))
    position, target = position_of(answer), position_of(solution)
    close = l1_score(position, target) if position and target else 0.0
    return Verdict(answer if position else "", close, parsed.well_formed, None)


@scorer(
    metrics={
        "correct": [grouped(mean(), "family"), stderr(cluster="episode")],
        "well_formed": [mean()],
        "agrees": [mean()],
    }
)
def answered() -> Scorer:
    """Right or wrong, well-formed or not, reasoning and answer at one or not (NaN: no telling)."""

    async def score(state: TaskState, target: Target) -> Score:
        completion = written(state.output)
        verdict = judged(completion, target.text, state.metadata["options"])
        agreement = math.nan if verdict.agrees is None else float(verdict.agrees)
        return Score(
            value={
                "correct": verdict.correct,
                "well_formed": float(verdict.well_formed),
                "agrees": agreement,
            },
            answer=verdict.answer,
            explanation=completion,
        )

    return score
