"""What was left out or repaired: the lines of ``meta/failures.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Any

from robotmcqa.episode import Episode
from robotmcqa.errors import DemoError
from robotmcqa.files import iterate_jsonl, write_jsonl
from robotmcqa.item import Skip
from robotmcqa.sources import DemoRef

__all__ = ["Failure", "demo_failure", "in_order", "merged", "note", "place_of_line", "skipped_item"]

Failure = dict[str, Any]
"""One line (``schemas/v1/failure.schema.json``)."""


def demo_failure(
    ref: DemoRef, error: DemoError, files: tuple[tuple[str, str], ...] = ()
) -> Failure:
    """A demo that is not in the data set."""
    line: Failure = {
        "kind": "demo",
        "task": ref.task,
        "variation": ref.variation,
        "where": ref.name,
        "why": error.what,
    }
    if error.remedy:
        line["remedy"] = error.remedy
    broken = files or error.files
    if broken:
        line["files"] = [{"path": path, "cause": cause} for path, cause in broken]
    return line


def note(ref: DemoRef, text: str) -> Failure:
    """A demo that is in the data set after a repair, or a reference demo that was left out."""
    return {
        "kind": "note",
        "task": ref.task,
        "variation": ref.variation,
        "where": ref.name,
        "why": text,
    }


def skipped_item(episode: Episode, skip: Skip) -> Failure:
    """A question that was not asked."""
    return {
        "kind": "item",
        "task": episode.task,
        "variation": episode.variation,
        "where": f"{episode.id}-{skip.frame:04d}-{skip.family}",
        "why": f"{skip.family}: {skip.why}",
    }


def in_order(failures: list[Failure]) -> list[Failure]:
    """Demos, then notes, then items, each by name."""
    return sorted(failures, key=place_of_line)


def merged(paths: Sequence[Path], scratch: Path) -> Iterator[Failure]:
    """The lines of files that are in order, in order. Few of them are in memory at a time.

    Args:
        paths: of the files.
        scratch: a folder for what is merged in between: not all files can be open at once.
    """
    while len(paths) > _OPEN:
        group, rest = paths[:_OPEN], paths[_OPEN:]
        between = scratch / f"merged-{len(paths)}.jsonl"
        write_jsonl(between, merge(*map(iterate_jsonl, group), key=place_of_line))
        paths = [*rest, between]
    yield from merge(*map(iterate_jsonl, paths), key=place_of_line)


_OPEN = 128


def place_of_line(line: Failure) -> tuple[int, str, str]:
    """Where a line stands among others."""
    return ({"demo": 0, "note": 1, "item": 2}[line["kind"]], line["where"], line["why"])
