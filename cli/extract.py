"""``robotmcqa extract``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .extract_report import report
from .place import DEFAULT_OUT
from .sizes import bytes_of
from .source import (
    EPISODE_TIMEOUT,
    MAPPING_HELP,
    RENDERER,
    RETRIES,
    cameras_of,
    opened,
    scene_of,
    selection,
)
from .source import HELP as SOURCE_HELP

if TYPE_CHECKING:
    from robotmcqa.engines import Engine
    from robotmcqa.spec import Spec


def extract(
    task: Annotated[
        list[str] | None, typer.Option(help="Task name, repeatable, or 'all'. [default: all]")
    ] = None,
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = "auto",
    mapping: Annotated[str | None, typer.Option(help=MAPPING_HELP)] = None,
    variation: Annotated[str, typer.Option(help="One variation number, or 'all'.")] = "all",
    episodes: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many demos per task. [default: all saved ones, 10 simulated]"
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=16, max=4096, help="Width and height of simulated pictures. [default: 224]"
        ),
    ] = None,
    shadows: Annotated[
        bool, typer.Option("--shadows", help="Draw shadows in simulated pictures.")
    ] = False,
    renderer: RENDERER = None,
    episode_timeout: EPISODE_TIMEOUT = None,
    retries: RETRIES = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Camera name, repeatable. [default: front, or the only or first one]"),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Questions without pictures.")] = (
        False
    ),
    preset: Annotated[
        Literal["paper", "grounded"],
        typer.Option(
            help="paper: as Robot-R1 describes it. grounded: questions exchange their answers "
            "and the position is withheld, so that the picture counts. Single options override it."
        ),
    ] = "paper",
    family: Annotated[
        list[str] | None,
        typer.Option(help="waypoint, current_state or motion, repeatable. [default: all]"),
    ] = None,
    format: Annotated[
        Literal["choice", "open"],
        typer.Option(help="Lettered options, or open-ended questions with a target."),
    ] = "choice",
    choices: Annotated[int, typer.Option(min=2, max=8, help="Options per question.")] = 4,
    distractors: Annotated[
        Literal["auto", "uniform", "near", "level", "matched", "swapped"] | None,
        typer.Option(help="Where wrong positions come from. [default: the preset's]"),
    ] = None,
    state: Annotated[
        Literal["shown", "withheld"] | None,
        typer.Option(help="Current position in waypoint prompts. [default: the preset's]"),
    ] = None,
    motion_state: Annotated[
        Literal["shown", "withheld"], typer.Option(help="Current position in motion prompts.")
    ] = "withheld",
    min_displacement: Annotated[
        float, typer.Option(min=0, max=100, help="Leave out movements shorter than this (m).")
    ] = 0.0,
    separation: Annotated[
        float, typer.Option(min=0, max=100, help="Least distance between two options (m).")
    ] = 0.05,
    dead_band: Annotated[
        float,
        typer.Option(min=0, max=100, help="Changes up to this are no movement (m)."),
    ] = 0.0,
    stride: Annotated[int, typer.Option(min=1, help="Ask about every N-th frame.")] = 10,
    keyframes: Annotated[
        str,
        typer.Option(
            help="arm, rest, gripper-only, every-K (every-10), or your own module:function."
        ),
    ] = "arm",
    metadata: Annotated[
        Path | None,
        typer.Option(help="Your scene's metadata (JSON). [default: RLBench's, or the mapping's]"),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(metavar="FAMILY=FILE", help="Your own prompt template (Jinja), repeatable."),
    ] = None,
    test_fraction: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of demos in the test split, about.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of all draws, those of a simulator too.")] = 0,
    out: Annotated[
        str, typer.Option(help="Folder of the data set, or a URL such as s3://bucket/name.")
    ] = str(DEFAULT_OUT),
    config: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write to OUT/NAME, a config of several that are pushed as one.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. [default: by cores and work]")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="What runs the workers: this machine, or a Ray cluster."),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="auto, HOST:PORT or ray://HOST:PORT. [default: a Ray of this run's own]",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with an interrupted run; make live demos that failed again."
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the data set in --out once done.")
    ] = False,
    append: Annotated[
        bool,
        typer.Option("--append", help="Add demos to the data set in --out; its shards stay."),
    ] = False,
    shard_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Pictures in a shard, about, e.g. 500MB. [default: 64MiB]"
        ),
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option(min=0, help="Give up when more demos fail. [default: never]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Make a data set of questions from demonstrations.

    \b
    Examples:
      robotmcqa extract --task reach_target
      robotmcqa extract --task open_drawer --camera wrist --episodes 50 --preset grounded
      robotmcqa extract --source rlbench-live --task open_drawer --workers 4
      robotmcqa extract --source rlbench:/data/demos
      robotmcqa extract --source rlbench:/data/demos --preset grounded --out grounded --workers 4
      robotmcqa extract --source rlbench:/data/demos --format open --family waypoint
      robotmcqa extract --source rlbench:/data/more --append
      robotmcqa extract --source lerobot:/data/libero --keyframes rest
      robotmcqa extract --source lerobot:/data/mine --mapping mine.yaml --metadata lab.json
      robotmcqa extract --task all --engine ray --out s3://bucket/name --resume
      robotmcqa extract --preset paper --config paper --out both
      robotmcqa extract --preset grounded --config grounded --out both
    """
    from robotmcqa.card.presentation import present_collection
    from robotmcqa.collection import place_of
    from robotmcqa.errors import ExtractionFailed
    from robotmcqa.extraction import extract as run
    from robotmcqa.places import answering, located
    from robotmcqa.sources import SourceOptions
    from robotmcqa.sources.live_options import LiveOptions
    from robotmcqa.spec import preset as spec_of

    from . import output
    from .progress import Bars

    live = LiveOptions(renderer, episode_timeout, retries)
    options = SourceOptions(seed, image_size, shadows, live, mapping)
    found = opened(source, options, pictures=not no_images)
    if ":" in keyframes:
        sys.path.insert(0, "")  # a rule of the user's own may lie in the current folder
    overrides = {
        "families": tuple(family) if family else None,
        "format": format,
        "choices": choices,
        "distractors": distractors,
        "state": state,
        "motion_state": motion_state,
        "min_displacement": round(min_displacement * 1000),
        "separation": round(separation * 1000),
        "dead_band": round(dead_band * 1000),
        "stride": stride,
        "keyframes": keyframes,
        "cameras": () if no_images else cameras_of(camera, found),
        "seed": seed,
        "test_fraction": test_fraction,
        "scene": scene_of(metadata, found),
        "templates": _templates(template or []),
    }
    given = {name: value for name, value in overrides.items() if value is not None}
    spec: Spec = spec_of(preset, **given)
    where = located(out)
    with answering(where):
        place = place_of(where, config)
    with _engine(engine, ray_address, workers) as chosen, Bars() as bars:
        try:
            summary = run(
                found,
                spec,
                place,
                selection(task or [], variation, episodes),
                engine=chosen,
                workers=workers,
                resume=resume,
                overwrite=overwrite,
                append=append,
                shard_bytes=bytes_of(shard_size) if shard_size else None,
                max_failures=max_failures,
                listener=bars,
            )
        except ExtractionFailed as error:
            if json:
                output.result({"error": error.what, "failures": error.failures})
            raise
        except KeyboardInterrupt:
            output.hint("interrupted; the same command with --resume goes on from here")
            raise
    if config:
        with answering(where):
            present_collection(where)
    report(summary, json, where)


@contextmanager
def _engine(name: str, address: str | None, workers: int | None) -> Iterator[Engine]:
    """What runs the workers; where it is not this machine alone, say what it is."""
    from robotmcqa.engines import open_engine

    from . import output

    if name != "local":
        output.hint("waiting for Ray, which takes some seconds")
    with open_engine(name, address, workers) as engine:
        if name != "local":
            output.hint(f"engine: {engine}")
        yield engine


def _templates(pairs: list[str]) -> dict[str, str]:
    from robotmcqa.errors import TemplateError, UsageError
    from robotmcqa.spec import FAMILY_NAMES

    templates = {}
    for pair in pairs:
        family, equals, file = pair.partition("=")
        if not equals or family not in FAMILY_NAMES:
            raise UsageError(
                f"--template {pair}",
                f"--template takes FAMILY=FILE; families are {', '.join(FAMILY_NAMES)}",
            )
        try:
            templates[family] = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TemplateError(f"{file}: {reason}", "--template takes FAMILY=FILE") from None
    return templates
