"""The figures of an evaluation: shares with intervals, by family and by task.

Questions of one demo resemble each other, so the honest interval takes whole episodes as the unit
(:mod:`robotmcqa.audit.intervals`): Wilson's, over the number of independent questions that would
say as much. The plain Wilson interval over the number of questions, which other reports print,
stands beside it in the JSON. Of several runs (seeds) a question counts once, by its mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robotmcqa.audit.intervals import Share, share_of

__all__ = ["Answer", "Figures", "figures_of", "grouped"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one question.

    Attributes:
        id, family, task, episode: of the question.
        run: number of the run, from 0: its seed.
        answer: the letter or position that was read; "" where there was none.
        correct: 0 to 1.
        well_formed: whether the form is what the prompt asks for.
        agrees: whether reasoning and answer name the same option; None where there is no telling.
    """

    id: str
    family: str
    task: str
    episode: str
    run: int
    answer: str
    correct: float
    well_formed: bool
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a set of answers.

    Attributes:
        accuracy: share of right answers; of open-ended questions the mean of clip(1 - L1, 0, 1).
        well_formed: share of well-formed completions.
        agreement: share of completions whose reasoning names the chosen option, of those whose
            reasoning names any; None where none does.
        by_run: accuracy of each run.
    """

    accuracy: Share
    well_formed: Share
    agreement: Share | None
    by_run: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "accuracy": self.accuracy.document(),
            "well_formed": self.well_formed.document(),
            "agreement": self.agreement and self.agreement.document(),
            "by_run": [round(one, 4) for one in self.by_run],
        }


def figures_of(answers: Sequence[Answer]) -> Figures:
    """Count.

    Args:
        answers: at least one.
    """
    told = [one for one in answers if one.agrees is not None]
    return Figures(
        accuracy=_share(answers, lambda one: one.correct),
        well_formed=_share(answers, lambda one: one.well_formed),
        agreement=_share(told, lambda one: bool(one.agrees)) if told else None,
        by_run=tuple(
            math.fsum(one.correct for one in of_run) / len(of_run)
            for _, of_run in sorted(grouped(answers, lambda one: one.run).items())
        ),
    )


def grouped(answers: Iterable[Answer], key: Callable[[Answer], Any]) -> Mapping[Any, list[Answer]]:
    """Answers by something, in the order of first appearance."""
    groups: dict[Any, list[Answer]] = {}
    for one in answers:
        groups.setdefault(key(one), []).append(one)
    return groups


def _share(answers: Sequence[Answer], value: Callable[[Answer], float]) -> Share:
    """With each question once, by its mean over the runs."""
    questions = grouped(answers, lambda one: one.id).values()
    credit = np.array([math.fsum(map(value, runs)) / len(runs) for runs in questions], dtype=float)
    return share_of(credit, np.array([runs[0].episode for runs in questions]))
