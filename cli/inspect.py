"""``robotmcqa inspect``."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .source import MAPPING_HELP, cameras_of, opened, scene_of, selection

if TYPE_CHECKING:
    from robotmcqa.inspection import Inspection, TaskView


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="As extract --source takes it, or a folder of demos of any kind."
        ),
    ],
    task: Annotated[
        list[str] | None, typer.Option(help="Task name, repeatable, or 'all'. [default: all]")
    ] = None,
    mapping: Annotated[str | None, typer.Option(help=MAPPING_HELP)] = None,
    variation: Annotated[str, typer.Option(help="One variation number, or 'all'.")] = "all",
    episodes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Look at so many demos per task, evenly spread. [default: 100 saved, 3 simulated]",
        ),
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="Check the pictures of this camera, repeatable. [default: front, or the first]"
        ),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Read no picture.")] = False,
    keyframes: Annotated[str, typer.Option(help="Keyframe rule, as extract takes it.")] = "arm",
    metadata: Annotated[
        Path | None,
        typer.Option(help="Your scene's metadata (JSON). [default: RLBench's, or the mapping's]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of a simulator's draws.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. [default: by cores and work]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is in a source of demos, and what is wrong with it.

    Nothing is written. A demo counts as usable when extract would take it under the same options;
    of each task as many are looked at as --episodes says. Exit code 3 when none is usable.

    \b
    Examples:
      robotmcqa inspect /data/demos
      robotmcqa inspect rlbench:/data/demos --task open_drawer --episodes 10
      robotmcqa inspect /data/droid --keyframes rest
      robotmcqa inspect /data/mine --mapping mine.yaml --metadata lab.json
      robotmcqa inspect sim --task reach_target
    """
    from robotmcqa.inspection import inspect as run
    from robotmcqa.recognition import recognised
    from robotmcqa.scene import scene_preset
    from robotmcqa.sources import Mapped, SourceOptions, check_cameras
    from robotmcqa.spec import Spec

    from . import output
    from .progress import Bars

    if ":" in keyframes:
        sys.path.insert(0, "")  # a rule of the user's own may lie in the current folder
    found = opened(recognised(source), SourceOptions(seed, mapping=mapping))
    chosen = () if no_images else cameras_of(camera, found)
    if camera and isinstance(found, Mapped):
        check_cameras(found, tuple(camera))
    spec = Spec(
        cameras=Spec().cameras if chosen is None else chosen,
        keyframes=keyframes,
        scene=scene_of(metadata, found) or scene_preset(),
    )
    with Bars() as bars:
        inspected = run(
            found,
            spec,
            selection(task or [], variation, episodes),
            workers=workers,
            listener=bars,
        )
    if json:
        output.result(inspected.document())
    else:
        _report(inspected)
    if not inspected.usable:
        raise typer.Exit(3)
    pictures = any(one.cameras for one in inspected.tasks.values())
    words = ["--source", inspected.source, *(() if pictures else ("--no-images",))]
    words += [word for name in task or () for word in ("--task", name)]
    words += [word for name in camera or () if pictures for word in ("--camera", name)]
    words += ["--variation", variation] if variation != "all" else []
    words += ["--keyframes", keyframes] if keyframes != "arm" else []
    words += ["--mapping", mapping] if mapping else []
    words += ["--metadata", str(metadata)] if metadata else []
    output.hint(f"Next:\n  robotmcqa extract {shlex.join(words)}")


def _report(found: Inspection) -> None:
    from robotmcqa.inspection import spread

    from . import output

    made_by = f", recorded by {found.recorded_by}" if found.recorded_by else ""
    typer.echo(f"{found.source}{made_by} (licence: {found.licence})")
    tasks = sorted(found.tasks.items())
    demos = [
        [
            name,
            output.ranges([str(number) for number in sorted(one.variations)]),
            "any number" if one.demos is None else one.demos,
            f"{one.usable} of {one.looked_at}",
            one.questions,
        ]
        for name, one in tasks
    ]
    header = ["task", "variations", "demos", "usable", "questions"]
    output.table("Demos (usable ones of those looked at, and their questions)", header, demos)
    lengths = [
        [name, _three(spread(one.frames)), _three(spread(one.keyframes))]
        for name, one in tasks
        if one.frames
    ]
    if lengths:
        title = "Frames and keyframes of a demo (least, median, most)"
        output.table(title, ["task", "frames", "keyframes"], lengths)
        output.table("Recorded", ["what", "pictures", "demos"], _recorded(found.tasks))
    looked = sum(one.looked_at for one in found.tasks.values())
    there = sum(one.demos or 0 for one in found.tasks.values())
    if there > looked:
        most = max(one.demos or 0 for one in found.tasks.values())
        typer.echo(f"Looked at {looked} of {there} demos; --episodes {most} looks at all.")
    for finding in found.findings:
        typer.echo(f"{'problem' if finding.sure else 'odd'}: {finding.where}: {finding.what}")
    output.failures(found.failures, say=typer.echo)
    broken = sum(line["kind"] == "demo" for line in found.failures)
    typer.echo(f"Demos that cannot be used: {broken} of {looked}")


def _three(values: Mapping[str, int] | None) -> str:
    """Least, median and most; one number where they are the same."""
    return "" if not values else " ".join(map(str, _once(values)))


def _once(values: Mapping[str, int]) -> list[int]:
    three = list(values.values())
    return three[:1] if len(set(three)) == 1 else three


def _recorded(tasks: Mapping[str, TaskView]) -> list[list[object]]:
    """Columns and cameras, with the number of demos that have them."""
    loaded = sum(task.frames.total() for task in tasks.values())
    columns: Counter[str] = sum((task.recorded for task in tasks.values()), Counter())
    cameras: Counter[str] = sum((task.cameras for task in tasks.values()), Counter())
    rows: list[list[object]] = [
        [name, "", f"{count} of {loaded}"] for name, count in columns.items()
    ]
    for name, count in sorted(cameras.items()):
        sizes = sorted({task.sizes[name] for task in tasks.values() if name in task.sizes})
        text = ", ".join(f"{width} x {height}" for width, height in sizes)
        rows.append([f"camera {name}", text, f"{count} of {loaded}"])
    return rows
