"""What a question family is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from robotmcqa.coordinates import Millimetres, coordinate_text
from robotmcqa.distractors import Pool, draw_matched, draw_near, draw_uniform
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
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


class PositionFamily(ABC):
    """A family whose options are positions: the laws in :mod:`robotmcqa.distractors` apply."""

    name: str

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
        if law == "matched":
            positions = draw_matched(answer, count, box, separation, draws, pool, moment.episode)
        else:
            draw = {"uniform": draw_uniform, "near": draw_near}[law]
            positions = draw(answer, count, box, separation, draws)
        return WrongOptions([coordinate_text(position) for position in positions], positions)
