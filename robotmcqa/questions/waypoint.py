"""Where does the gripper have to go next? The position of the next keyframe."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from robotmcqa.coordinates import Millimetres
from robotmcqa.episode import Episode, Moment
from robotmcqa.questions.family import PositionFamily
from robotmcqa.spec import Spec, Visibility


class Waypoint(PositionFamily):
    """``waypoint``: options are positions, the answer is where the gripper has to be next."""

    name = "waypoint"

    def state(self, spec: Spec) -> Visibility:
        return spec.state

    def needs_displacement(self) -> bool:
        return True

    def answer_position(self, moment: Moment) -> Millimetres:
        return moment.target_position

    def pool_key(self, moment: Moment) -> Hashable:
        # The same-numbered keyframe: the third stop of one demo against the third of another.
        return moment.ordinal

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        # Once for each question that it answers, so that it is drawn as often as it is right.
        return ((moment.ordinal, moment.target_position) for moment in episode.moments())
