"""One family's questions as arrays: all a guesser may look at, and what it is held against.

No picture and no prompt is read. Options are numbers: positions in metres, or the three steps of a
motion label. What a blind guesser does not see (the right letter, the true position where the
prompt withholds it, the number of the keyframe) stands here too, for scoring and for upper bounds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robotmcqa.errors import DatasetError
from robotmcqa.motion import all_labels
from robotmcqa.questions.prompts import LETTERS

__all__ = ["COLUMNS", "Array", "Table", "joined", "tables_of"]

Array = NDArray[Any]
"""Shapes stand in the docstrings."""

COLUMNS = (
    *("family", "task", "variation", "episode", "frame", "keyframe"),
    *("options", "answer", "state", "target", "spec"),
)
"""Columns of a row that the audit reads."""

Words = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """n questions of one family with k options each, in the order of their rows.

    Attributes:
        family: its name.
        positions: options are positions; else motion labels.
        options: (n, k, 3) metres, or steps from -2 to 2.
        texts: (n, k) option texts.
        right: (n,) index of the right option.
        state: (n, 3) the gripper's true position, m.
        target: (n, 3) the next keyframe's, m.
        shown: (n,) whether the prompt states the position.
        task, episode, split: (n,) names.
        variation: (n,) numbers.
        ordinal: (n,) number of the keyframe among those that the episode's questions name, from 0.
        law: (n,) law of the distractors.
    """

    family: str
    positions: bool
    options: Array
    texts: Array
    right: Array
    state: Array
    target: Array
    shown: Array
    task: Array
    episode: Array
    split: Array
    variation: Array
    ordinal: Array
    law: Array

    def __len__(self) -> int:
        return len(self.right)

    @property
    def choices(self) -> int:
        """Options per question."""
        return int(self.options.shape[1])

    @property
    def displacement(self) -> Array:
        """(n,) metres from the gripper to the next keyframe."""
        distance: Array = np.linalg.norm(self.target - self.state, axis=1)
        return distance


def tables_of(rows: Iterable[tuple[str, Mapping[str, Any]]], words: Words) -> dict[str, Table]:
    """Family -> its questions.

    Args:
        rows: (split, row) with at least ``COLUMNS``; looked at once, and not kept.
        words: of the motion labels, as in the scene metadata.

    Raises:
        DatasetError: the questions are open-ended, or an option is neither position nor label.
    """
    parts: defaultdict[str, list[Table]] = defaultdict(list)
    waiting: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    keyframes: defaultdict[str, set[int]] = defaultdict(set)
    texts: dict[str, str] = {}  # a word that many questions have is kept once
    for split, row in rows:
        if row["spec"]["format"] != "choice":
            raise DatasetError(
                "open-ended questions have no options to guess among",
                "audit a data set of --format choice",
            )
        some = waiting[row["family"]]
        some.append((split, row))
        keyframes[row["episode"]].add(row["keyframe"])
        if len(some) == _AT_ONCE:
            parts[row["family"]].append(_table(row["family"], some, words, texts))
            some.clear()
    for name, some in waiting.items():
        if some:
            parts[name].append(_table(name, some, words, texts))
    ordinals = {
        episode: {keyframe: number for number, keyframe in enumerate(sorted(known))}
        for episode, known in keyframes.items()
    }
    return {name: _numbered(joined(parts[name]), ordinals) for name in waiting}


_AT_ONCE = 250
"""Rows that are made arrays together. A row as Python objects takes ten times the memory."""


def joined(tables: Sequence[Table]) -> Table:
    """The questions of all.

    Raises:
        DatasetError: they differ in the number of options.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    if len({table.choices for table in tables}) > 1:
        raise _unreadable(first.family, "not all have the same number")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in first.__dataclass_fields__
        if isinstance(getattr(first, name), np.ndarray)
    }
    return replace(first, **arrays)


def _table(
    family: str,
    members: Sequence[tuple[str, Mapping[str, Any]]],
    words: Words,
    known: dict[str, str],
) -> Table:
    """Some questions of a family; their keyframes are yet to be numbered."""
    rows = [row for _, row in members]
    positions = family != "motion"
    texts = [[known.setdefault(text, text) for text in row["options"]] for row in rows]

    def words_of(of: Iterable[str]) -> Array:
        return np.array([known.setdefault(word, word) for word in of], dtype=object)

    return Table(
        family=family,
        positions=positions,
        options=_numbers(family, texts, positions, words),
        texts=np.array(texts, dtype=object),
        right=np.array([LETTERS.index(row["answer"]) for row in rows]),
        state=np.array([row["state"][:3] for row in rows], dtype=float).round(3),
        target=np.array([row["target"][:3] for row in rows], dtype=float).round(3),
        shown=np.array([row["spec"]["state"] == "shown" for row in rows]),
        task=words_of(row["task"] for row in rows),
        episode=words_of(row["episode"] for row in rows),
        split=words_of(split for split, _ in members),
        variation=np.array([row["variation"] for row in rows]),
        ordinal=np.array([row["keyframe"] for row in rows]),
        law=words_of(row["spec"]["law"] for row in rows),
    )


def _numbered(table: Table, ordinals: Mapping[str, Mapping[int, int]]) -> Table:
    """With the keyframes' numbers within their episodes instead of their frames."""
    pairs = zip(table.episode.tolist(), table.ordinal.tolist(), strict=True)
    return replace(table, ordinal=np.array([ordinals[one][keyframe] for one, keyframe in pairs]))


def _numbers(family: str, texts: Sequence[Sequence[str]], positions: bool, words: Words) -> Array:
    """Options as (n, k, 3) numbers."""
    try:
        if positions:
            # One parse for all of them is many times faster than one for each.
            flat = json.loads(f"[{','.join(text for options in texts for text in options)}]")
            return np.array(flat, dtype=float).reshape(len(texts), -1, 3)
        steps = {label.text(words): label.steps for label in all_labels()}
        return np.array([[steps[text] for text in options] for options in texts], dtype=float)
    except (ValueError, KeyError) as error:
        raise _unreadable(family, str(error)) from None


def _unreadable(family: str, why: str) -> DatasetError:
    return DatasetError(
        f"{family}: an option cannot be read, or questions differ in their number ({why})",
        "robotmcqa validate says which row is wrong",
    )
