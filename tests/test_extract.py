"""``extract``: what every option does, what ends up on disk, and what happens to broken demos."""

from __future__ import annotations

import getpass
import importlib
import json
import math
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from robotmcqa import Spec, extract, open_source
from robotmcqa.demo import Demo
from robotmcqa.errors import ExtractionFailed, SourceError
from robotmcqa.sources import Selection
from tests.conftest import TASKS, Row, Run, environment, rows_of, tree
from tests.factory import write_demos

SCHEMAS = Path(__file__).parents[1] / "schemas/v1"
FAMILIES = ("waypoint", "current_state", "motion")


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "meta/manifest.json").read_text("utf-8"))
    return document


def failures_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "meta/failures.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def strings(document: object) -> Iterator[str]:
    """Every string in a JSON document, keys included."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from strings(name)
            yield from strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


def loaded(folder: Path) -> dict[str, tuple[Demo, Path]]:
    """Episode id -> the demo and its folder."""
    source = open_source(f"rlbench:{folder}")
    found = {}
    for ref in source.refs(Selection()):
        demo = source.load(ref, ())
        found[demo.digest()] = (demo, Path(ref.locator))
    return found


@pytest.fixture(scope="session")
def rows(dataset: Path) -> list[Row]:
    return rows_of(dataset)


@pytest.fixture
def extracted(demos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``extracted(*options)``: the rows of a data set made with them, and its folder.

    The command's own entry point, called in this process: half a second saved each time.
    """
    main = importlib.import_module("robotmcqa.cli.app").main

    def run(*options: object, source: Path = demos) -> tuple[list[Row], Path]:
        out = tmp_path / "out"
        words = ("extract", "--source", f"rlbench:{source}", "--out", out, *options)
        monkeypatch.setattr(sys, "argv", ["robotmcqa", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return rows_of(out), out

    return run


# ---------------------------------------------------------------------------------- the data set


def test_library_and_command_make_the_same_data_set(
    demos: Path, dataset: Path, tmp_path: Path
) -> None:
    summary = extract(open_source(f"rlbench:{demos}"), Spec(), tmp_path / "out")
    assert tree(tmp_path / "out") == tree(dataset)
    assert summary.manifest == manifest_of(dataset)
    assert summary.out == tmp_path / "out"
    assert not summary.failures
    assert not summary.already_complete


def test_a_data_set_consists_of_these_files(dataset: Path) -> None:
    """The layout that readers and the Hub rely on; nothing unfinished is left behind."""
    assert set(tree(dataset)) == {
        "README.md",
        "data/test-00000.parquet",
        "data/train-00000.parquet",
        "meta/failures.jsonl",
        "meta/item.schema.json",
        "meta/manifest.json",
        "meta/metadata.json",
        "meta/provenance.json",
    }
    assert not (dataset / ".extract").exists()


def test_every_demo_is_asked_about_in_every_family_at_every_tenth_frame(
    demos: Path, rows: list[Row]
) -> None:
    asked: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        asked[row["episode"], row["family"]].append(row["frame"])
    expected = {
        # The last frame of a demo is its last keyframe.
        (episode, family): list(range(0, len(demo) - 1, 10))
        for episode, (demo, _) in loaded(demos).items()
        for family in FAMILIES
    }
    assert len(expected) == 36
    assert asked == expected


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_stand_in_order(dataset: Path, split: str) -> None:
    order = [
        (
            row["task"],
            row["variation"],
            row["episode"],
            row["frame"],
            FAMILIES.index(row["family"]),
        )
        for row in rows_of(dataset, split)
    ]
    assert len(order) > 10
    assert order == sorted(set(order))


def test_states_and_targets_are_those_of_the_demo(demos: Path, rows: list[Row]) -> None:
    sources = loaded(demos)
    for row in rows:
        demo, _ = sources[row["episode"]]
        assert row["state"] == demo.states[row["frame"]].tolist()
        assert row["target"] == demo.states[row["keyframe"]].tolist()
        assert row["keyframe"] > row["frame"]
        assert row["instruction"] in demo.instructions
        assert (row["task"], row["variation"]) == (demo.task, demo.variation)


def test_pictures_are_the_bytes_of_the_files(demos: Path, rows: list[Row]) -> None:
    sources = loaded(demos)
    for row in rows:
        _, folder = sources[row["episode"]]
        assert row["cameras"] == ["front"]
        (image,) = row["images"]
        assert image["bytes"] == (folder / f"front_rgb/{row['frame']}.png").read_bytes()


def test_the_answer_is_the_option_it_names_and_the_prompt_shows_it_there(rows: list[Row]) -> None:
    for row in rows:
        shown = dict(re.findall(r"^\[\[([A-H])\]\] (.+)$", row["question"], re.MULTILINE))
        assert shown == dict(zip("ABCD", row["options"], strict=True))
        assert row["answer"] in shown
        if row["family"] == "motion":
            assert shown[row["answer"]] == row["motion"]
        else:
            where = row["target" if row["family"] == "waypoint" else "state"][:3]
            assert json.loads(shown[row["answer"]]) == pytest.approx(where, abs=5.01e-4)


def test_the_manifest_counts_what_is_there(dataset: Path, rows: list[Row]) -> None:
    manifest = manifest_of(dataset)
    counts = Counter((row["task"], row["family"]) for row in rows)
    assert manifest["items"] == {
        task: {family: counts[task, family] for family in FAMILIES} for task in TASKS
    }
    for split, numbers in manifest["splits"].items():
        mine = rows_of(dataset, split)
        assert numbers == {"rows": len(mine), "episodes": len({row["episode"] for row in mine})}
    assert {file["path"]: file["sha256"] for file in manifest["files"]} == {
        path: digest
        for path, digest in tree(dataset).items()
        if path not in ("README.md", "meta/manifest.json")
    }


def test_train_and_test_share_no_episode(dataset: Path) -> None:
    train, test = ({row["episode"] for row in rows_of(dataset, one)} for one in ("train", "test"))
    assert train
    assert test
    assert not train & test


# ------------------------------------------------------------------------------------ the options


def test_task_takes_some_of_the_tasks(extracted: Any) -> None:
    rows, _ = extracted("--no-images", "--task", "reach_target", "--task", "push_button")
    assert {row["task"] for row in rows} == {"reach_target", "push_button"}


def test_task_all_is_every_task(extracted: Any, demos: Path) -> None:
    rows, _ = extracted("--no-images", "--task", "all")
    assert {row["task"] for row in rows} == set(TASKS)


def test_variation_takes_one_variation(extracted: Any) -> None:
    rows, _ = extracted("--no-images", "--variation", 1)
    assert {row["variation"] for row in rows} == {1}
    assert len({row["episode"] for row in rows}) == 6


def test_episodes_bounds_the_demos_of_each_task(extracted: Any) -> None:
    rows, _ = extracted("--no-images", "--episodes", 1)
    assert Counter(task for task, _ in {(row["task"], row["episode"]) for row in rows}) == (
        dict.fromkeys(TASKS, 1)
    )


def test_cameras_come_in_the_order_asked_for(extracted: Any, demos: Path) -> None:
    rows, _ = extracted("--camera", "overhead", "--camera", "front", "--episodes", 1)
    sources = loaded(demos)
    for row in rows:
        assert row["cameras"] == ["overhead", "front"]
        assert [image["bytes"] for image in row["images"]] == [
            (sources[row["episode"]][1] / f"{camera}_rgb/{row['frame']}.png").read_bytes()
            for camera in ("overhead", "front")
        ]


def test_family_asks_only_those(extracted: Any) -> None:
    """Rows keep the families' own order, whatever order they were named in."""
    rows, out = extracted("--no-images", "--family", "motion", "--family", "waypoint")
    assert manifest_of(out)["spec"]["families"] == ["waypoint", "motion"]
    assert [row["family"] for row in rows[:4]] == ["waypoint", "motion"] * 2
    assert {row["family"] for row in rows} == {"waypoint", "motion"}


@pytest.mark.parametrize("choices", [2, 6])
def test_choices_is_the_number_of_options(extracted: Any, choices: int) -> None:
    rows, _ = extracted("--no-images", "--choices", choices)
    assert len(rows) > 100
    assert {len(row["options"]) for row in rows} == {choices}
    assert {len(set(row["options"])) for row in rows} == {choices}
    assert {row["answer"] for row in rows} == set("ABCDEF"[:choices])


def test_open_questions_have_no_options_and_the_answer_in_words(extracted: Any) -> None:
    rows, out = extracted("--no-images", "--format", "open")
    for row in rows:
        assert row["options"] == []
        assert row["distractors"] == []
        assert row["spec"]["law"] == "none"
        assert "[[A]]" not in row["question"]
        if row["family"] == "motion":
            assert row["answer"] == row["motion"]
        else:
            where = row["target" if row["family"] == "waypoint" else "state"][:3]
            assert json.loads(row["answer"]) == pytest.approx(where, abs=5.01e-4)
    assert "open-ended" in (out / "README.md").read_text("utf-8")


def test_no_images_reads_no_picture(extracted: Any, many_demos: Path) -> None:
    """Demos without any picture are enough."""
    rows, _ = extracted("--no-images", source=many_demos)
    assert rows
    assert all(row["cameras"] == [] and row["images"] == [] for row in rows)
    assert all("Picture: none." in row["question"] for row in rows)


def test_stride_is_the_distance_of_questions(extracted: Any, demos: Path) -> None:
    rows, _ = extracted("--no-images", "--stride", 25, "--family", "waypoint")
    asked: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        asked[row["episode"]].append(row["frame"])
    assert asked == {
        episode: list(range(0, len(demo) - 1, 25)) for episode, (demo, _) in loaded(demos).items()
    }


def test_keyframes_by_another_rule(extracted: Any, demos: Path) -> None:
    rows, _ = extracted("--no-images", "--keyframes", "every-20")
    sources = loaded(demos)
    for row in rows:
        last = len(sources[row["episode"]][0]) - 1
        assert row["keyframe"] == min((row["frame"] // 20 + 1) * 20, last)


def test_min_displacement_leaves_out_short_movements(
    extracted: Any, rows: list[Row], dataset: Path
) -> None:
    """Nothing is dropped silently: each is counted and named."""
    fewer, out = extracted("--no-images", "--min-displacement", 0.1)
    millimetres = {
        row["id"]: math.dist(
            [round(1000 * x) for x in row["state"][:3]],
            [round(1000 * x) for x in row["target"][:3]],
        )
        for row in rows
    }
    expected = {
        row["id"]
        for row in rows
        if row["family"] == "current_state" or millimetres[row["id"]] >= 100
    }
    assert {row["id"] for row in fewer} == expected
    left_out = {row["id"] for row in rows} - expected
    assert left_out
    assert {line["where"] for line in failures_of(out) if line["kind"] == "item"} == left_out
    assert sum(manifest_of(out)["skipped"].values()) == len(left_out)


@pytest.mark.parametrize("state", ["shown", "withheld"])
def test_state_decides_what_the_waypoint_prompt_tells(extracted: Any, state: str) -> None:
    rows, _ = extracted("--no-images", "--family", "waypoint", "--state", state)
    for row in rows:
        assert ("gripper is now at" in row["question"]) == (state == "shown")
        assert row["spec"]["state"] == state


def test_metadata_brings_another_scene(extracted: Any, dataset: Path, tmp_path: Path) -> None:
    scene = json.loads((dataset / "meta/metadata.json").read_text("utf-8"))
    scene["robot"] = "a Kinova arm"
    scene["axes"]["z"]["plus"]["word"] = "skywards"
    scene["valid_box"]["x"] = [0.0, 0.6]
    file = tmp_path / "scene.json"
    file.write_text(json.dumps(scene), "utf-8")
    rows, out = extracted("--no-images", "--metadata", file)
    assert all("a Kinova arm" in row["question"] for row in rows)
    motions = " ".join(row["motion"] for row in rows)
    assert "skywards" in motions
    assert not re.search(r"\bup\b", motions)
    assert all(0.0 <= point[0] <= 0.6 for row in rows for point in row["distractors"])
    assert json.loads((out / "meta/metadata.json").read_text("utf-8")) == scene


def test_template_words_a_family_anew(extracted: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text("Do: {{ instruction }}? {% for l, t in options %}{{ l }}={{ t }} {% endfor %}")
    rows, _ = extracted("--no-images", "--template", f"motion={file}")
    for row in rows:
        if row["family"] == "motion":
            options = "".join(f"{x}={y} " for x, y in zip("ABCD", row["options"], strict=True))
            assert row["question"] == f"Do: {row['instruction']}? {options}"
        else:
            assert "<think>" in row["question"]


@pytest.mark.parametrize("law", ["uniform", "near", "matched"])
def test_distractors_law_is_recorded_everywhere(extracted: Any, many_demos: Path, law: str) -> None:
    rows, out = extracted("--no-images", "--distractors", law, source=many_demos)
    positions = [row for row in rows if row["family"] != "motion"]
    assert positions
    assert {row["spec"]["law"] for row in positions} == {law}
    assert {one["law"] for one in manifest_of(out)["laws"]} == {law, "neighbours"}
    assert f"`{law}`" in (out / "README.md").read_text("utf-8")


def test_matched_distractors_are_true_answers_of_other_episodes(
    extracted: Any, many_demos: Path
) -> None:
    rows, _ = extracted(
        "--no-images", "--distractors", "matched", "--family", "waypoint", source=many_demos
    )
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        answers[row["options"]["ABCD".index(row["answer"])]].add(row["episode"])
    for row in rows:
        for option in row["options"]:
            others = answers[option] - {row["episode"]}
            assert others or option == row["options"]["ABCD".index(row["answer"])]


def test_preset_grounded_says_what_auto_became(
    robotmcqa: Run, many_demos: Path, tmp_path: Path
) -> None:
    """13 episodes are enough for ``matched`` in train, one is not in test: said everywhere."""
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{many_demos}", "--no-images"),
        *("--preset", "grounded", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    manifest = manifest_of(out)
    assert manifest["spec"]["distractors"] == "auto"
    assert manifest["spec"]["state"] == "withheld"
    expected = {
        ("train", "waypoint"): "matched",
        ("train", "current_state"): "matched",
        ("train", "motion"): "neighbours",
        ("test", "waypoint"): "near",
        ("test", "current_state"): "near",
        ("test", "motion"): "neighbours",
    }
    assert {(law["split"], law["family"]): law["law"] for law in manifest["laws"]} == expected
    for split in ("train", "test"):
        for row in rows_of(out, split):
            assert row["spec"]["law"] == expected[split, row["family"]]
            if row["family"] == "waypoint":
                assert row["spec"]["state"] == "withheld"
                assert "now at" not in row["question"]
    card = (out / "README.md").read_text("utf-8")
    for family in ("waypoint", "current_state"):
        assert f"{family} matched (all tasks, train)" in done.stdout
        assert f"{family} near (all tasks, test)" in done.stdout
        assert f"| {family} | `matched` | all tasks, train |" in card
        assert f"| {family} | `near` | all tasks, test |" in card
    assert "--preset grounded" in card


def test_single_options_override_the_preset(extracted: Any) -> None:
    _, out = extracted("--no-images", "--preset", "grounded", "--state", "shown")
    spec = manifest_of(out)["spec"]
    assert (spec["distractors"], spec["state"]) == ("auto", "shown")


# ------------------------------------------------------------------------- summary and exit codes


def test_json_is_the_whole_of_stdout(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = robotmcqa(
        "extract", "--source", f"rlbench:{demos}", "--no-images", "--out", out, "--json"
    )
    summary = json.loads(done.stdout)
    manifest = manifest_of(out)
    assert summary["out"] == str(out)
    for name in ("splits", "items", "laws", "skipped"):
        assert summary[name] == manifest[name]
    assert summary["failures"] == []
    assert summary["already_complete"] is False


def test_the_summary_counts_questions(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    done = robotmcqa(
        "extract", "--source", f"rlbench:{demos}", "--no-images", "--out", tmp_path / "out"
    )
    items = manifest_of(tmp_path / "out")["items"]
    for task in TASKS:
        (line,) = [line for line in done.stdout.splitlines() if task in line]
        assert [int(number) for number in re.findall(r"\d+", line)] == [
            items[task][family] for family in FAMILIES
        ]
    assert "Failed demos: 0; questions not asked: 0" in done.stdout
    assert f"robotmcqa validate {tmp_path / 'out'}" in done.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--distractors", "far"], "far"),
        (["--family", "colour"], "colour"),
        (["--keyframes", "sometimes"], "sometimes"),
        (["--keyframes", "nowhere:rule"], "nowhere"),
        (["--variation", "two"], "two"),
        (["--choices", "9"], "--choices"),
        (["--camera", "front", "--camera", "front"], "front"),
        (["--template", "motion"], "FAMILY=FILE"),
        (["--template", "colour=/dev/null"], "colour"),
        (["--source", "lerobot:here"], "rlbench:"),
        (["--source", "nonsense"], "nonsense"),
        (["--resume", "--overwrite"], "--resume"),
        (["--workers", "0"], "workers"),
        (["--frobnicate"], "--frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    robotmcqa: Run, demos: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", out, *options)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.rglob("*.parquet"))


def test_an_existing_data_set_is_not_replaced_by_accident(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--seed", 9, "--out", out)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert tree(out) == tree(dataset)


@pytest.mark.parametrize("option", [(), ("--overwrite",), ("--resume",)])
def test_a_folder_with_other_things_is_left_alone(
    robotmcqa: Run, demos: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", tmp_path, *option)
    assert done.returncode == 2
    assert "thesis.tex" in done.stderr
    assert set(tree(tmp_path)) == {"thesis.tex"}


def test_a_file_in_place_of_the_folder(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("not a folder")
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", file)
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text() == "not a folder"


@pytest.mark.parametrize(
    ("folder", "options", "named"),
    [
        ("nowhere", [], "no such folder"),
        ("empty", [], "no demos"),
        ("demos", ["--task", "juggle"], "reach_target"),  # what there is instead
        ("demos", ["--variation", "7"], "no demos"),
        ("demos", ["--camera", "wrist"], "front, overhead"),
    ],
)
def test_nothing_to_extract_ends_with_3(
    robotmcqa: Run, demos: Path, tmp_path: Path, folder: str, options: list[str], named: str
) -> None:
    (tmp_path / "empty").mkdir()
    source = demos if folder == "demos" else tmp_path / folder
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{source}", "--out", out, *options)
    assert done.returncode == 3, done.stderr
    assert named in done.stderr
    assert "remedy:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_library_raises_what_the_command_prints(demos: Path, tmp_path: Path) -> None:
    source = open_source(f"rlbench:{demos}")
    with pytest.raises(SourceError, match="no task 'juggle'"):
        extract(source, Spec(), tmp_path / "out", Selection(tasks=("juggle",)))
    with pytest.raises(ExtractionFailed) as failed:
        extract(source, Spec(cameras=("wrist",)), tmp_path / "out")
    assert len(failed.value.failures) == 12


# ----------------------------------------------------------------------------------- broken demos


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Five episodes that a test may break."""
    folder = tmp_path / "small"
    write_demos(folder, {"reach_target": 5}, frames=60, size=16)
    return folder


def episode(folder: Path, number: int) -> Path:
    return folder / f"reach_target/variation0/episodes/episode{number}"


def broken(folder: Path) -> None:
    """Two of five demos: a cut pickle, and three damaged pictures (one of them never asked for)."""
    pickle = episode(folder, 1) / "low_dim_obs.pkl"
    pickle.write_bytes(pickle.read_bytes()[:-100])
    for frame in (10, 11, 50):
        (episode(folder, 3) / f"front_rgb/{frame}.png").write_bytes(b"")


def test_broken_demos_do_not_stop_the_others(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    broken(small)
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out)
    assert done.returncode == 0, done.stderr
    assert len({row["episode"] for row in rows_of(out)}) == 3
    assert manifest_of(out)["failures"] == 2
    assert "Failed demos: 2" in done.stdout
    first, second = failures_of(out)
    name = "reach_target/variation0/episodes/episode"
    assert (first["kind"], first["where"]) == ("demo", f"{name}1")
    assert [file["path"] for file in first["files"]] == [f"{name}1/low_dim_obs.pkl"]
    assert (second["kind"], second["where"]) == ("demo", f"{name}3")
    assert [file["path"] for file in second["files"]] == [
        f"{name}3/front_rgb/{frame}.png" for frame in (10, 11, 50)
    ]
    for line in (first, second):
        assert line["why"]
        assert f"failed: {line['where']}" in done.stderr
    assert "10.png ... 11.png (2 files)" in done.stderr
    assert "50.png" in done.stderr
    assert "2 more could not be used" in (out / "README.md").read_text("utf-8")


def test_failures_are_in_the_json_summary(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    broken(small)
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out, "--json")
    assert json.loads(done.stdout)["failures"] == failures_of(out)


def test_a_missing_picture_fails_its_demo(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    (episode(small, 2) / "front_rgb/20.png").unlink()
    out = tmp_path / "out"
    assert robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out).returncode == 0
    (line,) = failures_of(out)
    assert line["where"].endswith("episode2")
    assert "front_rgb/20.png" in line["why"]


def test_max_failures_gives_up_and_resume_goes_on_once_mended(
    robotmcqa: Run, small: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    command = ("extract", "--source", f"rlbench:{small}", "--out")
    extract(open_source(f"rlbench:{small}"), Spec(), whole)
    kept = tmp_path / "kept"
    shutil.copytree(small, kept)
    broken(small)
    out = tmp_path / "out"
    done = robotmcqa(*command, out, "--max-failures", 1)
    assert done.returncode == 3
    assert "--max-failures 1" in done.stderr
    assert "episode1" in done.stderr
    assert "episode3" in done.stderr
    assert not (out / "meta/manifest.json").exists()
    shutil.copytree(kept, small, dirs_exist_ok=True)
    done = robotmcqa(*command, out, "--max-failures", 1, "--resume")
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(whole)


def test_as_many_failures_as_allowed_are_allowed(
    robotmcqa: Run, small: Path, tmp_path: Path
) -> None:
    broken(small)
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{small}"),
        *("--out", tmp_path / "out", "--max-failures", 2),
    )
    assert done.returncode == 0, done.stderr


def test_when_no_demo_is_usable_all_are_named_and_nothing_is_left(
    robotmcqa: Run, small: Path, tmp_path: Path
) -> None:
    for number in range(5):
        (episode(small, number) / "low_dim_obs.pkl").write_bytes(b"nonsense")
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out)
    assert done.returncode == 3
    for number in range(5):
        assert f"episode{number}" in done.stderr
    assert not tree(out)


def test_a_copied_demo_is_used_once_and_reported(
    robotmcqa: Run, small: Path, tmp_path: Path
) -> None:
    """Otherwise the same recording could stand in train and in test."""
    shutil.copytree(episode(small, 2), episode(small, 9))
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out)
    assert done.returncode == 0
    (line,) = failures_of(out)
    assert line["where"].endswith("episode9")
    assert line["why"].endswith("episode2")
    assert manifest_of(out)["failures"] == 1
    assert len({row["id"] for row in rows_of(out)}) == len(rows_of(out)) == 5 * 6 * 3


def test_a_repaired_demo_is_noted(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    (small / "reach_target/variation0/variation_descriptions.pkl").unlink()
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", out)
    assert done.returncode == 0
    assert [line["kind"] for line in failures_of(out)] == ["note"] * 5
    assert manifest_of(out)["failures"] == 0
    assert {row["instruction"] for row in rows_of(out)} == {"reach target"}
    assert "note: " in done.stderr


# -------------------------------------------------------------------- meta, card and other readers


def schema(name: str) -> Draft202012Validator:
    document = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return Draft202012Validator(document)


def test_meta_files_keep_to_their_schemas(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    """With failed demos, notes and skipped questions in them."""
    broken(small)
    (small / "reach_target/variation0/variation_descriptions.pkl").unlink()
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{small}"),
        *("--out", out, "--min-displacement", "0.1"),
    )
    assert done.returncode == 0, done.stderr
    lines = failures_of(out)
    assert {line["kind"] for line in lines} == {"demo", "note", "item"}
    for line in lines:
        schema("failure").validate(line)
    for name in ("manifest", "provenance"):
        schema(name).validate(json.loads((out / f"meta/{name}.json").read_text("utf-8")))
    schema("scene").validate(json.loads((out / "meta/metadata.json").read_text("utf-8")))


def test_rows_keep_to_the_schema_beside_them(dataset: Path, rows: list[Row]) -> None:
    text = (dataset / "meta/item.schema.json").read_text("utf-8")
    assert text == (SCHEMAS / "item.schema.json").read_text("utf-8")
    check = Draft202012Validator(json.loads(text))
    for row in rows:
        check.validate({**row, "images": [len(image["bytes"]) for image in row["images"]]})


def test_nothing_tells_where_or_by_whom_it_was_made(demos: Path, dataset: Path) -> None:
    """Data sets are published: no path, no host, no user."""
    provenance = json.loads((dataset / "meta/provenance.json").read_text("utf-8"))
    for text in strings(provenance):
        assert not re.search(r"(^|[\s:=])[/~]", text), text
        assert platform.node() not in text
    private = [str(demos), str(dataset), str(Path.home())]
    if len(getpass.getuser()) > 4:
        private.append(getpass.getuser())
    for file in (*dataset.glob("meta/*"), dataset / "README.md"):
        text = file.read_text("utf-8")
        assert not [one for one in private if one in text], file


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--preset", "grounded", "--task", "reach_target", "--episodes", "3", "--seed", "4"),
        ("--preset", "grounded", "--state", "shown", "--separation", "0.1", "--choices", "3"),
        ("--format", "open", "--family", "motion", "--motion-state", "shown", "--stride", "7"),
        ("--variation", "1", "--keyframes", "gripper-only", "--min-displacement", "0.06"),
    ],
)
def test_the_recorded_command_makes_the_same_data_set(
    robotmcqa: Run, extracted: Any, demos: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    one, first = extracted("--no-images", *options)
    provenance = json.loads((first / "meta/provenance.json").read_text("utf-8"))
    program, *again = shlex.split(provenance["command"].replace("DIR", str(demos)))
    assert program == "robotmcqa"
    done = robotmcqa(*again, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "again") == one
    assert tree(tmp_path / "again") == tree(first)


def test_the_card_says_what_is_inside(dataset: Path) -> None:
    text = (dataset / "README.md").read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    matter = yaml.safe_load(front)
    (config,) = matter["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "data/train-*.parquet"},
        {"split": "test", "path": "data/test-*.parquet"},
    ]
    assert matter["size_categories"] == ["n<1K"]
    assert matter["license"]
    manifest = manifest_of(dataset)
    for split, numbers in manifest["splits"].items():
        assert f"| {split} | {numbers['rows']} | {numbers['episodes']} |" in body
    for task, counts in manifest["items"].items():
        cells = " | ".join(str(counts[family]) for family in FAMILIES)
        assert f"| `{task}` | {cells} |" in body


def test_a_card_without_a_test_split_names_none(extracted: Any) -> None:
    _, out = extracted("--no-images", "--test-fraction", 0)
    front = (out / "README.md").read_text("utf-8").split("---\n", 2)[1]
    (config,) = yaml.safe_load(front)["configs"]
    assert [file["split"] for file in config["data_files"]] == ["train"]
    assert list(manifest_of(out)["splits"]) == ["train"]


READ_WITH_DATASETS = """
import json, sys
from datasets import load_dataset
folder = sys.argv[1]
both = load_dataset(folder)
told = {"features": {name: repr(kind) for name, kind in both["train"].features.items()}}
for split, rows in both.items():
    told[split] = [
        {"id": row["id"], "size": [image.size for image in row["images"]],
         "kind": [type(image).__name__ for image in row["images"]],
         "state": row["state"], "options": row["options"], "spec": row["spec"]}
        for row in rows
    ]
stream = load_dataset(folder, streaming=True)
told["streamed"] = {
    split: [(row["id"], [image.size for image in row["images"]]) for row in stream[split]]
    for split in stream
}
print(json.dumps(told))
"""


def test_datasets_loads_it_offline_with_decoded_pictures(dataset: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_DATASETS, str(dataset)],
        env=environment(HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    features = told["features"]
    assert "List(Image(" in features["images"]
    assert features["variation"] == "Value('int32')"
    assert features["state"] == "List(Value('float64'))"
    assert features["distractors"] == "List(List(Value('float64')))"
    assert set(told) == {"features", "train", "test", "streamed"}
    for split in ("train", "test"):
        mine = rows_of(dataset, split)
        assert [row["id"] for row in told[split]] == [row["id"] for row in mine]
        for row, raw in zip(told[split], mine, strict=True):
            assert row["size"] == [[64, 64]]
            assert row["kind"] == ["PngImageFile"]
            assert row["state"] == raw["state"]
            assert row["options"] == raw["options"]
            assert row["spec"] == raw["spec"]
        assert told["streamed"][split] == [[row["id"], [[64, 64]]] for row in mine]


# ---------------------------------------------------------------------------------- RLBench's own


@pytest.mark.slow
def test_demos_that_rlbench_recorded(robotmcqa: Run, rlbench_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{rlbench_data}", "--episodes", 3),
        *("--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert sum(split["rows"] for split in json.loads(done.stdout)["splits"].values()) > 0
    checked = robotmcqa("validate", out)
    assert checked.returncode == 0, checked.stdout
