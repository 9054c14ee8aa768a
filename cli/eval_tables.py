"""What ``robotmcqa eval`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from robotmcqa.audit.intervals import Share
    from robotmcqa.evaluation.figures import Figures
    from robotmcqa.evaluation.run import Evaluation, Run

HEADER = ("right %", "95 % interval", "well-formed %", "agreement %", "questions", "demos")


def report(found: Evaluation, out: Path) -> None:
    """Tables by family and task, comparisons, and where the rest lies."""
    for family in found.subject.families:
        runs = [run for run in found.runs if family in run.families]
        head = f"{family}{_chance(found)}"
        rows = [[*_who(run), *_cells(run.families[family])] for run in runs]
        rows += [
            [f"{model}, as published", "shown", _percent(row[family]), *[""] * 5]
            for model, row in found.subject.published.items()
            if family in row
        ]
        output.table(head, ["model", "pictures", *HEADER], rows)
        tasks = {task for run in runs for task in run.tasks[family]}
        if len(tasks) > 1:
            _by_task(family, runs, sorted(tasks))
    for line in _remarks(found):
        typer.echo(line)
    output.hint(f"{out}/results.json has the figures, {out}/answers.jsonl every answer")


def _by_task(family: str, runs: list[Run], tasks: list[str]) -> None:
    rows = []
    for task in tasks:
        for run in runs:
            share = run.tasks[family][task].accuracy if task in run.tasks[family] else None
            if share:
                right, interval = _percent(share.accuracy), _interval(share)
                rows.append([task, *_who(run), right, interval, share.questions, share.episodes])
    header = ["task", "model", "pictures", "right %", "95 % interval", "questions", "demos"]
    output.table(f"{family} by task", header, rows)


def _who(run: Run) -> tuple[str, str]:
    return run.model.name, run.pictures


def _cells(figures: Figures) -> list[object]:
    share = figures.accuracy
    return [
        _percent(share.accuracy),
        _interval(share),
        _percent(figures.well_formed.accuracy),
        _percent(figures.agreement.accuracy) if figures.agreement else "",
        share.questions,
        share.episodes,
    ]


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _chance(found: Evaluation) -> str:
    if found.subject.graded:
        return " (clip(1 - L1, 0, 1), L1 in metres)"
    return f" (chance {100 * found.chance:.0f} %)" if found.chance else ""


def _remarks(found: Evaluation) -> Iterator[str]:
    for (first, second, family), one in found.comparisons.items():
        low, high = one.interval
        counted = (
            f"only the first right {one.only_first}, only the second {one.only_second}, "
            f"McNemar p = {one.p:.2g}; "
            if one.p is not None
            else ""
        )
        yield (
            f"{family}, {first} against {second}: {counted}difference "
            f"{100 * one.difference:+.1f} points, with demos as the unit {100 * low:+.1f} to "
            f"{100 * high:+.1f}"
        )
    for run in found.runs:
        for family, figures in run.families.items():
            if len(figures.by_run) > 1:
                seeds = ", ".join(f"{100 * one:.1f}" for one in figures.by_run)
                yield f"{family}, {run.label}, by seed: {seeds}"
    for run in found.runs:
        if run.asked.cut_off:
            yield (
                f"{run.label}: {run.asked.cut_off} completions ended "
                "at the limit of tokens (--max-tokens)"
            )
    if found.subject.published:
        yield (
            "The published figures are another judge's, a language model's: compare with care "
            "(docs/evaluation.md)."
        )
