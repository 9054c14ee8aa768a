"""What an evaluation is about: the questions of a data set, or SpatialRGPT-Bench."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robotmcqa.bounded_yaml import read_yaml
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.evaluation.plan import Plan
from robotmcqa.evaluation.questions import questions_of
from robotmcqa.evaluation.tasks import every_family
from robotmcqa.files import sha256_of
from robotmcqa.hub.pull import address_of
from robotmcqa.workplace import EVAL

__all__ = ["SPATIALRGPT", "Subject", "subject_of"]

SPATIALRGPT = "spatialrgpt:"
"""In front of a place: it is a copy of SpatialRGPT-Bench."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Questions, as inspect is to ask them.

    Attributes:
        task: makes inspect's task.
        arguments: of it, the pictures left out.
        size: number of questions.
        families: in their order.
        content: a digest of all questions and pictures.
        config, split: of the data set.
        choices: options of each question; None for answers in the model's own words.
        graded: answers are more or less right, by ``clip(1 - L1, 0, 1)``.
        repo, revision: on the Hub, where they come from there.
        leaderboard: id of the task in the repository's ``eval.yaml`` that these questions are;
            None where they are but a part of one.
        published: model -> family -> what others report, to stand beside.
    """

    task: Callable[..., Any]
    arguments: Mapping[str, Any]
    size: int
    families: tuple[str, ...]
    content: str
    config: str
    split: str
    choices: int | None = None
    graded: bool = False
    repo: str | None = None
    revision: str | None = None
    leaderboard: str | None = None
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def subject_of(plan: Plan) -> Subject:
    """Find the questions.

    Raises:
        UsageError, DatasetError, HubError: they are not there.
    """
    if plan.place.startswith(SPATIALRGPT):
        return _spatialrgpt(plan)
    questions = questions_of(
        plan.place,
        config=plan.config,
        split=plan.split,
        families=plan.families,
        limit=plan.limit,
    )
    address = address_of(plan.place)
    repo = address.removeprefix("hf://").removeprefix("datasets/") if address else ""
    parts = questions.dataset.path.parts
    place = parts.index("snapshots") + 1 if "snapshots" in parts else len(parts)
    return Subject(
        task=every_family,
        arguments={
            "dataset": str(questions.dataset.path.absolute()),
            "split": plan.split,
            "families": list(plan.families),
            "limit": plan.limit,
        },
        size=len(questions.rows),
        families=tuple(questions.families),
        content=questions.digest(),
        config=questions.config,
        split=plan.split,
        choices=None
        if questions.open_ended
        else int(questions.dataset.manifest["spec"]["choices"]),
        graded=questions.open_ended,
        repo=repo.partition("@")[0].rstrip("/") or None,
        # The Hub's cache names the folder of what it has fetched by the commit.
        revision=parts[place] if address and place < len(parts) else None,
        leaderboard=_leaderboard(questions.dataset.path, questions.config, plan),
    )


def _leaderboard(folder: Path, config: str, plan: Plan) -> str | None:
    """A task of ``eval.yaml`` is a whole split; a part of it is no entry for a leaderboard."""
    if plan.families or plan.limit:
        return None
    for place in (folder / EVAL, folder.parent / EVAL):  # a config lies below the common one
        if place.is_file():
            try:
                tasks = read_yaml(place.read_text("utf-8"))["tasks"]
                named = {(one["config"], one["split"]): str(one["id"]) for one in reversed(tasks)}
            except (ValueError, LookupError, TypeError) as error:
                raise DatasetError(
                    f"{place}: no list of tasks ({error})", "fetch or extract the data set again"
                ) from None
            return named.get((config, plan.split))
    return None


def _spatialrgpt(plan: Plan) -> Subject:
    from robotmcqa.evaluation.spatialrgpt import PUBLISHED, entries_of, spatialrgpt

    if plan.config:
        raise UsageError("SpatialRGPT-Bench has no configs", "leave --config out")
    copy = plan.place.removeprefix(SPATIALRGPT)
    here = Path(copy).expanduser()
    place = str(here.absolute()) if here.exists() else copy
    entries = entries_of(place, plan.families or ("qualitative", "quantitative"), plan.limit)
    return Subject(
        task=spatialrgpt,
        arguments={"dataset": place, "kinds": list(plan.families), "limit": plan.limit},
        size=len(entries),
        families=tuple(dict.fromkeys(one["kind"] for one in entries)),
        content=sha256_of(here)[:16] if here.is_file() else place,
        config="default",
        split="val",
        published=PUBLISHED,
    )
