"""What a card tells of the rows: counts, where things lie, and a row of each family to show."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from robotmcqa.scene import ValidBox
from robotmcqa.statistics import STATISTICS_COLUMNS, Statistics

__all__ = ["CELL", "FACT_COLUMNS", "Facts"]

FACT_COLUMNS = ("id", "episode", "frame", "keyframe", *STATISTICS_COLUMNS)
"""The columns that :meth:`Facts.add` looks at."""

CELL = 0.04
"""Metres: edge of the cells that positions are counted in."""

Cell = tuple[int, int, int]


@dataclass
class Facts:
    """Counted in one pass over the rows, in their order.

    Attributes:
        statistics: counts of questions.
        states, targets: cell -> question frames whose gripper is there, or goes there.
    """

    statistics: Statistics = field(default_factory=Statistics)
    states: Counter[Cell] = field(default_factory=Counter)
    targets: Counter[Cell] = field(default_factory=Counter)
    _moment: tuple[str, int] | None = None
    _episode: tuple[str, str] | None = None
    _asked: set[int] = field(default_factory=set)  # keyframes of that episode
    _keyframes: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    _candidates: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any], showable: bool) -> None:
        """Count a row that has at least ``FACT_COLUMNS``; ``showable``: the card may show it."""
        self.statistics.add(row)
        if showable:
            key, rank = (row["family"], row["task"]), (_rank(row["id"]), row["id"])
            self._candidates[key] = min(self._candidates.get(key, rank), rank)
        if (row["episode"], row["frame"]) == self._moment:
            return
        self._moment = (row["episode"], row["frame"])
        self.states[_cell(row["state"])] += 1
        self.targets[_cell(row["target"])] += 1
        if (row["task"], row["episode"]) != self._episode:
            self._close()
            self._episode = (row["task"], row["episode"])
        self._asked.add(row["keyframe"])

    def _close(self) -> None:
        """The rows of an episode stand together: it is counted when the next one begins."""
        if self._episode:
            self._keyframes[self._episode[0]][len(self._asked)] += 1
        self._episode, self._asked = None, set()

    @property
    def keyframes(self) -> dict[str, Counter[int]]:
        """Task -> number of keyframes asked about -> demonstrations."""
        counted = {task: Counter(counts) for task, counts in self._keyframes.items()}
        if self._episode:
            counted.setdefault(self._episode[0], Counter())[len(self._asked)] += 1
        return counted

    def shown(self, families: Sequence[str]) -> list[str]:
        """Ids of the rows to show: one of each family, of different tasks where there are several.

        Any row may be shown, but always the same one.
        """
        ids = []
        for number, family in enumerate(families):
            tasks = sorted(task for one, task in self._candidates if one == family)
            if tasks:
                ids.append(self._candidates[family, tasks[number % len(tasks)]][1])
        return ids

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


def _rank(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"robotmcqa.card").digest()


def _cell(state: Sequence[float]) -> Cell:
    x, y, z = (int(value // CELL) for value in state[:3])
    return (x, y, z)
