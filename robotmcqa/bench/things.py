"""What a person calls the things on the table, task by task.

The simulator names bodies (``other_1``); a question needs words (``the blue block``). Only the ten
tasks of the benchmark stand here: another task joins by an entry in :data:`TASKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COLOUR", "IN", "OUT", "PLAIN", "TASKS", "TWINS", "BenchTask", "Thing"]

COLOUR = "{colour}"
"""Stands in a name for the colour that the episode painted the thing with."""

PLAIN = (
    *("red", "green", "blue", "yellow", "orange", "purple", "black", "white", "cyan", "magenta"),
)
"""Colours that people tell apart and name alike. An episode with others is not asked about."""

TWINS = ({"purple", "magenta"}, {"blue", "cyan"}, {"red", "orange"}, {"red", "magenta"})
"""Plain colours that one glance may still confuse: never together in a picture."""

_TABLE = "the table"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be asked about.

    Attributes:
        name: in words, with :data:`COLOUR` where an episode decides it.
        bodies: of the simulator that belong to it; the first one tells where it is.
        centre: of the thing in the frame of that body, metres.
        rests_on: what it stands or lies on at the start; "" where nobody would ask.
        kind: plural for "which of the cups"; "" where it is the only one of its kind.
        large: so much so that the picture may cut it off.
        asked: about; otherwise it only has to be in sight.
    """

    name: str
    bodies: tuple[str, ...]
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rests_on: str = ""
    kind: str = ""
    large: bool = False
    asked: bool = True


@dataclass(frozen=True, slots=True)
class BenchTask:
    """A task of the benchmark.

    Attributes:
        things: key -> what can be asked about.
        variations: to draw from; None for variation 0, which is what models are trained on.
        twins: keys of two things that look the same: they are called by the side they are on.
    """

    things: Mapping[str, Thing]
    variations: tuple[int, ...] = (0,)
    twins: tuple[str, ...] = ()


def _coloured(noun: str, kind: str, height: float, *bodies: str) -> dict[str, Thing]:
    return {
        body: Thing(f"the {COLOUR} {noun}", (body,), (0.0, 0.0, height), _TABLE, kind)
        for body in bodies
    }


_PAINTS = (0, 3, 4, 6, 7, 11, 13, 18, 19, 8)
"""Variations of the twenty colours whose colour is plain."""

IN: Mapping[str, BenchTask] = {
    "pick_up_cup": BenchTask(_coloured("cup", "cups", 0.07, "cup", "other_cup")),
    "push_button": BenchTask({"button": Thing("the button", ("base", "button"), (0.0, 0.0, 0.02))}),
    "put_rubbish_in_bin": BenchTask(
        {
            "bin": Thing("the wastepaper basket", ("bin",), (0.0, 0.0, 0.09), _TABLE),
            "rubbish": Thing("the crumpled paper", ("rubbish",), rests_on=_TABLE),
            "tomato_1": Thing("tomato", ("tomato_1",), (0.0, 0.0, 0.025), _TABLE),
            "tomato_2": Thing("tomato", ("tomato_2",), (0.0, 0.0, 0.025), _TABLE),
        },
        twins=("tomato_1", "tomato_2"),
    ),
    "phone_on_base": BenchTask(
        {
            "phone": Thing("the orange telephone", ("phone",), (0.0, 0.08, 0.04), _TABLE),
            "handset": Thing("the white handset", ("handset",), (0.0, 0.0, 0.04), _TABLE),
        }
    ),
    "take_lid_off_saucepan": BenchTask(
        {
            "saucepan": Thing("the saucepan", ("saucepan",), (0.0, 0.0, 0.03), _TABLE),
            "lid": Thing("the lid", ("lid",), (0.0, 0.0, 0.02), "the saucepan"),
        }
    ),
}
"""The paper's five: what a model is trained on."""

OUT: Mapping[str, BenchTask] = {
    "meat_off_grill": BenchTask(
        {
            "grill": Thing("the grill", ("grill",), (0.0, 0.0, 0.13)),
            "shelf": Thing("the wooden shelf", ("shelf",)),
            "chicken": Thing("the chicken", ("chicken",), (0.0, 0.0, 0.025), "the grill"),
            "steak": Thing("the steak", ("steak",), (0.0, 0.0, 0.012), "the grill"),
        },
        variations=(0, 1),
    ),
    "open_drawer": BenchTask(
        {
            "chest": Thing(
                "the chest of drawers", ("chest",), (0.0, 0.0, 0.28), _TABLE, large=True
            ),
            "drawers": Thing("the drawers", ("middle", "top", "bottom"), asked=False),
        },
        variations=(0, 1, 2),
    ),
    "pick_and_lift": BenchTask(
        {
            **_coloured("block", "blocks", 0.0, "block", "other_1", "other_2"),
            "ball": Thing("the pink ball", ("ball",)),
        },
        variations=_PAINTS,
    ),
    "place_shape_in_shape_sorter": BenchTask(
        {
            "sorter": Thing("the sorting box", ("sorter",), (0.0, 0.0, 0.05), _TABLE),
            **{
                shape: Thing(f"the {colour} {shape}", (shape,), (0.0, 0.0, 0.0), _TABLE, "shapes")
                for shape, colour in (
                    ("cube", "blue"),
                    ("cylinder", "red"),
                    ("triangular prism", "green"),
                    ("star", "turquoise"),
                    ("moon", "purple"),
                )
            },
        },
        variations=(0, 1, 2, 3, 4),
    ),
    "stack_cups": BenchTask(
        _coloured("cup", "cups", 0.055, "base", "cup_1", "cup_2"), variations=_PAINTS
    ),
}
"""Five that a model is not trained on: pulling, carrying, fitting, stacking, lifting."""

TASKS: Mapping[str, BenchTask] = {**IN, **OUT}
