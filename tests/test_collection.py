"""Several data sets in one folder: each a config of what is pushed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from robotmcqa.collection import parts_of, place_of
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.validation import validate
from robotmcqa.workplace import WORK
from tests.conftest import Run, tree


@pytest.fixture(name="both", scope="module")
def two_configs(robotmcqa: Run, demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``paper`` and ``grounded``, made by the command. Read only."""
    out = tmp_path_factory.mktemp("both") / "out"
    for name in ("paper", "grounded"):
        words = ("--source", f"rlbench:{demos}", "--no-images", "--preset", name)
        done = robotmcqa("extract", *words, "--config", name, "--out", out)
        assert done.returncode == 0, done.stderr
        assert f"robotmcqa push {out} --repo" in done.stderr
    return out


def test_each_config_lies_in_its_folder_below_a_common_card(both: Path) -> None:
    assert [(part.config, part.prefix) for part in parts_of(both)] == [
        ("grounded", "grounded/"),
        ("paper", "paper/"),
    ]
    assert validate(both).ok
    tasks = yaml.safe_load((both / "eval.yaml").read_text("utf-8"))["tasks"]
    assert [(task["id"], task["config"]) for task in tasks] == [
        ("robotmcqa-grounded", "grounded"),
        ("robotmcqa-paper", "paper"),
    ]


def test_a_config_is_the_data_set_it_would_be_alone(
    both: Path, robotmcqa: Run, demos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "alone"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--no-images", "--out", out)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(both / "paper")


def test_a_collection_is_no_place_for_a_data_set(both: Path, robotmcqa: Run) -> None:
    before = tree(both)
    done = robotmcqa("extract", "--task", "reach_target", "--out", both)
    assert done.returncode == 2
    assert "--config NAME" in done.stderr
    assert tree(both) == before


def test_a_data_set_is_no_place_for_a_config(dataset: Path, robotmcqa: Run) -> None:
    done = robotmcqa("extract", "--task", "reach_target", "--config", "paper", "--out", dataset)
    assert done.returncode == 2
    assert "is a data set" in done.stderr


@pytest.mark.parametrize(
    "name", ["", "default", "data", "meta", "assets", "a/b", "..", ".hidden", "-x", "a b", "ä"]
)
def test_a_name_that_no_config_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--config"):
        place_of(tmp_path, name)


def test_an_unfinished_config_is_not_forgotten(both: Path, tmp_path: Path) -> None:
    """The card of the others can be written, but nothing is published without it."""
    copy = tmp_path / "copy"
    shutil.copytree(both, copy)
    (copy / "later" / WORK).mkdir(parents=True)
    assert [part.config for part in parts_of(copy, finished=True)] == ["grounded", "paper"]
    with pytest.raises(DatasetError, match="later: the extraction was interrupted"):
        parts_of(copy)
