"""``bench build``: pictures, questions, and everything that is derived from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robotmcqa.bench.derived import write_derived
from robotmcqa.bench.questions import Asked, rows_of
from robotmcqa.bench.record import IMAGES, QUESTIONS, Row, write_rows
from robotmcqa.bench.scenes import shots
from robotmcqa.bench.things import TASKS
from robotmcqa.draws import Draws
from robotmcqa.errors import UsageError
from robotmcqa.files import write_bytes

__all__ = ["PICTURES", "SPATIAL", "build"]

PICTURES = 5
"""Of each task, as in the paper."""

SPATIAL = 65
"""Spatial questions in all: one or two on each picture."""


def build(
    out: Path,
    *,
    seed: int = 0,
    size: int = 224,
    overwrite: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Build the benchmark in a folder of its own; the same arguments make the same bytes.

    Args:
        out: where; it must not exist, or hold a benchmark that may go.
        seed: of the scenes and the words.
        size: width and height of the pictures, pixels.
        overwrite: a benchmark that lies there is replaced once the new one is whole.
        advance: called after each picture.

    Raises:
        UsageError: something else lies there.
        DemoError: the simulator finds no scenes that will do.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / QUESTIONS).is_file():
            raise UsageError(f"{out}: holds something that is no benchmark", "give another --out")
        if not overwrite:
            raise UsageError(
                f"{out}: a benchmark lies here already",
                "--overwrite replaces it, questions of your own included; or give another --out",
            )
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        rows = _fill(unfinished, seed, size, advance)
        if out.exists():
            shutil.rmtree(out)
        os.replace(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def _fill(folder: Path, seed: int, size: int, advance: Callable[[], None]) -> list[Row]:
    rows: list[dict[str, Any]] = []
    asked = Asked()
    for place, task in enumerate(TASKS):
        for number in range(PICTURES):
            wanted = spatial_of(place * PICTURES + number)
            made = _one(folder, task, number, wanted, asked, seed, size)
            rows.extend(made)
            advance()
    write_rows(folder, rows)
    write_derived(folder, {"seed": seed, "image_size": size})
    return list(rows)


def _one(
    folder: Path, task: str, number: int, wanted: int, asked: Asked, seed: int, size: int
) -> list[dict[str, Any]]:
    """One picture and its rows."""
    for shot in shots(task, number, PICTURES, seed, size):
        view = shot.view
        draws = Draws("robotmcqa.bench", seed, view.episode, view.frame, "facts")
        chosen = asked.choose(view, wanted, draws)
        if chosen is None:
            continue
        asked.note(chosen)
        rows = rows_of(view, number + 1, chosen, seed)
        write_bytes(folder / IMAGES / f"{task}-{number + 1}.png", shot.picture)
        return rows
    raise AssertionError("shots() either yields or raises")


def spatial_of(picture: int) -> int:
    """How many spatial questions the picture of that number gets: spread evenly."""
    pictures = len(TASKS) * PICTURES
    return (picture + 1) * SPATIAL // pictures - picture * SPATIAL // pictures
