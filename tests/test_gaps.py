"""Demos that failed by chance are made when a finished data set is resumed; nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, validate
from robotmcqa.errors import ExtractionFailed, UsageError
from robotmcqa.extraction import Summary
from robotmcqa.sources import Selection
from tests.conftest import tree
from tests.fake_simulator import FakeSimulator, Unseeded
from tests.runs import killed_at

SELECTION = Selection(("reach_target",), None, 6)
BROKEN = Unseeded(failing=("demo1", "demo4"))


def made(source: FakeSimulator, out: Path, **options: Any) -> Summary:
    return extract(source, Spec(cameras=("front",)), out, SELECTION, workers=1, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The data set without a failure."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert made(Unseeded(), out).gaps == []
    return tree(out)


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set that lacks two demos. Read only."""
    out = tmp_path_factory.mktemp("lacking") / "out"
    summary = made(BROKEN, out)
    assert summary.gaps == [f"reach_target/variation1/demo{number}" for number in (1, 4)]
    assert not summary.already_complete
    assert validate(out).problems == []
    return out


def test_resumed_it_is_what_it_would_have_been(
    lacking: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(lacking, tmp_path / "out"))
    with pytest.raises(UsageError, match="lacks 2 of its demos"):
        made(Unseeded(), out)
    log = tmp_path / "log"
    again = made(Unseeded(log=log), out, resume=True)
    assert sorted(line.split()[0][-5:] for line in log.read_text().splitlines()) == [
        "demo1",
        "demo4",
    ]
    assert (again.gaps, again.already_complete) == ([], False)
    assert tree(out) == whole
    assert made(Unseeded(), out, resume=True).already_complete


def test_some_may_stay(lacking: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(lacking, tmp_path / "out"))
    assert made(Unseeded(failing=("demo4",)), out, resume=True).gaps == [
        "reach_target/variation1/demo4"
    ]
    assert made(BROKEN, out, resume=True).gaps == ["reach_target/variation1/demo4"]
    assert validate(out).problems == []


def test_overwriting_forgets_them(lacking: Path, whole: dict[str, str], tmp_path: Path) -> None:
    out = Path(shutil.copytree(lacking, tmp_path / "out"))
    log = tmp_path / "log"
    made(Unseeded(log=log), out, overwrite=True)
    assert len(log.read_text().splitlines()) == 6
    assert tree(out) == whole


def test_a_simulator_that_would_fail_again_is_not_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert made(FakeSimulator(failing=("demo1",)), out).gaps == []
    assert not (out / ".extract").exists()
    assert made(FakeSimulator(), out, resume=True).already_complete


def test_an_append_that_adds_nothing_leaves_them_to_be_filled(
    lacking: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(lacking, tmp_path / "out"))
    log = tmp_path / "log"
    summary = made(Unseeded(failing=("demo1", "demo4"), log=log), out, append=True)
    assert len(log.read_text().splitlines()) == 6  # none was taken from what was kept
    assert summary.added == {"rows": 0, "episodes": 0, "repeated": 4}
    with pytest.raises(ExtractionFailed, match="is as it was"):
        made(Unseeded(failing=tuple(f"demo{number}" for number in range(6))), out, append=True)
    assert tree(out) == tree(lacking)
    assert made(Unseeded(), out, resume=True).gaps == []
    assert tree(out) == whole


@pytest.mark.parametrize("step", range(2, 43, 4))
def test_killed_while_they_are_filled(
    step: int,
    lacking: Path,
    whole: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Path(shutil.copytree(lacking, tmp_path / "out"))
    killed_at(step, lambda: made(Unseeded(), out, resume=True), monkeypatch)
    made(Unseeded(), out, resume=True)
    assert tree(out) == whole


@pytest.mark.parametrize("step", range(6, 50, 4))
def test_killed_while_it_is_finished_without_them(
    step: int, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that had all its files ready is put in place first, gaps and all."""
    out = tmp_path / "out"
    killed_at(step, lambda: made(BROKEN, out), monkeypatch)
    if made(Unseeded(), out, resume=True).gaps:
        assert made(Unseeded(), out, resume=True).gaps == []
    assert tree(out) == whole
