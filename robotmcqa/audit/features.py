"""What a learned guesser sees of each option: numbers that do not depend on the options' order.

Of an option: its coordinates, and how it stands to the others (ranks, distances, place among
them). Of the question: task and variation (an instruction hangs on them), and the current
position where the prompt states it, with every option's displacement from it. The frame number,
the keyframe's number and the picture are not in a prompt and not in here.
"""

from __future__ import annotations

import numpy as np

from robotmcqa.audit.table import Array, Table

__all__ = ["against", "features"]

MOST_CATEGORIES = 200
"""The learner takes 255 categories; past this many, tasks share them."""


def features(table: Table) -> tuple[Array, list[int]]:
    """Features of every option.

    Returns:
        (n, k, f) numbers, and which of the f are categories.
    """
    o = table.options
    k = o.shape[1]
    others = (o.sum(axis=1, keepdims=True) - o) / (k - 1)
    order = 2 if table.positions else 1
    between = np.linalg.norm(o[:, :, None] - o[:, None], ord=order, axis=3)
    apart = np.sort(between, axis=2)[:, :, 1:]  # the first is the distance to itself
    mean = apart.mean(axis=2)
    columns = [
        *np.moveaxis(o, 2, 0),
        *np.moveaxis(_ranks(o), 2, 0),
        *np.moveaxis(o - others, 2, 0),
        np.linalg.norm(o - others, axis=2),
        *(apart[:, :, 0], apart[:, :, -1], mean),
        *(_rank(mean), _rank(apart[:, :, 0])),
    ]
    if not table.positions:
        size = np.abs(o)
        columns += [(size > 0).sum(axis=2), (size == 2).sum(axis=2), (size == 1).sum(axis=2)]
    if table.shown.any():
        columns += _stated(table)
    categories = _categories(table)
    columns.append(np.broadcast_to(categories[:, None], o.shape[:2]))
    return np.stack(columns, axis=2).astype(float), [len(columns) - 1]


def against(table: Table, guess: Array) -> Array:
    """(n, k, 5) how every option stands to a predicted right one, (n, 3)."""
    away = table.options - guess[:, None]
    distance = np.linalg.norm(away, axis=2)
    return np.concatenate([away, distance[:, :, None], _rank(distance)[:, :, None]], axis=2)


def _stated(table: Table) -> list[Array]:
    """Columns that follow from the position in the prompt."""
    state = np.where(table.shown[:, None], table.state, np.nan)[:, None]
    columns = [np.broadcast_to(state[:, :, axis], table.options.shape[:2]) for axis in range(3)]
    if not table.positions:
        return columns
    away = table.options - state
    distance = np.linalg.norm(away, axis=2)
    level = np.hypot(away[:, :, 0], away[:, :, 1])
    columns += [*np.moveaxis(away, 2, 0), distance, level]
    columns += [_rank(distance), _rank(level), _rank(np.abs(away[:, :, 2]))]
    columns.append(np.arctan2(away[:, :, 1], away[:, :, 0]))
    return columns


def _ranks(values: Array) -> Array:
    return np.stack([_rank(values[:, :, axis]) for axis in range(values.shape[2])], axis=2)


def _rank(values: Array) -> Array:
    """Rank of each among the options of its question, from 0; equal ones share theirs."""
    below = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    rank: Array = below + (equal - 1) / 2
    return rank


def _categories(table: Table) -> Array:
    names = [f"{task}/{number}" for task, number in zip(table.task, table.variation, strict=True)]
    if len(set(names)) > MOST_CATEGORIES:
        names = list(table.task)
    _, category = np.unique(names, return_inverse=True)
    numbers: Array = category % MOST_CATEGORIES
    return numbers
