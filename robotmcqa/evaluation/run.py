"""An evaluation from end to end: ask every model, count, compare, write it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

from robotmcqa.evaluation.asking import Asked, ask_all
from robotmcqa.evaluation.comparison import Comparison, compare
from robotmcqa.evaluation.figures import Figures, figures_of, grouped
from robotmcqa.evaluation.hub_record import write_records
from robotmcqa.evaluation.models import Named, opened
from robotmcqa.evaluation.plan import Plan, claim, folder_name
from robotmcqa.evaluation.samples import Pictures
from robotmcqa.evaluation.subject import Subject, subject_of
from robotmcqa.files import json_text, write_jsonl, write_text

__all__ = ["Evaluation", "Run", "evaluate"]


@dataclass(frozen=True, slots=True)
class Run:
    """A model's answers to all questions, with the pictures shown, removed or blank.

    Attributes:
        model: that was asked.
        pictures: what was done with them.
        asked: answers, and questions without one.
        families: figures of each.
        tasks: family -> task -> figures.
    """

    model: Named
    pictures: Pictures
    asked: Asked
    families: Mapping[str, Figures]
    tasks: Mapping[str, Mapping[str, Figures]]

    @property
    def label(self) -> str:
        """Model and pictures in words."""
        return label(self.model, self.pictures)

    @property
    def missing(self) -> int:
        """Answers that are not there."""
        return sum(self.asked.unanswered.values())

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "model": self.model.name,
            "pictures": self.pictures,
            "families": {
                family: figures.document()
                | {"by_task": {task: one.document() for task, one in self.tasks[family].items()}}
                for family, figures in self.families.items()
            },
            "unanswered": dict(self.asked.unanswered),
            "cut_off": self.asked.cut_off,
            "tokens": dict(zip(("in", "out"), self.asked.tokens, strict=True)),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything.

    Attributes:
        plan, subject: what was asked.
        runs: by model, then pictures, as in the plan.
        comparisons: (first, second, family) -> models against each other, pictures shown; and each
            model that sees against itself without sight.
        date: when it was finished, ISO 8601 in UTC.
    """

    plan: Plan
    subject: Subject
    runs: tuple[Run, ...]
    comparisons: Mapping[tuple[str, str, str], Comparison]
    date: str

    @property
    def measure(self) -> str:
        """What ``accuracy`` is: the share of right answers, or the closeness of positions."""
        return "clip(1 - L1, 0, 1)" if self.subject.graded else "accuracy"

    @property
    def chance(self) -> float | None:
        """What drawing lots reaches; None where there are no options."""
        return 1 / self.subject.choices if self.subject.choices else None

    @property
    def missing(self) -> int:
        """Answers that are not there, of all runs."""
        return sum(run.missing for run in self.runs)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "robotmcqa": version("robotmcqa"),
            "inspect_ai": version("inspect_ai"),
            "date": self.date,
            "plan": self.plan.document(self.subject.content) | {"config": self.subject.config},
            "questions": self.subject.size,
            "measure": self.measure,
            "chance": self.chance,
            "runs": [run.document() for run in self.runs],
            "comparisons": [
                {"first": first, "second": second, "family": family} | one.document()
                for (first, second, family), one in self.comparisons.items()
            ],
            "published": {model: dict(row) for model, row in self.subject.published.items()},
        }


def evaluate(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    begin: Callable[[str, int], None] = lambda name, total: None,
    advance: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Evaluate, and write ``results.json``, ``answers.jsonl`` and the Hub's records into ``out``.

    Args:
        plan: what to ask, of whom, and how.
        out: a new folder, or with ``resume`` that of the run to go on with.
        resume: ask only what has no answer yet.
        begin: hears of each run, and of how many questions it is.
        advance: hears how many more are answered.

    Raises:
        UsageError: something in the plan does not exist or does not fit together.
        DatasetError, HubError: the data set cannot be read, or fetched.
        ModelError: a model or its server fails; what was answered is kept.
    """
    subject = subject_of(plan)
    for model in () if resume else plan.models:  # before anything is asked, or written
        opened(model, dict(plan.arguments))
    claim(out, plan.document(subject.content), resume)
    total = subject.size * plan.seeds
    runs = []
    for model in plan.models:
        for pictures in plan.pictures:
            begin(label(model, pictures), total)
            folder = out / "logs" / folder_name(model.name) / pictures
            asked = ask_all(model, subject, pictures, plan, folder, advance)
            runs.append(_run(model, pictures, subject, asked))
    date = datetime.now(UTC).isoformat(timespec="seconds")
    found = Evaluation(plan, subject, tuple(runs), _comparisons(subject, runs), date)
    _write(found, out)
    return found


def label(model: Named, pictures: Pictures) -> str:
    """A run in words."""
    return model.name if pictures == "shown" else f"{model.name} (pictures {pictures})"


def _run(model: Named, pictures: Pictures, subject: Subject, asked: Asked) -> Run:
    families = {
        family: [one for one in asked.answers if one.family == family]
        for family in subject.families
        if any(one.family == family for one in asked.answers)
    }
    return Run(
        model,
        pictures,
        asked,
        {family: figures_of(answers) for family, answers in families.items()},
        {
            family: {
                task: figures_of(of_task)
                for task, of_task in sorted(grouped(answers, lambda one: one.task).items())
            }
            for family, answers in families.items()
        },
    )


def _comparisons(subject: Subject, runs: list[Run]) -> Mapping[tuple[str, str, str], Comparison]:
    found = {}
    for one, other in combinations(runs, 2):
        same_model, both_see = one.model == other.model, one.pictures == other.pictures == "shown"
        if not (both_see or (same_model and one.pictures == "shown")):
            continue
        for family in subject.families:
            compared = compare(
                (answer for answer in one.asked.answers if answer.family == family),
                (answer for answer in other.asked.answers if answer.family == family),
                choice=not subject.graded,
            )
            if compared:
                found[one.label, other.label, family] = compared
    return found


def _write(found: Evaluation, out: Path) -> None:
    write_jsonl(
        out / "answers.jsonl",
        (
            {
                "model": run.model.name,
                "pictures": run.pictures,
                **{name: getattr(answer, name) for name in answer.__dataclass_fields__},
            }
            for run in found.runs
            for answer in run.asked.answers
        ),
    )
    write_records(found, out)
    write_text(out / "results.json", json_text(found.document()))
