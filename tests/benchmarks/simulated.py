"""``python -m tests.benchmarks.simulated [ITEMS ...]``: a large data set from the simulator.

The paper's five tasks with pictures of 64 x 64 pixels, each run in a process of its own: CPU
seconds of driver and workers, what a further question costs, the driver's peak memory, and, of
the run in one process, the share of each stage. About a quarter of a CPU-hour for the default.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from robotmcqa.extraction import extract
from robotmcqa.sources import Selection, SourceOptions, open_source
from robotmcqa.spec import preset

ITEMS = (1_000, 10_000, 100_000)
ITEMS_PER_DEMO = 27
SIZE = 64
TASKS = (
    "phone_on_base",
    "pick_up_cup",
    "push_button",
    "put_rubbish_in_bin",
    "take_lid_off_saucepan",
)


class Stages:
    """Hears of the stages, and looks at the clock of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._began = "starting", 0.0

    def stage(self, name: str, episodes: int) -> None:
        now = time.process_time()
        self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now - self._began
        self._name, self._began = name, now

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
        """How many are done is not what is measured."""


def measured(out: Path, episodes: int, workers: int) -> dict[str, Any]:
    """One extraction in this process."""
    source = open_source("sim", SourceOptions(image_size=SIZE))
    stages = Stages()
    summary = extract(
        source,
        preset("paper"),
        out,
        Selection(TASKS, 0, episodes),
        workers=workers,
        listener=stages,
    )
    stages.stage("", 0)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "rows": sum(split["rows"] for split in summary.manifest["splits"].values()),
        "cpu": sum(one.ru_utime + one.ru_stime for one in usage),
        "driver": usage[0].ru_maxrss / 1024,
        "worker": usage[1].ru_maxrss / 1024,
        "stages": stages.seconds,
    }


def in_a_process(out: Path, episodes: int, workers: int) -> dict[str, Any]:
    """The same in a process of its own."""
    arguments = ["one", str(out), str(episodes), str(workers)]
    command = [sys.executable, "-m", "tests.benchmarks.simulated", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(out)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def growth(workers: int, items: list[int], out: Path) -> Iterator[tuple[str, ...]]:
    """Lines of the table."""
    runs: list[dict[str, Any]] = []
    for count in items:
        one = in_a_process(out, -(-count // (ITEMS_PER_DEMO * len(TASKS))), workers)
        before = runs[-1] if runs else one
        more = one["rows"] - before["rows"]
        runs.append(one)
        whole = sum(one["stages"].values())
        parts = (f"{name.lower()} {part / whole:.0%}" for name, part in one["stages"].items())
        yield (
            *(str(workers), str(one["rows"]), f"{one['cpu']:.0f}"),
            f"{one['rows'] / one['cpu']:.0f}",
            f"{1000 * (one['cpu'] - before['cpu']) / more:.3f}" if more else "",
            *(f"{one['driver']:.0f}", f"{one['driver'] / runs[0]['driver']:.2f}"),
            f"{one['worker']:.0f}" if workers > 1 else "",
            ", ".join(parts) if workers == 1 else "",
        )


def main(arguments: list[str]) -> None:
    """The command."""
    if arguments[:1] == ["one"]:
        out, episodes, workers = arguments[1:]
        print(json.dumps(measured(Path(out), int(episodes), int(workers))))
        return
    items = [int(one) for one in arguments] or list(ITEMS)
    scratch = Path(tempfile.mkdtemp(prefix="robotmcqa-simulated-"))
    table = Table(title=f"simulated, {SIZE} x {SIZE} pixels", title_justify="left")
    names = ("workers", "rows", "CPU s", "rows a CPU s", "CPU ms of each more")
    memory = ("driver MiB", "over the first", "worker MiB", "stages")
    for column in (*names, *memory):
        table.add_column(column, justify="right")
    try:
        for number in (1, 2):
            for line in growth(number, items, scratch / "out"):
                table.add_row(*line)
                print(*line, file=sys.stderr, flush=True)
        Console(width=160).print(table)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main(sys.argv[1:])
