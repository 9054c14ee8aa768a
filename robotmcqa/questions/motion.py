"""Which way does the gripper have to move? The movement to the next keyframe, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

from robotmcqa.coordinates import Millimetres
from robotmcqa.distractors import Pool
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.errors import TooFewCandidates
from robotmcqa.motion import MotionLabel, motion_label, neighbours
from robotmcqa.questions.family import WrongOptions
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

    def law(self, chosen: str) -> str:
        return "neighbours"

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
        chosen = islice(draws.without_replacement(_candidates(label, count, draws)), count)
        return WrongOptions([other.text(spec.scene.motion_words) for other in chosen])

    def pool_key(self, moment: Moment) -> Hashable:
        return None

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        return iter(())
