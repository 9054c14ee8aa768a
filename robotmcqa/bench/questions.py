"""From a view to rows: which questions are asked about a picture, and in which words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from robotmcqa.bench.record import IMAGES
from robotmcqa.bench.spatial import Fact, facts
from robotmcqa.bench.steps import high_level, motion, planning
from robotmcqa.bench.things import IN
from robotmcqa.bench.view import HAND, View
from robotmcqa.bench.wording import in_words
from robotmcqa.draws import Draws

__all__ = ["Asked", "rows_of"]


class Asked:
    """Which relations have been asked about, so that the rarest come first."""

    def __init__(self) -> None:
        self._relations: Counter[str] = Counter()
        self._values: Counter[tuple[str, str]] = Counter()

    def choose(self, view: View, count: int, draws: Draws) -> Sequence[Fact] | None:
        """So many facts of different relations; None where the view has too few.

        Nothing is noted before :meth:`note`: the view may turn out not to be used.
        """
        found = list(draws.without_replacement(facts(view)))
        found.sort(key=self._cost)
        chosen: list[Fact] = []
        for fact in found:
            if fact.relation not in {one.relation for one in chosen}:
                chosen.append(fact)
        return chosen[:count] if len(chosen) >= count else None

    def _cost(self, fact: Fact) -> tuple[int, int]:
        return self._relations[fact.relation], self._values[fact.relation, fact.value[0]]

    def note(self, chosen: Sequence[Fact]) -> None:
        """These have been asked about."""
        for fact in chosen:
            self._relations[fact.relation] += 1
            self._values[fact.relation, fact.value[0]] += 1


def rows_of(view: View, number: int, chosen: Sequence[Fact], seed: int) -> list[dict[str, Any]]:
    """The rows about one picture: planning, next action, motion, and a row for each fact.

    Args:
        view: what the picture shows.
        number: of the picture within its task, from 1.
        chosen: facts to ask about.
        seed: of the words.
    """
    name = f"{view.task}-{number}"

    def draws(kind: str) -> Draws:
        return Draws("robotmcqa.bench", seed, view.episode, view.frame, kind)

    pairs = {
        "planning": planning(view.instruction, view.remaining, draws("planning")),
        "high_level_action": high_level(view.instruction, view.remaining, draws("high_level")),
        "motion": motion(view.remaining, view.label, draws("motion")),
    }
    rows: list[dict[str, Any]] = [
        {"id": f"{name}-{kind}", "type": kind, "question": question, "answer": answer}
        for kind, (question, answer) in pairs.items()
    ]
    for place, fact in enumerate(chosen, 1):
        question, answer = in_words(fact, view, draws(f"spatial {place}"))
        rows.append(
            {
                "id": f"{name}-spatial-{place}",
                "type": "spatial",
                "question": question,
                "answer": answer,
                "evidence": _evidence(fact, view),
            }
        )
    common = {
        "group": "in" if view.task in IN else "out",
        "image": f"{IMAGES}/{name}.png",
        "task": view.task,
        "variation": view.variation,
        "episode": view.episode,
        "frame": view.frame,
        "source": "simulator",
    }
    return [{**common, **row} for row in rows]


def _evidence(fact: Fact, view: View) -> dict[str, Any]:
    """What the answer follows from, so that anybody can check it against the picture."""
    keys = [key for key in (fact.subject, *fact.others, *fact.value) if key in view.things]
    if HAND in (fact.subject, *fact.others, *fact.value):
        keys.append(HAND)
    seen = {HAND: view.gripper, **view.things}
    return {
        "relation": fact.relation,
        "subject": fact.subject,
        "others": list(fact.others),
        "value": list(fact.value),
        "points": {
            key: [round(part, 3) for part in seen[key].point] for key in dict.fromkeys(keys)
        },
    }
