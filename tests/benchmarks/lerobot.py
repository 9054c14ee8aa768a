"""How fast LeRobot data sets are read, and how much memory that takes. States alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from robotmcqa.extraction import extract
from robotmcqa.sources import SourceOptions, open_source
from robotmcqa.spec import Spec
from tests.benchmarks.figure import Figure
from tests.factory import make_demo
from tests.lerobot_writer import (
    JOINTS,
    MAPPING,
    Recorded,
    Style,
    of_demo,
    write_lerobot,
    write_mapping,
)

ROBOTMCQA = str(Path(sys.executable).with_name("robotmcqa"))

FRAMES = 100
GOAL = 1000
"""Episodes per CPU-minute."""


def episodes(count: int) -> Iterator[Recorded]:
    """Episodes of a hundred frames: forty different ones, and the same a little further on."""
    made = [make_demo("reach_target", seed, frames=FRAMES, cameras=()) for seed in range(40)]
    for number in range(count):
        demo = made[number % len(made)]
        states = demo.states
        states[:, 0] += 1e-4 * (number // len(made))
        yield Recorded({**of_demo(demo).columns, "observation.state": states})


def peak_mib(root: Path, mapping: Path, out: Path) -> float:
    """Peak resident memory of a whole ``robotmcqa extract`` process."""
    words = ["--source", f"lerobot:{root}", "--mapping", str(mapping), "--no-images"]
    child = subprocess.Popen(
        [ROBOTMCQA, "extract", *words, "--workers", "1", "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss / 1024


def bench_lerobot(scratch: Path) -> Iterator[Figure]:
    """Episodes per CPU-minute in each layout, whole extraction; memory of ten times as many."""
    mapping = write_mapping(scratch / "mapping.yaml", MAPPING, JOINTS)
    options = SourceOptions(mapping=str(mapping))
    layouts = {
        "v2.1": Style("v2.1", dtype="float32"),
        "v3.0": Style("v3.0", dtype="float32", per_file=1000),
        "v3.0, one row group": Style("v3.0", dtype="float32", per_file=1000, group=1000),
    }
    for name, style in layouts.items():
        root = write_lerobot(scratch / name, list(episodes(1000)), style)
        rates = []
        for _ in range(3):
            before = time.process_time()
            source = open_source(f"lerobot:{root}", options)
            extract(source, Spec(cameras=()), scratch / "lerobot-out", workers=1, overwrite=True)
            rates.append(60 * 1000 / (time.process_time() - before))
        yield Figure(
            f"LeRobot episodes of {FRAMES} frames per CPU-minute, {name} (1000 episodes to "
            "questions without pictures)",
            f"{statistics.median(rates[1:]):.0f} ({min(rates[1:]):.0f} to {max(rates[1:]):.0f})",
            f"at least {GOAL}",
            statistics.median(rates[1:]) >= GOAL,
        )
    style = layouts["v3.0"]
    few = write_lerobot(scratch / "lerobot-few", list(episodes(200)), style)
    many = write_lerobot(scratch / "lerobot-many", list(episodes(2000)), style)
    small = peak_mib(few, mapping, scratch / "out-lerobot-few")
    large = peak_mib(many, mapping, scratch / "out-lerobot-many")
    yield Figure(
        f"peak memory, 2000 LeRobot episodes over 200 ({large:.0f} MiB over {small:.0f} MiB)",
        f"{large / small:.2f}",
        "at most 1.2",
        large / small <= 1.2,
    )


def main() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="robotmcqa-bench-") as scratch:
        for figure in bench_lerobot(Path(scratch)):
            print(f"{figure.what}: {figure.measured} (goal: {figure.goal})", flush=True)


if __name__ == "__main__":
    main()
