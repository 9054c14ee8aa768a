"""``robotmcqa tasks``."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer


def tasks(
    source: Annotated[
        str, typer.Option(help="rlbench:DIR: saved RLBench demos. auto: an installed simulator.")
    ] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the tasks of a source, with their variations and demos.

    \b
    Example:
      robotmcqa tasks --source rlbench:/data/demos
    """
    from robotmcqa.sources import Selection, open_source

    from . import output

    opened = open_source(source)
    variations: dict[str, Counter[str]] = {}
    for ref in opened.refs(Selection()):
        number = "unknown" if ref.variation is None else str(ref.variation)
        variations.setdefault(ref.task, Counter())[number] += 1
    if json:
        output.result({task: dict(counts) for task, counts in variations.items()})
        return
    rows = [
        [task, ", ".join(counts), counts.total()] for task, counts in sorted(variations.items())
    ]
    output.table(f"Tasks in {source}", ["task", "variations", "demos"], rows)
