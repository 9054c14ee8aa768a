"""Two models on the same questions: does one know more than the other?

McNemar's exact test (1947) looks at the questions that only one of the two gets right: were both
equally good, either would be as likely to be that one. It takes questions for independent. Those
of one demo are not, so its p is too small where episodes are long; the interval of the difference
beside it takes whole episodes as the unit (linearised variance, Student's t), and is the one to
believe where the two disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robotmcqa.audit.intervals import LEVEL, wilson
from robotmcqa.audit.table import Array
from robotmcqa.evaluation.figures import Answer, grouped

__all__ = ["Comparison", "compare", "mcnemar"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model against another.

    Attributes:
        questions, episodes: that both have answered.
        both, only_first, only_second, neither: questions by who got them right in the first run;
            None for open-ended questions, whose answers are more or less right.
        p: of McNemar's exact test, two-sided; None likewise.
        difference: mean of the first minus mean of the second, over all runs.
        interval: 95 % of the difference, with episodes as the unit.
    """

    questions: int
    episodes: int
    both: int | None
    only_first: int | None
    only_second: int | None
    neither: int | None
    p: float | None
    difference: float
    interval: tuple[float, float]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {
            "difference": round(self.difference, 4),
            "interval": [round(one, 4) for one in self.interval],
        }


def compare(
    first: Iterable[Answer], second: Iterable[Answer], *, choice: bool = True
) -> Comparison | None:
    """Compare answers, question by question.

    Args:
        first, second: of two models.
        choice: the questions have options. Where they have none, nothing is right or wrong.

    Returns:
        None where they have no question in common.
    """
    one, other = _by_question(first), _by_question(second)
    common = [name for name in one if name in other]
    if not common:
        return None
    gap = np.array([_mean(one[name]) - _mean(other[name]) for name in common])
    episode = np.array([one[name][0].episode for name in common])
    pairs = [(_first(one[name]), _first(other[name])) for name in common] if choice else []
    both, only_first, only_second, neither = (
        pairs.count(kind) if choice else None
        for kind in ((True, True), (True, False), (False, True), (False, False))
    )
    return Comparison(
        questions=len(common),
        episodes=len(set(episode)),
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=neither,
        p=mcnemar(only_first or 0, only_second or 0) if choice else None,
        difference=float(gap.mean()),
        interval=_interval(gap, episode),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact test: a fair coin thrown once for each question that one got right.

    Args:
        only_first, only_second: numbers of questions that only one of the two got right.
    """
    from scipy.special import bdtr  # scipy.stats takes much longer to load

    thrown = only_first + only_second
    if not thrown:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), thrown, 0.5)))


def _by_question(answers: Iterable[Answer]) -> Mapping[str, list[Answer]]:
    return grouped(answers, lambda one: one.id)


def _mean(runs: list[Answer]) -> float:
    return math.fsum(one.correct for one in runs) / len(runs)


def _first(runs: list[Answer]) -> bool:
    return min(runs, key=lambda one: one.run).correct == 1.0


def _interval(gap: Array, episode: Array) -> tuple[float, float]:
    """95 % of the mean of ``gap``, from -1 to 1 each, in clusters.

    Where nothing varies there is no variance to estimate: then episodes count as trials, of which
    so many in a row came out the same.
    """
    from scipy.special import stdtrit

    mean = float(gap.mean())
    _, cluster = np.unique(episode, return_inverse=True)
    clusters = int(cluster.max()) + 1
    sums = np.bincount(cluster, weights=gap - mean)
    if clusters == 1 or not sums.any():
        half = 1 - wilson(1.0, clusters)[0]
    else:
        error = math.sqrt(float(sums @ sums) * clusters / (clusters - 1)) / len(gap)
        half = float(stdtrit(clusters - 1, 1 - LEVEL / 2)) * error
    return max(-1.0, mean - half), min(1.0, mean + half)
