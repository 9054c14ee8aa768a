"""Every format holds what the data set holds, for the trainer that it is for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from robotmcqa import Spec, extract, open_source
from robotmcqa.completions import target_completion
from robotmcqa.dataset import Dataset
from robotmcqa.errors import DataError, UsageError
from robotmcqa.export import FORMATS
from robotmcqa.export.format import Completion, Plan
from robotmcqa.export.run import export
from robotmcqa.rlbench_layout import save_demo
from robotmcqa.scoring import combined_reward, position_of
from robotmcqa.sources import Selection, SourceOptions
from tests.conftest import Row, Run, rows_of, tree
from tests.exports import READERS, read_back
from tests.factory import make_demo

ALL = sorted(FORMATS)


@pytest.fixture(scope="module")
def reasoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated demos, which know what they do, seen by two cameras. Read only."""
    out = tmp_path_factory.mktemp("reasoned") / "questions"
    source = open_source("sim", SourceOptions(image_size=32))
    spec = Spec(cameras=("front", "overhead"), test_fraction=0.3)
    selection = Selection(tasks=("reach_target",), episodes=3)
    extract(source, spec, out, selection=selection, workers=1)
    return out


@pytest.fixture(scope="module")
def open_ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions without options, and without pictures. Read only."""
    out = tmp_path_factory.mktemp("open") / "questions"
    source = open_source("sim", SourceOptions(image_size=32))
    spec = Spec(cameras=(), format="open", families=("waypoint", "current_state"))
    selection = Selection(tasks=("reach_target",), episodes=3)
    extract(source, spec, out, selection=selection, workers=1)
    return out


def said_of(row: Row, completion: Completion | None) -> str:
    if completion is None or completion == "solution":
        return str(row["answer"])
    return target_completion(row, completion)


CHOICES: list[tuple[str, Completion | None]] = [
    ("trl", None),
    ("trl", "cot"),
    ("trl", "direct"),
    ("easyr1", None),
    ("llava", None),
    ("llava", "solution"),
    ("llava", "cot"),
    ("sharegpt", None),
    ("sharegpt", "direct"),
]


def test_every_format_is_read_back() -> None:
    assert set(READERS) == set(FORMATS) == {to for to, _ in CHOICES}


@pytest.mark.parametrize(("to", "completion"), CHOICES)
@pytest.mark.parametrize("kind", ["reasoned", "open_ended"])
def test_what_goes_in_comes_out(
    to: str,
    completion: Completion | None,
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Ids in order, the prompt's very text, the pictures' very bytes, and what is to be said."""
    source: Path = request.getfixturevalue(kind)
    out = tmp_path / "out"
    done = export(Dataset.open(source), to, out, completion=completion)
    told = "cot" if to == "sharegpt" and completion is None else completion
    assert list(done.rows) == ["train", "test"]
    for split, count in done.rows.items():
        rows = rows_of(source, split)
        found = read_back(to, out, split, tmp_path / "cache")
        assert len(found) == count == len(rows)
        for row, example in zip(rows, found, strict=True):
            assert example.id == row["id"]
            assert example.asked == row["question"]
            assert example.shown == [image["bytes"] for image in row["images"]]
            assert example.said == said_of(row, told)


def test_supervised_targets_earn_the_reward(reasoned: Path, tmp_path: Path) -> None:
    export(Dataset.open(reasoned), "sharegpt", tmp_path / "out")
    rows = rows_of(reasoned, "train")
    said = [one.said for one in read_back("sharegpt", tmp_path / "out", "train", tmp_path / "c")]
    options = [row["options"] for row in rows]
    assert set(combined_reward(said, [row["answer"] for row in rows], options=options)) == {1.0}


def test_columns_that_trl_hands_to_rewards(reasoned: Path, tmp_path: Path) -> None:
    export(Dataset.open(reasoned), "trl", tmp_path / "out")
    written = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    for row, made in zip(rows_of(reasoned, "train"), written, strict=True):
        for name in ("options", "id", "family", "task", "motion"):
            assert made[name] == row[name]
        assert made["solution"] == row["answer"]
    answers = [f"<think>x</think><answer>[[{made['solution']}]]</answer>" for made in written]
    columns: dict[str, Any] = {name: [made[name] for made in written] for name in written[0]}
    del columns["prompt"], columns["images"]
    assert set(combined_reward(completions=answers, **columns)) == {1.0}


@pytest.mark.slow
def test_trl_itself_puts_the_pictures_before_the_text(reasoned: Path, tmp_path: Path) -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    export(Dataset.open(reasoned), "trl", tmp_path / "out")
    row = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()[0]
    (message,) = data_utils.prepare_multimodal_messages(row["prompt"], row["images"])
    assert [part["type"] for part in message["content"]] == ["image", "image", "text"]
    assert message["content"][-1]["text"] == row["prompt"][0]["content"]


def test_open_ended_solutions_are_positions(open_ended: Path, tmp_path: Path) -> None:
    export(Dataset.open(open_ended), "easyr1", tmp_path / "out")
    for example in read_back("easyr1", tmp_path / "out", "train", tmp_path / "cache"):
        assert position_of(example.said) is not None


@pytest.mark.parametrize(("to", "own"), [("easyr1", "compute_score_open"), ("trl", "l1_reward")])
def test_open_ended_questions_are_given_their_reward(
    open_ended: Path, tmp_path: Path, to: str, own: str
) -> None:
    done = export(Dataset.open(open_ended), to, tmp_path / "out")
    assert own.removeprefix("compute_score") in done.guide


# ------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("to", ["llava", "sharegpt"])
def test_equal_pictures_are_one_file(dataset: Path, tmp_path: Path, to: str) -> None:
    """The questions of one frame share theirs, and so do splits and repeated frames."""
    completion = "direct" if to == "sharegpt" else None
    export(Dataset.open(dataset), to, tmp_path / "out", completion=completion)
    distinct = {image["bytes"] for row in rows_of(dataset) for image in row["images"]}
    files = list((tmp_path / "out" / "images").iterdir())
    assert {file.read_bytes() for file in files} == distinct
    assert len(files) == len(distinct) < len(rows_of(dataset))


@pytest.mark.parametrize("to", ["trl", "easyr1"])
def test_equal_pictures_take_the_room_of_one(dataset: Path, tmp_path: Path, to: str) -> None:
    export(Dataset.open(dataset), to, tmp_path / "out")
    distinct = {image["bytes"] for row in rows_of(dataset) for image in row["images"]}
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.parquet"))
    assert written < 1.2 * sum(map(len, distinct)) + 100_000


@pytest.mark.parametrize("to", ["trl", "easyr1"])
def test_row_groups_are_bounded(
    dataset: Path, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robotmcqa.export.parquet._BYTES_PER_GROUP", 20_000)
    export(Dataset.open(dataset), to, tmp_path / "out")
    found = pq.ParquetFile(tmp_path / "out" / "train.parquet")
    assert found.num_row_groups > 3
    assert [one.id for one in read_back(to, tmp_path / "out", "train", tmp_path / "cache")] == [
        row["id"] for row in rows_of(dataset, "train")
    ]


def test_a_single_picture_is_no_list(dataset: Path, tmp_path: Path) -> None:
    """As LLaVA's own files have it; several are one."""
    export(Dataset.open(dataset), "llava", tmp_path / "out")
    row = json.loads((tmp_path / "out" / "train.jsonl").read_text("ascii").splitlines()[0])
    assert re.fullmatch(r"images/[0-9a-f]{32}\.png", row["image"])


# ------------------------------------------------------------------------------- what is refused


def test_formats_and_completions_that_there_are_not(dataset: Path, tmp_path: Path) -> None:
    source = Dataset.open(dataset)
    with pytest.raises(UsageError, match="no such format") as refusal:
        export(source, "ms-swift", tmp_path / "out")
    assert refusal.value.remedy == "there are trl, easyr1, llava, sharegpt"
    with pytest.raises(UsageError, match="--completion cot with --to easyr1"):
        export(source, "easyr1", tmp_path / "out", completion="cot")
    with pytest.raises(UsageError) as refusal:
        export(source, "sharegpt", tmp_path / "out", completion="solution")
    assert refusal.value.remedy == "it takes cot, direct"
    assert not list(tmp_path.iterdir())


def test_rows_without_reasoning_are_counted_before_anything_is_written(
    dataset: Path, tmp_path: Path
) -> None:
    """RLBench's demos have none."""
    rows = rows_of(dataset)
    with pytest.raises(DataError) as refusal:
        export(Dataset.open(dataset), "sharegpt", tmp_path / "out")
    first, others = rows[0]["id"], len(rows) - 1
    assert refusal.value.what == f"row {first} and {others} more rows have no reasoning"
    assert "--completion direct" in refusal.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("marker", ["<image>", "<video>", "<|image_pad|>", "<|im_end|>"])
def test_a_marker_in_an_instruction_is_refused(tmp_path: Path, marker: str) -> None:
    """It would become a picture, or end the turn: told, and not exported otherwise than it is."""
    for seed in range(2):
        demo = make_demo(seed=seed, frames=60, size=16)
        told = replace(demo, instructions=(f"move the {marker} block",))
        save_demo(tmp_path / "demos", told, seed)
    extract(open_source(f"rlbench:{tmp_path / 'demos'}"), Spec(), tmp_path / "questions", workers=1)
    for to in ALL:
        completion = "direct" if to == "sharegpt" else None
        with pytest.raises(DataError) as refusal:
            export(Dataset.open(tmp_path / "questions"), to, tmp_path / "x", completion=completion)
        assert f"its question holds '{marker}'" in refusal.value.what
        assert f"move the {marker} block" in refusal.value.remedy
        assert not (tmp_path / "x").exists()


# -------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("to", ALL)
def test_the_same_bytes_wherever_it_lies(
    reasoned: Path, robotmcqa: Run, tmp_path: Path, to: str
) -> None:
    done = robotmcqa("export", reasoned, "--to", to, "--out", tmp_path / "here" / "one")
    assert done.returncode == 0, done.stderr
    export(Dataset.open(reasoned), to, tmp_path / "another")
    assert tree(tmp_path / "here" / "one") == tree(tmp_path / "another")
    assert str(tmp_path) not in (tmp_path / "another" / "README.md").read_text("utf-8")


def test_the_summary(dataset: Path, robotmcqa: Run, tmp_path: Path) -> None:
    out = tmp_path / "an out"
    done = robotmcqa("export", dataset, "--to", "easyr1", "--out", out)
    assert done.returncode == 0
    train, test = (len(rows_of(dataset, split)) for split in ("train", "test"))
    assert done.stdout == f"{out}: {train} train and {test} test questions, to easyr1.\n"
    assert f"data.train_files='{out}'/train.parquet" in done.stderr  # can be pasted
    again = robotmcqa("export", dataset, "--to", "easyr1", "--out", out, "--overwrite", "--json")
    assert again.returncode == 0
    document = json.loads(again.stdout)
    assert document.pop("seconds") >= 0
    assert document == {
        "out": str(out),
        "to": "easyr1",
        "completion": None,
        "rows": {"train": train, "test": test},
    }


def test_the_readme_says_where_it_is_from(dataset: Path, robotmcqa: Run, tmp_path: Path) -> None:
    robotmcqa("export", dataset, "--to", "trl", "--out", tmp_path / "out")
    content = json.loads(robotmcqa("validate", dataset, "--json").stdout)["content"]["default"]
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert content in text
    assert "non-commercial research" in text  # the licence of RLBench's demos goes with them


def test_a_config_of_several(dataset: Path, robotmcqa: Run, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for name in ("one", "two"):
        (both / name).symlink_to(dataset)
    words: tuple[Any, ...] = ("export", both, "--to", "trl", "--out", tmp_path / "out")
    refused = robotmcqa(*words)
    assert refused.returncode == 2
    assert "--config names one of: one, two" in refused.stderr
    assert robotmcqa(*words, "--config", "three").returncode == 2
    assert robotmcqa(*words, "--config", "two").returncode == 0
    export(Dataset.open(dataset), "trl", tmp_path / "alone")
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    alone = robotmcqa("export", dataset, "--config", "two", "--to", "trl", "--out", tmp_path / "x")
    assert alone.returncode == 2
    assert "leave --config out" in alone.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere", "--to", "trl", "--out", "out"), 3, "no data set here"),
        (("--to", "trl"), 2, "--out"),
        (("--out", "out"), 2, "--to"),
        (("{dataset}", "--to", "axolotl", "--out", "out"), 2, "trl, easyr1, llava, sharegpt"),
        (("{dataset}", "--to", "llava", "--completion", "x", "--out", "out"), 2, "it takes"),
        (("{dataset}", "--to", "sharegpt", "--out", "out"), 3, "no reasoning"),
    ],
)
def test_wrong_usage(
    words: tuple[str, ...], code: int, said: str, dataset: Path, robotmcqa: Run, tmp_path: Path
) -> None:
    done = robotmcqa("export", *(word.format(dataset=dataset) for word in words), cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def test_the_page_shows_what_the_guides_say() -> None:
    """Every command and configuration that an export tells stands in docs/exports.md too."""
    page = (Path(__file__).parents[1] / "docs/exports.md").read_text("utf-8")
    for to, completion in CHOICES:
        form = import_module(f"robotmcqa.export.{to}").FORMAT
        plan = Plan(1, False, completion or form.completions[0], ("train", "test"))
        blocks = re.findall(r"^```.*?^```", form.guide(plan), re.M | re.S)
        assert blocks or (to, completion) == ("llava", "cot")
        for block in blocks:
            assert block in page
