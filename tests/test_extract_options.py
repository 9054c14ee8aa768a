"""``extract``: every option does what its help says, and it is recorded."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TASKS, Row, Run, rows_of
from tests.extractions import failures_of, loaded, manifest_of


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


@pytest.mark.parametrize("law", ["uniform", "near", "level", "matched"])
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
    """13 episodes exchange their answers in train, one cannot in test: said everywhere."""
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
        ("train", "waypoint"): "swapped",
        ("train", "current_state"): "swapped",
        ("train", "motion"): "swapped",
        ("test", "waypoint"): "level",
        ("test", "current_state"): "level",
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
        assert f"{family} swapped (all tasks, train)" in done.stdout
        assert f"{family} level (all tasks, test)" in done.stdout
        assert f"| {family} | `swapped` | all tasks, train |" in card
        assert f"| {family} | `level` | all tasks, test |" in card
    assert "--preset grounded" in card


def test_single_options_override_the_preset(extracted: Any) -> None:
    _, out = extracted("--no-images", "--preset", "grounded", "--state", "shown")
    spec = manifest_of(out)["spec"]
    assert (spec["distractors"], spec["state"]) == ("auto", "shown")
