"""Which way does the gripper have to move? The movement to the next keyframe, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

import numpy as np

from robotmcqa.coordinates import Millimetres
from robotmcqa.distractors import Pool, draw_swapped
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.errors import TooFewCandidates
from robotmcqa.exchange import Matrix
from robotmcqa.motion import MotionLabel, motion_label, neighbours
from robotmcqa.questions.family import SAME_EPISODE, WrongOptions, same_episode
from robotmcqa.spec import Spec, Visibility


def _candidates(label: MotionLabel, count: int, draws: Draws) -> Sequence[MotionLabel]:
    """Neighbours of ``label`` that differ from it along one and the same axis, drawn by chance.

    Then all options are neighbours of each other. With wrong options along several axes the right
    one alone would be a neighbour of all, and could be told by comparing the options: a blind
    guesser was right 93 % of the time on real demos. Where no axis has ``count`` neighbours
    (``--choices`` above 5, or "stay in place") there is no such set, and all neighbours will do.
    """
    near = neighbours(label)
    axes = [
        [other for other in near if other.steps[axis] != label.steps[axis]] for axis in range(3)
    ]
    enough = [along for along in axes if len(along) >= count]
    if enough:
        return draws.choice(enough)
    if len(near) < count:
        raise TooFewCandidates(f"{len(near)} of {count} neighbouring motion labels exist")
    return near


class Motion:
    """``motion``: options are movements in words, wrong ones differ along one axis."""

    name = "motion"

    # A label that more than a quarter of a task's movements share cannot be asked about without
    # being the best guess: what is left out here are questions that need no picture.
    most_left_out = 0.15

    def law(self, chosen: str) -> str:
        return chosen if chosen in ("auto", "swapped") else "neighbours"

    def state(self, spec: Spec) -> Visibility:
        return spec.motion_state

    def needs_displacement(self) -> bool:
        return True

    def answer(self, moment: Moment, spec: Spec) -> str:
        label = motion_label(moment.position, moment.target_position, spec.dead_band)
        return label.text(spec.scene.motion_words)

    def wrong_options(
        self, moment: Moment, spec: Spec, law: str, pool: Pool, draws: Draws
    ) -> WrongOptions:
        label = motion_label(moment.position, moment.target_position, spec.dead_band)
        count = spec.choices - 1
        if law == "swapped":
            moved = draw_swapped(pool, count, draws)
            labels = [motion_label((0, 0, 0), one, spec.dead_band) for one in moved]
            return WrongOptions([other.text(spec.scene.motion_words) for other in labels])
        chosen = islice(draws.without_replacement(_candidates(label, count, draws)), count)
        return WrongOptions([other.text(spec.scene.motion_words) for other in chosen])

    def pool_key(self, moment: Moment) -> Hashable:
        return None

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        return iter(())

    def exchanged(self, moment: Moment) -> Millimetres:
        (x, y, z), (to_x, to_y, to_z) = moment.position, moment.target_position
        return (to_x - x, to_y - y, to_z - z)

    def apart(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        differences = _differences(moments, spec)
        different: Matrix = differences > 0
        return different

    def unlike(self, moments: Sequence[Moment], spec: Spec) -> Matrix:
        """How many steps the labels differ by, so that most options are neighbours."""
        total: Matrix = same_episode(moments) * SAME_EPISODE + _differences(moments, spec) * 1000
        return total


def _differences(moments: Sequence[Moment], spec: Spec) -> Matrix:
    """(n, n) steps between the labels, over the three axes."""
    labels = np.array(
        [motion_label(one.position, one.target_position, spec.dead_band).steps for one in moments],
        dtype=np.int64,
    )
    total: Matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for axis in labels.T:
        total += np.abs(axis[:, None] - axis[None, :])
    return total
