"""Where does the gripper have to go next? The position of the next keyframe."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from robotmcqa.coordinates import Millimetres
from robotmcqa.episode import Episode, Moment
from robotmcqa.exchange import Matrix
from robotmcqa.questions.family import PositionFamily, squared_distances
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

    def unlike(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        """With the position stated, how far apart the grippers are: the less, the less it tells.

        Without it, whether the keyframes have other numbers: the same stop of other demos is what
        has to be told apart by where the objects are, not by how far the demo has come.
        """
        if spec.state == "shown":
            points = np.array([moment.position for moment in moments], dtype=np.int64)
            near = np.sqrt(squared_distances(points)).astype(np.int64)
        else:
            ordinals = np.array([moment.ordinal for moment in moments])
            near = (ordinals[:, None] != ordinals[None, :]).astype(np.int64) * 1000
        return super().unlike(moments, spec) + near
