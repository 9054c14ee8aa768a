"""The page of ``robotmcqa show``: sampled items with their pictures, and counts. One HTML file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from robotmcqa.dataset import Dataset
from robotmcqa.draws import Draws
from robotmcqa.errors import DatasetError
from robotmcqa.questions.prompts import LETTERS
from robotmcqa.scene import ValidBox
from robotmcqa.shards import find_rows
from robotmcqa.statistics import STATISTICS_COLUMNS, Statistics

__all__ = ["Filter", "Mark", "render_page", "sample", "survey"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items to show; None is any."""

    families: frozenset[str] | None = None
    tasks: frozenset[str] | None = None
    split: str | None = None

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is one of them."""
        return (self.families is None or row["family"] in self.families) and (
            self.tasks is None or row["task"] in self.tasks
        )


def survey(dataset: Dataset, wanted: Filter) -> tuple[Statistics, int]:
    """Counts over the wanted rows, and how many they are. Pictures are not read."""
    statistics = Statistics()
    total = 0
    for row in dataset.rows(wanted.split, columns=STATISTICS_COLUMNS):
        if wanted.takes(row):
            statistics.add(row)
            total += 1
    if not total:
        raise DatasetError(
            f"{dataset.path}: no such items",
            f"families: {', '.join(dataset.manifest['spec']['families'])}; "
            f"tasks: {', '.join(sorted(dataset.manifest['items']))}",
        )
    return statistics, total


def sample(
    dataset: Dataset, wanted: Filter, total: int, count: int, seed: int
) -> list[dict[str, Any]]:
    """``count`` whole rows drawn from the ``total`` wanted ones, in the order of the data set."""
    places = Draws("show", seed).without_replacement(range(total))
    chosen = {place for _, place in zip(range(count), places, strict=False)}
    rows = dataset.rows(wanted.split, columns=("id", "family", "task"))
    taken = (row["id"] for row in rows if wanted.takes(row))
    ids = {name for place, name in enumerate(taken) if place in chosen}
    return [
        row
        for shard in dataset.shards(wanted.split)
        for row in find_rows(dataset.path / shard["path"], ids)
    ]


@dataclass(frozen=True, slots=True)
class Mark:
    """A position to draw: metres, what it is (state, target, distractor), its letter if any."""

    position: tuple[float, float, float]
    kind: str
    letter: str = ""


def _marks(row: Mapping[str, Any]) -> list[Mark]:
    """Distractors first, so that state and target are drawn over them."""
    asked = "state" if row["family"] == "current_state" else "target"
    wrong = [letter for letter, _ in _options(row) if letter != row["answer"]]
    marks = [
        Mark(_xyz(point), "distractor", letter)
        for point, letter in zip(row["distractors"], wrong, strict=False)
    ]
    for kind in ("state", "target"):
        letter = row["answer"] if row["distractors"] and kind == asked else ""
        marks.append(Mark(_xyz(row[kind]), kind, letter))
    return marks


def _options(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(zip(LETTERS, row["options"], strict=False))


def _xyz(numbers: Iterable[float]) -> tuple[float, float, float]:
    x, y, z = list(numbers)[:3]
    return (x, y, z)


@dataclass(frozen=True, slots=True)
class View:
    """A map of the workspace: two axes of the world onto pixels.

    Attributes:
        title: what is seen.
        across, down: (axis number, direction) that run to the right and downwards.
        box: valid box, mm.
        scale: pixels per metre.
    """

    title: str
    across: tuple[int, int]
    down: tuple[int, int]
    box: ValidBox
    scale: float = 190.0

    MARGIN = 18.0

    def _span(self, axis: int) -> tuple[float, float]:
        low, high = (self.box.x, self.box.y, self.box.z)[axis]
        return (low / 1000, high / 1000)

    def _along(self, axis_direction: tuple[int, int], value: float) -> float:
        axis, direction = axis_direction
        low, high = self._span(axis)
        return self.MARGIN + self.scale * (value - low if direction > 0 else high - value)

    @property
    def width(self) -> float:
        """Pixels."""
        low, high = self._span(self.across[0])
        return 2 * self.MARGIN + self.scale * (high - low)

    @property
    def height(self) -> float:
        """Pixels."""
        low, high = self._span(self.down[0])
        return 2 * self.MARGIN + self.scale * (high - low)

    def at(self, mark: Mark) -> tuple[float, float]:
        """Pixel position, kept inside the map."""
        x = self._along(self.across, mark.position[self.across[0]])
        y = self._along(self.down, mark.position[self.down[0]])
        return (round(min(max(x, 6), self.width - 6), 1), round(min(max(y, 6), self.height - 6), 1))


def _views(box: ValidBox) -> tuple[View, View]:
    """From above as the front camera sees it (+x towards the reader), and from the side."""
    return (
        View("from above: right is +y, down is +x", (1, 1), (0, 1), box),
        View("from the side: right is +x, up is +z", (0, 1), (2, -1), box),
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files("robotmcqa.cards").joinpath("show.html.jinja").read_text("utf-8")
    return environment.from_string(text)


def render_page(
    dataset: Dataset, statistics: Statistics, rows: list[dict[str, Any]], total: int
) -> str:
    """The whole page.

    Args:
        dataset: it is about.
        statistics: counts over all wanted rows.
        rows: the sampled rows, with pictures.
        total: wanted rows in all.
    """
    return _template().render(
        name=Path(dataset.path).resolve().name,
        manifest=dataset.manifest,
        provenance=dataset.provenance,
        statistics=statistics.document(),
        total=total,
        views=_views(dataset.scene.valid_box),
        items=[
            {
                "row": row,
                "options": _options(row),
                "marks": _marks(row),
                "images": [
                    (camera, _data_url(image["bytes"]))
                    for camera, image in zip(row["cameras"], row["images"], strict=False)
                ],
            }
            for row in rows
        ],
    )


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
