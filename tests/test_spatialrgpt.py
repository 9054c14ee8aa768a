"""SpatialRGPT-Bench: answers read by rule, and the task on made-up entries of its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.evaluation import spatialrgpt as bench
from robotmcqa.evaluation.spatialrgpt_answers import (
    hour_of,
    metres_of,
    polarity_of,
    read,
    region_of,
)
from tests.evaluations import command, evaluated
from tests.model_server import Asked, serving

# ---------------------------------------------------------------------------------------- readings


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("2.17 meters", 2.17),
        ("Region [0] is 2.17 metres wide.", 2.17),
        ("The height of Region [1] is 10.0 inches.", 0.254),
        ("6.91 feet", 2.106168),
        ("48.47 centimeters", 0.4847),
        ("It is about 30cm.", 0.3),
        ("roughly .5 m", 0.5),
        ("1 foot 6 inches", 0.4572),
        ("5' 3\"", 1.6002),
        ("two meters", 2.0),
        ("6.91 feet (2.1 meters)", 2.106168),
        ("Region 0 and Region 1 are 3 m apart", 3.0),
        ("between 2 meters and 3 meters", None),
        ("1.5", None),
        ("Region [2]", None),
        ("far away", None),
        ("10 minutes", None),
        ("", None),
    ],
)
def test_a_length_is_read_with_its_unit(text: str, metres: float | None) -> None:
    assert metres_of(text) == (None if metres is None else pytest.approx(metres))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Region [0] will find Region [1] around the 10 o'clock direction.", 10),
        ("Region [1] is roughly at 3 o'clock from Region [0].", 3),
        ("12 o\u2019clock", 12),
        ("at twelve oclock", 12),
        ("9:00", 9),
        ("13 o'clock", None),
        ("0 o'clock", None),
        ("between 2 o'clock and 5 o'clock", None),
        ("to the left", None),
    ],
)
def test_an_hour_is_read(text: str, hour: int | None) -> None:
    assert hour_of(text) == hour


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Yes, Region [0] is behind Region [1].", True),
        ("Indeed, it is.", True),
        ("Correct, Region [0] is larger.", True),
        ("That is True.", True),
        ("**Yes**", True),
        ("No.", False),
        ("Incorrect, Region [0] is not smaller.", False),
        ("In fact, Region [0] may be taller.", False),
        ("Actually, Region [0] is below Region [1].", False),
        ("That is False.", False),
        ("Not at all", False),
        ("Nobody knows", None),
        ("Region [0] is behind Region [1].", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_at_the_start(text: str, says: bool | None) -> None:
    assert polarity_of(text) is says


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("Region [1] is more to the left.", 1),
        ("Positioned higher is Region [0].", 0),
        ("Region [0] is positioned to the left of Region [1].", 0),
        ("Between Region [0] and Region [1], Region [1] is taller.", 1),
        ("region 1", 1),
        ("[1]", 1),
        ("the red one", None),
        ("1", None),
    ],
)
def test_the_region_that_an_answer_is_about_is_read(text: str, region: int | None) -> None:
    assert region_of(text) == region


@pytest.mark.parametrize(
    ("answer", "truth", "category", "right"),
    [
        ("1.25 m", "1.0 meters", "width_data", True),
        ("1.26 m", "1.0 meters", "width_data", False),
        ("75 cm", "1.0 meters", "distance_data", True),
        ("74 cm", "1.0 meters", "vertical_distance_data", False),
        ("3.28 feet", "1.0 meters", "height_data", True),
        ("1 o'clock", "12 o'clock", "direction", True),
        ("11 o'clock", "12 o'clock", "direction", True),
        ("12 o'clock", "11 o'clock", "direction", True),
        ("2 o'clock", "12 o'clock", "direction", False),
        ("6 o'clock", "12 o'clock", "direction", False),
        ("Yes", "Indeed, Region [0] has a greater width.", "wide_predicate", True),
        ("No", "Yes.", "behind_predicate", False),
        ("Region [1]", "Positioned to the left is Region [1].", "left_choice", True),
        ("Region [0]", "Region [1] is taller.", "tall_choice", False),
    ],
)
def test_right_is_within_a_quarter_or_an_hour_or_the_same(
    answer: str, truth: str, category: str, right: bool
) -> None:
    reading = read(answer, truth, category)
    assert reading.right is right
    assert reading.said


def test_what_cannot_be_read_is_wrong_and_a_truth_that_cannot_is_refused() -> None:
    for category, truth in (("direction", "3 o'clock"), ("width_data", "1 m"), ("x_choice", "[0]")):
        assert read("hm", truth, category) == read("", truth, category)
        assert not read("hm", truth, category).right
    with pytest.raises(ValueError, match="cannot be read"):
        read("1 m", "far", "width_data")


# ----------------------------------------------------------------------------------------- the task


def entry(number: int, category: str, truth: str, **changes: Any) -> dict[str, Any]:
    """An entry in the benchmark's form; all that is in it is made up."""
    kind = "quantitative" if category == "direction" or "_data" in category else "qualitative"
    fields: dict[str, Any] = {
        "id": f"{kind}_{number}",
        "image_info": {"file_path": f"pictures/{number % 2}.png", "height": 48, "width": 64},
        "text_q": f"A made-up question {number} about Region [0] and Region [1]?",
        "qa_info": {"type": kind, "category": category, "class": ["cup", "box"]},
        "conversations": [
            {"from": "human", "value": "<image>\nAbout <mask> and <mask>?"},
            {"from": "gpt", "value": truth},
        ],
        "bbox": [[4, 4, 24, 30], [30, 10, 60, 40]],
        "rle": [],
    }
    return fields | changes


ENTRIES = (
    entry(0, "left_predicate", "Yes, Region [0] is to the left of Region [1]."),
    entry(1, "tall_choice", "Region [1] is taller."),
    entry(2, "width_data", "Region [0] is 0.5 meters wide."),
    entry(3, "direction", "Region [1] is roughly at 12 o'clock from Region [0]."),
)


@pytest.fixture
def copy_of_it(tmp_path: Path) -> Path:
    """Four entries as JSON lines, with their pictures."""
    (tmp_path / "bench/pictures").mkdir(parents=True)
    for number in range(2):
        picture = np.full((48, 64, 3), 40 * number, dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"bench/pictures/{number}.png")
    path = tmp_path / "bench/val.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ENTRIES))
    return path


def test_a_model_is_asked_and_the_published_rows_stand_beside_it(
    copy_of_it: Path, tmp_path: Path
) -> None:
    said = {
        0: "<think>It is.</think><answer>Yes</answer>",
        1: "Region [1]",
        2: "<think>Hm.</think><answer>0.6 m</answer>",
        3: "about 2 o'clock",
    }
    seen = []

    def script(asked: Asked) -> str:
        (picture,) = asked.images
        seen.append(np.asarray(picture.convert("RGB")))
        return said[int(asked.text.partition("question ")[2][0])]

    place = f"spatialrgpt:{copy_of_it}"
    with serving(script) as server:
        found = evaluated(place, tmp_path / "out", "m", base_url=server.url)
    document = found.document()
    families = document["runs"][0]["families"]
    assert families["qualitative"]["accuracy"]["accuracy"] == 1.0
    assert families["quantitative"]["accuracy"]["accuracy"] == 0.5
    assert families["quantitative"]["by_task"]["direction"]["accuracy"]["accuracy"] == 0.0
    assert document["chance"] is None
    assert document["published"]["Robot-R1"] == {"quantitative": 0.1589, "qualitative": 0.4079}
    assert document["published"]["Qwen2.5-VL-7B-Instruct"]["qualitative"] == 0.2907
    for picture in seen:  # the regions are framed, in two colours
        assert picture.shape == (48, 64, 3)
        assert tuple(picture[30, 14]) == (255, 0, 0)
        assert tuple(picture[40, 45]) == (0, 0, 255)


def test_what_it_shows(
    copy_of_it: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(lambda asked: "Yes") as server:
        words = [f"spatialrgpt:{copy_of_it}", "--model", "m", "--base-url", server.url]
        code = command(monkeypatch, *words, "--family", "qualitative", "--out", tmp_path / "out")
    assert code == 0
    shown = capsys.readouterr().out
    assert "Robot-R1, as published" in shown
    assert "40.8" in shown
    assert "language model" in shown


def test_lists_of_entries_folders_and_columns_of_text_are_read_too(copy_of_it: Path) -> None:
    expected = bench.entries_of(str(copy_of_it))
    assert bench.entries_of(str(copy_of_it.parent)) == expected
    texts = [
        {
            name: json.dumps(value) if name in ("qa_info", "bbox") else value
            for name, value in one.items()
        }
        for one in ENTRIES
    ]
    copy_of_it.write_text(json.dumps(texts))
    assert bench.entries_of(str(copy_of_it)) == expected
    assert len(bench.entries_of(str(copy_of_it), limit=1)) == 2
    assert len(bench.entries_of(str(copy_of_it), ["qualitative"])) == 2


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "no entries"),
        ("{", "val.jsonl"),
        (json.dumps({"id": 1}), "entry 0"),
        (json.dumps(entry(0, "width_data", "very wide")), "entry 0"),
        (json.dumps(entry(0, "left_predicate", "Yes.") | {"bbox": "[["}), "entry 0"),
    ],
)
def test_what_is_no_copy_of_it_is_refused(copy_of_it: Path, lines: str, says: str) -> None:
    copy_of_it.write_text(lines)
    with pytest.raises(DatasetError, match=says):
        bench.entries_of(str(copy_of_it))


def test_there_are_two_kinds(copy_of_it: Path) -> None:
    with pytest.raises(UsageError, match="waypoint"):
        bench.entries_of(str(copy_of_it), ["waypoint"])


def test_a_picture_that_is_missing_is_named(copy_of_it: Path) -> None:
    (copy_of_it.parent / "pictures/1.png").unlink()
    with pytest.raises(DatasetError, match="qualitative_1"):
        bench.spatialrgpt(str(copy_of_it))
