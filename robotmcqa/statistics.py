"""Counts over the rows of a data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from robotmcqa.questions.prompts import LETTERS

__all__ = ["STATISTICS_COLUMNS", "Statistics", "letter_balance"]

STATISTICS_COLUMNS = ("family", "task", "answer", "motion", "state", "target", "options")
"""The columns that :meth:`Statistics.add` looks at."""

BUCKETS = (0.05, 0.10, 0.20, 0.40)
"""Upper bounds (m) of the distance buckets; the last bucket has none."""


@dataclass
class Statistics:
    """Counts, filled row by row. A distance is that from the state to the target."""

    tasks: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    letters: dict[str, Counter[str]] = field(default_factory=dict)
    motions: Counter[str] = field(default_factory=Counter)
    distances: Counter[str] = field(default_factory=Counter)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row."""
        family = row["family"]
        self.tasks[row["task"]] += 1
        self.families[family] += 1
        if row["options"]:
            self.letters.setdefault(family, Counter())[row["answer"]] += 1
        if family == "motion":
            self.motions[row["motion"]] += 1
        if family == "waypoint":
            self.distances[_bucket(math.dist(row["state"][:3], row["target"][:3]))] += 1

    def take(self, other: Statistics, prefix: str) -> None:
        """Take in the counts of another data set; letters stay apart, under prefixed families."""
        self.tasks.update(other.tasks)
        self.families.update(other.families)
        self.motions.update(other.motions)
        self.distances.update(other.distances)
        self.letters |= {prefix + family: counts for family, counts in other.letters.items()}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tasks": dict(sorted(self.tasks.items())),
            "families": dict(self.families),
            "letters": {
                family: dict(sorted(counts.items())) for family, counts in self.letters.items()
            },
            "motions": dict(self.motions.most_common()),
            "waypoint_distance": {name: self.distances[name] for name in _BUCKET_NAMES},
        }


def _names() -> tuple[str, ...]:
    edges = [0.0, *BUCKETS]
    between = [f"{low:.2f} to {high:.2f} m" for low, high in pairwise(edges)]
    return (*between, f"over {edges[-1]:.2f} m")


_BUCKET_NAMES = _names()


def _bucket(distance: float) -> str:
    number = sum(distance > bound for bound in BUCKETS)
    return _BUCKET_NAMES[number]


def letter_balance(counts: Mapping[str, int], choices: int) -> float:
    """Chi-square p value of the right letters against each of ``choices`` being equally likely."""
    from scipy.special import chdtrc  # scipy.stats would take longer to load than this to check

    observed = [counts.get(letter, 0) for letter in LETTERS[:choices]]
    expected = sum(observed) / choices
    distance = sum((count - expected) ** 2 / expected for count in observed)
    return float(chdtrc(choices - 1, distance))
