"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from robotmcqa.errors import RobotMCQAError

MOST_LINES = 40
"""Lines of a list on the terminal; --json and meta/failures.jsonl hold all."""


def hint(text: str) -> None:
    """A remark for people."""
    typer.echo(text, err=True)


def result(document: Any) -> None:
    """A result for machines."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def counted(number: int, noun: str) -> str:
    """``1 demo``, ``2 demos``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A result for people. Numbers stand to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # The title is a line of its own, for rich would wrap it at the table's width.
    # Text: names and remedies may hold brackets, which rich would take for markup.
    drawn = Table()
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    for name, right in zip(header, numeric, strict=True):
        # Narrow terminals fold a cell: an ellipsis would hide what tells names apart.
        widest = max(map(len, name.split()), default=0)
        drawn.add_column(
            name, justify="right" if right else "left", overflow="fold", min_width=widest
        )
    for row in rows:
        drawn.add_row(*(Text(str(cell)) for cell in row))
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=120)
    console.print(Text(title), soft_wrap=True)
    console.print(drawn)


def ranges(names: Sequence[str]) -> str:
    """``0, 1, 2, 3, 7`` as ``0 to 3, 7``; what is no number stays as it is."""
    runs: list[list[str]] = []
    for name in names:
        last = runs[-1][-1] if runs else ""
        if last.isdecimal() and name.isdecimal() and int(name) == int(last) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(", ".join(run) if len(run) < 3 else f"{run[0]} to {run[-1]}" for run in runs)


def quiet_hub() -> None:
    """No bars of the Hub's client where nobody sees them."""
    if not sys.stderr.isatty():
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        disable_progress_bars()


def failures(lines: Sequence[Mapping[str, Any]], say: Callable[[str], object] = hint) -> None:
    """Every failed or repaired demo with its cause and its broken files.

    Many of one cause share a line, unless they have broken files that tell more. Where they are
    what was asked for, ``say`` prints them as a result.
    """
    shown = [line for line in lines if line["kind"] in ("demo", "note")]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for line in shown:
        more = any(file["cause"] != line["why"] for file in line.get("files", ()))
        alone = (line["where"],) if more else ()
        groups.setdefault((line["kind"], line["why"], *alone), []).append(line)
    for (kind, why, *_), group in list(groups.items())[:MOST_LINES]:
        what = "failed" if kind == "demo" else "note"
        first = group[0]["where"]
        where = first if len(group) == 1 else f"{len(group)} demos, the first is {first}"
        say(f"{what}: {where}: {why}")
        for text in _file_lines(group[0].get("files", ())):
            say(f"    {text}")
    for remedy in dict.fromkeys(line["remedy"] for line in shown if line.get("remedy")):
        say(f"  remedy: {remedy}")
    if len(groups) > MOST_LINES:
        say(f"... and {len(groups) - MOST_LINES} more causes; --json has all")


def _file_lines(files: Sequence[Mapping[str, str]]) -> list[str]:
    """Files with their causes, runs of numbered files in one line."""
    runs: list[list[Mapping[str, str]]] = []
    for file in files:
        last = runs[-1][-1] if runs else None
        if last and _follows(last, file):
            runs[-1].append(file)
        else:
            runs.append([file])
    return [
        f"{run[0]['path']}: {run[0]['cause']}"
        if len(run) == 1
        else f"{run[0]['path']} ... {_name(run[-1])} ({len(run)} files): {run[0]['cause']}"
        for run in runs
    ]


def _follows(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    one, other = _name(before).partition(".")[0], _name(after).partition(".")[0]
    return (
        before["cause"] == after["cause"]
        and one.isdecimal()
        and other.isdecimal()
        and int(other) == int(one) + 1
    )


def _name(file: Mapping[str, str]) -> str:
    return file["path"].rpartition("/")[2]


def complain(error: RobotMCQAError) -> None:
    """An error: the failures behind it, what is wrong, what to do."""
    failures(getattr(error, "failures", ()))
    hint(f"robotmcqa: {error.what}")
    if error.remedy:
        hint(f"  remedy: {error.remedy}")
