"""``make bench``: every figure is a ratio of two things measured in turn, or CPU seconds.

Real demos below ``ROBOTMCQA_RLBENCH_DATA`` where that is set, else synthetic ones; simulated
demos for what the simulator does.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from robotmcqa.demo import Demo
from robotmcqa.extraction import extract
from robotmcqa.keyframes import ArmRule
from robotmcqa.sources import Selection, open_source
from robotmcqa.spec import Spec
from tests.benchmarks.figure import Figure
from tests.benchmarks.floor import floor_of
from tests.benchmarks.lerobot import bench_lerobot
from tests.benchmarks.simulator import bench_first_data_set, bench_simulator
from tests.factory import write_demos

ROBOTMCQA = str(Path(sys.executable).with_name("robotmcqa"))


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def paired(one: Callable[[], object], other: Callable[[], object], rounds: int) -> list[float]:
    """Ratios of CPU seconds, the two measured in turn so that noise meets both."""
    one(), other()  # warm caches
    return [cpu(one) / cpu(other) for _ in range(rounds)]


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} (quartiles {low:.2f} to {high:.2f}, n = {len(values)})"


def plain_keyframes(demo: Demo) -> list[int]:
    """The rule as a loop over frames, each tested with ``np.allclose``: how the field writes it."""
    velocities, gripper = demo.joint_velocities, demo.gripper_open
    assert velocities is not None
    frames, found, cooldown = len(gripper), [], 0
    for i in range(frames):
        same = 2 <= i < frames - 2 and (
            gripper[i] == gripper[i + 1] and gripper[i] == gripper[i - 1] == gripper[i - 2]
        )
        stopped = cooldown <= 0 and same and np.allclose(velocities[i], 0, atol=0.1)
        cooldown = 4 if stopped else cooldown - 1
        if i and (gripper[i] != gripper[i - 1] or i == frames - 1 or stopped):
            found.append(i)
    if len(found) > 1 and found[-1] == found[-2] + 1:
        del found[-2]
    return found


def bench_keyframes(demos: list[Demo]) -> Iterator[Figure]:
    rule = ArmRule()
    assert all(rule(demo) == plain_keyframes(demo) for demo in demos)

    def plain() -> None:
        for demo in demos:
            plain_keyframes(demo)

    def ours() -> None:
        for _ in range(100):
            for demo in demos:
                rule(demo)

    ratios = [100 * ratio for ratio in paired(plain, ours, 7)]
    frames = statistics.mean(map(len, demos))
    yield Figure(
        f"keyframes: times faster than the per-frame loop ({len(demos)} demos, "
        f"{frames:.0f} frames on average)",
        spread(ratios),
        "at least 100",
        statistics.median(ratios) >= 100,
    )


def bench_floor(source: str, what: str, spec: Spec, scratch: Path) -> Iterator[Figure]:
    out = scratch / "out"
    extract(open_source(source), spec, out, workers=1, overwrite=True)
    floor = floor_of(source, out)

    def ours() -> None:
        extract(open_source(source), spec, out, workers=1, overwrite=True)

    ratios = paired(ours, lambda: floor.run(scratch), 15)
    items = sum(map(len, floor.shards))
    yield Figure(
        f"extraction of {what} ({len(floor.refs)} demos, {items} items): CPU over the floor",
        spread(ratios),
        "at most 1.5" if spec.cameras else "",
        statistics.median(ratios) <= 1.5 if spec.cameras else None,
    )
    if not spec.cameras:
        rates = [items / cpu(ours) for _ in range(7)]
        yield Figure(
            f"items per CPU second without images ({items} items)",
            f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
            "at least 2000",
            statistics.median(rates) >= 2000,
        )


def peak_mib(source: str, out: Path) -> float:
    """Peak resident memory of a whole ``robotmcqa extract`` process."""
    command = [ROBOTMCQA, "extract", "--source", source, "--out", str(out), "--workers", "1"]
    child = subprocess.Popen(
        [*command, "--overwrite"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss / 1024


def bench_memory(scratch: Path) -> Iterator[Figure]:
    few, many = scratch / "few", scratch / "many"
    write_demos(few, {"reach_target": 20}, size=128)
    write_demos(many, {"reach_target": 200}, size=128)
    small = peak_mib(f"rlbench:{few}", scratch / "out-few")
    large = peak_mib(f"rlbench:{many}", scratch / "out-many")
    yield Figure(
        f"peak memory, 200 demos over 20 ({large:.0f} MiB over {small:.0f} MiB)",
        f"{large / small:.2f}",
        "at most 1.2",
        large / small <= 1.2,
    )


def wall(command: list[str]) -> float:
    before = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def bench_help() -> Iterator[Figure]:
    imported = [sys.executable, "-c", "import typer"]
    ratios = [wall([ROBOTMCQA, "--help"]) / wall(imported) for _ in range(21)]
    yield Figure(
        "robotmcqa --help over python -c 'import typer' (wall)",
        spread(ratios),
        "at most 1.3",
        statistics.median(ratios) <= 1.3,
    )


def demo_folders(scratch: Path) -> tuple[str, str]:
    """Folders of demos with pictures, and of demos for numbers alone."""
    with_pictures = scratch / "with-pictures"
    real = os.environ.get("ROBOTMCQA_RLBENCH_DATA")
    if not real:
        write_demos(with_pictures, {"reach_target": 14, "push_button": 14})
        return f"rlbench:{with_pictures}", f"rlbench:{with_pictures}"
    with_pictures.mkdir()
    root = Path(real).resolve()
    for task in [*(root / "paper").iterdir(), *(root / "peract").iterdir()]:
        (with_pictures / task.name).symlink_to(task)
    (with_pictures / "reach_target").symlink_to(root / "upstream/reach_target")
    return f"rlbench:{with_pictures}", f"rlbench:{root / 'lowdim'}"


def main() -> None:
    scratch = Path(tempfile.mkdtemp(prefix="robotmcqa-bench-"))
    real = bool(os.environ.get("ROBOTMCQA_RLBENCH_DATA"))
    try:
        pictures, numbers = demo_folders(scratch)
        source = open_source(numbers)
        demos = [source.load(ref, ()) for ref in source.refs(Selection())]
        table = Table(title=f"{'real' if real else 'synthetic'} demos", title_justify="left")
        for name in ("figure", "measured", "goal", "reached"):
            table.add_column(name)
        bare = Spec(cameras=())
        for figures in (
            bench_keyframes(demos),
            bench_floor(pictures, "demos with pictures", Spec(), scratch),
            bench_floor(numbers, "demos without pictures", bare, scratch),
            bench_memory(scratch),
            bench_help(),
            bench_simulator(),
            bench_first_data_set(scratch),
            bench_lerobot(scratch),
        ):
            for figure in figures:
                reached = {True: "yes", False: "NO", None: ""}[figure.reached]
                table.add_row(figure.what, figure.measured, figure.goal, reached)
                print(f"{figure.what}: {figure.measured}", file=sys.stderr, flush=True)
        Console(width=150).print(table)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
