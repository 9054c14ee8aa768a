"""What a question family is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from robotmcqa.coordinates import Millimetres, coordinate_text
from robotmcqa.distractors import (
    Pool,
    draw_level,
    draw_matched,
    draw_near,
    draw_swapped,
    draw_uniform,
)
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.exchange import Matrix
from robotmcqa.spec import Spec, Visibility

__all__ = ["Family", "PositionFamily", "WrongOptions"]


@dataclass(frozen=True, slots=True)
class WrongOptions:
    """Texts of the wrong options, and their positions (mm) where they are positions."""

    texts: list[str]
    positions: list[Millimetres] = field(default_factory=list)


class Family(Protocol):
    """One kind of question. Its prompt is ``templates/<name>.jinja``."""

    name: str

    most_left_out: float
    """``auto`` takes ``swapped`` where it leaves out no larger share of the questions."""

    def law(self, chosen: str) -> str:
        """The law its distractors follow when ``chosen`` is the law for positions."""

    def state(self, spec: Spec) -> Visibility:
        """Whether its prompt states the current position."""

    def needs_displacement(self) -> bool:
        """Whether ``min_displacement`` applies: the question is about a movement."""

    def answer(self, moment: Moment, spec: Spec) -> str:
        """The text of the right option."""

    def wrong_options(
        self, moment: Moment, spec: Spec, law: str, pool: Pool, draws: Draws
    ) -> WrongOptions:
        """``spec.choices - 1`` wrong options.

        Raises:
            TooFewCandidates: there are not that many.
        """

    def pool_key(self, moment: Moment) -> Hashable:
        """Which pool of true answers ``matched`` draws from for this moment."""

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        """What an episode puts into the pools: (pool key, true answer)."""

    def exchanged(self, moment: Moment) -> Millimetres:
        """What ``swapped`` hands from one question to another: position or displacement, mm."""

    def apart(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        """(n, n) whether ``swapped`` may put two questions into one set."""

    def unlike(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        """(n, n) whole numbers: ``swapped`` puts pairs with a low one together."""


class PositionFamily(ABC):
    """A family whose options are positions: the laws in :mod:`robotmcqa.distractors` apply."""

    name: str

    most_left_out = 0.05

    @abstractmethod
    def answer_position(self, moment: Moment) -> Millimetres:
        """The right option."""

    def law(self, chosen: str) -> str:
        return chosen

    def answer(self, moment: Moment, spec: Spec) -> str:
        return coordinate_text(self.answer_position(moment))

    def wrong_options(
        self, moment: Moment, spec: Spec, law: str, pool: Pool, draws: Draws
    ) -> WrongOptions:
        answer = self.answer_position(moment)
        count, box, separation = spec.choices - 1, spec.scene.valid_box, spec.separation
        if law == "swapped":
            positions = draw_swapped(pool, count, draws)
        elif law == "matched":
            positions = draw_matched(answer, count, box, separation, draws, pool, moment.episode)
        else:
            draw = {"uniform": draw_uniform, "near": draw_near, "level": draw_level}[law]
            positions = draw(answer, count, box, separation, draws)
        return WrongOptions([coordinate_text(position) for position in positions], positions)

    def exchanged(self, moment: Moment) -> Millimetres:
        return self.answer_position(moment)

    def apart(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        points = np.array([self.answer_position(moment) for moment in moments], dtype=np.int64)
        inside = np.array([self.answer_position(one) in spec.scene.valid_box for one in moments])
        separate = squared_distances(points) >= max(spec.separation, 1) ** 2
        allowed: Matrix = separate & inside[:, None] & inside[None, :]
        return allowed

    def unlike(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        return same_episode(moments) * SAME_EPISODE


SAME_EPISODE = 10_000
"""How unlike two questions of one episode count: more than any other reason, so that they share a
set only where there is nobody else."""


def same_episode(moments: Sequence[Moment]) -> Matrix:
    """(n, n) whether two moments are of one episode."""
    episodes = np.array([moment.episode for moment in moments])
    same: Matrix = episodes[:, None] == episodes[None, :]
    return same


def squared_distances(points: Matrix) -> Matrix:
    """(n, n) squared distances of (n, 3) positions in whole millimetres."""
    total: Matrix = np.zeros((len(points), len(points)), dtype=points.dtype)
    for axis in points.T:  # all three at once would take several times the memory
        total += (axis[:, None] - axis[None, :]) ** 2
    return total
