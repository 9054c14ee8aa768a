"""An evaluation as the Hub records it in a *model's* repository.

Two forms exist. ``.eval_results/*.yaml`` feeds leaderboards and the model's page
(huggingface.co/docs/hub/eval-results); it names a data set on the Hub, so it is only written where
the questions came from there. ``model-index`` is the older one, in the front matter of the
model's card, and can name any data set. Neither is uploaded: whose model it is decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from robotmcqa.audit.intervals import Share
from robotmcqa.evaluation.figures import figures_of
from robotmcqa.evaluation.plan import folder_name
from robotmcqa.files import write_text

if TYPE_CHECKING:
    from robotmcqa.evaluation.run import Evaluation, Run

__all__ = ["eval_results", "model_index", "write_records"]


def write_records(found: Evaluation, out: Path) -> None:
    """``hub/MODEL/.eval_results/robotmcqa.yaml`` and ``hub/MODEL/model-index.yaml``.

    Baselines are no models; runs without pictures are no results.
    """
    for run in found.runs:
        if run.model.is_baseline or run.pictures != "shown" or run.missing:
            continue
        folder = out / "hub" / folder_name(run.model.name)
        write_text(folder / "model-index.yaml", _text(model_index(found, run)))
        results = eval_results(found, run)
        if results:
            write_text(folder / ".eval_results/robotmcqa.yaml", _text(results))


def eval_results(found: Evaluation, run: Run) -> list[dict[str, Any]]:
    """One entry: the share of all questions that is right, in per cent.

    None where the data set is not on the Hub, or but a part of what its ``eval.yaml`` lists was
    asked.
    """
    subject = found.subject
    if subject.repo is None or subject.leaderboard is None:
        return []
    share = figures_of(run.asked.answers).accuracy
    families = ", ".join(
        f"{family} {100 * figures.accuracy.accuracy:.1f}"
        for family, figures in run.families.items()
    )
    return [
        {
            "dataset": {
                "id": subject.repo,
                "task_id": subject.leaderboard,
                **_revision(found),
            },
            "value": round(100 * share.accuracy, 2),
            "date": found.date[:10],
            "source": {
                "url": f"https://huggingface.co/datasets/{subject.repo}",
                "name": "questions, and how they are scored",
            },
            "notes": f"{found.measure}; {_how(found, share)}; by family: {families}",
        }
    ]


def model_index(found: Evaluation, run: Run) -> dict[str, Any]:
    """For the front matter of the model's card."""
    return {
        "model-index": [{"name": run.model.name, "results": list(_results(found, run))}],
    }


def _results(found: Evaluation, run: Run) -> Iterator[dict[str, Any]]:
    repo = found.subject.repo
    subject = found.subject
    for family, figures in run.families.items():
        yield {
            "task": {"type": "visual-question-answering", "name": f"robotmcqa {family}"},
            "dataset": {
                "type": repo or "robotmcqa",
                "name": f"{repo or found.plan.place} ({family})",
                "config": subject.config,
                "split": subject.split,
                **_revision(found),
                "args": {"content": subject.content},
            },
            "metrics": [
                {
                    "type": "accuracy" if found.measure == "accuracy" else "l1_closeness",
                    "value": round(figures.accuracy.accuracy, 4),
                    "name": f"{found.measure}; {_how(found, figures.accuracy)}",
                },
                {
                    "type": "well_formed",
                    "value": round(figures.well_formed.accuracy, 4),
                    "name": "share of completions in the form that was asked for",
                },
            ],
        }


def _how(found: Evaluation, share: Share) -> str:
    low, high = share.interval
    plan = found.plan
    seeds = f", {plan.seeds} seeds" if plan.seeds > 1 else ""
    return (
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} over {share.episodes} demos, "
        f"{share.questions} questions of split {found.subject.split}, "
        f"config {found.subject.config}, temperature {plan.temperature:g}{seeds}"
    )


def _revision(found: Evaluation) -> dict[str, str]:
    return {"revision": found.subject.revision} if found.subject.revision else {}


def _text(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
