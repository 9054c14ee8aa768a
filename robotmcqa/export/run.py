"""From a data set to a folder in another trainer's format."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from robotmcqa import __version__
from robotmcqa.card.front_matter import content_digest
from robotmcqa.dataset import Dataset
from robotmcqa.errors import DataError, UsageError
from robotmcqa.export import FORMATS
from robotmcqa.export.folder import MARK, new_folder
from robotmcqa.export.format import Format, Plan, completion_of
from robotmcqa.export.json_lines import JsonLines
from robotmcqa.export.parquet import ParquetFile
from robotmcqa.files import json_text
from robotmcqa.pools import SPLITS

__all__ = ["Exported", "export"]

_TEXTS = (
    *("id", "family", "task", "motion", "instruction", "question", "options", "answer"),
    *("reasoning", "spec"),
)
_MARKER = re.compile(r"<(?:image|video|audio)>|<\|\w+\|>")
"""What trainers and chat templates do not read as text."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written.

    Attributes:
        out: the folder.
        to: name of the format.
        completion: what the assistant says; None where there is none.
        rows: split -> questions.
        guide: how to train with it, in Markdown.
        seconds: it took.
    """

    out: Path
    to: str
    completion: str | None
    rows: dict[str, int]
    guide: str
    seconds: float

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "out": str(self.out),
            "to": self.to,
            "completion": self.completion,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
        }


def export(
    dataset: Dataset,
    to: str,
    out: Path,
    *,
    completion: str | None = None,
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda rows: None,
) -> Exported:
    """Write a data set in a format of another trainer.

    Args:
        dataset: what to write.
        to: one of :data:`robotmcqa.export.FORMATS`.
        out: a new or empty folder.
        completion: what the assistant says, if the format has a choice.
        overwrite: replace an earlier export in ``out``.
        advance: hears of so many more rows written.

    Raises:
        UsageError: there is no such format or completion, or ``out`` may not be written to.
        DataError: a row cannot be exported. Nothing is written then.
        DatasetError: a shard is missing or damaged.
    """
    begun = time.monotonic()
    form = _format_named(to)
    plan = _plan(dataset, to, form, completion)
    _refuse_unfit(dataset, plan)
    with new_folder(out, overwrite=overwrite) as folder:
        for split in plan.splits:
            _write_split(dataset, split, form, plan, folder, advance)
        for name, document in form.documents(plan).items():
            (folder / name).write_text(json_text(document), "utf-8")
        (folder / "README.md").write_text(_readme(dataset, form, plan), "utf-8")
        _mark(dataset, to, plan, folder)
    rows = {split: dataset.manifest["splits"][split]["rows"] for split in plan.splits}
    seconds = time.monotonic() - begun
    return Exported(out, to, plan.completion, rows, form.guide(plan), seconds)


def _format_named(name: str) -> Format:
    if name not in FORMATS:
        raise UsageError(f"--to {name}: there is no such format", f"there are {', '.join(FORMATS)}")
    form: Format = import_module(f"robotmcqa.export.{name}").FORMAT
    return form


def _plan(dataset: Dataset, to: str, form: Format, completion: str | None) -> Plan:
    choices = [choice for choice in form.completions if choice]
    if completion is not None and completion not in choices:
        raise UsageError(
            f"--completion {completion} with --to {to}",
            f"it takes {', '.join(choices)}" if choices else "leave it out: nobody answers there",
        )
    spec = dataset.manifest["spec"]
    chosen = next((choice for choice in choices if choice == completion), form.completions[0])
    return Plan(
        pictures=len(spec["cameras"]),
        open_ended=spec["format"] == "open",
        completion=chosen,
        splits=tuple(split for split in SPLITS if split in dataset.manifest["splits"]),
    )


def _refuse_unfit(dataset: Dataset, plan: Plan) -> None:
    """Read the texts before anything is written."""
    mute: list[str] = []
    for row in dataset.rows(columns=_TEXTS):
        if plan.completion == "cot" and not row["reasoning"]:
            mute.append(row["id"])
            continue
        said = completion_of(row, plan)
        for field, text in (("question", row["question"]), ("completion", said)):
            if found := _MARKER.search(text):
                raise DataError(
                    f"row {row['id']}: its {field} holds '{found[0]}', which trainers take for "
                    "something else than text",
                    f"say it otherwise in the demo's instruction ('{row['instruction']}') or in "
                    "the template of the prompt, and extract again",
                )
    if mute:
        which = f"and {len(mute) - 1} more rows have" if len(mute) > 1 else "has"
        raise DataError(
            f"row {mute[0]} {which} no reasoning",
            "simulated demos carry it; --completion direct trains without",
        )


def _write_split(
    dataset: Dataset,
    split: str,
    form: Format,
    plan: Plan,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    path = folder / form.file_of(split)
    rows = dataset.rows(split, (*_TEXTS, "images"))
    if form.columns is not None:
        with ParquetFile(path, form.columns(plan)) as table:
            for row in rows:
                table.add(form.convert(row, plan))
                advance(1)
        return
    with JsonLines(path) as lines:
        for row in rows:
            lines.add(form.convert(row, plan))
            lines.add_pictures(row)
            advance(1)


def _readme(dataset: Dataset, form: Format, plan: Plan) -> str:
    manifest = dataset.manifest
    rows = ", ".join(f"{manifest['splits'][split]['rows']} {split}" for split in plan.splits)
    return (
        f"# Robot-control questions for {form.title}\n\n"
        f"Questions: {rows}. Exported by robotmcqa {__version__} from a data set of "
        f"{manifest['generator']}\nwith the content {content_digest(manifest)}.\n\n"
        f"Licence of the demonstrations, and so of this: {dataset.provenance['source']['licence']}."
        f"\n\n## Training\n\n`FOLDER` stands for the path of this folder.\n\n{form.guide(plan)}"
    )


def _mark(dataset: Dataset, to: str, plan: Plan, folder: Path) -> None:
    entries = sorted([MARK, *(entry.name for entry in folder.iterdir())])
    document = {
        "version": "1",
        "generator": f"robotmcqa {__version__}",
        "to": to,
        "completion": plan.completion,
        "content": content_digest(dataset.manifest),
        "entries": entries,
    }
    (folder / MARK).write_text(json_text(document), "utf-8")
