"""``robotmcqa validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from .place import DEFAULT_OUT, folder_of
from .place import HELP as PLACE_HELP


def validate(
    directory: Annotated[str, typer.Argument(metavar="DIR", help=PLACE_HELP)] = str(DEFAULT_OUT),
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check a data set, every row: schema, meaning, hashes.

    Answers are worked out again from the recorded positions, and pictures are decoded. States that
    cannot be (degrees read as radians, an inverted gripper) are named with what to change; what is
    merely odd is printed and does no harm.

    Exit code 3 and the names of the rows when something is wrong.

    \b
    Examples:
      robotmcqa validate
      robotmcqa validate my-dataset --json
      robotmcqa validate hf://org/name@v1.2.0
    """
    from robotmcqa.card.front_matter import content_digest
    from robotmcqa.collection import parts_of
    from robotmcqa.validation import validate as run

    from . import output
    from .progress import Bars

    folder = folder_of(directory)
    parts = parts_of(folder)
    with Bars() as bars:
        bars.stage("Checking rows", sum(part.rows for part in parts), unit="rows")
        report = run(folder, bars.advance)
    content = {part.config: content_digest(part.dataset.manifest) for part in parts}
    if json:
        output.result(report.document() | {"content": content})
    else:
        for problem in report.problems[: output.MOST_LINES]:
            typer.echo(f"{problem.where}: {problem.what}")
        if len(report.problems) > output.MOST_LINES:
            typer.echo(f"... and {len(report.problems) - output.MOST_LINES} more (--json has all)")
        for oddity in report.oddities:
            typer.echo(f"odd: {oddity.where}: {oddity.what}")
        if report.ok:
            typer.echo(f"{directory}: {report.rows} rows and {report.images} pictures are right.")
        else:
            problems = output.counted(len(report.problems), "problem")
            typer.echo(f"{directory}: {problems} in {output.counted(report.rows, 'row')}.")
        for family, p in report.letter_p.items():
            counts = report.statistics.letters[family]
            letters = "  ".join(f"{letter} {counts[letter]}" for letter in sorted(counts))
            typer.echo(f"Right letters, {family}: {letters}  (chi-square p = {p:.2g})")
        for config, digest in content.items():
            typer.echo(f"Content{f' of {config}' if len(content) > 1 else ''}: {digest}")
    if not report.ok:
        raise typer.Exit(3)
