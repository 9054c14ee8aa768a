"""The way back: releases loaded, fetched and checked, over real HTTP."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Run, rows_of, tree
from tests.hub_server.fixture import test_hub
from tests.releases import (
    REPO,
    Client,
    anna,
    reworded,
)

__all__ = ["anna", "test_hub"]

ROOT = Path(__file__).parents[1]


def test_validate_fetches_a_release_and_checks_it(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    rows = len(rows_of(copy))
    for address in (f"hf://{REPO}@v1.0.0", f"hf://datasets/{REPO}@v1.0.1", f"hf://{REPO}"):
        done = anna.run("validate", address)
        assert done.returncode == 0, done.stderr
        assert f"{address}: {rows} rows" in done.stdout
    report = anna.json("validate", f"hf://{REPO}@v1.0.1")
    assert report["ok"] is True


def test_a_release_is_exported_by_its_address(anna: Client, dataset: Path, tmp_path: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    for source, out in ((f"hf://{REPO}@v1.0.0", "fetched"), (dataset, "here")):
        done = anna.run("export", source, "--to", "llava", "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "fetched") == tree(tmp_path / "here")


def test_validate_finds_what_somebody_changed_on_the_hub(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    anna.hub.commit(REPO, {"assets/letters.svg": b"<svg/>", "data/train-00001.parquet": b"PAR1"})
    done = anna.run("validate", f"hf://{REPO}@main")
    assert done.returncode == 3
    assert "assets/letters.svg: differs from the manifest" in done.stdout
    assert "data/train-00001.parquet: not in the manifest" in done.stdout
    assert anna.run("validate", f"hf://{REPO}@v1.0.0").returncode == 0


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(
    anna: Client, copy: Path
) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    done = anna.run("validate", f"hf://{REPO}@v3.0.0")
    assert done.returncode == 2
    assert "its versions are: v1.0.0, v1.0.1" in done.stderr
    refused = anna.python(f"import robotmcqa; robotmcqa.load({REPO!r}, version='v3.0.0')")
    assert f"UsageError: {REPO} has no v3.0.0" in refused.stderr
    assert "its versions are: v1.0.0, v1.0.1" in refused.stderr


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("hf://lab/nothing@v1.0.0", 4, "there is no"),
        ("hf://nothing", 2, "hf://org/name@v1.2.0"),
        ("hf://a/b/c@v1.0.0", 2, "hf://org/name@v1.2.0"),
    ],
)
def test_an_address_that_leads_nowhere(anna: Client, address: str, code: int, words: str) -> None:
    done = anna.run("validate", address)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_without_a_release(anna: Client) -> None:
    anna.python(
        f"from huggingface_hub import create_repo\ncreate_repo({REPO!r}, repo_type='dataset')"
    )
    done = anna.run("validate", f"hf://{REPO}")
    assert done.returncode == 2
    assert "has no release" in done.stderr


def test_the_readme_publishes_and_reads_back(
    anna: Client, robotmcqa: Run, demos: Path, tmp_path: Path
) -> None:
    """Its blocks, word for word."""
    source = ("--source", f"rlbench:{demos}", "--no-images")
    for name in ("paper", "grounded"):
        words = ("extract", *source, "--preset", name, "--config", name, "--out", tmp_path / "both")
        done = robotmcqa(*words)
        assert done.returncode == 0, done.stderr
    text = (ROOT / "README.md").read_text("utf-8")
    anna.hub.accounts.add_organisation("org", anna="write")
    (command,) = re.findall("^robotmcqa (push --repo .*)$", text, re.M)
    anna.json("push", tmp_path / "both", *command.split()[1:])
    (reading,) = (
        block
        for block in re.findall("```python\n(.*?)```", text, re.S)
        if "load(" in block and "org/" in block
    )
    done = anna.python(reading + "print(questions['train'].num_rows)")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == len(rows_of(tmp_path / "both/paper", "train"))
    (address,) = re.findall(r"validate (hf://\S+?)`", text)
    assert anna.run("validate", address).returncode == 0


def test_a_folder_of_the_same_name_is_not_taken_for_the_release(
    anna: Client, copy: Path, tmp_path: Path
) -> None:
    anna.json("push", copy, "--repo", REPO)
    shutil.copytree(copy, tmp_path / "here" / REPO)
    reworded(tmp_path / "here" / REPO)
    code = (
        f"import os; os.chdir({str(tmp_path / 'here')!r}); import robotmcqa\n"
        f"rows = robotmcqa.load({REPO!r}, version='v1.0.0', split='train')\n"
        "print(sum(text.startswith('You steer') for text in rows['question']))"
    )
    told = anna.python(code)
    assert told.stdout.split() == ["0"], told.stderr


def test_a_config_that_is_none(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    told = anna.python(
        "import robotmcqa\n"
        f"try: robotmcqa.load({REPO!r}, version='v1.0.0', config='nope')\n"
        "except robotmcqa.RobotMCQAError as error: print(type(error).__name__, error)"
    )
    assert told.stdout.startswith("UsageError"), told.stderr
    assert "nope" in told.stdout
