"""The learned guesser: gradient boosting on the options' numbers, tested on episodes it never saw.

One binary classifier scores every option of every question; the option with the highest score is
the guess. Where the prompt states the position, :mod:`robotmcqa.audit.prediction` adds what that
says. Where the test split is large it is trained on the train split and tested there.
Otherwise episodes are dealt into folds, several times over, and each fold is guessed by a
classifier trained on the others.

**Cleaning.** Where wrong options are other episodes' true answers (``matched``, ``swapped``), a
held-out episode's answers stand in training questions, but only ever as wrong ones. Learning from
that would push a guesser *below* chance (0 to 4 % were seen) and hide every real leak. So a
training question that shows a right option of a held-out question is left out of training. The
official splits need no cleaning: distractors never cross them. Where cleaning leaves nothing that
a classifier could learn from, nothing is guessed: chance would look like a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from robotmcqa.audit.features import against, features
from robotmcqa.audit.guesses import credit_of
from robotmcqa.audit.prediction import predicted, predicted_inside
from robotmcqa.audit.table import Array, Table, joined
from robotmcqa.draws import Draws
from robotmcqa.errors import DatasetError

__all__ = [
    "FOLDS",
    "LEAST_TEST",
    "SHUFFLINGS",
    "Learned",
    "learn",
    "learn_apart",
    "scores_of",
    "steps_of",
]

LEAST_TEST = 1000
"""Test questions of a family from which on the official splits are used."""

FOLDS = 10
INNER_FOLDS = 4
SHUFFLINGS = 3

MOST_TRAINING = 20_000
"""Questions one classifier learns from; more of them change nothing but the time."""

LEAF = 20
"""Options in a leaf of its trees, at least: from fewer than twice as many it can learn nothing."""

_EXCHANGED = ("matched", "swapped")
"""Laws whose wrong options are right ones of other questions."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the learned guesser reached.

    Attributes:
        rows: (m,) which questions were guessed: the test split's, or all; without those for
            which there was nothing to learn from.
        credit: (m,) mean credit over the shufflings.
        how: in words: what it was trained and tested on.
        trained: mean share of the training questions that cleaning left.
    """

    rows: Array
    credit: Array
    how: str
    trained: float


def steps_of(table: Table) -> int:
    """How many classifiers :func:`learn` fits."""
    return 1 if _official(table) else FOLDS * SHUFFLINGS


def learn(
    table: Table,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
    *,
    folds: int = FOLDS,
    shufflings: int = SHUFFLINGS,
) -> Learned:
    """Train and test.

    Args:
        table: questions of one family.
        seed: of folds and classifiers.
        advance: called after each classifier.
        folds, shufflings: where there is no large test split.
    """
    official = _official(table)
    credit, times = np.zeros(len(table)), np.zeros(len(table))
    kept: list[float] = []
    for shuffling in range(1 if official else shufflings):
        scores, shares = scores_of(table, seed, shuffling, advance, folds=folds)
        rows = np.flatnonzero(~np.isnan(scores[:, 0]))
        credit[rows] += credit_of(scores[rows], table.right[rows])
        times[rows] += 1
        kept += shares
    rows, trained = np.flatnonzero(times), float(np.mean(kept))
    if not len(rows):
        return _nothing(trained)
    if official:
        train = int((table.split != "test").sum())
        how = f"trained on the train split ({train}), tested on the test split"
    else:
        how = f"{folds}-fold over episodes, {shufflings} shufflings"
        if len(rows) < len(table):
            how += f", for {len(rows)} of {len(table)} questions"
            how += ": too little to learn from for others"
    return Learned(rows, credit[rows] / times[rows], how, trained)


def scores_of(
    table: Table,
    seed: int = 0,
    shuffling: int = 0,
    advance: Callable[[], None] = lambda: None,
    *,
    folds: int = FOLDS,
) -> tuple[Array, list[float]]:
    """What the learned guesser thinks of every option, once over.

    Args:
        table: questions of one family.
        seed: of folds and classifiers.
        shuffling: number of the deal of episodes into folds, from 0; where there is a large test
            split, of the classifier.
        advance: called after each classifier.
        folds: where there is no large test split.

    Returns:
        (n, k) scores, the higher the better, NaN for questions that it has nothing to say about:
        those it learned from, and those for which there was too little to learn from. And for
        each classifier the share of the training questions that cleaning left.
    """
    scores = np.full(table.texts.shape, np.nan)
    kept = []
    if _official(table):
        tests, clean = [table.split == "test"], False
    else:
        fold = _folds(table, folds, seed, shuffling)
        tests, clean = [fold == number for number in range(folds)], True
    for test in tests:
        if test.any():
            train = ~test & ~_contaminated(table, test) if clean else ~test
            kept.append(train.sum() / max(1, (~test).sum()))
            found = _scores(table, ~test, train, test, seed + shuffling)
            if found is not None:
                scores[test] = found
        advance()
    return scores, kept


def _nothing(trained: float) -> Learned:
    empty = np.zeros(0, dtype=int)
    return Learned(empty, empty.astype(float), "not learned: too little to learn from", trained)


def learn_apart(train: Table, test: Table, seed: int = 0) -> Array:
    """(n,) credit on ``test`` of a guesser trained on ``train``: splits that were made apart.

    Raises:
        DatasetError: ``train`` is too small to learn from.
    """
    both = joined([train, test])
    held = np.arange(len(both)) >= len(train)
    scores = _scores(both, ~held, ~held, held, seed)
    if scores is None:
        raise DatasetError(f"{train.family}: too little to learn from", "take more demonstrations")
    return credit_of(scores, test.right)


def _official(table: Table) -> bool:
    test = int((table.split == "test").sum())
    return LEAST_TEST <= test < len(table)


def _folds(table: Table, folds: int, seed: int, shuffling: int) -> Array:
    """(n,) fold of each question; an episode is in one, and tasks are spread over all."""
    fold: dict[str, int] = {}
    for task in sorted(set(table.task)):
        episodes = sorted(set(table.episode[table.task == task]))
        draws = Draws("audit", seed, shuffling, task)
        start = draws.below(folds)  # few episodes of many tasks would crowd into the first folds
        for place, episode in enumerate(draws.without_replacement(episodes)):
            fold[episode] = (start + place) % folds
    return np.array([fold[episode] for episode in table.episode])


def _contaminated(table: Table, test: Array) -> Array:
    """(n,) questions that show a right option of a test question as if it were any other's."""
    marks = [set(of) for of in _marks(table)]
    exchanged = np.isin(table.law, _EXCHANGED)
    if table.positions:
        answers = {
            (table.task[row], table.texts[row, table.right[row]]) for row in np.flatnonzero(test)
        }
    else:  # labels are too few to tell episodes by; whole sets of them do
        answers = {one for row in np.flatnonzero(test) for one in marks[row]}
    return np.array([bool(law and of & answers) for law, of in zip(exchanged, marks, strict=True)])


def _marks(table: Table) -> Iterator[list[tuple[str, object]]]:
    """What a question shares with those that exchange options with it."""
    for task, texts in zip(table.task, table.texts, strict=True):
        if table.positions:
            yield [(task, text) for text in texts]
        else:
            yield [(task, frozenset(texts))]


def _scores(table: Table, others: Array, train: Array, test: Array, seed: int) -> Array | None:
    """(m, k) scores of the options of the test questions; None where nothing could be learned.

    Args:
        table: all questions.
        others: (n,) those that are not held out; right answers are learned from all of them.
        train: (n,) those of them that wrong options too may be learned from.
        test: (n,) those to guess.
        seed: of the classifiers.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    chosen = np.flatnonzero(train)
    if len(chosen) * table.choices < 2 * LEAF:
        return None
    numbers, categories = features(table)
    if table.shown.all():
        guess = predicted_inside(table, others, _folds(table, INNER_FOLDS, seed, 0), seed)
        guess[test] = predicted(table, others, test, seed)
        numbers = np.concatenate([numbers, against(table, guess)], axis=2)
    _, k, f = numbers.shape
    chosen = chosen[:: -(-len(chosen) // MOST_TRAINING)]
    wanted = np.arange(k) == table.right[chosen][:, None]
    model = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=150,
        max_leaf_nodes=15,
        min_samples_leaf=LEAF,
        l2_regularization=1.0,
        categorical_features=categories,
        early_stopping=False,
        random_state=seed,
    )
    # One thread: many would wait for each other on so little data, and sums would differ.
    with threadpool_limits(limits=1):
        model.fit(numbers[chosen].reshape(-1, f), wanted.ravel())
        scores: Array = model.predict_proba(numbers[test].reshape(-1, f))[:, 1]
    return scores.reshape(-1, k)
