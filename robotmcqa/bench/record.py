"""A row of the benchmark: one open question about one picture, with its reference answer.

Rows lie in ``questions.jsonl``, one a line, in the order of the benchmark. People write rows of
the same form: ``id``, ``type``, ``image``, ``question`` and ``answer`` are all that they need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from robotmcqa.errors import DatasetError
from robotmcqa.files import write_text
from robotmcqa.schema import first_problem

__all__ = [
    "IMAGES",
    "QUESTIONS",
    "TYPES",
    "Row",
    "counts",
    "parsed_lines",
    "read_rows",
    "row_problem",
    "write_rows",
]

Row = Mapping[str, Any]

TYPES = ("planning", "high_level_action", "motion", "spatial")
"""In the order of the paper's table."""

QUESTIONS, IMAGES = "questions.jsonl", "images"

_ORDER = (
    *("id", "type", "group", "image", "question", "answer"),
    *("task", "variation", "episode", "frame", "source", "author", "evidence"),
)
"""Of the fields in a line: what an editor reads comes first."""


def row_problem(row: Any) -> str | None:
    """The first thing that is wrong with a row's form, with its field; None if nothing is."""
    return first_problem("bench_question", row)


def parsed_lines(path: Path) -> Iterator[tuple[int, Any | None, str]]:
    """Per line that is not empty: its number from 1, what it holds, and what is wrong with it.

    Raises:
        DatasetError: there is no such file, or it is not text.
    """
    try:
        # Not splitlines(): it also splits at characters that JSON may hold as they are.
        lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file", "robotmcqa bench build makes one") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 ({error})", "save it as UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line), ""
        except ValueError as error:
            yield number, None, f"not JSON: {error}"


def read_rows(folder: Path) -> list[Row]:
    """The rows of a benchmark.

    Raises:
        DatasetError: a line is no row.
    """
    rows: list[Row] = []
    for number, row, problem in parsed_lines(folder / QUESTIONS):
        wrong = problem or row_problem(row)
        if wrong:
            raise DatasetError(
                f"{folder / QUESTIONS}, line {number}: {wrong}",
                "robotmcqa bench validate names everything that is wrong",
            )
        rows.append(row or {})
    return rows


def write_rows(folder: Path, rows: Iterable[Row]) -> None:
    """Write them, fields in their order; the same rows are the same bytes."""
    write_text(folder / QUESTIONS, "".join(f"{_line(row)}\n" for row in rows))


def _line(row: Row) -> str:
    ordered = {field: row[field] for field in _ORDER if field in row}
    return json.dumps(ordered, ensure_ascii=False)


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Type -> number of questions."""
    return {kind: sum(row["type"] == kind for row in rows) for kind in TYPES}
