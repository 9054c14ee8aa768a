"""Does ``swapped`` keep its promise? Counted over the finished rows.

Two promises. Of one task, family and split every option text is offered exactly as many times as
a question has options (k) for each time it is right, or a guesser could tell the rare from the
common. And of the questions that offer the same k options each option is the right one equally
often, or a guesser could tell by the company an option keeps.

The second has one exception (:mod:`robotmcqa.exchange`): a set of k + 1 members stands in a
circle, and each of its questions leaves out one member, so its k + 1 sets of options are asked
once each. Where labels repeat, several circles can have the same members. Which option is right
then hangs on the order of each circle, which is drawn; so what is uneven has to be possible as a
sum of circles, and those must not all stand in the same order.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from robotmcqa.questions.prompts import LETTERS
from robotmcqa.statistics import letter_balance

__all__ = ["ExchangeCheck"]

BY_CHANCE = 1e-4
"""Circles of the same members stand in the same order with at least this probability, or are
drawn by something else than chance. Four circles of five: 1 in 24 x 24 x 24."""

UNEVEN = 1e-6
"""The same for right answers that lean to one option (chi-square p value)."""

Options = frozenset[str]
Rights = Mapping[Options, Counter[str]]
"""Set of options -> how often each is the right one."""


class ExchangeCheck:
    """Counts how often each option of ``swapped`` is offered, and among which it is right.

    Rows come task by task: what a task has promised is counted up when the next one begins, and
    forgotten.
    """

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self._part: tuple[str, int, str] = ("", 0, "")  # split, generation, task
        self._rights: defaultdict[str, defaultdict[Options, Counter[str]]]  # by family
        self._rights = defaultdict(lambda: defaultdict(Counter))
        self._texts: dict[str, str] = {}  # an option that many questions offer is kept once
        self._found: list[tuple[str, str]] = []

    def add(self, split: str, generation: int, row: Mapping[str, Any]) -> None:
        """Count a row that fits the schema."""
        part = (split, generation, row["task"])
        if part != self._part:
            self._close()
            self._part = part
        if row["spec"]["law"] != "swapped":
            return
        options = [self._texts.setdefault(text, text) for text in row["options"]]
        right = dict(zip(LETTERS, options, strict=False)).get(row["answer"], "")
        self._rights[row["family"]][frozenset(options)][right] += 1

    def problems(self) -> list[tuple[str, str]]:
        """(where, what) for each option, or set of options, whose counts betray the answer."""
        self._close()
        return self._found

    def _close(self) -> None:
        split, _, task = self._part
        for family, rights in self._rights.items():
            where = f"{split}, {task}, {family}"
            betrayed = list(_too_rare(rights, self._choices))
            self._found += [(where, what) for what in betrayed or _uneven(rights, self._choices)]
        self._rights.clear()
        self._texts.clear()


def _too_rare(rights: Rights, choices: int) -> Iterator[str]:
    offered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for options, counts in rights.items():
        right.update(counts)
        for option in options:
            offered[option] += counts.total()
    for option in offered:
        if offered[option] != choices * right[option]:
            yield (
                f"the law 'swapped' offers '{option}' {choices} times for each time it is "
                f"right, but it is offered {offered[option]} times and right {right[option]} times"
            )


def _uneven(rights: Rights, choices: int) -> Iterator[str]:
    beside: defaultdict[Options, set[str]] = defaultdict(set)  # k - 1 options -> those beside them
    for options in rights:
        for option in options:
            beside[options - {option}].add(option)
    for options, counts in rights.items():
        over = _over(options, counts)
        if not over:
            continue
        others = {one for out in options for one in beside[options - {out}]} - options
        circles = [_Circle(options | {one}, rights) for one in others]
        most = sum(circle.most for circle in circles)
        possible = over.total() <= most
        drawn = all(circle.chance >= BY_CHANCE for circle in circles)
        lean = letter_balance(_of_circles(options, counts, most), choices)
        if not (possible and drawn and lean >= UNEVEN):
            listed = ", ".join(f"'{one}' {counts[one]}" for one in sorted(options))
            yield (
                f"the law 'swapped' makes each of the same options right equally often, but of "
                f"{counts.total()} questions they are right like this: {listed} times"
            )


def _over(options: Options, counts: Counter[str]) -> Counter[str]:
    """What is left of the right answers when every option has had as many as the rarest."""
    least = min(counts[option] for option in options)
    return Counter({one: counts[one] - least for one in options if counts[one] > least})


def _of_circles(options: Options, counts: Counter[str], most: int) -> dict[str, int]:
    """The right answers that can be due to circles, by letters that stand for the options.

    All others are of whole sets, in which each option is right once. So many circles are granted
    as there can be: fewer would be more even than chance makes them, never less.
    """
    even = max(0, counts.total() - most) // len(options)
    even = min(even, *(counts[one] for one in options))
    left = [counts[one] - even for one in sorted(options)]
    return dict(zip(LETTERS, left, strict=False))


class _Circle:
    """k + 1 members that may have stood in circles; each question leaves out one of them.

    Attributes:
        most: circles of them that there can be.
        chance: probability that so many stand in the same order as these seem to; 1 where they
            do not.
    """

    def __init__(self, members: Options, rights: Rights) -> None:
        sets = [members - {one} for one in members]
        asked = [rights.get(options, Counter[str]()) for options in sets]
        self.most = min(counts.total() for counts in asked)
        over = [_over(options, counts) for options, counts in zip(sets, asked, strict=True)]
        self.chance = 1.0
        if all(len(one) == 1 for one in over):
            same = min(one.total() for one in over)
            self.chance = math.factorial(len(members) - 1) ** -float(same - 1)
