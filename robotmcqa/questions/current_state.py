"""Where is the gripper now? Its position, to be read off the picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from robotmcqa.coordinates import Millimetres
from robotmcqa.episode import Episode, Moment
from robotmcqa.questions.family import PositionFamily
from robotmcqa.spec import Spec, Visibility


class CurrentState(PositionFamily):
    """``current_state``: options are positions, the answer is where the gripper is."""

    name = "current_state"

    def state(self, spec: Spec) -> Visibility:
        return "withheld"  # it is what is asked for

    def needs_displacement(self) -> bool:
        return False

    def answer_position(self, moment: Moment) -> Millimetres:
        return moment.position

    def pool_key(self, moment: Moment) -> Hashable:
        return None

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        return ((None, position) for position in episode.positions)
