"""``bench report``: the paper's table for some runs, with intervals, beside what was published."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robotmcqa.bench.intervals import Cell, mean_of
from robotmcqa.bench.overlap import OVERLAP
from robotmcqa.bench.published import SCORES
from robotmcqa.bench.run import Run
from robotmcqa.bench.scores import Score, scores_of
from robotmcqa.errors import UsageError

__all__ = ["COLUMNS", "Line", "Report", "report"]

COLUMNS: Mapping[str, tuple[str, str | None]] = {
    "planning": ("planning", None),
    "high-level": ("high_level_action", None),
    "motion In": ("motion", "in"),
    "motion Out": ("motion", "out"),
    "motion Avg": ("motion", None),
    "spatial In": ("spatial", "in"),
    "spatial Out": ("spatial", "out"),
    "spatial Avg": ("spatial", None),
}
"""Column -> type and group of its questions; None for all groups."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: one run, or several of one label.

    Attributes:
        label: the model.
        models, judges: names; several only where runs of one label differ.
        runs: how many.
        cells: column -> figure.
        spread: column -> standard deviation between the runs; empty for a single one.
        counts: what is missing, by kind.
    """

    label: str
    models: tuple[str, ...]
    judges: tuple[str, ...]
    runs: int
    cells: Mapping[str, Cell]
    spread: Mapping[str, float]
    counts: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "label": self.label,
            "models": list(self.models),
            "judges": list(self.judges),
            "runs": self.runs,
            "cells": {name: cell.document() for name, cell in self.cells.items()},
            "spread": {name: round(value, 4) for name, value in self.spread.items()},
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The table and what has to be said about it."""

    lines: tuple[Line, ...]
    warnings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "warnings": list(self.warnings),
            "unit_of_intervals": "picture",
            "lines": [line.document() for line in self.lines],
            "published": {name: dict(row) for name, row in SCORES.items()},
            "published_on": "the paper's own questions, which were never released",
        }

    def markdown(self) -> str:
        """As a page."""
        return "\n".join(_page(self)) + "\n"


def report(runs: Sequence[Run]) -> Report:
    """Put runs into a table; those of one label share a line.

    Raises:
        UsageError: there is no run.
    """
    if not runs:
        raise UsageError("no run to report on", "robotmcqa bench report RUN...")
    labels = dict.fromkeys(run.settings.label for run in runs)
    groups = [[run for run in runs if run.settings.label == label] for label in labels]
    lines = tuple(_line(group) for group in groups)
    return Report(lines, tuple(_warnings(runs, lines)))


def _line(runs: Sequence[Run]) -> Line:
    scores = [scores_of(run) for run in runs]
    together = [score for one in scores for score in one]
    spread = {}
    if len(runs) > 1:
        for name in COLUMNS:
            means = [cell.value for cell in (_cell(one, name) for one in scores)]
            known = [mean for mean in means if mean is not None]
            if len(known) > 1:
                spread[name] = statistics.stdev(known)
    counts = {
        "questions": len(together),
        "not answered": sum(not score.answered for score in together),
        "no answer block (scored 0)": sum(
            score.answered and score.answer is None for score in together
        ),
        "cut off at --max-tokens": sum(score.cut for score in together),
        "verdicts that cannot be read": sum(score.unparsable for score in together),
        "answered, without a score": sum(
            score.answered and score.value is None for score in together
        ),
        "verdicts still to come": sum(
            score.answered and score.value is not None and not score.complete for score in together
        ),
    }
    return Line(
        label=runs[0].settings.label,
        models=tuple(dict.fromkeys(run.settings.model for run in runs)),
        judges=tuple(dict.fromkeys(run.settings.judge for run in runs)),
        runs=len(runs),
        cells={name: _cell(together, name) for name in COLUMNS},
        spread=spread,
        counts=counts,
    )


def _cell(scores: Sequence[Score], column: str) -> Cell:
    kind, group = COLUMNS[column]
    chosen = [
        score
        for score in scores
        if score.row["type"] == kind
        and (group is None or score.row.get("group") == group)
        and score.value is not None
    ]
    return mean_of([score.value or 0.0 for score in chosen], [score.image for score in chosen])


def _warnings(runs: Sequence[Run], lines: Sequence[Line]) -> Iterator[str]:
    offline = [line.label for line in lines if OVERLAP in line.judges]
    if offline:
        yield (
            f"OFFLINE JUDGE: {', '.join(offline)}: scored by {OVERLAP}, which compares words. "
            "These are no benchmark figures; they only show that everything runs."
        )
    for line in lines:
        missing = line.counts["not answered"] + line.counts["verdicts still to come"]
        missing += line.counts["answered, without a score"]
        if missing:
            yield (
                f"INCOMPLETE: {line.label}: {missing} of {line.counts['questions']} questions are "
                "without a final score and are left out of the means; bench run goes on where it "
                "stopped, and verdicts that cannot be read are counted below."
            )
        if len(line.judges) > 1:
            yield f"{line.label}: runs of different judges are averaged: {', '.join(line.judges)}."
    judges = {run.settings.judge for run in runs}
    if len(judges) > 1 and all(len(line.judges) == 1 for line in lines):
        named = ", ".join(sorted(judges))
        yield f"Lines were judged by different models ({named}): do not compare them."
    if len({run.settings.bench for run in runs}) > 1:
        yield "The runs are on different benchmarks: do not compare their lines."


def _page(found: Report) -> Iterator[str]:
    yield "# Robot-R1 Bench"
    yield ""
    for warning in found.warnings:
        yield f"> **{warning}**"
        yield ""
    yield (
        "Mean scores from 0 to 3, with 95 % bootstrap intervals (BCa, whole pictures drawn again). "
        "They speak of other pictures of these ten tasks, not of other tasks, nor of training anew."
    )
    yield ""
    yield from _table(found)
    yield ""
    yield "What is missing:"
    yield ""
    for line in found.lines:
        counted = ", ".join(f"{name}: {count}" for name, count in line.counts.items())
        yield f"* {line.label} (judge {', '.join(line.judges)}, runs: {line.runs}): {counted}"
        if line.spread:
            parts = (f"{name} {value:.2f}" for name, value in line.spread.items())
            yield f"  * standard deviation between its {line.runs} runs: {', '.join(parts)}"
    yield ""
    yield (
        "*published*: from the paper (arXiv 2506.00070), on its own questions, pictures and judge. "
        "They were never released: those lines stand here for orientation, and compare to no other."
    )


def _table(found: Report) -> Iterator[str]:
    yield f"| model | {' | '.join(COLUMNS)} |"
    yield f"|---|{'---|' * len(COLUMNS)}"
    for line in found.lines:
        cells = " | ".join(cell.text for cell in line.cells.values())
        yield f"| {line.label.replace('|', '/')} | {cells} |"
    for name, row in SCORES.items():
        told = ["" if group else f"{row[kind]:.2f}" for kind, group in COLUMNS.values()]
        yield f"| *{name} (published)* | {' | '.join(told)} |"
