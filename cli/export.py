"""``robotmcqa export``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from robotmcqa.export import FORMATS

from .place import DEFAULT_OUT, folder_of, local
from .place import HELP as PLACE_HELP

if TYPE_CHECKING:
    from robotmcqa.collection import Part
    from robotmcqa.export.run import Exported


def export(
    to: Annotated[
        str,
        typer.Option(
            metavar="|".join(FORMATS),
            autocompletion=lambda: list(FORMATS),
            help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()) + ".",
        ),
    ],
    out: Annotated[str, typer.Option(metavar="FOLDER", help="A new or empty folder.")],
    directory: Annotated[str, typer.Argument(metavar="DIR", help=PLACE_HELP)] = str(DEFAULT_OUT),
    config: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which data set, where DIR holds several."),
    ] = None,
    completion: Annotated[
        str | None,
        typer.Option(
            metavar="cot|direct|solution",
            help="What the assistant says. cot: the reasoning, then the answer. direct: the answer "
            "after an empty thought. solution: the bare letter or position (llava alone, for "
            "VLM-R1). [default: llava solution, sharegpt cot, trl nothing]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export in FOLDER.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write a data set in the format of another trainer.

    Prompts and pictures go over as they are: the pictures of a question come first, in the order
    of the cameras, then the text. The README.md that is written says how to train with it.

    \b
    Examples:
      robotmcqa export --to trl --out trl
      robotmcqa export my-dataset --to sharegpt --completion direct --out sft
      robotmcqa export hf://org/name@v1.0.0 --config grounded --to easyr1 --out easyr1
    """
    from robotmcqa.collection import parts_of
    from robotmcqa.errors import DataError
    from robotmcqa.export.run import export as run

    from .progress import Bars

    part = _chosen(directory, parts_of(folder_of(directory)), config)
    try:
        with Bars() as bars:
            bars.stage("Exporting", part.rows, unit="rows")
            done = run(
                part.dataset,
                to,
                local(out),
                completion=completion,
                overwrite=overwrite,
                advance=bars.advance,
            )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise DataError(
            f"{where}{error.strerror or error}",
            "make room, or give another --out; what was begun is gone",
        ) from None
    _report(done, json)


def _chosen(directory: str, parts: tuple[Part, ...], config: str | None) -> Part:
    from robotmcqa.errors import UsageError

    names = ", ".join(part.config for part in parts)
    alone = not parts[0].prefix
    if config is None and not alone:
        raise UsageError(f"{directory} holds several data sets", f"--config names one of: {names}")
    if config is not None and alone:
        raise UsageError(f"{directory} is one data set, without configs", "leave --config out")
    for part in parts:
        if config in (None, part.config):
            return part
    raise UsageError(f"{directory} has no config {config}", f"it has: {names}")


def _report(done: Exported, as_json: bool) -> None:
    from . import output

    if as_json:
        output.result(done.document())
        return
    rows = " and ".join(f"{count} {split}" for split, count in done.rows.items())
    typer.echo(f"{done.out}: {rows} questions, to {done.to}.")
    output.hint(f"Wrote {done.out} in {done.seconds:.1f} s.")
    output.hint("Next:\n" + done.guide.replace("FOLDER", shlex.quote(str(done.out.resolve()))))
