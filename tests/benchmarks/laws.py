"""How well can each law's answers be guessed without the picture? The table of docs/distractors.md.

::

    python -m tests.benchmarks.laws

Simulated demos of the paper's five tasks, and real ones below ``ROBOTMCQA_RLBENCH_DATA`` where
that is set. Per shuffling the demos of every task are cut into halves by chance. Each half is a
split of its own: laws draw within it, as they do within train and test. The learned guesser is
trained on one half and tested on the other, both ways, so that every question is guessed once per
shuffling and no distractor crosses over.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robotmcqa.audit import Table, tables_of
from robotmcqa.audit.intervals import Share, share_of
from robotmcqa.audit.learned import learn_apart
from robotmcqa.coordinates import coordinate_text, to_metres
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, episode_of
from robotmcqa.item import Item, ItemMaker
from robotmcqa.pools import plan_task
from robotmcqa.questions.prompts import LETTERS
from robotmcqa.sources import Selection, SourceOptions, open_source
from robotmcqa.spec import Spec, preset
from tests.benchmarks.candidates import CANDIDATES, wrong_positions

FIVE = (
    *("phone_on_base", "pick_up_cup", "push_button", "put_rubbish_in_bin"),
    "take_lid_off_saucepan",
)
EPISODES = 24

POSITIONS = ("uniform", "near", "level", "matched", "swapped")


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of the table: a law, a family, and whether the position is stated."""

    law: str
    family: str
    state: str
    far: int = 0

    @property
    def name(self) -> str:
        """As the table says it."""
        return f"{self.law}, answer {self.far / 10:.0f} cm away or more" if self.far else self.law

    def spec(self) -> Spec:
        """Of the questions; candidates start from any law and get other options."""
        law = "uniform" if self.law in (*CANDIDATES, "neighbours") else self.law
        return preset(
            "paper",
            cameras=(),
            families=(self.family,),
            distractors=law,
            state=self.state,
            motion_state=self.state,
            min_displacement=self.far,
        )


def trials() -> Iterator[Trial]:
    """Rows of the table, in order."""
    for state in ("shown", "withheld"):
        for law in (*POSITIONS, *CANDIDATES):
            yield Trial(law, "waypoint", state)
        for law in ("matched", "swapped"):
            yield Trial(law, "waypoint", state, far=200)
    for law in POSITIONS:
        yield Trial(law, "current_state", "withheld")
    for state in ("shown", "withheld"):
        for law in ("neighbours", "swapped"):
            yield Trial(law, "motion", state)


def questions(episodes: Sequence[Episode], trial: Trial) -> tuple[Table, int]:
    """The questions of one split, and how many were left out."""
    spec = trial.spec()
    maker = ItemMaker(spec)
    tasks: defaultdict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        tasks[episode.task].append(episode)
    rows: list[tuple[str, dict[str, Any]]] = []
    left = 0
    for members in tasks.values():
        plan = plan_task(members, spec)
        for episode in members:
            others = [one for other in members if other.id != episode.id for one in other.moments()]
            moments = {moment.frame: moment for moment in episode.moments()}
            for made in maker.items(episode, plan):
                if not isinstance(made, Item):
                    left += made.why != "closer than --min-displacement"
                    continue
                row = made.document
                if trial.law in CANDIDATES:
                    draws = Draws("study", trial.law, episode.id, row["frame"])
                    moment = moments[row["frame"]]
                    wrong = wrong_positions(trial.law, moment, others, spec, draws)
                    if wrong is None:
                        left += 1
                        continue
                    place = draws.below(spec.choices)
                    right = coordinate_text(moment.target_position)
                    texts = [coordinate_text(point) for point in wrong]
                    row["options"] = [*texts[:place], right, *texts[place:]]
                    row["answer"] = LETTERS[place]
                    row["distractors"] = [to_metres(point) for point in wrong]
                rows.append(("train", row))
    return tables_of(rows, spec.scene.motion_words)[trial.family], left


def halves(episodes: Sequence[Episode], shuffling: int) -> tuple[list[Episode], list[Episode]]:
    """Cut the demos of every task in two."""
    parts: tuple[list[Episode], list[Episode]] = ([], [])
    for task in sorted({episode.task for episode in episodes}):
        members = sorted((one for one in episodes if one.task == task), key=lambda one: one.id)
        for number, one in enumerate(Draws("half", shuffling, task).without_replacement(members)):
            parts[number % 2].append(one)
    return parts


def measured(episodes: Sequence[Episode], trial: Trial, shufflings: int) -> tuple[Share, float]:
    """The learned guesser's share, and the share of questions left out."""
    credit: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    asked = left = 0
    for shuffling in range(shufflings):
        tables = [questions(part, trial) for part in halves(episodes, shuffling)]
        for (train, _), (test, missing) in (tables, tables[::-1]):
            right = learn_apart(train, test, seed=shuffling)
            asked, left = asked + len(test), left + missing
            numbers: defaultdict[str, int] = defaultdict(int)
            for episode, one in zip(test.episode, right, strict=True):
                credit[episode, numbers[episode]].append(float(one))
                numbers[episode] += 1
    mean = np.array([np.mean(several) for several in credit.values()])
    return share_of(mean, np.array([episode for episode, _ in credit])), left / (asked + left)


def floor(episodes: Sequence[Episode], shufflings: int) -> float:
    """Least share for *any* law while the position is stated and distractors are 5 cm away.

    Who predicts the answer to within half the separation is right whatever stands beside it.
    """
    from robotmcqa.audit.prediction import predicted

    near = []
    for shuffling in range(shufflings):
        parts = halves(episodes, shuffling)
        table, _ = questions([*parts[0], *parts[1]], Trial("uniform", "waypoint", "shown"))
        first = np.isin(table.episode, [episode.id for episode in parts[0]])
        for train in (first, ~first):
            off = predicted(table, train, ~train, shuffling) - table.target[~train]
            near.append((np.linalg.norm(off, axis=1) < 0.025).mean())
    inside = float(np.mean(near))
    return inside + (1 - inside) / 4


def read(source: str, selection: Selection) -> list[Episode]:
    """Demos without pictures."""
    opened = open_source(source, SourceOptions(0, None, False))
    bare = Spec(cameras=())
    return [episode_of(opened.load(ref, ()), bare) for ref in opened.refs(selection)]


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shufflings", type=int, default=5)
    parser.add_argument("--law", action="append", help="only these rows, repeatable")
    chosen = parser.parse_args()
    shufflings = chosen.shufflings
    sets = {"simulated": read("sim", Selection(FIVE, 0, EPISODES))}
    real = os.environ.get("ROBOTMCQA_RLBENCH_DATA")
    if real:
        sets = {"real": read(f"rlbench:{Path(real) / 'lowdim'}", Selection()), **sets}
    heads = [f"{name}, % right | 95 % interval | questions | left out" for name in sets]
    print(f"| family | position | law | {' | '.join(heads)} |")
    print(f"|---|---|---|{'---:|---|---:|---:|' * len(sets)}")
    for trial in trials():
        if trial.law not in (chosen.law or [trial.law]):
            continue
        cells = []
        for episodes in sets.values():
            share, left = measured(episodes, trial, shufflings)
            low, high = (100 * one for one in share.interval)
            cells.append(
                f"{100 * share.accuracy:.1f} | {low:.0f} to {high:.0f} "
                f"| {share.questions} | {math.ceil(1000 * left) / 10:g} %"
            )
        print(f"| {trial.family} | {trial.state} | {trial.name} | {' | '.join(cells)} |")
        sys.stdout.flush()
    for name, episodes in sets.items():
        print(f"floor, {name}, waypoint, shown: {100 * floor(episodes, shufflings):.0f} %")


if __name__ == "__main__":
    main()
