"""Which way does the gripper have to move? The movement to the next keyframe, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice

from robotmcqa.coordinates import Millimetres
from robotmcqa.distractors import Pool
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.errors import TooFewCandidates
from robotmcqa.motion import motion_label, neighbours
from robotmcqa.questions.family import WrongOptions
from robotmcqa.spec import Spec, Visibility


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
        near = neighbours(label)
        count = spec.choices - 1
        if len(near) < count:
            raise TooFewCandidates(f"{len(near)} of {count} neighbouring motion labels exist")
        chosen = islice(draws.without_replacement(near), count)
        return WrongOptions([other.text(spec.scene.motion_words) for other in chosen])

    def pool_key(self, moment: Moment) -> Hashable:
        return None

    def pool_entries(self, episode: Episode) -> Iterator[tuple[Hashable, Millimetres]]:
        return iter(())
