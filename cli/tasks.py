"""``robotmcqa tasks``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from . import output
from .source import HELP as SOURCE_HELP
from .source import MAPPING_HELP, opened

if TYPE_CHECKING:
    from robotmcqa.sources import DemoSource


def tasks(
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = "auto",
    mapping: Annotated[str | None, typer.Option(help=MAPPING_HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the tasks of a source, with their variations and demos.

    \b
    Examples:
      robotmcqa tasks
      robotmcqa tasks --source rlbench:/data/demos
      robotmcqa tasks --source lerobot:/data/libero
    """
    from robotmcqa.sources import SourceOptions

    from . import output

    found = opened(source, SourceOptions(mapping=mapping))
    variations = _variations(found)
    if json:
        output.result(variations)
        return
    rows = [
        [
            task,
            output.ranges(list(counts)),
            "any number" if None in counts.values() else _sum(counts),
        ]
        for task, counts in sorted(variations.items())
    ]
    title = f"Tasks in {found.scheme if source == 'auto' else source}"
    output.table(title, ["task", "variations", "demos"], rows)


def _variations(source: DemoSource) -> dict[str, dict[str, int | None]]:
    """Task -> variation -> number of demos, None where they are made as they are asked for."""
    from robotmcqa.sources import Selection, Simulated

    if isinstance(source, Simulated):
        return _of_simulator(source)
    counted: dict[str, Counter[str]] = {}
    for ref in source.refs(Selection()):
        number = "unknown" if ref.variation is None else str(ref.variation)
        counted.setdefault(ref.task, Counter())[number] += 1
    return {task: dict(counts) for task, counts in counted.items()}


def _of_simulator(source: DemoSource) -> dict[str, dict[str, int | None]]:
    """The same of a simulator, whose tasks may be broken one by one."""
    from robotmcqa.errors import SourceError
    from robotmcqa.sources import Simulated

    assert isinstance(source, Simulated)
    found: dict[str, dict[str, int | None]] = {}
    problem = None
    for task in source.tasks():
        try:
            found[task] = dict.fromkeys(map(str, range(source.variations(task))))
        except SourceError as error:
            output.hint(error.what)
            problem = error
    if problem and not found:
        raise problem
    return found


def _sum(counts: dict[str, int | None]) -> int:
    return sum(count for count in counts.values() if count is not None)
