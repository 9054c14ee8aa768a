"""The folder of an export: whole or not there, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from robotmcqa.dataset import Dataset
from robotmcqa.errors import UsageError
from robotmcqa.export.folder import MARK, new_folder
from robotmcqa.export.run import export
from tests.conftest import Run, environment, tree
from tests.runs import killed_at, wait_until


def exported(dataset: Path, out: Path, **options: Any) -> dict[str, str]:
    export(Dataset.open(dataset), "llava", out, **options)
    return tree(out)


def beside(out: Path) -> set[str]:
    return {entry.name for entry in out.parent.iterdir()}


def test_a_new_or_an_empty_folder(dataset: Path, tmp_path: Path) -> None:
    first = exported(dataset, tmp_path / "a" / "b" / "out")
    (tmp_path / "empty").mkdir()
    assert exported(dataset, tmp_path / "empty") == first
    assert beside(tmp_path / "empty") == {"a", "empty"}


def test_what_is_somebody_elses_stays(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    before = tree(tmp_path)
    for out in (tmp_path / "mine", tmp_path / "file", dataset):
        for overwrite in (False, True):
            with pytest.raises(UsageError):
                exported(dataset, out, overwrite=overwrite)
    assert tree(tmp_path) == before
    assert beside(tmp_path / "mine") == {"mine", "file"}


def test_an_earlier_export_is_replaced_when_asked(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(Dataset.open(dataset), "trl", out)
    before = tree(out)
    with pytest.raises(UsageError, match="already holds an export") as refusal:
        exported(dataset, out)
    assert "--overwrite" in refusal.value.remedy
    assert tree(out) == before
    after = exported(dataset, out, overwrite=True)
    assert "train.parquet" not in after
    assert beside(out) == {"out"}


def test_checkpoints_in_an_export_are_not_replaced_with_it(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported(dataset, out)
    (out / "checkpoint-500").mkdir()
    with pytest.raises(UsageError, match="checkpoint-500"):
        exported(dataset, out, overwrite=True)
    assert (out / "checkpoint-500").is_dir()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entries": 5}', "\x00"])
def test_a_damaged_mark_is_no_mark(dataset: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).write_text(text)
    with pytest.raises(UsageError, match="no export of robotmcqa"):
        exported(dataset, tmp_path / "out", overwrite=True)


def test_one_at_a_time(dataset: Path, tmp_path: Path) -> None:
    work = tmp_path / ".out.exporting"
    work.mkdir()
    with (
        FileLock(work / "lock"),
        pytest.raises(UsageError, match="another export is being written"),
    ):
        exported(dataset, tmp_path / "out")
    assert exported(dataset, tmp_path / "out")


def test_a_failure_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    def stop(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exported(dataset, tmp_path / "out", advance=stop)
    assert not list(tmp_path.iterdir())
    whole = exported(dataset, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        exported(dataset, tmp_path / "out", overwrite=True, advance=stop)
    assert tree(tmp_path / "out") == whole
    assert beside(tmp_path / "out") == {"out"}


@pytest.mark.parametrize("step", [1, 2])
def test_a_rename_that_fails_puts_the_old_one_back(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_folder(tmp_path / "out", overwrite=False) as folder:
        (folder / MARK).write_text(f'{{"entries": ["{MARK}"]}}')
    calls = 0
    rename = os.replace

    def failing(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            raise OSError(16, "Device or resource busy")
        rename(source, target)

    monkeypatch.setattr("os.replace", failing)
    with (
        pytest.raises(OSError, match="busy"),
        new_folder(tmp_path / "out", overwrite=True) as folder,
    ):
        (folder / "new").write_text("x")
    assert list(tree(tmp_path)) == [f"out/{MARK}"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_at_any_step(
    dataset: Path, tmp_path: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run finds the old export or the new one, and clears up."""
    fresh = exported(dataset, tmp_path / "fresh")
    for step in range(1, 20):
        out = tmp_path / f"at-{step}" / "out"
        if overwrite:
            export(Dataset.open(dataset), "trl", out)
        if not killed_at(step, partial(exported, dataset, out, overwrite=overwrite), monkeypatch):
            break
        there = tree(out) if out.exists() else {}
        assert there in ({}, fresh) or "train.parquet" in there
        assert exported(dataset, out, overwrite=True) == fresh
        assert beside(out) == {"out"}
    assert step > 2


def test_killed_while_writing(dataset: Path, tmp_path: Path) -> None:
    """By ``kill -9``, in the middle of the pictures."""
    out = tmp_path / "out"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom robotmcqa.dataset import Dataset\n"
        "from robotmcqa.export.run import export\n"
        "slow = lambda rows: time.sleep(0.05)\n"
        "export(Dataset.open(Path(sys.argv[1])), 'llava', Path(sys.argv[2]), advance=slow)"
    )
    words = [sys.executable, "-c", code, str(dataset), str(out)]
    with subprocess.Popen(words, env=environment()) as process:
        wait_until(lambda: len(list(tmp_path.glob(".out.exporting/new/images/*"))) > 2)
        process.kill()
    assert not out.exists()
    assert beside(out) == {".out.exporting"}
    exported(dataset, out)
    assert beside(out) == {"out"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
@pytest.mark.parametrize("to", ["trl", "llava"])
def test_a_full_disk(dataset: Path, tmp_path: Path, to: str) -> None:
    """Stood for by the largest file a process may write; the error is one line, and says where."""
    script = Path(sys.executable).with_name("robotmcqa")
    words = f"ulimit -f 4; exec '{script}' export '{dataset}' --to {to} --out '{tmp_path}/out'"
    done = subprocess.run(
        ["bash", "-c", words], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "remedy: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(dataset: Path, robotmcqa: Run) -> None:
    done = robotmcqa("export", dataset, "--to", "trl", "--out", "/proc/out")
    assert done.returncode == 2
    assert "/proc/out" in done.stderr
    assert "Traceback" not in done.stderr


def test_time_is_not_in_the_bytes(dataset: Path, tmp_path: Path) -> None:
    first = exported(dataset, tmp_path / "one")
    time.sleep(1.1)
    assert exported(dataset, tmp_path / "two") == first
