"""Odd demos, names and moments: one of them never stops a run, and nothing wrong is published."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.errors import ExtractionFailed, TemplateError, UsageError
from robotmcqa.questions.prompts import Prompter
from robotmcqa.rlbench_layout import save_demo
from robotmcqa.scene import scene_from_document, scene_preset
from tests.conftest import Run, rows_of
from tests.factory import make_demo

SPEC = Spec(cameras=())


def saved(root: Path, count: int, task: str = "reach_target") -> Path:
    """``count`` demos of one task without pictures."""
    for number in range(count):
        save_demo(root, make_demo(task=task, seed=number, size=16), number, cameras={})
    return root


def extracted(root: Path, out: Path, resume: bool = False) -> list[dict[str, object]]:
    """The failures of an extraction."""
    return list(extract(open_source(f"rlbench:{root}"), SPEC, out, resume=resume).failures)


def test_a_position_beyond_all_bounds_fails_its_demo(tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 1)
    far = make_demo(seed=9, size=16)
    pose = far.gripper_pose.copy()
    folder = save_demo(root, replace(far, gripper_pose=pose), 7, cameras={})
    data = (folder / "low_dim_obs.pkl").read_bytes()
    place = pose[0, :1].astype("<f8").tobytes()
    assert place in data
    (folder / "low_dim_obs.pkl").write_bytes(
        data.replace(place, b"\x00\x00\x00\x00\x00\x00\x00\x7e")
    )
    (line,) = extracted(root, tmp_path / "out")
    assert str(line["where"]).endswith("episode7")
    assert "from the origin" in str(line["why"])


def test_a_variation_number_beyond_all_bounds_fails_its_demos(tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 2)
    shutil.copytree(root / "reach_target/variation0", root / "reach_target/variation3000000000")
    lines = extracted(root, tmp_path / "out")
    assert [line["where"] for line in lines] == [
        f"reach_target/variation3000000000/episodes/episode{number}" for number in range(2)
    ]


def test_a_task_whose_name_is_no_text_is_extracted_under_a_repaired_name(tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 1)
    odd = os.fsdecode(os.fsencode(root) + b"/bad\xff")
    try:
        (root / "reach_target").rename(odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    out = tmp_path / "out"
    assert extracted(root, out) == []
    assert {row["task"] for split in ("train",) for row in rows_of(out, split)} == {r"bad\udcff"}
    assert validate(out).ok


def test_a_folder_whose_name_is_no_text_is_extracted_and_resumed(tmp_path: Path) -> None:
    root = saved(tmp_path / os.fsdecode(b"bad\xff"), 2)
    assert extracted(root, tmp_path / "out") == []
    assert extracted(root, tmp_path / "out", resume=True) == []
    assert validate(tmp_path / "out").ok


def test_line_separators_in_names_do_not_split_the_list_of_failures(tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 1)
    (root / "reach_target").rename(root / "reach\u2028target")
    (root / "reach\u2028target/variation0/variation_descriptions.pkl").unlink()
    (line,) = extracted(root, tmp_path / "out")
    assert line["kind"] == "note"
    assert validate(tmp_path / "out").ok


def test_a_demo_removed_before_resuming_leaves_no_shard_behind(tmp_path: Path) -> None:
    """A shard of the interrupted run must not come back with an episode that has moved."""

    class Interrupted(Exception):
        pass

    class StopsBeforeTheEnd:
        def stage(self, name: str, episodes: int) -> None: ...

        def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
            self.wanted -= items
            if self.wanted <= 0:
                raise Interrupted

        wanted = 0

    root, out = saved(tmp_path / "demos", 2), tmp_path / "out"
    source = open_source(f"rlbench:{root}")
    total = sum(
        split["rows"]
        for split in extract(source, SPEC, tmp_path / "whole").manifest["splits"].values()
    )
    listener = StopsBeforeTheEnd()
    listener.wanted = total
    with pytest.raises(Interrupted):
        extract(source, SPEC, out, listener=listener)
    assert list((out / ".extract/publish/data").glob("test-*.parquet"))
    shutil.rmtree(root / "reach_target/variation0/episodes/episode0")
    extract(open_source(f"rlbench:{root}"), SPEC, out, resume=True)
    assert not list((out / "data").glob("test-*"))
    assert validate(out).ok


def test_resuming_a_complete_data_set_from_other_demos_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    extracted(saved(tmp_path / "few", 1), out)
    with pytest.raises(UsageError, match="demos: 1 then, 3 now"):
        extracted(saved(tmp_path / "more", 3), out, resume=True)
    assert validate(out).ok


def test_changed_descriptions_are_read_again_on_resume(tmp_path: Path) -> None:
    root, out = saved(tmp_path / "demos", 1), tmp_path / "out"

    class Stop:
        def stage(self, name: str, episodes: int) -> None:
            if name.startswith("Writing"):
                raise KeyboardInterrupt

        def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        extract(open_source(f"rlbench:{root}"), SPEC, out, listener=Stop())
    descriptions = root / "reach_target/variation0/variation_descriptions.pkl"
    descriptions.write_bytes(pickle.dumps(["entirely new words"]))
    extracted(root, out, resume=True)
    assert {row["instruction"] for row in rows_of(out, "train")} == {"entirely new words"}


def test_a_template_that_fails_does_so_before_any_demo_is_read(tmp_path: Path) -> None:
    root, out = saved(tmp_path / "demos", 1), tmp_path / "out"
    spec = Spec(cameras=(), templates={"waypoint": "{{ nonsense }}"})
    with pytest.raises(TemplateError, match="line 1"):
        extract(open_source(f"rlbench:{root}"), spec, out)
    assert not out.exists()


def test_when_every_question_is_left_out_nothing_is_written(tmp_path: Path) -> None:
    root, out = saved(tmp_path / "demos", 1), tmp_path / "out"
    spec = Spec(cameras=(), families=("waypoint",), min_displacement=99_000)
    with pytest.raises(ExtractionFailed, match="every question was left out") as caught:
        extract(open_source(f"rlbench:{root}"), spec, out)
    assert "closer than --min-displacement" in caught.value.remedy
    assert not out.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("spec", None), ("splits", {}), ("items", {}), ("skipped", {"x": 3}), ("failures", 9)],
)
def test_a_manifest_that_says_other_than_what_is_there_is_found(
    field: str, value: object, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    extracted(saved(tmp_path / "demos", 2), out)
    path = out / "meta/manifest.json"
    manifest = json.loads(path.read_text())
    manifest[field] = {**manifest["spec"], "seed": 42} if value is None else value
    path.write_text(json.dumps(manifest))
    problems = validate(out).problems
    assert any(field in problem.where for problem in problems), problems


def test_brackets_in_names_are_shown_as_they_are(robotmcqa: Run, tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 1)
    (root / "reach_target").rename(root / "reach[v2]_target")
    assert "reach[v2]_target" in robotmcqa("tasks", "--source", f"rlbench:{root}").stdout


def test_right_options_outside_the_box_are_counted(tmp_path: Path) -> None:
    """No distractor is out there, so whoever names the wrong box hears of it."""
    root, out = saved(tmp_path / "demos", 2), tmp_path / "out"
    low = {**scene_preset().document, "valid_box": {"x": [-1, 1], "y": [-1, 1], "z": [5.0, 9.0]}}
    spec = Spec(cameras=(), scene=scene_from_document(low, "low.json"))
    manifest = extract(open_source(f"rlbench:{root}"), spec, out).manifest
    asked = sum(families["waypoint"] for families in manifest["items"].values())
    assert manifest["outside_box"] == {"waypoint": asked, "current_state": asked}


def test_a_prompt_without_its_options_is_refused(tmp_path: Path) -> None:
    root = saved(tmp_path / "demos", 1)
    spec = Spec(cameras=(), templates={"motion": "just text"})
    with pytest.raises(TemplateError, match="does not show the options"):
        extract(open_source(f"rlbench:{root}"), spec, tmp_path / "out")


def test_an_open_question_has_to_say_what_is_wanted() -> None:
    text = '{% extends "skeleton.jinja" %}{% block question %}Where to?{% endblock %}'
    Prompter(Spec(templates={"waypoint": text}))
    with pytest.raises(TemplateError, match="wanted"):
        Prompter(Spec(templates={"waypoint": text}, format="open"))


def test_the_card_changes_with_the_rows(tmp_path: Path) -> None:
    """``datasets`` takes a data set whose card is the same for the one it has in its cache."""
    root = saved(tmp_path / "demos", 1)
    cards = []
    for seed in (1, 2):
        out = tmp_path / f"out{seed}"
        extract(open_source(f"rlbench:{root}"), Spec(cameras=(), seed=seed), out)
        cards.append((out / "README.md").read_text().split("---")[1])
    assert cards[0] != cards[1]
