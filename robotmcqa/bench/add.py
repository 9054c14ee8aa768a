"""``bench add``: questions that people have written join a benchmark, or start one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robotmcqa.bench.check import Problem, line_problems
from robotmcqa.bench.derived import account_of, write_derived
from robotmcqa.bench.record import QUESTIONS, Row, write_rows
from robotmcqa.errors import DataError
from robotmcqa.files import write_bytes

__all__ = ["NotAdded", "add"]


class NotAdded(DataError):
    """Lines are wrong; nothing was added. ``problems`` names each."""

    def __init__(self, what: str, remedy: str, problems: Sequence[Problem]) -> None:
        super().__init__(what, remedy)
        self.problems = tuple(problems)


def add(folder: Path, paths: Sequence[Path]) -> list[Row]:
    """Add the lines of some files to a benchmark, all or none, and bring the rest up to date.

    Pictures are looked for beside the file first, then in the benchmark.

    Args:
        folder: of the benchmark; made where there is none.
        paths: of files of JSON lines. None: only what is derived is made anew.

    Returns:
        the rows that were added.

    Raises:
        NotAdded: a line is wrong, there or in the benchmark.
    """
    rows: list[Row] = []
    if (folder / QUESTIONS).is_file():
        rows, problems = line_problems(folder / QUESTIONS, folder)
        _refuse(problems, "the benchmark")
    elif not paths:
        raise DataError(f"{folder}: holds no benchmark", "name a file of questions to start one")
    added: list[Row] = []
    pictures: dict[str, bytes] = {}
    for path in paths:
        found = _pictures(path, folder)
        new, problems = line_problems(path, found, [*rows, *added])
        _refuse(problems, str(path))
        for row in new:
            pictures.update(_moved(row, found, folder))
            added.append({"source": "human", **row})
    for name, data in pictures.items():
        write_bytes(folder / name, data)
    write_rows(folder, [*rows, *added])
    write_derived(folder, account_of(folder).get("made", {}))
    return added


def _pictures(path: Path, folder: Path) -> Path:
    """The folder that a file's pictures are in: its own, or the benchmark's."""
    return path.parent if (path.parent / "images").is_dir() else folder


def _moved(row: Row, found: Path, folder: Path) -> dict[str, bytes]:
    """The picture of a row, if the benchmark does not have it yet."""
    name: Any = row["image"]
    data = (found / name).read_bytes()
    there = folder / name
    if there.is_file() and there.read_bytes() != data:
        raise NotAdded(
            f"{row['id']}: image: the benchmark has another picture {name}",
            "give the picture a name of its own; nothing was added",
            (),
        )
    return {} if there.is_file() else {name: data}


def _refuse(problems: Sequence[Problem], where: str) -> None:
    if problems:
        raise NotAdded(
            f"{len(problems)} thing{'s are' if len(problems) > 1 else ' is'} wrong in {where}; "
            "nothing was added",
            problems[0].remedy,
            problems,
        )
