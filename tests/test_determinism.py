"""The same demos and arguments give the same bytes: whoever works, wherever, in any order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from robotmcqa import preset
from tests.conftest import TASKS, Run, rows_of, tree
from tests.runs import made


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_byte(
    script: Run, demos: Path, dataset: Path, tmp_path: Path, workers: int
) -> None:
    """In processes of their own from the start, which the data set's was not."""
    out = tmp_path / "out"
    done = script("extract", "--source", f"rlbench:{demos}", "--out", out, "--workers", workers)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)


def test_a_copy_of_the_demos_elsewhere_changes_no_byte(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    """Another folder, other times of modification, written in another order."""
    copy = tmp_path / "somewhere" / "else"
    for task in reversed(TASKS):
        shutil.copytree(demos / task, copy / task, copy_function=shutil.copyfile)
    for path in copy.rglob("*.pkl"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    out = tmp_path / "out"
    assert robotmcqa("extract", "--source", f"rlbench:{copy}", "--out", out).returncode == 0
    assert tree(out) == tree(dataset)


def test_linked_folders_change_no_byte(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for task in TASKS:
        (linked / task).symlink_to(demos / task)
    (tmp_path / "root").symlink_to(linked)
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", "rlbench:root", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)


def test_the_order_of_tasks_changes_no_byte(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    for order in (TASKS[:2], TASKS[1::-1]):
        options = [word for task in order for word in ("--task", task)]
        done = robotmcqa(
            *("extract", "--source", f"rlbench:{demos}", "--no-images"),
            *("--out", tmp_path / order[0], *options),
        )
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / TASKS[0]) == tree(tmp_path / TASKS[1])


def test_episodes_in_another_order_change_no_row(many_demos: Path, tmp_path: Path) -> None:
    """Not even where distractors are drawn from the other episodes."""
    turned = tmp_path / "turned"
    shutil.copytree(many_demos, turned)
    episodes = turned / "reach_target/variation0/episodes"
    for number in range(14):
        (episodes / f"episode{number}").rename(episodes / f"episode{130 - number}")
    spec = preset("grounded", cameras=())
    one, two = tmp_path / "one", tmp_path / "two"
    assert tree(made(many_demos, one, spec)) == tree(made(turned, two, spec))


def test_another_seed_asks_otherwise_about_the_same_split(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", out, "--seed", 1)
    assert done.returncode == 0
    for split in ("train", "test"):
        before, now = rows_of(dataset, split), rows_of(out, split)
        assert [row["id"] for row in before] == [row["id"] for row in now]
        changed = [one["options"] != two["options"] for one, two in zip(before, now, strict=True)]
        assert sum(changed) > 0.9 * len(changed)
