"""docs/adding-a-task.md: its task works as it stands there, and takes no other file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Run
from tests.test_readme import ROOT, blocks

PAGE = ROOT / "docs/adding-a-task.md"


def test_the_task_of_the_page_is_extracted_by_its_command(script: Run, tmp_path: Path) -> None:
    (code,) = blocks(PAGE, "python")
    folder = tmp_path / "my_tasks"
    folder.mkdir()
    (folder / "tip_over_bottle.py").write_text(code)
    selection = ("--source", f"sim:{folder}", "--task", "tip_over_bottle", "--episodes", "3")
    run = script("extract", *selection, "--out", tmp_path / "out", "--json")
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["failures"] == []
    assert summary["items"]["tip_over_bottle"]["waypoint"] > 10
    assert script("validate", tmp_path / "out").returncode == 0


def test_the_page_says_how_long_a_task_is() -> None:
    (code,) = blocks(PAGE, "python")
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 45
