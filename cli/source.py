"""What the verbs that take ``--source`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    from robotmcqa.sources import DemoSource, Selection, SourceOptions

HELP = (
    "sim: the embedded simulator. rlbench:DIR: saved RLBench demos. lerobot:DIR or "
    "lerobot:hf://org/name@revision: a LeRobot data set. auto: a simulator."
)

MAPPING_HELP = (
    "With lerobot: which columns are what; a YAML file, or a preset such as droid. "
    "[default: the preset that fits]"
)


def opened(
    text: str, options: SourceOptions | None = None, *, pictures: bool = False
) -> DemoSource:
    """Open what ``--source`` names; where that is ``auto``, say what it stands for and why.

    Where ``pictures`` are to be drawn, say by what; where columns are mapped, say how.

    Raises:
        UsageError: no such source, or it does not take these options.
        SourceError: the source does not exist or cannot be read.
    """
    from robotmcqa.sources import Mapped, Simulated, SourceOptions, choose_auto, open_source

    if text == "auto":
        text, why = choose_auto()
        output.hint(f"source: {text} ({why})")
    source = open_source(text, options or SourceOptions())
    if pictures and isinstance(source, Simulated):
        output.hint(f"pictures: drawn by {source.drawn_by()}")
    if isinstance(source, Mapped):
        output.hint(f"mapping: {source.mapped_by()}")
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
