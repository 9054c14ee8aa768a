"""``python -m tests.benchmarks.scale [ITEMS ...]``: how extraction grows with the items.

Memory is that of the driver alone: workers are measured by what they do, not by what they hold.
Takes about six CPU-minutes for the default of 1,000, 10,000 and 100,000 items.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from robotmcqa.extraction import extract
from robotmcqa.sources import Selection
from robotmcqa.spec import preset
from tests.benchmarks.cheap import ITEMS_PER_DEMO, Cheap
from tests.factory import TASKS

ITEMS = (1_000, 10_000, 100_000)


def measured(name: str, out: Path, episodes: int, workers: int) -> dict[str, Any]:
    """One extraction in this process: its rows, CPU seconds with the workers', peak memory."""
    spec = preset(name, cameras=())
    summary = extract(Cheap(), spec, out, Selection(episodes=episodes), workers=workers)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "rows": sum(split["rows"] for split in summary.manifest["splits"].values()),
        "cpu": sum(one.ru_utime + one.ru_stime for one in usage),
        "mib": usage[0].ru_maxrss / 1024,
    }


def in_a_process(name: str, out: Path, episodes: int, workers: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.scale",
        "one",
        name,
        str(out),
        str(episodes),
        str(workers),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(out)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def growth(name: str, workers: int, items: list[int], out: Path) -> Iterator[tuple[str, ...]]:
    """Lines of the table."""
    runs: list[dict[str, Any]] = []
    for count in items:
        episodes = -(-count // (ITEMS_PER_DEMO * len(TASKS)))
        one = in_a_process(name, out, episodes, workers)
        before = runs[-1] if runs else one
        more = one["rows"] - before["rows"]
        runs.append(one)
        yield (
            *(name, str(workers), str(one["rows"]), f"{one['mib']:.0f}"),
            *(f"{one['mib'] / runs[0]['mib']:.2f}", f"{1000 * one['cpu'] / one['rows']:.3f}"),
            f"{1000 * (one['cpu'] - before['cpu']) / more:.3f}" if more else "",
        )


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["one"]:
        preset_name, out, episodes, workers = arguments[1:]
        print(json.dumps(measured(preset_name, Path(out), int(episodes), int(workers))))
        return
    items = [int(one) for one in arguments] or list(ITEMS)
    scratch = Path(tempfile.mkdtemp(prefix="robotmcqa-scale-"))
    table = Table(title="extraction of states alone", title_justify="left")
    names = ("preset", "workers", "rows", "peak MiB", "over the first", "CPU ms a row")
    for column in (*names, "of each more"):
        table.add_column(column, justify="right")
    try:
        for name in ("paper", "grounded"):
            for number in (1, 2):
                for line in growth(name, number, items, scratch / "out"):
                    table.add_row(*line)
                    print(*line, file=sys.stderr, flush=True)
        Console(width=120).print(table)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main(sys.argv[1:])
