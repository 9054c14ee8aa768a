"""What a format is: a function from a row to a document, and words about how to train with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from robotmcqa.completions import target_completion

__all__ = ["IMAGE_MARKER", "Completion", "Format", "Plan", "Row", "completion_of", "picture_paths"]

Row = Mapping[str, Any]

Completion = Literal["cot", "direct", "solution"]
"""What the assistant is to say: a target of supervised training, or the bare right answer."""

IMAGE_MARKER = "<image>"
"""What most trainers take for the place of the next picture."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all rows of an export have in common.

    Attributes:
        pictures: how many each prompt shows, one per camera.
        open_ended: whether the questions are, so that answers are texts and not letters.
        completion: what the assistant says; None where the export has no assistant.
        splits: names of those that have rows.
    """

    pictures: int
    open_ended: bool
    completion: Completion | None
    splits: tuple[str, ...]


def _no_documents(plan: Plan) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Format:
    """A format of another trainer. Its functions are pure.

    Attributes:
        title: the trainer's name.
        convert: row -> document.
        guide: how to train with the folder ``FOLDER``, in Markdown.
        completions: what ``--completion`` may be, the default first; ``None`` among them: nothing.
        columns: of the parquet file that the documents become; None where they become lines of
            JSON, and the pictures files beside them.
        documents: further files, name -> JSON.
    """

    title: str
    convert: Callable[[Row, Plan], dict[str, Any]]
    guide: Callable[[Plan], str]
    completions: tuple[Completion | None, ...]
    columns: Callable[[Plan], Mapping[str, pa.DataType]] | None = None
    documents: Callable[[Plan], Mapping[str, Any]] = _no_documents

    def file_of(self, split: str) -> str:
        """Name of a split's file."""
        return f"{split}.{'jsonl' if self.columns is None else 'parquet'}"


def completion_of(row: Row, plan: Plan) -> str:
    """What the assistant says to a row's question.

    Raises:
        DataError: the row has no reasoning to say.
    """
    if plan.completion is None or plan.completion == "solution":
        return str(row["answer"])
    return target_completion(row, plan.completion)


def picture_paths(row: Row) -> list[str]:
    """Where a row's pictures lie in an export: named by content, so that equal ones are one."""
    return [
        f"images/{hashlib.sha256(image['bytes']).hexdigest()[:32]}.png" for image in row["images"]
    ]
