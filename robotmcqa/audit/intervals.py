"""Intervals for a share of right guesses.

Questions of one demo resemble each other, so n questions say less than n independent ones. The
*design effect* is by how much: the variance of the share when whole episodes are the unit, over
the variance that n independent questions would have (Kish 1965; the variance is the linearised
one of a ratio). Wilson's interval (1927) over n divided by that effect, the *effective number*,
is the honest one.

Two things keep it honest where episodes are few. The variance between m episodes is itself an
estimate with m - 1 degrees of freedom, so Student's t stands in for the normal quantile (Korn and
Graubard 1998). And where there is no variance to estimate, because every guess was right, or none,
or all questions are of one episode, episodes alone count: the effective number is theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from robotmcqa.audit.table import Array

__all__ = ["LEVEL", "Share", "share_of", "wilson"]

LEVEL = 0.05
"""Intervals miss the truth this often; so are questions without a leak called guessable."""


def wilson(
    share: float, n: float, level: float = LEVEL, degrees: float = math.inf
) -> tuple[float, float]:
    """Interval of a share seen in ``n`` independent trials.

    Args:
        share: 0 to 1.
        n: number of trials, any positive number.
        level: how often it misses the truth, both sides together.
        degrees: of freedom of the variance that ``n`` was worked out from.
    """
    if n <= 0:
        return 0.0, 1.0
    a = _quantile(1 - level / 2, degrees) ** 2 / n
    half = math.sqrt(share * (1 - share) * a + a * a / 4)
    low, high = (share + a / 2 - half) / (1 + a), (share + a / 2 + half) / (1 + a)
    return max(0.0, low), min(1.0, high)


@lru_cache
def _quantile(p: float, degrees: float) -> float:
    """Of Student's t, or of the normal distribution for infinitely many degrees of freedom."""
    from scipy.special import ndtri, stdtrit  # scipy.stats takes much longer to load

    return float(ndtri(p) if math.isinf(degrees) else stdtrit(degrees, p))


@dataclass(frozen=True, slots=True)
class Share:
    """Share of right guesses.

    Attributes:
        accuracy: mean credit.
        questions, episodes: what it was measured on.
        effective: number of independent questions that would say as much; at most ``questions``.
        degrees: of freedom of the variance between episodes; infinite where none was estimated.
    """

    accuracy: float
    questions: int
    episodes: int
    effective: float
    degrees: float

    @property
    def wilson(self) -> tuple[float, float]:
        """95 % interval as if questions were independent."""
        return wilson(self.accuracy, self.questions)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval with whole episodes as the unit; never narrower."""
        return wilson(self.accuracy, self.effective, LEVEL, self.degrees)

    @property
    def design_effect(self) -> float:
        """Questions over effective ones."""
        return self.questions / self.effective

    def least(self, tried: int = 1) -> float:
        """What the true share surely exceeds, though this is one of ``tried`` shares.

        One-sided. For all of them together it is wrong with 5 % probability at most, however
        they hang together (Bonferroni).
        """
        return wilson(self.accuracy, self.effective, 2 * LEVEL / tried, self.degrees)[0]

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
    independent = accuracy * (1 - accuracy) / n
    if clusters == 1 or independent < 1e-12 / n:
        return Share(accuracy, n, clusters, effective=float(clusters), degrees=math.inf)
    residuals = np.bincount(cluster, weights=credit - accuracy)
    clustered = float(residuals @ residuals) / n**2 * clusters / (clusters - 1)
    effect = max(1.0, clustered / independent)
    return Share(accuracy, n, clusters, effective=n / effect, degrees=clusters - 1.0)
