"""``extract``: the summary, the exit codes, and what happens to broken demos: each is named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from robotmcqa import Spec, extract, open_source
from robotmcqa.errors import ExtractionFailed, SourceError
from robotmcqa.sources import Selection
from tests.conftest import TASKS, Run, rows_of, tree
from tests.extractions import FAMILIES, broken, episode, failures_of, manifest_of

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
        (["--source", "dreams:here"], "rlbench:"),
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
