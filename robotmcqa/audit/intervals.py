"""Intervals for a share of right guesses.

Questions of one demo resemble each other, so n questions say less than n independent ones. The
*design effect* is by how much: the variance of the share when whole episodes are the unit, over
the variance that n independent questions would have (Kish 1965; the variance is the linearised
one of a ratio). Wilson's interval (1927) over n divided by that effect is the honest one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from robotmcqa.audit.table import Array

__all__ = ["Share", "share_of", "wilson"]

Z95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


def wilson(share: float, n: float) -> tuple[float, float]:
    """95 % interval of a share seen in ``n`` independent trials."""
    if n <= 0:
        return 0.0, 1.0
    centre = share + Z95**2 / (2 * n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n * n))
    scale = 1 + Z95**2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


@dataclass(frozen=True, slots=True)
class Share:
    """Share of right guesses.

    Attributes:
        accuracy: mean credit.
        questions, episodes: what it was measured on.
        wilson: 95 % interval as if questions were independent.
        interval: the same with the design effect of episodes; never narrower.
        design_effect: at least 1.
    """

    accuracy: float
    questions: int
    episodes: int
    wilson: tuple[float, float]
    interval: tuple[float, float]
    design_effect: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "accuracy": round(self.accuracy, 4),
            "questions": self.questions,
            "episodes": self.episodes,
            "wilson": [round(one, 4) for one in self.wilson],
            "interval": [round(one, 4) for one in self.interval],
            "design_effect": round(self.design_effect, 2),
        }


def share_of(credit: Array, episode: Array) -> Share:
    """The share of right guesses with its intervals.

    Args:
        credit: (n,) 1 right, 0 wrong; between them where guesses tie or were repeated.
        episode: (n,) the cluster of each.
    """
    n = len(credit)
    accuracy = float(credit.mean())
    _, cluster = np.unique(episode, return_inverse=True)
    clusters = int(cluster.max()) + 1
    residuals = np.bincount(cluster, weights=credit - accuracy)
    effect = 1.0
    independent = accuracy * (1 - accuracy) / n
    if clusters > 1 and independent > 0:
        clustered = float(residuals @ residuals) / n**2 * clusters / (clusters - 1)
        effect = max(1.0, clustered / independent)
    return Share(
        accuracy=accuracy,
        questions=n,
        episodes=clusters,
        wilson=wilson(accuracy, n),
        interval=wilson(accuracy, n / effect),
        design_effect=effect,
    )
