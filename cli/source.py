"""What the verbs that take ``--source`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import output

if TYPE_CHECKING:
    from robotmcqa.scene import SceneMetadata
    from robotmcqa.sources import DemoSource, Selection, SourceOptions

HELP = (
    "sim: the embedded simulator. rlbench:DIR: saved RLBench demos. lerobot:DIR or "
    "lerobot:hf://org/name@revision: a LeRobot data set. rlbench-live: RLBench itself. "
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


def scene_of(metadata: Path | None, source: DemoSource) -> SceneMetadata | None:
    """The user's scene, or the one that the source's mapping brings; None for RLBench's.

    Raises:
        SceneError: the user's is wrong.
        UsageError: the source's mapping leaves open which it is.
    """
    from robotmcqa.errors import UsageError
    from robotmcqa.scene import load_scene
    from robotmcqa.sources import Mapped

    if metadata is not None:
        return load_scene(metadata)
    if not isinstance(source, Mapped):
        return None
    if source.scene is None:
        raise UsageError(
            "the mapping does not say in which scene the robot stands, and prompts describe it",
            "--metadata FILE (docs/scene-metadata.md), or 'scene: rlbench' in the mapping",
        )
    return source.scene


def cameras_of(named: list[str] | None, source: DemoSource) -> tuple[str, ...] | None:
    """What ``--camera`` names; of a source whose cameras have other names than RLBench's, one."""
    from robotmcqa.sources import Mapped
    from robotmcqa.spec import Spec

    if named:
        return tuple(named)
    usual = Spec().cameras
    if not isinstance(source, Mapped) or set(usual) <= set(source.cameras) or not source.cameras:
        return None
    output.hint(f"camera: {source.cameras[0]} (--camera takes {', '.join(source.cameras)})")
    return source.cameras[:1]
