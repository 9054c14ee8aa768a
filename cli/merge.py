"""``robotmcqa merge``."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from .place import folder_of, local


def merge(
    directories: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR", help="The data sets, in order: folders, or as validate takes them."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder of the data set to be.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the data set in --out once done.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Put data sets with the same spec together.

    A demo that two of them have is taken from the first; the summary counts the others, and
    meta/failures.jsonl names them. Data files whose questions all stay are taken over byte for
    byte. Where questions exchange their answers (the law 'swapped'), a demo cannot be taken out
    from among those of its task: such a merge is refused.

    \b
    Examples:
      robotmcqa merge monday tuesday --out both
      robotmcqa merge part-* --out whole --json
    """
    from robotmcqa.merge import merge as run

    from . import output
    from .progress import Bars

    with Bars() as bars:
        made = run(
            [folder_of(named) for named in directories],
            local(out),
            overwrite=overwrite,
            begin=lambda shards: bars.stage("Merging", shards, unit="files"),
            advance=lambda: bars.advance(1),
        )
    splits = made.manifest["splits"]
    rows = sum(split["rows"] for split in splits.values())
    if json:
        output.result(
            {
                "out": str(made.out),
                "rows": rows,
                "splits": splits,
                "taken": made.taken,
                "rewritten": made.rewritten,
                "dropped": list(made.dropped),
            }
        )
        return
    for folder, dropped in zip(directories, made.dropped, strict=True):
        if dropped:
            demos = output.counted(dropped, "demo")
            typer.echo(f"{folder}: {demos} left out, for an earlier data set has them.")
    for name, numbers in splits.items():
        questions = output.counted(numbers["rows"], "question")
        typer.echo(f"{name}: {questions} from {output.counted(numbers['episodes'], 'demo')}")
    files = [f"{output.counted(made.taken, 'data file')} as they were"] if made.taken else []
    files += [f"{made.rewritten} without some of their questions"] if made.rewritten else []
    output.hint(f"Wrote {made.out}: {', '.join(files)}.")
    named = shlex.quote(str(made.out))
    output.hint(f"Next:\n  robotmcqa validate {named}\n  robotmcqa show {named}")
