"""The audit of a data set: guesses, shares, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robotmcqa.audit.draw import MOST_QUESTIONS, Drawn, drawn_of
from robotmcqa.audit.guesses import GUESSES, credit_of
from robotmcqa.audit.intervals import Share, share_of
from robotmcqa.audit.learned import learn, steps_of
from robotmcqa.audit.table import COLUMNS, Array, Table, tables_of
from robotmcqa.dataset import Dataset
from robotmcqa.errors import UsageError
from robotmcqa.spec import FAMILY_NAMES

__all__ = ["LEARNED", "Audit", "FamilyAudit", "audit", "audit_table", "audit_tables", "verdict"]

LEARNED = "learned"

BUCKETS = ((0.0, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, float("inf")))
"""Distance from the gripper to the next keyframe, m."""

LITTLE = 0.5
"""It is told when cleaning has left less than this share of the training questions."""


@dataclass(frozen=True, slots=True)
class FamilyAudit:
    """How well the answers of one family can be guessed without the picture.

    Attributes:
        family, choices: its name, and options per question; chance is one in so many.
        laws: of the distractors, sorted.
        shown: share of the prompts that state the current position.
        guesses: name -> share of right guesses, :data:`LEARNED` last where something was learned.
        best: name of the blind guess that is surely right most often (:attr:`least`).
        by_task, by_distance: the best guess's share in each part.
        tried: blind guesses in the whole audit, of all families: the more are tried, the better
            the luckiest of them.
        how: what the learned guess was trained and tested on, or that there is none; empty in
            the quick form.
        trained: share of the training questions that it was allowed to learn from.
    """

    family: str
    choices: int
    laws: tuple[str, ...]
    shown: float
    guesses: Mapping[str, Share]
    best: str
    by_task: Mapping[str, Share]
    by_distance: Mapping[str, Share]
    tried: int
    how: str = ""
    trained: float = 1.0

    @property
    def chance(self) -> float:
        """What drawing lots would reach."""
        return 1 / self.choices

    @property
    def guessable(self) -> Share:
        """The best blind guess."""
        return self.guesses[self.best]

    @property
    def least(self) -> float:
        """What is surely guessable: the luck of the best of so many guesses is allowed for."""
        return self.guessable.least(self.tried)

    @property
    def verdict(self) -> str:
        """The best blind guess in words."""
        return verdict(self.guessable, self.chance, self.tried)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the figures keep to themselves."""
        if self.how and LEARNED not in self.guesses:
            return (
                f"{self.how} (cleaning left {100 * self.trained:.1f} % of the training questions)",
            )
        if self.trained < LITTLE:
            return (
                f"cleaning left {100 * self.trained:.1f} % of the training questions: the learned "
                "guess is weaker than a model trained on all of them could be",
            )
        return ()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "chance": round(self.chance, 4),
            "laws": list(self.laws),
            "state_shown": round(self.shown, 4),
            "guesses": {
                name: share.document() | {"blind": _is_blind(name)}
                for name, share in self.guesses.items()
            },
            "best": self.best,
            "least": round(self.least, 4),
            "tried": self.tried,
            "verdict": self.verdict,
            "notes": list(self.notes),
            "by_task": {name: share.document() for name, share in self.by_task.items()},
            "by_distance": {name: share.document() for name, share in self.by_distance.items()},
            "learned_how": self.how,
            "learned_from": round(self.trained, 3),
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """Every family's part.

    Attributes:
        families: name -> its part.
        quick: nothing was learned.
        seed: of folds and classifiers.
        share: of the demonstrations that were looked at, drawn by a hash; 1 for all.
    """

    families: Mapping[str, FamilyAudit] = field(default_factory=dict)
    quick: bool = False
    seed: int = 0
    share: float = 1.0

    @property
    def worst(self) -> FamilyAudit:
        """The family of which most is surely guessable."""
        return max(self.families.values(), key=lambda one: (one.least, one.guessable.accuracy))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "quick": self.quick,
            "seed": self.seed,
            "share": round(self.share, 4),
            "families": {name: one.document() for name, one in self.families.items()},
        }

    @property
    def drawn(self) -> str:
        """What was looked at, where it is not everything."""
        return f"{100 * self.share:.2g} % of the demos" if self.share < 1 else ""

    def line(self) -> str:
        """The quick form in one line, e.g. for the end of an extraction."""
        parts = ", ".join(
            f"{name} {100 * one.guessable.accuracy:.0f} %" for name, one in self.families.items()
        )
        chance = 100 * next(iter(self.families.values())).chance
        about = [*(["quick"] if self.quick else []), *([self.drawn] if self.drawn else [])]
        kind = f" ({', '.join(about)})" if about else ""
        return f"Blind audit{kind}: {parts} guessable without the picture; chance {chance:.0f} %"

    def markdown(self) -> str:
        """As a table for a card."""
        lines = [
            "| family | distractors | best blind guess | right | 95 % interval | questions | |",
            "|---|---|---|---:|---|---:|---|",
        ]
        for name, one in self.families.items():
            share = one.guessable
            low, high = share.interval
            laws = ", ".join(f"`{law}`" for law in one.laws)
            lines.append(
                f"| {name} | {laws} | {one.best} | {100 * share.accuracy:.0f} % "
                f"| {100 * low:.0f} to {100 * high:.0f} | {share.questions} "
                f"| {one.verdict} |"
            )
        if self.drawn:
            lines += ["", f"Guessed on {self.drawn}, drawn by a hash of their ids."]
        return "\n".join([*lines, *self._by_task()])

    def _by_task(self) -> Iterator[str]:
        """The best guess of each family in each task, folded away; nothing for a single task."""
        tasks = sorted({task for one in self.families.values() for task in one.by_task})
        if len(tasks) < 2:
            return
        yield from ("", "<details><summary>The best blind guess by task</summary>", "")
        yield f"| task | {' | '.join(self.families)} |"
        yield f"|---|{'---:|' * len(self.families)}"
        for task in tasks:
            shares = [one.by_task.get(task) for one in self.families.values()]
            cells = [
                f"{100 * one.accuracy:.0f} % of {one.questions}" if one else "" for one in shares
            ]
            yield f"| `{task}` | {' | '.join(cells)} |"
        yield from ("", "</details>")


def verdict(share: Share, chance: float, tried: int = 1) -> str:
    """A share of right guesses in words.

    Args:
        share: of the best guess.
        chance: what drawing lots would reach.
        tried: how many guesses it is the best of. Where nothing can be guessed, all of them
            together are called better than chance with 5 % probability at most.
    """
    if share.least(tried) <= chance:
        _, high = share.interval
        if (high - chance) / (1 - chance) < 0.3:
            return "no better than chance"
        return "too few demonstrations to tell"
    solved = (share.accuracy - chance) / (1 - chance)
    if solved < 0.1:
        return "hardly better than chance"
    if solved < 0.3:
        return "partly guessable"
    if solved < 0.7:
        return "largely guessable"
    return "the picture is not needed"


def audit(
    path: Path,
    *,
    families: Sequence[str] = (),
    quick: bool = False,
    seed: int = 0,
    most: int = MOST_QUESTIONS,
    begin: Callable[[int], None] = lambda steps: None,
    advance: Callable[[], None] = lambda: None,
) -> Audit:
    """Audit a data set on disk.

    Args:
        path: its folder.
        families: only these; all by default.
        quick: only what needs no learning.
        seed: of folds and classifiers.
        most: questions of a family, about; of a larger data set whole demonstrations are drawn.
        begin: called once with the number of steps.
        advance: called after each.

    Raises:
        DatasetError: there is no data set, or its questions are open-ended.
        UsageError: a family is not in it.
    """
    dataset = Dataset.open(path)
    known = dataset.manifest["spec"]["families"]
    for name in families:
        if name not in known:
            raise UsageError(f"no family '{name}' in {path}", f"it has {', '.join(known)}")
    drawn = drawn_of(dataset.manifest, most)
    tables = tables_of(_rows(dataset, families or known, drawn), dataset.scene.motion_words)
    found = audit_tables(tables, quick=quick, seed=seed, begin=begin, advance=advance)
    return replace(found, share=drawn.share)


def audit_tables(
    tables: Mapping[str, Table],
    *,
    quick: bool = False,
    seed: int = 0,
    begin: Callable[[int], None] = lambda steps: None,
    advance: Callable[[], None] = lambda: None,
) -> Audit:
    """Audit tables by family, whatever they were made from; arguments as for :func:`audit`."""
    in_order = [tables[name] for name in FAMILY_NAMES if name in tables]
    begin(sum(1 + (0 if quick else steps_of(table)) for table in in_order))
    found = [audit_table(table, quick=quick, seed=seed, advance=advance) for table in in_order]
    tried = sum(one.tried for one in found)
    return Audit({one.family: replace(one, tried=tried) for one in found}, quick, seed)


def audit_table(
    table: Table,
    *,
    quick: bool = False,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> FamilyAudit:
    """Audit the questions of one family; arguments as for :func:`audit`."""
    credits: dict[str, tuple[Array, Array]] = {}  # guess -> (rows, credit)
    for name, guess in GUESSES.items():
        score = guess.score(table)
        if score is not None:
            rows = guess.rows(table)
            credits[name] = rows, credit_of(score[rows], table.right[rows])
    advance()
    how, trained = "", 1.0
    if not quick:
        result = learn(table, seed, advance)
        if len(result.rows):
            credits[LEARNED] = result.rows, result.credit
        how, trained = result.how, result.trained
    guesses = {
        name: share_of(credit, table.episode[rows]) for name, (rows, credit) in credits.items()
    }
    blind = [name for name in guesses if _is_blind(name)]
    tried = sum(_tried(name, table.choices) for name in blind)
    best = max(blind, key=lambda name: (guesses[name].least(tried), guesses[name].accuracy))
    rows, credit = credits[best]
    return FamilyAudit(
        family=table.family,
        choices=table.choices,
        laws=tuple(sorted(set(table.law.tolist()))),
        shown=float(table.shown.mean()),
        guesses=guesses,
        best=best,
        by_task=dict(_parts(credit, table.task[rows], table.episode[rows])),
        by_distance=dict(_distances(table, rows, credit)),
        tried=tried,
        how=how,
        trained=trained,
    )


def _is_blind(name: str) -> bool:
    return name == LEARNED or GUESSES[name].blind


def _tried(name: str, choices: int) -> int:
    """How many guesses a guess is the best of."""
    return choices if name != LEARNED and GUESSES[name].of_each_option else 1


def _rows(
    dataset: Dataset, families: Sequence[str], drawn: Drawn
) -> Iterator[tuple[str, dict[str, Any]]]:
    for split in dataset.manifest["splits"]:
        for row in dataset.rows(split, COLUMNS):
            if row["family"] in families and drawn.takes(row["episode"]):
                yield split, row


def _parts(credit: Array, part: Array, episode: Array) -> Iterator[tuple[str, Share]]:
    for name in sorted(set(part)):
        here = part == name
        yield str(name), share_of(credit[here], episode[here])


def _distances(table: Table, rows: Array, credit: Array) -> Iterator[tuple[str, Share]]:
    if table.family == "current_state":
        return  # its answer is where the gripper is
    distance = table.displacement[rows]
    for low, high in BUCKETS:
        here = (distance >= low) & (distance < high)
        if here.any():
            name = f"{low:g} to {high:g} m" if high < float("inf") else f"{low:g} m and more"
            yield name, share_of(credit[here], table.episode[rows][here])
