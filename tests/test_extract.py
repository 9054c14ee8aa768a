"""``extract``: what ends up in a data set, row by row, is what the demos say."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from robotmcqa import Spec, extract, open_source
from tests.conftest import TASKS, Row, Run, rows_of, tree
from tests.extractions import FAMILIES, loaded, manifest_of


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
        "eval.yaml",
        "assets/distances.svg",
        "assets/example-current_state-front.png",
        "assets/example-motion-front.png",
        "assets/example-waypoint-front.png",
        "assets/keyframes.svg",
        "assets/letters.svg",
        "assets/motions.svg",
        "assets/positions.svg",
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


# ---------------------------------------------------------------------------------- RLBench's own


@pytest.mark.slow
@pytest.mark.parametrize("part", ["paper", "peract", "upstream"])
def test_demos_that_rlbench_recorded(
    robotmcqa: Run, rlbench_data: Path, tmp_path: Path, part: str
) -> None:
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{rlbench_data / part}", "--episodes", 3),
        *("--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert sum(split["rows"] for split in json.loads(done.stdout)["splits"].values()) > 0
    checked = robotmcqa("validate", out)
    assert checked.returncode == 0, checked.stdout
