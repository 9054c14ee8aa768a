"""``bench validate`` and ``bench add``: questions that people write, and what can be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from robotmcqa.bench.add import NotAdded, add
from robotmcqa.bench.check import check
from robotmcqa.bench.evidence import evidence_problem
from robotmcqa.bench.record import read_rows
from robotmcqa.bench.run import open_run
from robotmcqa.bench.settings import Settings
from robotmcqa.errors import DatasetError, UsageError
from tests.bench_helpers import part_of
from tests.conftest import Run, tree

MINE = {
    "id": "mine-1",
    "type": "spatial",
    "image": "images/kitchen.png",
    "question": "What stands on the stove?",
    "answer": "A pot.",
}


@pytest.fixture(scope="module")
def made(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part_of(bench, tmp_path_factory.mktemp("made"), 12)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "bench")
    return tmp_path / "bench"


def mine(folder: Path, *rows: dict[str, Any], size: int = 64) -> Path:
    """A file of somebody's questions, a picture beside it."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), "red").save(folder / "images/kitchen.png")
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def edited(folder: Path, number: int, **changes: Any) -> None:
    """Change a line by hand, and leave the rest alone."""
    path = folder / "questions.jsonl"
    lines = path.read_text("utf-8").splitlines()
    row = json.loads(lines[number]) | changes
    lines[number] = json.dumps({name: value for name, value in row.items() if value is not None})
    path.write_text("\n".join(lines) + "\n")


def test_a_whole_benchmark_is_right(bench: Path, robotmcqa: Run) -> None:
    done = robotmcqa("bench", "validate", bench)
    assert done.returncode == 0, done.stdout
    assert "215 questions are right" in done.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "colour"}, "type:"),
        ({"question": "  "}, "question:"),
        ({"question": 7}, "question:"),
        ({"answer": None}, "answer"),
        ({"answr": "x"}, "answr"),
        ({"image": "../../etc/passwd"}, "image:"),
        ({"image": "images/none.png"}, "image: images/none.png: no such file"),
        ({"id": "a b"}, "id:"),
        ({"frame": -1}, "frame:"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_with_line_field_and_remedy(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    edited(folder, 4, **changes)
    _, problems = check(folder)
    (problem,) = [one for one in problems if one.where.startswith("questions.jsonl line 5")]
    assert said in problem.what
    assert problem.remedy


def test_names_and_questions_are_asked_once(folder: Path) -> None:
    rows = read_rows(folder)
    edited(folder, 2, id=rows[1]["id"])
    edited(folder, 3, question=rows[0]["question"], image=rows[0]["image"], evidence=None)
    said = [problem.what for problem in check(folder)[1]]
    assert f"id: {rows[1]['id']} is taken by line 2" in said
    assert f"question: {rows[0]['id']} asks the same about the same picture" in said


def test_a_broken_picture_is_named(folder: Path) -> None:
    picture = folder / read_rows(folder)[0]["image"]
    picture.write_bytes(picture.read_bytes()[:200])
    said = [problem.what for problem in check(folder)[1]]
    assert any("broken PNG" in one for one in said)


def test_the_command_ends_with_3_and_says_it_all(folder: Path, robotmcqa: Run) -> None:
    with (folder / "questions.jsonl").open("a") as file:
        file.write("{not json}\n")
    done = robotmcqa("bench", "validate", folder)
    assert done.returncode == 3
    assert "questions.jsonl line 13: not JSON" in done.stdout
    assert "remedy:" in done.stdout
    told = json.loads(robotmcqa("bench", "validate", folder, "--json").stdout)
    assert told["questions"] == 12
    assert told["problems"][0]["where"] == "questions.jsonl line 13"


def test_an_answer_that_its_evidence_denies_is_wrong() -> None:
    evidence = {
        "relation": "side",
        "subject": "cup",
        "others": ["bin"],
        "value": ["left"],
        "points": {"cup": [0.3, -0.2, 0.8], "bin": [0.3, 0.2, 0.8]},
    }
    row = {"answer": "To the left of the bin.", "evidence": evidence}
    assert evidence_problem(row) is None
    assert "says 'left'" in (evidence_problem({**row, "answer": "To the right."}) or "")
    turned = {**evidence, "value": ["right"]}
    assert "does not follow" in (evidence_problem({**row, "evidence": turned}) or "")


def test_after_editing_by_hand_what_is_derived_is_made_anew(folder: Path, robotmcqa: Run) -> None:
    edited(folder, 0, answer="Go down.")
    stale = [problem for problem in check(folder)[1] if "has changed" in problem.what]
    assert [problem.where for problem in stale] == ["questions.jsonl"]
    assert "bench add --to" in stale[0].remedy
    assert robotmcqa("bench", "add", "--to", folder).returncode == 0
    rows, problems = check(folder)
    assert not problems
    assert rows[0]["answer"] == "Go down."


def test_questions_of_ones_own_join(folder: Path, tmp_path: Path, robotmcqa: Run) -> None:
    path = mine(tmp_path / "own", MINE, {**MINE, "id": "mine-2", "question": "And what beside it?"})
    done = robotmcqa("bench", "add", path, "--to", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 2
    rows, problems = check(folder)
    assert not problems
    assert [row["id"] for row in rows[-2:]] == ["mine-1", "mine-2"]
    assert rows[-1]["source"] == "human"
    assert "2 questions are written by people" in (folder / "README.md").read_text("utf-8")


def test_they_may_be_a_benchmark_of_their_own(tmp_path: Path) -> None:
    add(tmp_path / "new", [mine(tmp_path / "own", MINE)])
    rows, problems = check(tmp_path / "new")
    assert (len(rows), problems) == (1, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {**MINE, "id": "mine-2", "type": "smell"},
        {**MINE, "id": "mine-2", "image": "images/none.png"},
        MINE,
    ],
    ids=["type", "picture", "twice"],
)
def test_all_are_added_or_none(folder: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    before = tree(folder)
    with pytest.raises(NotAdded) as caught:
        add(folder, [mine(tmp_path / "own", MINE, wrong)])
    assert caught.value.problems[0].where.startswith("mine.jsonl line 2")
    assert tree(folder) == before


def test_another_picture_of_the_same_name_is_refused(folder: Path, tmp_path: Path) -> None:
    add(folder, [mine(tmp_path / "own", MINE)])
    before = tree(folder)
    other = mine(tmp_path / "other", {**MINE, "id": "mine-9", "question": "Why?"}, size=80)
    with pytest.raises(NotAdded, match="another picture"):
        add(folder, [other])
    assert tree(folder) == before


# -------------------------------------------------------------------------------- opening a run


def test_a_faulty_benchmark_is_not_run(folder: Path, tmp_path: Path) -> None:
    edited(folder, 1, type="smell")
    with pytest.raises(DatasetError, match="line 2"):
        open_run(folder, tmp_path / "run", Settings("a/b", "c/d"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("changes", [{"model": "x/y"}, {"judge_samples": 2}, {"blind": True}])
def test_another_run_in_the_same_folder_is_refused(
    folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"model": "a/b", "judge": "c/d"}
    open_run(folder, tmp_path / "run", Settings(**{**settings, "model": "a slip"}))
    opened = open_run(folder, tmp_path / "run", Settings(**settings))
    opened.keep_answer(opened.rows[0], "<answer>so</answer>", "stop")
    open_run(folder, tmp_path / "run", Settings(**settings))
    with pytest.raises(UsageError, match="holds a run with") as caught:
        open_run(folder, tmp_path / "run", Settings(**{**settings, **changes}))
    assert "--out" in caught.value.remedy


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--judge", "offline/overlap"], 2, "--model is missing"),
        (["--model", "offline/reference"], 2, "--judge is missing"),
        (["--model", "offline/x", "--judge", "offline/overlap"], 2, "there is no 'offline/x'"),
        (["--model", "nobody/x", "--judge", "offline/overlap"], 2, "model 'nobody/x'"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_a_model_that_there_is_not(
    folder: Path, tmp_path: Path, robotmcqa: Run, words: list[str], code: int, said: str
) -> None:
    if "nobody/x" in words:
        pytest.importorskip("inspect_ai")
    done = robotmcqa("bench", "run", folder, "--out", tmp_path / "run", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_inspect_ai_one_sentence_says_how_to_get_it(
    folder: Path, tmp_path: Path, robotmcqa: Run
) -> None:
    (tmp_path / "inspect_ai.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'inspect_ai'\", name='inspect_ai')"
    )
    words = ("--model", "offline/reference", "--judge", "offline/overlap")
    done = robotmcqa(
        "bench", "run", folder, "--out", tmp_path / "run", *words, env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 2
    assert "pip install 'robotmcqa[eval]'" in done.stderr
