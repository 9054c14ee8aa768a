"""``robotmcqa show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .place import DEFAULT_OUT, folder_of
from .place import HELP as PLACE_HELP

MOST_LABELS = 12


def show(
    directory: Annotated[str, typer.Argument(metavar="DIR", help=PLACE_HELP)] = str(DEFAULT_OUT),
    out: Annotated[
        Path | None, typer.Option(help="The page to write. [default: DIR.html beside DIR]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Items on the page.")] = 24,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family, repeatable. [default: all]")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task, repeatable. [default: all]")
    ] = None,
    split: Annotated[
        Literal["train", "test"] | None, typer.Option(help="Only this split. [default: both]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the counts as JSON; no page is written.")
    ] = False,
) -> None:
    """Write a page of sampled items; print counts.

    The page is one HTML file: pictures, prompts, and maps of where the options lie.

    \b
    Examples:
      robotmcqa show
      robotmcqa show my-dataset --family motion --limit 60 --out motion.html
    """
    from robotmcqa.collection import parts_of
    from robotmcqa.errors import UsageError
    from robotmcqa.files import write_text
    from robotmcqa.page import Filter, render_page, sample, survey

    from . import output

    folder = folder_of(directory)
    parts = parts_of(folder)
    if parts[0].prefix:
        raise UsageError(
            f"{directory} holds several data sets",
            "show one of them: "
            + ", ".join(f"robotmcqa show {part.dataset.path}" for part in parts),
        )
    dataset = parts[0].dataset
    wanted = Filter(
        families=frozenset(family) if family else None,
        tasks=frozenset(task) if task else None,
        split=split,
    )
    statistics, total = survey(dataset, wanted)
    counts = statistics.document()
    if json:
        output.result(counts)
        return
    rows = sample(dataset, wanted, total, limit, seed)
    beside = folder.resolve() if folder == Path(directory) else Path(folder.name).resolve()
    page = out or beside.with_name(f"{beside.name}.html")
    if page.is_dir() or not page.parent.is_dir():
        raise UsageError(f"--out {page}", "--out takes a file in a folder that exists")
    write_text(page, render_page(dataset, statistics, rows, total))
    output.table("Questions per task", ["task", "questions"], list(counts["tasks"].items()))
    output.table("Questions per family", ["family", "questions"], list(counts["families"].items()))
    if counts["letters"]:
        letters = sorted({letter for by in counts["letters"].values() for letter in by})
        output.table(
            "Right letters",
            ["family", *letters],
            [
                [name, *(by.get(one, 0) for one in letters)]
                for name, by in counts["letters"].items()
            ],
        )
    if counts["families"].get("waypoint"):
        output.table(
            "From the current position to the waypoint",
            ["distance", "questions"],
            list(counts["waypoint_distance"].items()),
        )
    if counts["motions"]:
        labels = list(counts["motions"].items())
        title = "Motion labels"
        if len(labels) > MOST_LABELS:
            title += f": the {MOST_LABELS} most frequent of {len(labels)}"
        output.table(title, ["movement", "questions"], labels[:MOST_LABELS])
    output.hint(f"Wrote {page} ({len(rows)} of {total} items). Open it in a browser.")
