"""Guesses that need no learning: each says how right it is on every question, without the picture.

A guesser scores every option; the best one is its guess, and where several are best it earns the
share that drawing one of them would. What a guesser knows of a task (the usual height, the usual
letter) comes from other episodes than the question's own. One guesser is of another kind: it
remembers the train split and is tested on the test split alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robotmcqa.audit.table import Array, Table

__all__ = ["GUESSES", "Guess", "credit_of"]

TIE = 1e-9
"""Scores this close are equal: they differ by rounding alone (metres)."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A way to guess.

    Attributes:
        what: in words.
        score: table -> (n, k) scores, or None where it says nothing about the family.
        blind: needs only what the prompt says. The others are upper bounds: they know something
            that only the picture shows.
        of_train: what it knows it has from the train split; only test questions count.
        of_each_option: it is the luckiest of as many guesses as a question has options.
    """

    what: str
    score: Callable[[Table], Array | None]
    blind: bool = True
    of_train: bool = False
    of_each_option: bool = False

    def rows(self, table: Table) -> Array:
        """(m,) which questions count."""
        counts = table.split == "test" if self.of_train else np.ones(len(table), dtype=bool)
        rows: Array = np.flatnonzero(counts)
        return rows


def credit_of(score: Array, right: Array) -> Array:
    """(n,) credit of guessing the option with the highest score; ties share it."""
    best = score >= score.max(axis=1, keepdims=True) - TIE
    credit: Array = best[np.arange(len(right)), right] / best.sum(axis=1)
    return credit


def _letter(table: Table) -> Array:
    """How often each letter is right in other episodes."""
    counts = np.zeros((len(table), table.choices))
    everything = np.bincount(table.right, minlength=table.choices)
    for rows in _episodes(table).values():
        counts[rows] = everything - np.bincount(table.right[rows], minlength=table.choices)
    return counts


def _nearest(table: Table) -> Array:
    distance: Array = np.linalg.norm(table.options - table.state[:, None], axis=2)
    return -distance


def _nearest_to_stated(table: Table) -> Array | None:
    return _nearest(table) if table.positions and table.shown.all() else None


def _nearest_to_withheld(table: Table) -> Array | None:
    withheld = table.family == "waypoint" and not table.shown.all()
    return _nearest(table) if withheld else None


def _medoid(table: Table) -> Array:
    order = 2 if table.positions else 1
    gaps = table.options[:, :, None] - table.options[:, None]
    distance: Array = np.linalg.norm(gaps, ord=order, axis=3).sum(axis=2)
    return -distance


def _odd_one_out(table: Table) -> Array:
    return -_medoid(table)


def _height(table: Table) -> Array | None:
    if not table.positions:
        return None
    usual = _usual(table, [(task,) for task in table.task])
    off: Array = np.abs(table.options[:, :, 2] - usual[:, None, 2])
    return -off


def _height_by_ordinal(table: Table) -> Array | None:
    if not table.positions:
        return None
    usual = _usual(table, list(zip(table.task, table.ordinal, strict=True)))
    off: Array = np.abs(table.options[:, :, 2] - usual[:, None, 2])
    return -off


def _middle(table: Table) -> Array | None:
    if not table.positions:
        return None
    usual = _usual(table, [(task,) for task in table.task])
    distance: Array = np.linalg.norm(table.options - usual[:, None], axis=2)
    return -distance


def _commonest(table: Table) -> Array | None:
    """How often each label is the right one of the task in other episodes."""
    if table.positions:
        return None
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    own: defaultdict[tuple[str, str], int] = defaultdict(int)
    answers = table.texts[np.arange(len(table)), table.right]
    for task, episode, answer in zip(table.task, table.episode, answers, strict=True):
        counts[task, answer] += 1
        own[episode, answer] += 1
    return np.array(
        [
            [counts[task, text] - own.get((episode, text), 0) for text in texts]
            for task, episode, texts in zip(table.task, table.episode, table.texts, strict=True)
        ],
        dtype=float,
    )


def _record(table: Table) -> Array | None:
    """How often each option was right in training, of the times that the task offered it there.

    With one time right in k added to both (Laplace), so that an option which was never offered
    stands above one that was never right, the more the oftener that one was offered.
    """
    train = table.split == "train"
    if train.all() or not train.any():
        return None
    offered: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    for row in np.flatnonzero(train):
        offered.update((table.task[row], text) for text in table.texts[row])
        right[table.task[row], table.texts[row, table.right[row]]] += 1
    return np.array(
        [
            [(right[task, text] + 1) / (offered[task, text] + table.choices) for text in texts]
            for task, texts in zip(table.task, table.texts, strict=True)
        ]
    )


def _length(table: Table) -> Array:
    return np.array([[len(text) for text in texts] for texts in table.texts], dtype=float)


def _shortness(table: Table) -> Array:
    return -_length(table)


def _usual(table: Table, keys: list[tuple[object, ...]]) -> Array:
    """(n, 3) median right option among rows of the same key in other episodes.

    Where no other episode has the key, its own median stands in: too kind to the guesser.
    """
    answers = table.options[np.arange(len(table)), table.right]
    members: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        members[key].append(row)
    usual = np.empty((len(table), 3))
    for rows in members.values():
        at = np.array(rows)
        names, episode = np.unique(table.episode[at], return_inverse=True)
        for number in range(len(names)):
            own = episode == number
            others = at[~own] if len(names) > 1 else at
            usual[at[own]] = np.median(answers[others], axis=0)
    return usual


def _episodes(table: Table) -> dict[str, list[int]]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, episode in enumerate(table.episode):
        rows[episode].append(row)
    return rows


GUESSES: dict[str, Guess] = {
    "letter": Guess("the letter that is right most often", _letter, of_each_option=True),
    "nearest": Guess("the option nearest to the stated position", _nearest_to_stated),
    "medoid": Guess("the option nearest to the others", _medoid),
    "odd_one_out": Guess("the option farthest from the others", _odd_one_out),
    "height": Guess("height nearest to the task's median", _height),
    "middle": Guess("nearest to the task's median answer", _middle),
    "commonest": Guess("the task's commonest label", _commonest),
    "longest": Guess("the longest text", _length),
    "shortest": Guess("the shortest text", _shortness),
    "record": Guess(
        "the option that was right most often of the times the train split offers it",
        _record,
        of_train=True,
    ),
    "height_by_keyframe": Guess(
        "height nearest to the median of the same-numbered keyframe", _height_by_ordinal, False
    ),
    "nearest_to_withheld": Guess(
        "the option nearest to the true position, which the prompt withholds",
        _nearest_to_withheld,
        False,
    ),
}
"""Name -> guess. Those that are not blind are upper bounds for a model that sees so much."""
