"""``robotmcqa record``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .place import local
from .source import EPISODE_TIMEOUT, RENDERER, RETRIES, opened, selection

if TYPE_CHECKING:
    from robotmcqa.recording import Recording
    from robotmcqa.sources import DemoSource

DEFAULT_OUT = Path("robotmcqa-demos")


def record(
    task: Annotated[
        list[str] | None, typer.Option(help="Task name, repeatable, or 'all'. [default: all]")
    ] = None,
    source: Annotated[
        str,
        typer.Option(help="sim: the embedded simulator. rlbench-live: RLBench's. auto: either."),
    ] = "auto",
    variation: Annotated[str, typer.Option(help="One variation number, or 'all'.")] = "all",
    episodes: Annotated[
        int | None, typer.Option(min=1, help="So many demos per task. [default: 10]")
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Camera name, repeatable, or 'all'. [default: front]"),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="States without pictures.")] = (
        False
    ),
    image_size: Annotated[
        int | None,
        typer.Option(min=16, max=4096, help="Width and height of pictures. [default: 224]"),
    ] = None,
    shadows: Annotated[bool, typer.Option("--shadows", help="Draw shadows.")] = False,
    renderer: RENDERER = None,
    episode_timeout: EPISODE_TIMEOUT = None,
    retries: RETRIES = None,
    depth: Annotated[bool, typer.Option("--depth", help="Depth pictures too.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Segmentation masks too.")] = False,
    layout: Annotated[
        Literal["variations", "all_variations"],
        typer.Option(help="A folder for each variation, as RLBench saves, or one for all."),
    ] = "variations",
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    out: Annotated[str, typer.Option(help="Folder of the demos.")] = str(DEFAULT_OUT),
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. [default: by cores and work]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Make demonstrations and save them as RLBench saves its own.

    Episodes that lie in --out already are kept: the same command again goes on after an
    interruption, and a larger --episodes adds to them.

    \b
    Examples:
      robotmcqa record --task reach_target --episodes 5
      robotmcqa record --task open_drawer --camera all --depth --mask --image-size 128
      robotmcqa record --source rlbench-live --task open_drawer --camera all
      robotmcqa record --task all --layout all_variations --out demos --workers 4
    """
    from robotmcqa.recording import record as run
    from robotmcqa.recording import saved_already
    from robotmcqa.sources import SourceOptions, reproducible
    from robotmcqa.sources.live_options import LiveOptions

    from . import output
    from .progress import Bars

    live = LiveOptions(renderer, episode_timeout, retries, depth, mask)
    if source.startswith("lerobot:"):
        raise saved_already("lerobot")  # it would first be asked for a mapping
    found = opened(source, SourceOptions(seed, image_size, shadows, live), pictures=not no_images)
    with Bars() as bars:
        try:
            made = run(
                found,
                local(out),
                selection(task or [], variation, episodes),
                cameras=() if no_images else _cameras(camera or ["front"], found),
                layout=layout,
                depth=depth,
                mask=mask,
                workers=workers,
                listener=bars,
            )
        except KeyboardInterrupt:
            output.hint("interrupted; the same command goes on from here")
            raise
    _report(made, json, reproducible(found))


def _cameras(names: list[str], source: DemoSource) -> tuple[str, ...]:
    from robotmcqa.sources import Simulated

    if "all" in names and isinstance(source, Simulated):
        return source.cameras
    return tuple(dict.fromkeys(names))


def _report(made: Recording, as_json: bool, reproducible: bool) -> None:
    from . import output

    output.failures(made.failures)
    if as_json:
        output.result(
            {
                "out": str(made.out),
                "written": dict(sorted(made.written.items())),
                "kept": dict(sorted(made.kept.items())),
                "reproducible": reproducible,
                "failures": list(made.failures),
                "seconds": round(made.seconds, 3),
            }
        )
    else:
        output.table(
            "Demos",
            ["task", "written", "kept"],
            [
                [task, made.written.get(task, 0), made.kept.get(task, 0)]
                for task in sorted({*made.written, *made.kept})
            ],
        )
        typer.echo(f"Failed demos: {len(made.failures)}")
        if not reproducible:
            typer.echo(
                "Live demos: recorded, not reproducible; no command makes the same ones again."
            )
    if made.failures and not reproducible:
        output.hint("The same command makes the demos that failed again and keeps the rest.")
    output.hint(f"Recorded into {made.out} in {made.seconds:.1f} s.")
    output.hint(f"Next:\n  robotmcqa extract --source {shlex.quote(f'rlbench:{made.out}')}")
