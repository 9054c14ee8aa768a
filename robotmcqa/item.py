"""Items: an episode and a plan in, finished questions out. Nothing here touches a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from robotmcqa.coordinates import coordinate_text, to_metres
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.errors import TooFewCandidates
from robotmcqa.motion import motion_label
from robotmcqa.pools import TaskPlan, is_asked
from robotmcqa.questions import FAMILIES, Family
from robotmcqa.questions.prompts import LETTERS, Prompter
from robotmcqa.reasoning import reasoning_text
from robotmcqa.spec import SPEC_VERSION, Spec

__all__ = ["Item", "ItemMaker", "Skip"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        document: the row as JSON (``schemas/v1/item.schema.json``), pictures as byte counts.
        images: the PNG bytes, one per camera.
    """

    document: dict[str, Any]
    images: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """A question that was not asked, and why."""

    family: str
    frame: int
    why: str


class ItemMaker:
    """Makes the items of episodes under one spec."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._digest = spec.digest()
        self._prompter = Prompter(spec)

    def items(self, episode: Episode, plan: TaskPlan) -> Iterator[Item | Skip]:
        """The episode's items in the order (frame, family).

        Args:
            episode: with pictures, if the spec names cameras.
            plan: of the episode's task and split.
        """
        key = (self._spec.seed, SPEC_VERSION, "instruction", episode.id)
        instruction = Draws(*key).choice(episode.instructions)
        for moment in episode.moments():
            motion = motion_label(moment.position, moment.target_position, self._spec.dead_band)
            shared: dict[str, Any] = {
                "task": episode.task,
                "variation": episode.variation,
                "episode": episode.id,
                "frame": moment.frame,
                "keyframe": moment.keyframe,
                "instruction": instruction,
                "state": list(moment.state),
                "target": list(moment.target),
                "motion": motion.text(self._spec.scene.motion_words),
                "cameras": list(self._spec.cameras),
                "images": [len(png) for png in moment.images],
            }
            for name in self._spec.families:
                family = FAMILIES[name]
                made = self._ask(family, moment, plan, instruction)
                if isinstance(made, Skip):
                    yield made
                    continue
                reasoning = None
                if moment.subtask is not None:
                    right = family.answer(moment, self._spec)
                    reasoning = reasoning_text(
                        episode.plan, moment.subtask, shared["motion"], right
                    )
                yield Item({**shared, **made, "reasoning": reasoning}, moment.images)

    def _ask(
        self, family: Family, moment: Moment, plan: TaskPlan, instruction: str
    ) -> dict[str, Any] | Skip:
        """The fields of one item that depend on its family."""
        spec = self._spec
        if not is_asked(family, moment, spec):
            return Skip(family.name, moment.frame, "closer than --min-displacement")
        right = family.answer(moment, spec)
        law = plan.laws[family.name]
        if spec.format == "open":
            options: list[str] = []
            distractors: list[list[float]] = []
            answer = right
        else:
            key = (spec.seed, SPEC_VERSION, family.name, moment.episode, moment.frame)
            draws = Draws(*key, "options")
            pool = plan.pool(family, moment)
            try:
                wrong = family.wrong_options(moment, spec, law, pool, draws)
            except TooFewCandidates as error:
                return Skip(family.name, moment.frame, error.what)
            # Wrong options keep the order they were drawn in; only the right one's place is drawn.
            place = draws.below(spec.choices)
            options = [*wrong.texts[:place], right, *wrong.texts[place:]]
            distractors = [to_metres(position) for position in wrong.positions]
            answer = LETTERS[place]
        visibility = family.state(spec)
        state = coordinate_text(moment.position) if visibility == "shown" else None
        return {
            "id": f"{moment.episode}-{moment.frame:04d}-{family.name}",
            "family": family.name,
            "question": self._prompter.render(family.name, instruction, state, options),
            "options": options,
            "answer": answer,
            "distractors": distractors,
            "spec": {
                "version": SPEC_VERSION,
                "digest": self._digest,
                "format": spec.format,
                "law": law,
                "state": visibility,
            },
        }
