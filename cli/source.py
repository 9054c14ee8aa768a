"""What the verbs that take ``--source`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import output

if TYPE_CHECKING:
    from robotmcqa.sources import DemoSource, Selection, SourceOptions

HELP = (
    "sim: the embedded simulator. rlbench:DIR: saved RLBench demos. rlbench-live: RLBench itself. "
    "auto: live RLBench where it is installed, else sim."
)

RENDERER = Annotated[
    Literal["opengl", "opengl3"] | None,
    typer.Option(help="Of live RLBench: opengl is fast, opengl3 draws shadows. [default: opengl]"),
]
EPISODE_TIMEOUT = Annotated[
    float | None,
    typer.Option(
        min=1, help="Seconds until a live episode counts as hung. [default: 300]", metavar="S"
    ),
]
RETRIES = Annotated[
    int | None,
    typer.Option(min=0, help="How often a failed live episode is tried again. [default: 2]"),
]


def opened(
    text: str, options: SourceOptions | None = None, *, pictures: bool = False
) -> DemoSource:
    """Open what ``--source`` names; where that is ``auto``, say what it stands for and why.

    Where ``pictures`` are to be drawn, say by what.

    Raises:
        UsageError: no such source, or it does not take these options.
        SourceError: the source does not exist or cannot be read.
    """
    from robotmcqa.sources import Simulated, SourceOptions, choose_auto, open_source

    if text == "auto":
        text, why = choose_auto()
        output.hint(f"source: {text} ({why})")
    source = open_source(text, options or SourceOptions())
    if pictures and isinstance(source, Simulated):
        output.hint(f"pictures: drawn by {source.drawn_by()}")
    return source


def selection(tasks: list[str], variation: str, episodes: int | None) -> Selection:
    """What ``--task``, ``--variation`` and ``--episodes`` ask for.

    Raises:
        UsageError: the variation is no number.
    """
    from robotmcqa.errors import UsageError
    from robotmcqa.sources import Selection

    if variation != "all" and not variation.isdecimal():
        raise UsageError(f"--variation {variation}", "--variation takes a number or 'all'")
    return Selection(
        tasks=() if "all" in tasks else tuple(tasks),
        variation=None if variation == "all" else int(variation),
        episodes=episodes,
    )
