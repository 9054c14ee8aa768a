"""Plots of a card as small SVG files: text, so the same counts are the same bytes everywhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from robotmcqa.card.facts import CELL, Facts
from robotmcqa.scene import ValidBox

__all__ = ["Plot", "plots"]

MOST_LABELS = 15


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: name of its file, what it shows (its caption and alternative text), the SVG."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled length. ``share`` of the longest (0 to 1), ``text`` after it."""

    label: str
    share: float
    text: str


def plots(facts: Facts, box: ValidBox, choices: int) -> list[Plot]:
    """Every plot that the rows have something for.

    Args:
        facts: counted over the rows.
        box: valid box of the scene, drawn on the map.
        choices: options per question.
    """
    counts = facts.statistics.document()
    made = [_keyframes(facts)]
    if counts["families"].get("waypoint"):
        caption = "Waypoint questions by the distance from the current position to the answer"
        made.append(_bars("distances", caption, {"": counts["waypoint_distance"]}))
    if counts["motions"]:
        labels = list(counts["motions"].items())
        some = f", the {MOST_LABELS} most frequent of {len(labels)}"
        caption = f"Motion labels{some if len(labels) > MOST_LABELS else ''}"
        total = sum(counts["motions"].values())
        made.append(_bars("motions", caption, {"": dict(labels[:MOST_LABELS])}, total=total))
    if counts["letters"]:
        caption = f"Right letters by family; the line is what chance gives (1 in {choices})"
        made.append(_bars("letters", caption, counts["letters"], line=1 / choices))
    made.append(_positions(facts, box))
    return made


def _bars(
    name: str,
    caption: str,
    groups: Mapping[str, Mapping[str, int]],
    line: float | None = None,
    total: int | None = None,
) -> Plot:
    """Counts in groups, with their share of ``total`` (by default all that the group shows).

    ``line`` marks such a share.
    """
    drawn = []
    for title, counts in groups.items():
        whole = total or sum(counts.values()) or 1
        most = max(counts.values(), default=0) or 1
        bars = [
            Bar(label, count / most, f"{count} ({100 * count / whole:.0f} %)")
            for label, count in counts.items()
        ]
        # A line beyond the longest bar would fall outside the picture.
        place = min(line * whole / most, 1.0) if line is not None else None
        drawn.append({"title": title, "bars": bars, "line": place})
    return Plot(name, caption, _render("bars.svg.jinja", caption=caption, groups=drawn))


def _keyframes(facts: Facts) -> Plot:
    """Mean number per demonstration, with the range."""
    means = {}
    for task, counts in sorted(facts.keyframes.items()):
        total = sum(number * demos for number, demos in counts.items())
        means[task] = (total / counts.total(), min(counts), max(counts))
    most = max(mean for mean, _, _ in means.values())
    bars = [
        Bar(
            task, mean / most, f"{mean:.1f}" + (f" ({low} to {high})" if low < high else " in each")
        )
        for task, (mean, low, high) in means.items()
    ]
    caption = "Keyframes asked about per demonstration: mean, least and most"
    groups = [{"title": "", "bars": bars, "line": None}]
    return Plot("keyframes", caption, _render("bars.svg.jinja", caption=caption, groups=groups))


def _positions(facts: Facts, box: ValidBox) -> Plot:
    """From above as the front camera sees it (right is +y, down is +x), and from the side."""
    extent = facts.extent(box)
    sides = ((box.x, box.y, box.z), extent)
    views = [
        _view("from above: right is +y, down is +x", facts, sides, (1, 1), (0, 1)),
        _view("from the side: right is +x, up is +z", facts, sides, (0, 1), (2, -1)),
    ]
    caption = (
        "Where the gripper is when a question is asked (squares), and where it goes next "
        "(circles); the frame is the valid box"
    )
    return Plot("positions", caption, _render("map.svg.jinja", caption=caption, views=views))


_SCALE = 280
"""Pixels per metre."""


def _view(
    title: str,
    facts: Facts,
    sides: tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]],
    across: tuple[int, int],
    down: tuple[int, int],
) -> dict[str, Any]:
    """A map: two axes of the world (number, direction) onto pixels."""
    box, extent = sides

    def pixels(axis: tuple[int, int], metres: float) -> float:
        low, high = extent[axis[0]]
        return round(_SCALE * (metres - low if axis[1] > 0 else high - metres), 1)

    def marks(cells: Mapping[tuple[int, int, int], int]) -> list[dict[str, float]]:
        flat: Counter[tuple[int, int]] = Counter()
        for cell, count in cells.items():
            flat[cell[across[0]], cell[down[0]]] += count
        most = max(flat.values())
        return [
            {
                "x": pixels(across, (i + 0.5) * CELL),
                "y": pixels(down, (j + 0.5) * CELL),
                "weight": round(0.2 + 0.8 * math.log1p(count) / math.log1p(most), 2),
            }
            for (i, j), count in sorted(flat.items())
        ]

    corners = [[pixels(axis, value / 1000) for value in box[axis[0]]] for axis in (across, down)]
    (left, right), (top, bottom) = map(sorted, corners)
    return {
        "title": title,
        "cell": round(_SCALE * CELL, 1),
        "width": round(_SCALE * (extent[across[0]][1] - extent[across[0]][0]), 1),
        "height": round(_SCALE * (extent[down[0]][1] - extent[down[0]][0]), 1),
        "box": (left, top, round(right - left, 1), round(bottom - top, 1)),
        "states": marks(facts.states),
        "targets": marks(facts.targets),
    }


def _render(template: str, **values: Any) -> str:
    return _template(template).render(**values) + "\n"


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("robotmcqa.cards").joinpath(name).read_text("utf-8"))
