"""What the tests of the benchmark share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from robotmcqa.bench.derived import write_derived
from robotmcqa.bench.record import read_rows, write_rows


def part_of(bench: Path, folder: Path, count: int) -> Path:
    """A small benchmark: some questions of each type, spread over a large one."""
    rows = read_rows(bench)
    step = max(1, len(rows) // count)
    chosen = rows[::step][:count]
    for name in {row["image"] for row in chosen}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bench / name, folder / name)
    write_rows(folder, chosen)
    write_derived(folder, {})
    return folder


def by_question(folder: Path) -> dict[str, dict[str, Any]]:
    """Question -> row; the questions of these benchmarks differ."""
    return {row["question"]: dict(row) for row in read_rows(folder)}
