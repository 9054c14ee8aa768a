"""``python -m tests.benchmarks.million [ROWS] [PRESET]``: every verb on a million rows.

Without pictures, from demos that cost next to nothing; each verb in a process of its own, with its
CPU seconds and peak memory, and the push to the test Hub. Takes about ten CPU-minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.cheap import ITEMS_PER_DEMO
from tests.factory import TASKS
from tests.hub_server.fixture import Hub

ROBOTMCQA = str(Path(sys.executable).with_name("robotmcqa"))
LOAD = "import datasets, sys; print(datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2]))"


def measured(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds and peak MiB of a process and its children, which has to succeed."""
    child = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def lines(rows: int, name: str, scratch: Path, hub: Hub) -> Iterator[tuple[str, float, float]]:
    """(what, CPU seconds, MiB), one verb after the other."""
    out = str(scratch / "questions")
    episodes = -(-rows // (ITEMS_PER_DEMO * len(TASKS)))
    plain = dict(os.environ)
    hub.accounts.add_organisation("lab", anna="write")
    anna = hub.environment(hub.accounts.add_user("anna"), home=scratch / "home")
    extract = [sys.executable, "-m", "tests.benchmarks.scale", "one", name, out, str(episodes)]
    yield "extract", *measured([*extract, "1"], plain)
    yield "validate", *measured([ROBOTMCQA, "validate", out], plain)
    yield "audit --quick", *measured([ROBOTMCQA, "audit", out, "--quick"], plain)
    yield "audit", *measured([ROBOTMCQA, "audit", out], plain)
    yield "show", *measured([ROBOTMCQA, "show", out], plain)
    yield "push", *measured([ROBOTMCQA, "push", out, "--repo", "lab/million"], anna)
    load = [sys.executable, "-c", LOAD, out, str(scratch / "cache")]
    yield "load_dataset", *measured(load, plain)


def main(arguments: list[str]) -> None:
    rows = int(arguments[0]) if arguments else 1_000_000
    name = arguments[1] if len(arguments) > 1 else "grounded"
    scratch = Path(tempfile.mkdtemp(prefix="robotmcqa-million-"))
    table = Table(title=f"{rows} rows, {name}", title_justify="left")
    for column in ("verb", "CPU s", "peak MiB"):
        table.add_column(column, justify="right")
    hub = Hub(scratch / "hub")
    hub.start()
    try:
        for what, seconds, mib in lines(rows, name, scratch, hub):
            table.add_row(what, f"{seconds:.0f}", f"{mib:.0f}")
            print(f"{what}: {seconds:.0f} CPU s, {mib:.0f} MiB", file=sys.stderr, flush=True)
        Console().print(table)
    finally:
        hub.stop()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main(sys.argv[1:])
