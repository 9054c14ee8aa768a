"""What the stated position says of the answer: a regression from (task, position) to it.

Trees that grow greedily see nothing in a table where every option is right equally often, though
position and option *together* may say all: neither helps alone, so no first cut is worth while.
So the joint part is learned here, from right answers alone, and handed to the learned guesser as
the distance of every option from what was predicted.
"""

from __future__ import annotations

import numpy as np

from robotmcqa.audit.table import Array, Table

__all__ = ["predicted", "predicted_inside"]

TREES = 60


def predicted(table: Table, train: Array, test: Array, seed: int) -> Array:
    """(m, 3) predicted right options of the test questions, from the right ones of training.

    Args:
        table: questions whose prompts state the position.
        train, test: (n,) which questions to learn from and to predict.
        seed: of the trees.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from threadpoolctl import threadpool_limits

    numbers = _inputs(table)
    answers = table.options[np.arange(len(table)), table.right]
    guess = np.empty((int(test.sum()), answers.shape[1]))
    with threadpool_limits(limits=1):
        for axis in range(answers.shape[1]):  # each has cuts of its own: better than all at once
            model = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed)
            model.fit(numbers[train], answers[train, axis])
            guess[:, axis] = model.predict(numbers[test])
    return guess


def predicted_inside(table: Table, train: Array, fold: Array, seed: int) -> Array:
    """(n, 3) predictions for the training questions, each by trees that did not see its fold."""
    guess = np.zeros((len(table), 3))
    for number in sorted(set(fold[train].tolist())):
        held = train & (fold == number)
        rest = train & ~held
        if rest.any():
            guess[held] = predicted(table, rest, held, seed)
    return guess


def _inputs(table: Table) -> Array:
    """Position and task. Along a straight line from the start the direction tells most."""
    names = [f"{task}/{number}" for task, number in zip(table.task, table.variation, strict=True)]
    kinds, kind = np.unique(names, return_inverse=True)
    # Many tasks share columns rather than make a wide table.
    dummies = np.eye(min(len(kinds), 200))[kind % 200]
    places, count = np.unique(table.state, axis=0, return_counts=True)
    away = table.state - places[np.argmax(count)]  # demos start in the same place
    slope = away[:, :2] / np.maximum(np.abs(away[:, 2:]), 0.01)
    return np.hstack([table.state, slope, dummies])
