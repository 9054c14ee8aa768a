"""What README and docs say is so: code runs, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from robotmcqa.questions.prompts import Prompter
from robotmcqa.scene import load_scene
from robotmcqa.spec import Spec
from tests.conftest import Run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_python_blocks_of_the_readme_run(
    demos: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, _, library = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "robotmcqa-dataset").symlink_to(dataset)
    exec(compile(loading, "README.md", "exec"), {})
    assert "rlbench:/path/to/demos" in library
    exec(compile(library.replace("/path/to/demos", str(demos)), "README.md", "exec"), {})
    assert (tmp_path / "my-dataset" / "meta" / "manifest.json").exists()


def test_every_option_that_the_pages_name_exists(robotmcqa: Run) -> None:
    verbs = [verb for verb in import_module("robotmcqa.cli.app").VERBS if verb != "bench"]
    helps = "".join(robotmcqa(verb, "--help").stdout for verb in verbs)
    for verb in ("build", "validate", "add", "run", "report", "agreement"):
        helps += robotmcqa("bench", verb, "--help").stdout
    helps += robotmcqa("--help").stdout
    pytest.importorskip("torch")  # whose recipes have options, too
    from robotmcqa.train_recipes.arguments import RecipeArguments

    helps += " ".join(f"--{field.name}" for field in fields(RecipeArguments))
    for page in PAGES:
        # Options with underscores are those of other programs: trainers' in docs/exports.md.
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+(?!\w)", page.read_text("utf-8"))):
            assert option in helps or option == "--editable", f"{page.name}: {option}"


def test_the_prompt_in_the_readme_is_the_one_that_is_asked() -> None:
    (shown,) = blocks(ROOT / "README.md", "text")
    options = re.findall(r"^\[\[[A-D]\]\] (.*)$", shown, re.M)
    asked = Prompter(Spec()).render("waypoint", "any", "[0.278, -0.008, 1.472]", options)

    def words(text: str) -> str:
        return " ".join(text.split())

    assert words(shown) in words(asked)


def test_the_scene_in_the_docs_is_valid(tmp_path: Path) -> None:
    (document,) = blocks(ROOT / "docs/scene-metadata.md", "json")
    path = tmp_path / "lab.json"
    path.write_text(document)
    assert load_scene(path).name == json.loads(document)["name"]
