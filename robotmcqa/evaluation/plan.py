"""What an evaluation asks, of whom, and how: all that decides its figures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robotmcqa.errors import UsageError
from robotmcqa.evaluation.models import Named
from robotmcqa.evaluation.samples import Pictures
from robotmcqa.files import json_text, write_text

__all__ = ["PLAN", "Plan", "claim", "folder_name"]

PLAN = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An evaluation.

    Attributes:
        place: of the data set: a folder, or ``hf://org/name@v1.2.0``.
        models: to ask.
        pictures: what is done with them; each is a run of its own.
        config, split, families, limit: which questions; see
            :func:`robotmcqa.evaluation.questions.questions_of`.
        seeds: how often each question is put, with seeds from 0.
        temperature: of sampling; 0 takes the likeliest token.
        max_tokens: of a completion; the provider's own limit if None.
        arguments: of the provider (inspect's ``-M``). Keys do not belong here.
        connections: questions that are asked at the same time.
        retries: of a question that failed in a way that may pass.
    """

    place: str
    models: tuple[Named, ...]
    pictures: tuple[Pictures, ...] = ("shown",)
    config: str | None = None
    split: str = "test"
    families: tuple[str, ...] = ()
    limit: int | None = None
    seeds: int = 1
    temperature: float = 0.0
    max_tokens: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    connections: int = 10
    retries: int = 6

    def __post_init__(self) -> None:
        names = [model.name for model in self.models]
        if not names:
            raise UsageError("no model to ask", "--model NAME")
        if len(set(names)) < len(names):
            raise UsageError("a model twice", "name each model once")
        folders = [folder_name(name) for name in names]
        if len(set(folders)) < len(folders):
            raise UsageError(
                f"{' and '.join(names)} would share a folder", "evaluate them one by one"
            )
        paid = [model.name for model in self.models if not model.is_baseline]
        if self.seeds > 1 and self.temperature == 0 and paid:
            raise UsageError(
                f"{self.seeds} seeds at temperature 0: {paid[0]} would say the same each time",
                "--temperature 1.0, or one seed",
            )

    def document(self, content: str) -> dict[str, Any]:
        """As JSON: what a resumed run must have in common with the one it resumes.

        Args:
            content: digest of the data set.
        """
        return {
            "dataset": self.place,
            "content": content,
            "config": self.config,
            "split": self.split,
            "families": list(self.families),
            "limit": self.limit,
            "models": [model.name for model in self.models],
            "base_url": next((model.base_url for model in self.models if model.base_url), None),
            "pictures": list(self.pictures),
            "seeds": self.seeds,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "arguments": dict(self.arguments),
        }


def folder_name(model: str) -> str:
    """A model's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", model).strip("._") or "model"


def claim(out: Path, document: Mapping[str, Any], resume: bool) -> None:
    """Take the folder ``out`` for a plan, or find it taken by the same plan.

    Raises:
        UsageError: it holds another evaluation, or other things; or the same one, and ``resume``
            was not asked for.
    """
    try:
        before = json.loads((out / PLAN).read_text("utf-8"))
    except FileNotFoundError:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds other things", "--out takes a new folder") from None
        write_text(out / PLAN, json_text(document))
        return
    other = [name for name in document if before.get(name) != document[name]]
    if not resume:
        same = "this" if not other else "another"
        raise UsageError(
            f"{out} holds {same} evaluation",
            "--resume goes on with it, --overwrite starts anew, --out takes another folder",
        )
    if other:
        raise UsageError(
            f"{out} holds an evaluation with other settings ({', '.join(other)})",
            f"resume it as {out / PLAN} has it, or take another folder",
        )
