"""Does ``swapped`` keep its promise? Counted over the finished rows.

In a set every answer is offered once per option of a question and is right once. So of one task,
family and split every option text is offered exactly that many times as often as it is right,
or a guesser could tell the rare from the common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from robotmcqa.questions.prompts import LETTERS

__all__ = ["ExchangeCheck"]


class ExchangeCheck:
    """Counts how often each option of ``swapped`` is offered, and how often it is right."""

    def __init__(self) -> None:
        self._offered: Counter[tuple[str, str, str, str]] = Counter()
        self._right: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, split: str, row: Mapping[str, Any]) -> None:
        """Count a row that fits the schema."""
        if row["spec"]["law"] != "swapped":
            return
        key = (split, row["task"], row["family"])
        for letter, option in zip(LETTERS, row["options"], strict=False):
            self._offered[(*key, option)] += 1
            self._right[(*key, option)] += letter == row["answer"]

    def problems(self, choices: int) -> Iterator[tuple[str, str]]:
        """(where, what) for each option whose counts betray it."""
        for key, offered in self._offered.items():
            right = self._right[key]
            if offered != choices * right:
                split, task, family, option = key
                yield (
                    f"{split}, {task}, {family}",
                    f"the law 'swapped' offers '{option}' {choices} times for each time it is "
                    f"right, but it is offered {offered} times and right {right} times",
                )
