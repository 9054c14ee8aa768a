"""The card and what lies beside it: true to the data, valid for the Hub, people's words kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from datasets import Features
from huggingface_hub import DatasetCard

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.card.blocks import blocks
from robotmcqa.card.facts import Facts
from robotmcqa.card.front_matter import RLBENCH_LICENCE, front_matter_of, licence
from robotmcqa.card.plots import plots
from robotmcqa.card.presentation import present_collection
from robotmcqa.card.render import CANARY
from robotmcqa.scene import scene_preset
from robotmcqa.shards import SCHEMA, card_features
from robotmcqa.sources import Selection
from tests.conftest import Run, rows_of, tree
from tests.extractions import manifest_of
from tests.releases import presented, written
from tests.runs import made


def front(folder: Path) -> dict[str, Any]:
    found = front_matter_of((folder / "README.md").read_text("utf-8"))
    assert found is not None
    return found


@pytest.fixture(name="out")
def extracted_twice(demos: Path, tmp_path: Path) -> Path:
    """A small data set that a test may extract anew."""
    return made(demos, tmp_path / "out", Spec(cameras=()))


# ------------------------------------------------------------------------------------ front matter


def test_the_hubs_own_reader_takes_the_card(dataset: Path) -> None:
    card = DatasetCard.load(dataset / "README.md")
    data = vars(card.data)
    assert data["license"] == "other"
    assert data["license_name"] == "rlbench"
    assert data["license_link"].startswith("https://github.com/stepjam/RLBench")
    assert data["task_categories"] == ["visual-question-answering", "multiple-choice", "robotics"]
    assert data["size_categories"] == ["n<1K"]
    assert "non-commercial research only" in card.text
    assert CANARY in card.text


def test_the_features_are_those_of_the_files() -> None:
    """Written down by us, so that no extraction has to load ``datasets``."""
    told = json.loads(SCHEMA.metadata[b"huggingface"])["info"]["features"]
    features = Features.from_dict(told)
    assert features._to_yaml_list() == card_features()
    assert Features._from_yaml_list(card_features()) == features


def test_the_splits_are_those_of_the_files(dataset: Path) -> None:
    info = front(dataset)["dataset_info"]
    for split in info["splits"]:
        rows = rows_of(dataset, split["name"])
        size = sum(path.stat().st_size for path in dataset.glob(f"data/{split['name']}-*"))
        assert (split["num_examples"], split["num_bytes"]) == (len(rows), size)
    assert [split["name"] for split in info["splits"]] == ["train", "test"]
    assert info["download_size"] == sum(split["num_bytes"] for split in info["splits"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC-BY-NC-SA-4.0", {"license": "cc-by-nc-sa-4.0"}),
        ("Ask us first.", {"license": "other", "license_name": "lab-demonstrations"}),
        (
            RLBENCH_LICENCE,
            {
                "license": "other",
                "license_name": "rlbench",
                "license_link": "https://github.com/stepjam/RLBench/blob/master/LICENSE",
            },
        ),
    ],
)
def test_the_source_decides_the_licence(text: str, expected: Mapping[str, str]) -> None:
    assert licence(text, "lab") == expected


def test_saved_rlbench_demos_are_never_anything_else(demos: Path) -> None:
    assert open_source(f"rlbench:{demos}").licence == RLBENCH_LICENCE


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("license: other", "license: apache-2.0", "license"),
        ("license_name: rlbench", "license_name: free", "license_name"),
        ("split: test", "split: validation", "configs"),
        ("dtype: float", "dtype: int", "dataset_info"),
        ("num_examples: ", "num_examples: 1", "dataset_info"),
    ],
)
def test_a_card_that_contradicts_the_data_is_found(
    copy: Path, old: str, new: str, field: str
) -> None:
    card = copy / "README.md"
    text = card.read_text("utf-8")
    changed = text.replace(old, new, 1)
    if old not in text:
        changed = text.replace("list: float64", "list: int64", 1)
    card.write_text(changed, "utf-8")
    problems = validate(copy).problems
    assert [one.where for one in problems] == ["README.md"]
    assert problems[0].what.startswith(field)


@pytest.mark.parametrize("text", ["", "# No front matter\n", "---\n: [\n---\n", "---\n- a\n---\n"])
def test_a_card_without_front_matter_is_found(copy: Path, text: str) -> None:
    (copy / "README.md").write_text(text)
    (problem,) = validate(copy).problems
    assert problem.where == "README.md"
    assert "no front matter" in problem.what


def test_a_missing_card_is_found(copy: Path) -> None:
    (copy / "README.md").unlink()
    assert [(one.where, one.what) for one in validate(copy).problems] == [("README.md", "missing")]


# ---------------------------------------------------------------------------- what is in the folder


def test_everything_beside_the_card_is_in_the_manifest(dataset: Path) -> None:
    listed = {file["path"] for file in manifest_of(dataset)["files"]}
    assert set(tree(dataset)) - listed == {"README.md", "meta/manifest.json"}
    linked = re.findall(r"\]\((assets/[^)]+)\)", (dataset / "README.md").read_text("utf-8"))
    assert sorted(linked) == sorted(path for path in listed if path.startswith("assets/"))


@pytest.mark.parametrize("name", ["assets/letters.svg", "eval.yaml"])
def test_a_changed_asset_is_found(robotmcqa: Run, copy: Path, name: str) -> None:
    (copy / name).write_text("other")
    assert [one.where for one in validate(copy).problems] == [name]
    (copy / name).unlink()
    assert [one.where for one in validate(copy).problems] == [name]


def test_a_row_of_each_family_is_shown_with_its_picture(dataset: Path) -> None:
    """Rows of the train split: cards are crawled."""
    text = (dataset / "README.md").read_text("utf-8")
    train, test = rows_of(dataset, "train"), rows_of(dataset, "test")
    for family in ("waypoint", "current_state", "motion"):
        picture = (dataset / f"assets/example-{family}-front.png").read_bytes()
        shown = [row for row in train if row["family"] == family and row["question"] in text]
        assert len(shown) == 1
        assert shown[0]["images"][0]["bytes"] == picture
        assert f"The right option is **{shown[0]['answer']}**." in text
    assert not [row for row in test if row["question"] in text]


def test_examples_are_of_different_tasks(dataset: Path) -> None:
    text = (dataset / "README.md").read_text("utf-8")
    assert len(set(re.findall(r"!\[`(\w+)`, camera", text))) == 3


def test_plots_are_whole_and_small(dataset: Path) -> None:
    drawn = sorted(dataset.glob("assets/*.svg"))
    names = ["distances", "keyframes", "letters", "motions", "positions"]
    assert [path.stem for path in drawn] == names
    for path in drawn:
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("aria-label")
        assert path.stat().st_size < 64_000
        for place in (x for one in root.iter() for x in (one.get("x"), one.get("width"))):
            assert place is None or -20 <= float(place) <= 1000


def test_plots_tell_the_counts(dataset: Path) -> None:
    rows = rows_of(dataset)
    facts = Facts()
    for row in rows:
        facts.add(row, showable=True)
    moments = {(row["episode"], row["frame"]) for row in rows}
    assert facts.states.total() == facts.targets.total() == len(moments)
    for task, counts in facts.keyframes.items():
        episodes: dict[str, set[int]] = {}
        for row in rows:
            if row["task"] == task:
                episodes.setdefault(row["episode"], set()).add(row["keyframe"])
        assert sorted(counts.elements()) == sorted(map(len, episodes.values()))
    by_name = {plot.name: plot.svg for plot in plots(facts, scene_preset().valid_box, 4)}
    letters = [row["answer"] for row in rows if row["family"] == "motion"]
    assert f">{letters.count('A')} (" in by_name["letters"]
    assert by_name["letters"].count('class="line"') == 3


def test_names_of_strangers_do_no_harm(demos: Path, tmp_path: Path) -> None:
    """Instructions come out of other people's files."""
    nasty = "<!-- end -->\n```\n<script>alert(1)</script>\n<!-- yours: begin about -->\n"
    spec = Spec(cameras=(), families=("motion",), templates={"motion": nasty + "{{ options }}"})
    out = made(demos, tmp_path / "out", spec)
    text = (out / "README.md").read_text("utf-8")
    assert blocks(text, "yours") == {"about": "", "limits": "", "notes": ""}
    assert "````text" in text
    assert len(blocks(text, "release")) == 4
    assert validate(out).ok


def test_the_evaluation_file(dataset: Path) -> None:
    text = (dataset / "eval.yaml").read_text("utf-8")
    document = yaml.safe_load(text)
    assert set(document) == {"name", "description", "evaluation_framework", "tasks"}
    (task,) = document["tasks"]
    row = rows_of(dataset, task["split"])[0]
    assert set(task["field_spec"].values()) <= set(row)
    pattern = task["scorers"][0]["args"]["pattern"]
    assert re.findall(pattern, f"<answer> [[{row['answer']}]] </answer>") == [row["answer"]]
    assert CANARY in text


@pytest.mark.parametrize(
    ("spec", "without"),
    [
        (Spec(cameras=(), format="open"), ["eval.yaml", "assets/letters.svg"]),
        (Spec(cameras=(), families=("waypoint",)), ["assets/motions.svg"]),
        (
            Spec(cameras=(), families=("motion",), test_fraction=0),
            ["eval.yaml", "assets/distances.svg"],
        ),
    ],
    ids=["open", "waypoint", "no test"],
)
def test_what_there_is_nothing_to_tell_of_is_not_there(
    demos: Path, tmp_path: Path, spec: Spec, without: list[str]
) -> None:
    out = made(demos, tmp_path / "out", spec)
    files = tree(out)
    assert not [name for name in without if name in files]
    assert not [name for name in files if name.endswith(".png")]
    text = (out / "README.md").read_text("utf-8")
    assert ("## Blind audit" in text) == (spec.format == "choice")
    assert front(out)["task_categories"][0] == "question-answering"
    assert validate(out).ok


# ------------------------------------------------------------------------- what people have written


def test_what_people_wrote_survives_another_extraction(demos: Path, out: Path) -> None:
    card = out / "README.md"
    before = tree(out)
    written(card, "limits", "Only two hands were watched.\n\n* a list")
    card.write_text(
        card.read_text("utf-8") + "\n<!-- yours: begin extra -->\nMore.\n<!-- end -->\n"
    )
    extract(open_source(f"rlbench:{demos}"), Spec(cameras=()), out, overwrite=True)
    assert blocks(card.read_text("utf-8"), "yours") == {
        "about": "",
        "limits": "Only two hands were watched.\n\n* a list",
        "notes": "",
        "extra": "More.",
    }
    assert validate(out).ok
    after = tree(out)
    assert {name for name in before if before[name] != after[name]} == {"README.md"}


def test_another_extraction_leaves_nothing_of_the_last(demos: Path, out: Path) -> None:
    source = open_source(f"rlbench:{demos}")
    extract(source, Spec(cameras=(), format="open"), out, overwrite=True)
    assert "eval.yaml" not in tree(out)
    assert "assets/letters.svg" not in tree(out)
    assert validate(out).ok


def test_presenting_anew_changes_nothing(copy: Path) -> None:
    before = tree(copy)
    presented(copy)
    assert tree(copy) == before


# ----------------------------------------------------------------------------------- several in one


def test_the_card_of_several_data_sets(demos: Path, dataset: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(dataset, both / "paper")
    selection = Selection(tasks=("reach_target",))
    spec = Spec(cameras=(), state="withheld")
    extract(open_source(f"rlbench:{demos}"), spec, both / "grounded", selection)
    present_collection(both)
    card = both / "README.md"
    matter = front(both)
    names = {config["config_name"]: config for config in matter["configs"]}
    assert names.keys() == {"grounded", "paper"}
    assert names["paper"]["default"] is True
    assert "default" not in names["grounded"]
    paths = [file["path"] for file in names["grounded"]["data_files"]]
    assert paths == ["grounded/data/train-*.parquet", "grounded/data/test-*.parquet"]
    assert [info["config_name"] for info in matter["dataset_info"]] == ["grounded", "paper"]
    assert matter["license_name"] == "rlbench"
    DatasetCard.load(card)
    assert validate(both).ok
    written(card, "about", "Ours.")
    present_collection(both)
    assert blocks(card.read_text("utf-8"), "yours")["about"] == "Ours."
    (both / "grounded/eval.yaml").write_text("other")
    assert [one.where for one in validate(both).problems] == ["grounded/eval.yaml"]
