"""The schemas: sound in themselves, and judged alike by the reference implementation."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from robotmcqa.episode import Episode
from robotmcqa.errors import SceneError
from robotmcqa.item import Item, ItemMaker
from robotmcqa.pools import plan_task
from robotmcqa.scene import load_scene, scene_preset
from robotmcqa.schema import first_problem, is_valid, schema_document, schema_text
from robotmcqa.spec import Spec

NAMES = (
    *("item", "scene", "manifest", "provenance", "failure", "ground_truth"),
    *("bench_question", "mapping"),
)

Place = tuple[str | int, ...]
"""Keys and indices that lead from a document to one of its values."""


@cache
def reference(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_document(name))


def agreed(name: str, document: Any) -> bool:
    """The verdict, which both implementations and both functions have to share."""
    verdict = is_valid(name, document)
    assert reference(name).is_valid(document) == verdict
    assert (first_problem(name, document) is None) == verdict
    return verdict


# Rows and mutations of rows


@cache
def valid_rows() -> tuple[dict[str, Any], ...]:
    """Rows of every family and format, as a run makes them."""
    states = tuple((0.1 * n, 0.05 * n, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0) for n in range(5))
    episode = Episode(
        id="0123456789abcdef",
        task="reach_target",
        variation=0,
        instructions=("reach the target",),
        notes=(),
        length=30,
        keyframes=(15, 29),
        targets=states[3:],
        frames=(0, 10, 20),
        states=states[:3],
        images=((b"png",), (b"png!",), (b"png!!",)),
    )
    found = []
    for spec in (Spec(), Spec(format="open"), Spec(distractors="near", choices=8)):
        for item in ItemMaker(spec).items(episode, plan_task([episode], spec)):
            assert isinstance(item, Item)
            found.append(json.loads(json.dumps(item.document)))
    return tuple(found)


def scene_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(scene_preset("rlbench").document))
    return document


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a document, the document itself first."""
    yield here
    if isinstance(value, dict):
        for key, below in value.items():
            yield from places(below, (*here, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from places(below, (*here, index))


def at(document: Any, place: Place) -> Any:
    for part in place:
        document = document[part]
    return document


# Right types with wrong values, wrong types, and values of the format that rules are about. No
# line break at an end: there the reference's "$" is Python's, not the one JSON Schema means.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 0.5, -0.0, 10**20, 1001, "", " ", "A", "H", "I", "a"),
    *("AB", "[[A]]", "choice", "open", "none", "matched", "neighbours", "shown", "1", "2"),
    *("0123456789abcdef", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef-0000-motion"),
    *("waypoint", "Way", [], {}, [0], ["a"], ["a", "a"], ["a", "b"], [1, 2, 3], [[1, 2, 3]]),
    *([[1, 2]], [0.0] * 8, [0.0] * 7, [None] * 8, {"x": 1}, {"word": "up", "meaning": "up"}),
)


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """A document with one to three fields dropped, replaced, added, doubled or emptied."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(document))))
        here = at(document, place)
        deeds = ["replace"]
        deeds += ["drop"] if place else []
        deeds += ["add"] if isinstance(here, dict | list) else []
        deed = draw(st.sampled_from(deeds))
        if deed == "add" and isinstance(here, dict):
            key = draw(st.sampled_from(("extra", "x", "w", "state", "name", "")))
            here[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif deed == "add":
            twice = copy.deepcopy(here[-1:])
            here += draw(st.sampled_from([twice, *([copy.deepcopy(value)] for value in VALUES)]))
        elif deed == "drop":
            del at(document, place[:-1])[place[-1]]
        elif place:
            at(document, place[:-1])[place[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            return copy.deepcopy(draw(st.sampled_from(VALUES)))
    return document


def test_rows_are_valid_for_both() -> None:
    assert len(valid_rows()) == 27
    for row in valid_rows():
        assert agreed("item", row)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_mutated_rows_get_the_same_verdict_from_both(data: st.DataObject) -> None:
    agreed("item", data.draw(mutated(data.draw(st.sampled_from(valid_rows())))))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_scenes_get_the_same_verdict_from_both(data: st.DataObject) -> None:
    agreed("scene", data.draw(mutated(scene_document())))


@pytest.mark.parametrize("field", schema_document("item")["required"])
def test_no_field_of_a_row_may_be_missing_or_of_another_type(field: str) -> None:
    row = dict(valid_rows()[0])
    assert not agreed("item", {**row, field: {"an": "object"}})
    del row[field]
    assert not agreed("item", row)


@pytest.mark.parametrize(
    ("changes", "which"),
    [
        ({"extra": 1}, "a field that nobody knows"),
        ({"answer": "I"}, "no letter of an option"),
        ({"answer": "a"}, "a small letter"),
        ({"answer": "[0.1, 0.2, 0.3]"}, "a text where a letter belongs"),
        ({"answer": "A\n"}, "a letter and a line break"),
        ({"options": []}, "a choice without options"),
        ({"options": ["one"]}, "a choice of one"),
        ({"options": ["one", "one"]}, "an option twice"),
        ({"options": [str(n) for n in range(9)]}, "more options than letters"),
        ({"state": [0.0] * 7}, "a state without its gripper"),
        ({"target": [0.0] * 9}, "a state of nine numbers"),
        ({"frame": -1}, "a frame before the first"),
        ({"frame": 0.5}, "half a frame"),
        ({"keyframe": 0}, "a keyframe that nothing leads to"),
        ({"variation": True}, "true for a number"),
        ({"episode": "0123456789ABCDEF"}, "a hash in capitals"),
        ({"id": "episode0-0-waypoint"}, "an id not of our making"),
        ({"images": [0]}, "an empty picture"),
        ({"cameras": ["front", "front"]}, "a camera twice"),
        ({"distractors": [[0.1, 0.2]]}, "a position in the plane"),
        ({"question": ""}, "an empty question"),
    ],
)
def test_rows_that_are_wrong(changes: dict[str, Any], which: str) -> None:
    assert not is_valid("item", {**valid_rows()[0], **changes}), which


@pytest.mark.parametrize(
    "spec",
    [
        {"version": "0"},
        {"digest": "short"},
        {"format": "essay"},
        {"law": "random"},
        {"law": "none"},  # of open questions only
        {"law": "auto"},  # to be resolved before a row is written
        {"state": "hidden"},
        {"extra": 1},
    ],
)
def test_rows_whose_spec_is_wrong(spec: dict[str, Any]) -> None:
    row = valid_rows()[0]
    assert not agreed("item", {**row, "spec": {**row["spec"], **spec}})


@pytest.mark.parametrize(
    "changes", [{"options": ["one", "two"]}, {"distractors": [[0.1, 0.2, 0.3]]}]
)
def test_an_open_row_has_nothing_to_choose_from(changes: dict[str, Any]) -> None:
    row = next(row for row in valid_rows() if row["spec"]["format"] == "open")
    assert agreed("item", row)
    assert not agreed("item", {**row, **changes})
    assert not agreed("item", {**row, "spec": {**row["spec"], "law": "uniform"}})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(bad: float) -> None:
    assert not is_valid("item", {**valid_rows()[0], "state": [bad] * 8})


# Scenes


def test_the_preset_is_valid_for_both() -> None:
    assert agreed("scene", scene_document())


def test_a_scene_of_ones_own_is_read(tmp_path: Path) -> None:
    document = scene_document()
    document["name"] = "kitchen"
    document["valid_box"]["x"] = [0, 2]
    document["cameras"] = {}
    path = tmp_path / "kitchen.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    scene = load_scene(path)
    assert scene.name == "kitchen"
    assert scene.valid_box.x == (0, 2000)
    assert scene.camera_text("left_shoulder") == "the left shoulder camera"
    assert scene.document == document


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("axes", "x", "plus", "word"), 3, "axes.x.plus.word"),
        (("axes", "z", "minus", "meaning"), "", "axes.z.minus.meaning"),
        (("valid_box", "y"), [0.1], "valid_box.y"),
        (("valid_box", "y", 0), "low", "valid_box.y.0"),
        (("valid_box", "z"), [1.6, 0.752], "valid_box.z"),
        (("valid_box", "z"), [1.0, 1.0], "valid_box.z"),
        (("gripper", "size", 1), 0, "gripper.size.1"),
        (("gripper", "finger_length"), float("nan"), "gripper.finger_length"),
        (("reference_points", 0, "position"), [1, 2], "reference_points.0.position"),
        (("reference_points", 0, "position", 2), 1e9, "reference_points.0.position.2"),
        (("cameras", "front"), None, "cameras.front"),
        (("name",), "My Scene", "name"),
        (("colour",), "red", "colour"),
    ],
)
def test_a_wrong_scene_is_named_by_file_and_field(
    tmp_path: Path, place: Place, value: Any, named: str
) -> None:
    document = scene_document()
    at(document, place[:-1])[place[-1]] = value
    path = tmp_path / "own.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SceneError) as caught:
        load_scene(path)
    assert str(path) in caught.value.what
    assert named in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("field", schema_document("scene")["required"])
def test_a_scene_lacks_nothing(tmp_path: Path, field: str) -> None:
    document = scene_document()
    del document[field]
    path = tmp_path / "own.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SceneError, match=field) as caught:
        load_scene(path)
    assert str(path) in caught.value.what


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"name: rlbench", b"[]", b'"rlbench"', b"null"]
)
def test_what_is_no_scene_at_all_is_named_by_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(SceneError) as caught:
        load_scene(path)
    assert str(path) in caught.value.what


def test_a_scene_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):  # a folder is no file either
        with pytest.raises(SceneError) as caught:
            load_scene(path)
        assert str(path) in caught.value.what


# The schemas themselves


def shipped() -> list[str]:
    folder = files("robotmcqa.schemas.v1")
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))


def test_every_schema_is_known_here() -> None:
    assert shipped() == sorted(f"{name}.schema.json" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_a_schema(name: str) -> None:
    document = schema_document(name)
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:robotmcqa:v1:{name}"
    assert json.loads(schema_text(name)) == document


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_refuses_what_it_does_not_know(name: str) -> None:
    """A misspelt field must not pass in silence."""
    assert schema_document(name)["additionalProperties"] is False
    problem = first_problem(name, {"misspelt": 1})
    assert problem is not None
    documents: tuple[Any, ...] = ({}, [], None, "text", {"misspelt": 1})
    for document in documents:
        assert not agreed(name, document)


def test_a_problem_names_its_field() -> None:
    row = copy.deepcopy(valid_rows()[0])
    row["state"][3] = "east"
    problem = first_problem("item", row)
    assert problem is not None
    assert problem.startswith("state.3: ")
    assert (first_problem("item", []) or "").startswith("document: ")


@pytest.mark.parametrize("key", [None, 1, True])
def test_a_key_that_is_no_text_is_a_problem(key: Any) -> None:
    problem = first_problem("mapping", {"gripper": {key: "a"}})
    assert problem is not None
    assert "key" in problem


def test_a_problem_does_not_grow_with_what_is_wrong() -> None:
    problem = first_problem("mapping", ["x"] * 10_000)
    assert problem is not None
    assert problem.endswith('is not of type "object"')
    assert len(problem) < 700
