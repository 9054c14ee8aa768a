"""What a card tells of the rows: counts, where things lie, and a row of each family to show."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from robotmcqa.scene import ValidBox
from robotmcqa.statistics import STATISTICS_COLUMNS, Statistics

__all__ = ["CELL", "FACT_COLUMNS", "Facts"]

FACT_COLUMNS = ("id", "episode", "frame", "keyframe", *STATISTICS_COLUMNS)
"""The columns that :meth:`Facts.of` looks at."""

CELL = 0.04
"""Metres: edge of the cells that positions are counted in."""

Cell = tuple[int, int, int]


@dataclass
class Facts:
    """Counted in one pass over the rows, in their order.

    Attributes:
        statistics: counts of questions.
        keyframes: task -> number of keyframes asked about -> demonstrations.
        states, targets: cell -> question frames whose gripper is there, or goes there.
        shown: family -> id of the row to show.
    """

    statistics: Statistics = field(default_factory=Statistics)
    keyframes: dict[str, Counter[int]] = field(default_factory=dict)
    states: Counter[Cell] = field(default_factory=Counter)
    targets: Counter[Cell] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, splits: Sequence[Iterable[Mapping[str, Any]]], families: Sequence[str]) -> Facts:
        """Count the rows of each split; they hold at least ``FACT_COLUMNS``.

        Rows to show come from the first split: a card is crawled, and test rows have no place in
        what models are trained on.
        """
        facts = cls()
        found: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        moment: tuple[str, int] | None = None
        candidates: dict[tuple[str, str], tuple[bytes, str]] = {}
        for number, rows in enumerate(splits):
            for row in rows:
                facts.statistics.add(row)
                if number == 0:
                    key, rank = (row["family"], row["task"]), (_rank(row["id"]), row["id"])
                    candidates[key] = min(candidates.get(key, rank), rank)
                if (row["episode"], row["frame"]) == moment:
                    continue
                moment = (row["episode"], row["frame"])
                facts.states[_cell(row["state"])] += 1
                facts.targets[_cell(row["target"])] += 1
                found[row["task"], row["episode"]].add(row["keyframe"])
        for (task, _), keyframes in found.items():
            facts.keyframes.setdefault(task, Counter())[len(keyframes)] += 1
        facts.shown = dict(_one_each(candidates, families))
        return facts

    def extent(self, box: ValidBox) -> tuple[tuple[float, float], ...]:
        """Per axis the range (m) that holds the valid box and every position."""
        cells = [*self.states, *self.targets]
        return tuple(
            (
                min(low / 1000, *(cell[axis] * CELL for cell in cells)),
                max(high / 1000, *((cell[axis] + 1) * CELL for cell in cells)),
            )
            for axis, (low, high) in enumerate((box.x, box.y, box.z))
        )


def _one_each(
    candidates: Mapping[tuple[str, str], tuple[bytes, str]], families: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """A row of each family, of different tasks where there are several."""
    for number, family in enumerate(families):
        tasks = sorted(task for one, task in candidates if one == family)
        if tasks:
            yield family, candidates[family, tasks[number % len(tasks)]][1]


def _rank(name: str) -> bytes:
    """Any row may be shown, but always the same one."""
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"robotmcqa.card").digest()


def _cell(state: Sequence[float]) -> Cell:
    x, y, z = (int(value // CELL) for value in state[:3])
    return (x, y, z)
