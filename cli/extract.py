"""``robotmcqa extract``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
    from robotmcqa.audit import Audit
    from robotmcqa.engines import Engine
    from robotmcqa.extraction import Summary
    from robotmcqa.spec import Spec

DEFAULT_OUT = Path("robotmcqa-dataset")


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
    _report(summary, json, where)


@contextmanager
def _engine(name: str, address: str | None, workers: int | None) -> Iterator[Engine]:
    """What runs the workers; where it is not this machine alone, say what it is."""
    from robotmcqa.engines import open_engine

    from . import output

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


def _report(summary: Summary, as_json: bool, pushed: Path) -> None:
    from robotmcqa.pools import SPLITS

    from . import output

    manifest = summary.manifest
    output.failures(summary.failures)
    skipped = sum(manifest["skipped"].values())
    found = _audited(summary)
    references = manifest.get("references", {})  # not in a data set of version 0.1.0
    if as_json:
        output.result(
            {
                "out": str(summary.out),
                "already_complete": summary.already_complete,
                "added": summary.added,
                "seconds": round(summary.seconds, 3),
                "splits": manifest["splits"],
                "items": manifest["items"],
                "laws": manifest["laws"],
                "references": references,
                "skipped": manifest["skipped"],
                "reproducible": summary.reproducible,
                "gaps": list(summary.gaps),
                "failures": list(summary.failures),
                "audit": found.document() if found else None,
            }
        )
    else:
        families = manifest["spec"]["families"]
        rows = [
            [name, *(counts.get(family, 0) for family in families)]
            for name, counts in sorted(manifest["items"].items())
        ]
        if len(rows) > 1:
            rows.append(["total", *(sum(row[i + 1] for row in rows) for i in range(len(families)))])
        output.table("Questions", ["task", *families], rows)
        splits = ", ".join(
            f"{name} {manifest['splits'][name]['rows']} questions "
            f"from {_count(manifest['splits'][name]['episodes'], 'demo')}"
            for name in SPLITS
            if name in manifest["splits"]
        )
        typer.echo(f"Splits: {splits}")
        typer.echo(f"Distractors: {_laws(manifest)}")
        if references:
            typer.echo(f"Reference demos that 'matched' also draws from: {_each(references)}")
        mixed = sorted({law["task"] for law in manifest["laws"] if _differs(law, manifest["laws"])})
        if mixed:
            output.hint(
                f"note: train and test follow different laws in {', '.join(mixed)}: one split has "
                "too few demos to draw from (more demos or another --test-fraction mend it)"
            )
        for family, outside in manifest["outside_box"].items():
            output.hint(
                f"note: outside the valid box, where no distractor is: "
                f"{_count(outside, 'right option')} of {family} (--metadata names the box)"
            )
        typer.echo(f"Failed demos: {manifest['failures']}; questions not asked: {skipped}")
        for why, count in manifest["skipped"].items():
            typer.echo(f"  {count} x {why}")
        if found:
            grounded = "" if _is_grounded(manifest) else "; --preset grounded lowers it"
            typer.echo(f"{found.line()}. robotmcqa audit learns more{grounded}.")
        if not summary.reproducible:
            typer.echo(
                "Live demos: recorded, not reproducible; no command makes the same ones again."
            )
    if summary.gaps:
        output.hint(
            f"{_count(len(summary.gaps), 'demo')} failed; the same command with --resume makes "
            f"{'it' if len(summary.gaps) == 1 else 'them'} again and keeps the rest."
        )
    if summary.already_complete:
        output.hint(f"{summary.out} was already complete.")
    elif summary.added is not None:
        output.hint(_added(summary))
    else:
        output.hint(f"Wrote {summary.out} in {summary.seconds:.1f} s.")
    output.hint(
        f"Next:\n  robotmcqa validate{_named(summary.out)}\n  robotmcqa show{_named(summary.out)}\n"
        f"  robotmcqa push{_named(pushed)} --repo org/name"
    )


def _added(summary: Summary) -> str:
    """What was added, in words."""
    added = summary.added or {}
    repeated = added.get("repeated", 0)
    there = f"; {_count(repeated, 'demo')} had been there before" if repeated else ""
    if not added["episodes"]:
        return f"Nothing new for {summary.out}{there}. It is as it was."
    return (
        f"Added {_count(added['rows'], 'question')} from {_count(added['episodes'], 'new demo')} "
        f"to {summary.out} in {summary.seconds:.1f} s{there}."
    )


def _named(folder: Path) -> str:
    """The folder as an argument, where it has to be named."""
    return "" if folder == DEFAULT_OUT else f" {shlex.quote(str(folder))}"


def _audited(summary: Summary) -> Audit | None:
    """The quick audit; nothing for open-ended questions, which have no options."""
    if summary.manifest["spec"]["format"] != "choice":
        return None
    from robotmcqa.audit import audit

    return summary.audit or audit(summary.out, quick=True)


def _is_grounded(manifest: Mapping[str, Any]) -> bool:
    from robotmcqa.spec import PRESETS

    spec = manifest["spec"]
    return all(spec[name] == value for name, value in PRESETS["grounded"].items())


def _each(counts: Mapping[str, int]) -> str:
    """How many of each task, in few words where all have the same number."""
    if len(counts) > 3 and len(set(counts.values())) == 1:
        return f"{next(iter(counts.values()))} of each of {len(counts)} tasks"
    return ", ".join(f"{task} {count}" for task, count in counts.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _differs(law: Mapping[str, str], laws: Sequence[Mapping[str, str]]) -> bool:
    """Whether the other split of the same task and family follows other laws."""
    there: dict[str, set[str]] = {}
    for other in laws:
        if (other["task"], other["family"]) == (law["task"], law["family"]):
            there.setdefault(other["split"], set()).add(other["law"])
    return len({frozenset(some) for some in there.values()}) > 1


def _laws(manifest: Mapping[str, Any]) -> str:
    from robotmcqa.card.render import laws_in_words

    return "; ".join(
        f"{family} {law} ({where})" for (family, law), where in laws_in_words(manifest).items()
    )
