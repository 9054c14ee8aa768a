"""``robotmcqa bench build``: counts, the same bytes, and answers that agree with the pictures."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from robotmcqa.bench.record import Row, read_rows, row_problem
from robotmcqa.bench.things import IN, OUT, TASKS
from robotmcqa.bench.view import HAND
from robotmcqa.bench.wording import RELATIONS
from robotmcqa.schema import schema_document
from tests.conftest import Run, tree

DIRECTIONS = {"left": "right", "up": "down", "forward": "backward"}


@pytest.fixture(scope="module")
def rows(bench: Path) -> list[Row]:
    return read_rows(bench)


def test_the_counts_are_the_papers(bench: Path, rows: list[Row]) -> None:
    assert len(rows) == 215
    assert Counter(row["type"] for row in rows) == {
        "spatial": 65,
        "planning": 50,
        "high_level_action": 50,
        "motion": 50,
    }
    assert len({row["image"] for row in rows}) == len(list((bench / "images").iterdir())) == 50
    assert len(IN) == len(OUT) == 5
    for kind, each in (("planning", 25), ("high_level_action", 25), ("motion", 25)):
        groups = Counter(row["group"] for row in rows if row["type"] == kind)
        assert groups == {"in": each, "out": each}
    spatial = Counter(row["group"] for row in rows if row["type"] == "spatial")
    assert sorted(spatial.values()) == [32, 33]
    per_image = Counter(row["image"] for row in rows)
    assert set(Counter(name.rpartition("-")[0] for name in per_image).values()) == {5}
    assert set(per_image.values()) == {4, 5}


def test_every_picture_is_of_an_episode_of_its_own_and_shows_it(
    bench: Path, rows: list[Row]
) -> None:
    episodes: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        episodes.setdefault(row["image"], set()).add((row["episode"], row["frame"]))
    assert all(len(found) == 1 for found in episodes.values())
    assert len({next(iter(found))[0] for found in episodes.values()}) == 50
    pictures = {(bench / name).read_bytes() for name in episodes}
    assert len(pictures) == 50
    assert {Image.open(BytesIO(data)).size for data in pictures} == {(224, 224)}


@pytest.mark.slow
def test_built_twice_it_is_the_same_bytes_and_another_seed_makes_others(
    bench: Path, robotmcqa: Run, tmp_path: Path
) -> None:
    for name, words in (("again", ()), ("other", ("--seed", "1"))):
        assert robotmcqa("bench", "build", "--out", tmp_path / name, *words).returncode == 0
    assert tree(tmp_path / "again") == tree(bench)
    other = tree(tmp_path / "other")
    assert other.keys() == tree(bench).keys()
    assert not {name for name in other if "images" in name and other[name] == tree(bench)[name]}


def test_a_picture_made_again_is_the_same(bench: Path, rows: list[Row]) -> None:
    """One moment of each kind of naming, drawn anew in another process than the benchmark's."""
    from robotmcqa.bench.scenes import shots

    for task in ("push_button", "put_rubbish_in_bin", "take_lid_off_saucepan"):
        wanted = next(row for row in rows if row["image"] == f"images/{task}-1.png")
        shot = next(
            shot
            for shot in shots(task, 0, 5, seed=0, size=224)
            if (shot.view.episode, shot.view.frame) == (wanted["episode"], wanted["frame"])
        )
        assert shot.picture == (bench / wanted["image"]).read_bytes()


def test_no_data_set_holds_one_of_its_episodes(rows: list[Row]) -> None:
    """They are keyed apart: the same numbers make other scenes for ``extract``."""
    from robotmcqa.bench.scenes import KIND
    from robotmcqa.sources import Selection, SourceOptions, open_source

    source = open_source("sim", SourceOptions(seed=0))
    (ref,) = source.refs(Selection(tasks=("push_button",), episodes=1))
    demo = source.load(ref, ())
    assert not ref.locator.startswith(KIND)
    assert demo.digest() not in {row["episode"] for row in rows}


def test_every_row_fits_the_schema_and_every_field_of_it_is_described(rows: list[Row]) -> None:
    schema = schema_document("bench_question")
    assert not [row_problem(row) for row in rows if row_problem(row)]
    assert set(schema["properties"]) >= {name for row in rows for name in row}
    assert schema["additionalProperties"] is False


def test_questions_read_like_language(rows: list[Row]) -> None:
    for row in rows:
        for text in (row["question"], row["answer"]):
            assert text == " ".join(text.split())
            assert text[0].isupper() or text[0].isdigit(), text
            assert text[-1] in ".?", text
            assert "_" not in text
            assert "  " not in text
            assert "{" not in text
        assert "the the" not in row["question"] + row["answer"]
    # The words vary: hardly a question of a type is put the same way all along.
    for kind in ("planning", "high_level_action", "motion"):
        shapes = Counter(row["question"].split('"')[0][:24] for row in rows if row["type"] == kind)
        assert max(shapes.values()) < 35
        assert len(shapes) > 2


def test_every_relation_is_asked_about_and_no_answer_is_a_safe_guess(rows: list[Row]) -> None:
    spatial = [row["evidence"] for row in rows if row["type"] == "spatial"]
    relations = Counter(evidence["relation"] for evidence in spatial)
    assert set(relations) == set(RELATIONS)
    for relation in ("side", "depth", "place", "height", "nearer"):
        values = Counter(
            evidence["value"][0] for evidence in spatial if evidence["relation"] == relation
        )
        assert len(values) > 1
        assert max(values.values()) <= sum(values.values()) / 2 + 1, (relation, values)
    motions = Counter(row["answer"] for row in rows if row["type"] == "motion")
    assert max(motions.values()) <= 15


def test_spatial_answers_agree_with_the_picture(rows: list[Row]) -> None:
    """Left, right, above and in front, by projecting what the answer follows from."""
    checked: Counter[str] = Counter()
    for row in rows:
        if row["type"] == "spatial" and row["evidence"]["points"]:
            evidence = row["evidence"]
            seen = {key: project(point) for key, point in evidence["points"].items()}
            agrees(evidence, seen, row["id"])
            checked[evidence["relation"]] += 1
    assert sum(checked.values()) >= 55
    assert {"side", "place", "height", "order", "outermost", "depth", "over"} <= set(checked)


def project(point: list[float]) -> tuple[float, float]:
    """Column and row in the front camera's picture, as shares of it."""
    from robotmcqa.sim.cameras import CAMERAS

    camera = CAMERAS["front"].model(1, np.zeros((1, 7)))
    column, row = camera.project(np.array(point))
    return float(column), float(row)


def agrees(evidence: Row, seen: dict[str, tuple[float, float]], name: str) -> None:
    """Assert that an answer fits the pixels; another way to find it than the one that made it."""
    relation, values = evidence["relation"], evidence["value"]
    assert all(0 <= part <= 1 for pixel in seen.values() for part in pixel), name
    one = seen.get(evidence["subject"])
    other = seen.get(evidence["others"][0]) if evidence["others"] else None
    if relation in ("side", "place", "over") and one and other:
        if values[0] in ("left", "right"):
            assert (one[0] < other[0]) == (values[0] == "left"), name
            assert abs(one[0] - other[0]) > 0.03, name
        else:
            assert abs(one[0] - other[0]) < 0.06, name
            assert one[1] < other[1], name
    if (relation == "depth" or (relation == "place" and len(values) == 2)) and one and other:
        assert (one[1] > other[1]) == (values[-1] == "forward"), name
    if relation == "height" and one and other:
        assert (one[1] < other[1]) == (values[0] == "higher"), name
    if relation == "order":
        columns = [seen[key][0] for key in values]
        assert all(a < b for a, b in pairwise(columns)), name
    if relation == "outermost":
        axis, most = {"left": (0, min), "right": (0, max), "forward": (1, max)}.get(
            evidence["subject"], (1, min)
        )
        assert most(seen, key=lambda key: seen[key][axis]) == values[0], name
    if relation == "half" and one:
        assert (one[0] < 0.5) == (values[0] == "left"), name
    if relation == "nearer" and one:
        gaps = {key: np.hypot(*np.subtract(seen[key], one)) for key in evidence["others"]}
        assert min(gaps, key=lambda key: gaps[key]) == values[0], name


def test_motion_answers_name_no_direction_and_its_opposite(rows: list[Row]) -> None:
    for row in rows:
        if row["type"] == "motion":
            words = row["answer"].lower().replace(",", " ").replace(".", " ").split()
            named = [word for word in words if word in {*DIRECTIONS, *DIRECTIONS.values()}]
            assert named
            assert len(named) == len(set(named))
            assert not [one for one, other in DIRECTIONS.items() if {one, other} <= set(named)]


def test_what_is_named_is_in_the_picture(rows: list[Row]) -> None:
    """Every point of every evidence is one of the task's things, or the gripper."""
    for row in rows:
        for key in row.get("evidence", {}).get("points", {}):
            assert key == HAND or TASKS[row["task"]].things[key].asked


def test_what_is_derived_is_derived_from_the_rows(bench: Path, rows: list[Row]) -> None:
    table = pq.read_table(bench / "data/test-00000.parquet")
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    images = table.column("image").to_pylist()
    assert [one["bytes"] for one in images] == [(bench / row["image"]).read_bytes() for row in rows]
    evaluation = yaml.safe_load((bench / "eval.yaml").read_text("utf-8"))
    (task,) = evaluation["tasks"]
    assert set(task["field_spec"].values()) <= set(table.column_names)
    card = (bench / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["configs"][0]["data_files"][0]["path"] == "data/test-*.parquet"
    assert "| spatial | 65 |" in card
    account = json.loads((bench / "bench.json").read_text("utf-8"))
    assert account["counts"]["planning"] == 50


def test_inspect_reads_it_from_the_hub(bench: Path) -> None:
    """``eval.yaml`` fits what inspect-ai takes, and a row becomes a sample with its picture."""
    hf = pytest.importorskip("inspect_ai._eval.task.hf")
    (document,) = yaml.safe_load((bench / "eval.yaml").read_text("utf-8"))["tasks"]
    task = hf.HFTask.model_validate(document)
    row = pq.read_table(bench / "data/test-00000.parquet").slice(0, 1).to_pylist()[0]
    sample = hf._record_to_sample_hf(row, task.field_spec)
    kinds = [part.type for part in sample.input[0].content]
    assert kinds == ["text", "image"]
    assert sample.target == row["answer"]


def test_a_folder_with_something_in_it_is_left_alone(robotmcqa: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = robotmcqa("bench", "build", "--out", tmp_path)
    assert done.returncode == 2
    assert "no benchmark" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_projection_would_find_a_wrong_answer(rows: list[Row]) -> None:
    """Every answer of left or right, higher or lower, turned round: none of them passes."""
    turned = {"left": "right", "right": "left", "higher": "lower", "lower": "higher"}
    tried = 0
    for row in rows:
        evidence = row.get("evidence", {})
        if evidence.get("relation") in ("side", "height", "half"):
            wrong = {**evidence, "value": [turned[evidence["value"][0]]]}
            seen = {key: project(point) for key, point in evidence["points"].items()}
            with pytest.raises(AssertionError):
                agrees(wrong, seen, row["id"])
            tried += 1
    assert tried >= 12
