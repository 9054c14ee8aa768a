"""Bootstrap intervals whose unit is the picture.

Questions about one picture share its difficulty, so whole pictures are drawn again (Efron 1987,
bias-corrected and accelerated; 9,999 resamples). The interval speaks of other pictures of the same
ten tasks. It says nothing about other tasks, and nothing about training a model anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robotmcqa.arrays import FloatArray

__all__ = ["LEVEL", "RESAMPLES", "Cell", "interval", "mean_of"]

LEVEL, RESAMPLES = 0.95, 9999
_SEED = 0

Statistic = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure.

    Attributes:
        value: the figure; None where nothing was measured.
        low, high: ends of its interval; None where there is no spread to estimate one from.
        questions, images: that it was measured on.
    """

    value: float | None
    low: float | None
    high: float | None
    questions: int
    images: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "value": None if self.value is None else round(self.value, 4),
            "interval": None
            if self.low is None
            else [round(self.low, 4), round(self.high or 0, 4)],
            "questions": self.questions,
            "images": self.images,
        }

    @property
    def text(self) -> str:
        """For a table: ``1.44 [1.20, 1.69]``."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def mean_of(values: Sequence[float], images: Sequence[str]) -> Cell:
    """The mean of some scores, with its interval.

    Args:
        values: scores.
        images: the picture that each is about.
    """
    if not values:
        return Cell(None, None, None, 0, 0)
    sums, counts = by_image(values, images)

    def mean(sums: Any, counts: Any, axis: int = -1) -> Any:
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    low, high = interval((sums, counts), mean)
    return Cell(float(np.mean(values)), low, high, len(values), len(sums))


def by_image(values: Sequence[float], images: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Sum and number of the values on each picture."""
    _, place = np.unique(list(images), return_inverse=True)
    sums: FloatArray = np.bincount(place, weights=np.asarray(values, float)).astype(np.float64)
    counts: FloatArray = np.bincount(place).astype(np.float64)
    return sums, counts


def interval(
    data: tuple[FloatArray, ...], statistic: Statistic
) -> tuple[float | None, float | None]:
    """The ends of an interval; None twice where there is nothing to estimate it from.

    Args:
        data: columns with a row for each picture, drawn together.
        statistic: of the columns, vectorised over ``axis``.
    """
    from scipy.stats import bootstrap

    if len(data[0]) < 2:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all are equal: seen by the result, below
        found = bootstrap(
            data,
            statistic,
            n_resamples=RESAMPLES,
            batch=2000,
            vectorized=True,
            paired=True,
            confidence_level=LEVEL,
            method="BCa",
            random_state=_SEED,
        ).confidence_interval
    if not (np.isfinite(found.low) and np.isfinite(found.high)):
        return None, None
    return float(found.low), float(found.high)
