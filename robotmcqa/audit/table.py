"""One family's questions as arrays: all a guesser may look at, and what it is held against.

No picture and no prompt is read. Options are numbers: positions in metres, or the three steps of a
motion label. What a blind guesser does not see (the right letter, the true position where the
prompt withholds it, the number of the keyframe) stands here too, for scoring and for upper bounds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robotmcqa.errors import DatasetError
from robotmcqa.motion import all_labels
from robotmcqa.questions.prompts import LETTERS

__all__ = ["COLUMNS", "Array", "Table", "tables_of"]

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
        rows: (split, row) with at least ``COLUMNS``.
        words: of the motion labels, as in the scene metadata.

    Raises:
        DatasetError: the questions are open-ended, or an option is neither position nor label.
    """
    families: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    keyframes: defaultdict[str, set[int]] = defaultdict(set)
    for split, row in rows:
        if row["spec"]["format"] != "choice":
            raise DatasetError(
                "open-ended questions have no options to guess among",
                "audit a data set of --format choice",
            )
        families[row["family"]].append((split, row))
        keyframes[row["episode"]].add(row["keyframe"])
    ordinals = {
        episode: {keyframe: number for number, keyframe in enumerate(sorted(known))}
        for episode, known in keyframes.items()
    }
    return {name: _table(name, members, ordinals, words) for name, members in families.items()}


def _table(
    family: str,
    members: Sequence[tuple[str, Mapping[str, Any]]],
    ordinals: Mapping[str, Mapping[int, int]],
    words: Words,
) -> Table:
    rows = [row for _, row in members]
    positions = family != "motion"
    texts = [row["options"] for row in rows]
    return Table(
        family=family,
        positions=positions,
        options=_numbers(family, texts, positions, words),
        texts=np.array(texts, dtype=object),
        right=np.array([LETTERS.index(row["answer"]) for row in rows]),
        state=np.array([row["state"][:3] for row in rows], dtype=float).round(3),
        target=np.array([row["target"][:3] for row in rows], dtype=float).round(3),
        shown=np.array([row["spec"]["state"] == "shown" for row in rows]),
        task=np.array([row["task"] for row in rows]),
        episode=np.array([row["episode"] for row in rows]),
        split=np.array([split for split, _ in members]),
        variation=np.array([row["variation"] for row in rows]),
        ordinal=np.array([ordinals[row["episode"]][row["keyframe"]] for row in rows]),
        law=np.array([row["spec"]["law"] for row in rows]),
    )


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
        raise DatasetError(
            f"{family}: an option cannot be read, or questions differ in their number ({error})",
            "robotmcqa validate says which row is wrong",
        ) from None
