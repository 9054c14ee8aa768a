"""The data sets that are pushed to the Hub: anybody rebuilds the bytes that the page names."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import Run

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/artifacts.md").read_text("utf-8")


def commands() -> list[list[str]]:
    """What ``make hub-artifacts`` runs, without the name of the program."""
    said = subprocess.run(
        ["make", "--dry-run", "hub-artifacts", "ARTIFACTS=OUT"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", " ")
    lines = (line.split() for line in said.splitlines())
    return [words[1:] for words in lines if words and words[0].endswith("/robotmcqa")]


def test_the_make_target_extracts_both_configs_and_validates() -> None:
    *extracts, validate, build, check = commands()
    assert [words[words.index("--config") + 1] for words in extracts] == ["paper", "grounded"]
    assert validate == ["validate", "OUT/robot-r1-mcqa"]
    assert build[:2] == ["bench", "build"]
    assert check == ["bench", "validate", "OUT/robot-r1-bench"]


@pytest.mark.slow
def test_the_bytes_are_those_of_the_page(script: Run, tmp_path: Path) -> None:
    for line in (ROOT / "docs/artifacts.txt").read_text("utf-8").splitlines():
        name, equals, pinned = line.partition("==")
        if equals and version(name) != pinned:
            pytest.skip(f"{name} {version(name)} is installed, the page is of {pinned}")
    for words in commands():
        done = script(*(word.replace("OUT", str(tmp_path)) for word in words))
        assert done.returncode == 0, done.stderr
        if words[0] == "extract":
            assert "osmesa" in done.stderr or "egl" in done.stderr.lower(), "the page is of OpenGL"
    done = script("validate", tmp_path / "robot-r1-mcqa", "--json")
    told = dict(re.findall(r"^\| `(\w+)` \| `([0-9a-f]{16})` \|", PAGE, re.M))
    account = json.loads((tmp_path / "robot-r1-bench/bench.json").read_text("utf-8"))
    assert json.loads(done.stdout)["content"] | {"bench": account["content"]} == told
