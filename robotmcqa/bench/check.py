"""``bench validate``: every line, every picture, and whether evidence and answer agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from robotmcqa.bench.derived import stale
from robotmcqa.bench.evidence import evidence_problem
from robotmcqa.bench.record import IMAGES, QUESTIONS, Row, parsed_lines, row_problem
from robotmcqa.png import png_problem

__all__ = ["Problem", "check", "line_problems", "report_document"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: where, what with which field, and what to do about it."""

    where: str
    what: str
    remedy: str

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {"where": self.where, "what": self.what, "remedy": self.remedy}


def check(folder: Path) -> tuple[list[Row], list[Problem]]:
    """The rows that are right in form, and everything that is wrong.

    Raises:
        DatasetError: there are no questions at all.
    """
    rows, problems = line_problems(folder / QUESTIONS, folder)
    used = {row["image"] for row in rows}
    for picture in sorted((folder / IMAGES).glob("*")):
        name = f"{IMAGES}/{picture.name}"
        if name not in used and not problems:
            problems.append(Problem(name, "no question is about it", "remove it, or ask about it"))
    again = f"robotmcqa bench add --to {folder}"
    problems += [Problem(name, what, f"{again} makes it anew") for name, what in stale(folder)]
    return rows, problems


def line_problems(
    path: Path, pictures: Path, others: Sequence[Row] = ()
) -> tuple[list[Row], list[Problem]]:
    """The rows of a file that are right in form, and what is wrong with any line.

    Args:
        path: of the JSON lines.
        pictures: folder that the pictures are named relative to.
        others: rows that are there already, whose names are taken.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    names = {row["id"]: "the benchmark" for row in others}
    asked = {(row["image"], row["question"]): row["id"] for row in others}
    seen: dict[str, str | None] = {}
    for number, row, unread in parsed_lines(path):
        where = f"{path.name} line {number}"
        wrong = unread or row_problem(row)
        if row is None or wrong:
            named = f" ({row['id']})" if isinstance(row, dict) and "id" in row else ""
            problems.append(Problem(where + named, wrong or "", _remedy(wrong or "")))
            continue
        where += f" ({row['id']})"
        for what, remedy in _meaning(row, pictures, names, asked, seen):
            problems.append(Problem(where, what, remedy))
        names.setdefault(row["id"], f"line {number}")
        asked.setdefault((row["image"], row["question"]), row["id"])
        rows.append(row)
    if not rows and not problems:
        problems.append(Problem(path.name, "holds no question", "one JSON object a line"))
    return rows, problems


def _remedy(wrong: str) -> str:
    if wrong.startswith("not JSON"):
        return "one JSON object a line, strings in double quotes"
    if "additional properties" in wrong.lower():
        return "remove the field; docs/bench.md lists those that there are"
    return "docs/bench.md shows a line; schemas/v1/bench_question.schema.json has every field"


def _meaning(
    row: Row,
    pictures: Path,
    names: Mapping[str, str],
    asked: Mapping[tuple[str, str], str],
    seen: dict[str, str | None],
) -> Iterator[tuple[str, str]]:
    """What is wrong with a row whose form is right, with the remedy."""
    if row["id"] in names:
        yield f"id: {row['id']} is taken by {names[row['id']]}", "give it a name of its own"
    twin = asked.get((row["image"], row["question"]))
    if twin:
        yield f"question: {twin} asks the same about the same picture", "remove one of them"
    name = row["image"]
    if name not in seen:
        seen[name] = _picture_problem(pictures / name)
    if seen[name]:
        yield f"image: {name}: {seen[name]}", f"put a PNG file at {pictures / name}"
    wrong = evidence_problem(row)
    if wrong:
        yield f"evidence: {wrong}", "correct the answer or the evidence, or leave evidence out"


def _picture_problem(path: Path) -> str | None:
    from PIL import Image

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "no such file"
    problem = png_problem(data)
    if problem:
        return problem
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            image.load()
            width, height = image.size
    except (OSError, SyntaxError, ValueError) as error:
        return f"broken PNG ({error})"
    return None if min(width, height) >= 32 else f"{width} x {height} pixels are too few"


def report_document(rows: Sequence[Row], problems: Sequence[Problem]) -> dict[str, Any]:
    """As JSON."""
    return {"questions": len(rows), "problems": [problem.document() for problem in problems]}
