"""``validate``: a sound data set passes; what is wrong with another's rows is found and named."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.card.front_matter import RLBENCH_LICENCE
from robotmcqa.licences import RLBENCH, SIM
from robotmcqa.sources import Selection
from robotmcqa.validation import Report
from tests.conftest import Row, Run, rows_of
from tests.tampering import Change, first, replace_option, rewrite, right, set_options, shard, sign

# ---------------------------------------------------------------------------------------- sound


def test_a_fresh_data_set_passes(robotmcqa: Run, dataset: Path) -> None:
    done = robotmcqa("validate", dataset)
    rows = rows_of(dataset)
    pictures = {(row["episode"], row["frame"]) for row in rows}
    assert done.returncode == 0, done.stdout
    assert f"{len(rows)} rows and {len(pictures)} pictures are right" in done.stdout
    assert validate(dataset).ok


def test_the_json_report_of_a_sound_data_set(robotmcqa: Run, dataset: Path) -> None:
    done = robotmcqa("validate", dataset, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["ok"] is True
    assert report["problems"] == []
    assert report["rows"] == len(rows_of(dataset))
    assert set(report["letter_p"]) == {"waypoint", "current_state", "motion"}
    assert all(0 < p <= 1 for p in report["letter_p"].values())


@pytest.mark.parametrize(
    "spec",
    [
        Spec(cameras=(), format="open"),
        Spec(cameras=(), distractors="near", state="withheld", choices=6),
        Spec(cameras=(), dead_band=30, min_displacement=60, motion_state="shown"),
        Spec(cameras=(), families=("motion",), templates={"motion": "{{ options }}"}),
        Spec(cameras=("overhead", "front"), stride=40, test_fraction=0.0),
    ],
    ids=["open", "near", "dead band", "template", "cameras"],
)
def test_every_kind_of_data_set_passes(demos: Path, tmp_path: Path, spec: Spec) -> None:
    extract(open_source(f"rlbench:{demos}"), spec, tmp_path / "out")
    report = validate(tmp_path / "out")
    assert report.problems == []
    assert report.rows > 0


def test_rewriting_alone_does_no_harm(copy: Path) -> None:
    """What the tests below find is their tampering, not the rewriting."""
    rewrite(copy, lambda rows: None)
    assert validate(copy).problems == []


# ------------------------------------------------------------------------------------- tampering


def wrong_letter(rows: list[Row]) -> None:
    row = rows[0]
    row["answer"] = "ABCD"[right(row) - 1]


def letter_without_option(rows: list[Row]) -> None:
    rows[0]["answer"] = "H"


def swapped_options(rows: list[Row]) -> None:
    row = rows[0]
    options = list(row["options"])
    place = right(row)
    options[place], options[place - 1] = options[place - 1], options[place]
    set_options(row, options)


def swapped_in_the_prompt_alone(rows: list[Row]) -> None:
    """Whoever reads the prompt is told another letter for the right option."""
    row, options = rows[0], list(rows[0]["options"])
    place = right(row)
    swapped = list(options)
    swapped[place], swapped[place - 1] = options[place - 1], options[place]
    set_options(row, swapped)
    row["options"] = options


def swapped_wrong_options(rows: list[Row]) -> None:
    row = rows[0]
    options = list(row["options"])
    one, other = [place for place in range(4) if place != right(row)][:2]
    options[one], options[other] = options[other], options[one]
    set_options(row, options)


def too_close(rows: list[Row]) -> None:
    row = rows[0]
    x, y, z = (round(value, 3) for value in row["target"][:3])
    replace_option(row, (right(row) + 1) % 4, [x, y, round(z + 0.01, 3)])


def outside_the_box(rows: list[Row]) -> None:
    replace_option(rows[0], (right(rows[0]) + 1) % 4, [0.1, 0.1, 2.0])


def wrong_motion(rows: list[Row]) -> None:
    rows[0]["motion"] = "move up" if rows[0]["motion"] != "move up" else "move down"


def no_neighbour(rows: list[Row]) -> None:
    row = first(rows, "motion")
    label = row["options"][right(row)]
    far = "move backward" if "forward" in label else "move forward"
    options = list(row["options"])
    options[(right(row) + 1) % 4] = f"{far}, slightly move left, and slightly move down"
    if options[(right(row) + 1) % 4] in row["options"]:
        raise AssertionError("this is an option already")
    set_options(row, options)


def broken_picture(rows: list[Row]) -> None:
    data = rows[0]["images"][0]["bytes"]
    rows[0]["images"][0]["bytes"] = data[: len(data) // 2]


def not_a_picture(rows: list[Row]) -> None:
    rows[0]["images"][0]["bytes"] = b"GIF89a..."


def no_picture(rows: list[Row]) -> None:
    rows[0]["images"] = []


def duplicate(rows: list[Row]) -> None:
    rows.insert(1, rows[0])


def unsorted(rows: list[Row]) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def other_target(rows: list[Row]) -> None:
    row = first(rows, "waypoint")
    row["target"][1] += 0.1


def other_state(rows: list[Row]) -> None:
    """The prompt states a position that the row does not record."""
    row = first(rows, "waypoint")
    row["state"][0] += 0.002


def not_finite(rows: list[Row]) -> None:
    rows[0]["state"][2] = float("nan")


def other_id(rows: list[Row]) -> None:
    rows[0]["id"] = rows[0]["id"].replace("-0000-", "-0010-")


def target_in_the_past(rows: list[Row]) -> None:
    row = next(row for row in rows if row["frame"] == 10)
    row["keyframe"] = 10


def other_law(rows: list[Row]) -> None:
    rows[0]["spec"]["law"] = "near"


def other_spec(rows: list[Row]) -> None:
    rows[0]["spec"]["digest"] = "0" * 16


def option_missing_from_the_prompt(rows: list[Row]) -> None:
    row = rows[0]
    row["question"] = row["question"].replace(row["options"][2], "[0, 0, 1]")


def fewer_options(rows: list[Row]) -> None:
    row = rows[0]
    gone = (right(row) + 1) % 4
    letter = row["options"][right(row)]
    del row["distractors"][gone - (gone > right(row))]
    del row["options"][gone]
    row["answer"] = "ABC"[row["options"].index(letter)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (wrong_letter, "is not option"),
        (letter_without_option, "is not option H"),
        (swapped_options, "is not option"),
        (swapped_in_the_prompt_alone, "prompt"),
        (swapped_wrong_options, "the distractors are not the wrong options"),
        (too_close, "closer than 0.05 m"),
        (outside_the_box, "outside the valid box"),
        (wrong_motion, "is not the movement from state to target"),
        (no_neighbour, "is no neighbour of"),
        (broken_picture, "does not decode"),
        (not_a_picture, "does not decode"),
        (no_picture, "0 pictures"),
        (duplicate, "there twice"),
        (unsorted, "out of order"),
        (other_target, "the answer is"),
        (other_state, "current position"),
        (not_finite, "state"),
        (other_id, "id does not fit"),
        (target_in_the_past, "does not come after frame 10"),
        (other_law, "law 'near'"),
        (other_spec, "another spec"),
        (option_missing_from_the_prompt, "is not in the prompt"),
        (fewer_options, "3 options"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_tampered_row_is_found_and_named(copy: Path, change: Change, what: str) -> None:
    before = {row["id"]: row for row in rows_of(copy)}
    rewrite(copy, change)
    after = rows_of(copy)
    report = validate(copy)
    assert not report.ok
    assert what in " ".join(problem.what for problem in report.problems)
    # Only what was changed is named; a NaN is never equal to itself.
    touched = {row["id"] for row in after if repr(row) != repr(before.get(row["id"]))}
    touched |= {row["id"] for row in after[:2]} if change in (duplicate, unsorted) else set()
    assert {problem.where for problem in report.problems} <= touched


def test_the_command_names_the_row_and_ends_with_3(robotmcqa: Run, copy: Path) -> None:
    rewrite(copy, wrong_letter)
    name = rows_of(copy)[0]["id"]
    done = robotmcqa("validate", copy)
    assert done.returncode == 3
    assert f"{name}: the answer is" in done.stdout
    assert "1 problem in" in done.stdout
    told = robotmcqa("validate", copy, "--json")
    assert told.returncode == 3
    report = json.loads(told.stdout)
    assert report["ok"] is False
    assert [problem["where"] for problem in report["problems"]] == [name]


@pytest.mark.parametrize(
    "column",
    ["id", "family", "task", "episode", "question", "options", "answer", "state", "spec"],
)
def test_a_null_in_a_required_field_is_reported(copy: Path, column: str) -> None:
    """Like any other problem: the report is whole, and says which field."""

    def change(rows: list[Row]) -> None:
        rows[3][column] = None

    rewrite(copy, change)
    report = json.loads(json.dumps(validate(copy).document()))
    assert report["ok"] is False
    assert report["rows"] == len(rows_of(copy))
    (problem,) = [one for one in report["problems"] if one["what"].startswith("schema: ")]
    assert column in problem["what"]


def test_a_null_on_the_terminal(robotmcqa: Run, copy: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[3]["answer"] = None

    rewrite(copy, change)
    done = robotmcqa("validate", copy)
    assert "Traceback" not in done.stderr
    assert done.returncode == 3
    assert "answer" in done.stdout


def test_an_episode_in_both_splits_is_found(copy: Path) -> None:
    episode = rows_of(copy, "test")[0]["episode"]

    def change(rows: list[Row]) -> None:
        leaked = [row for row in rows_of(copy, "test") if row["episode"] == episode]
        rows.extend(leaked)
        families = ("waypoint", "current_state", "motion")
        rows.sort(
            key=lambda row: (
                row["task"],
                row["variation"],
                row["episode"],
                row["frame"],
                families.index(row["family"]),
            )
        )

    rewrite(copy, change)
    problems = validate(copy).problems
    assert {problem.what for problem in problems} == {"its episode is in both splits"}
    assert {problem.where.split("-")[0] for problem in problems} == {episode}


def test_a_position_in_a_prompt_that_withholds_it_is_found(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = open_source(f"rlbench:{demos}")
    extract(source, Spec(cameras=(), state="withheld"), out, Selection(tasks=("push_button",)))

    def change(rows: list[Row]) -> None:
        text = json.dumps([round(value, 3) for value in rows[0]["state"][:3]])
        rows[0]["question"] = rows[0]["question"].replace(
            "Question:", f"The gripper is now at {text}.\n\nQuestion:"
        )

    assert validate(out).ok
    rewrite(out, change)
    (problem,) = validate(out).problems
    assert problem.where == rows_of(out)[0]["id"]
    assert "withheld" in problem.what


def test_always_the_same_letter_is_found(robotmcqa: Run, copy: Path) -> None:
    """Every row is right by itself; only all of them together give the answer away."""

    def change(rows: list[Row]) -> None:
        for row in rows:
            options = list(row["options"])
            options.insert(0, options.pop(right(row)))
            row["answer"] = "A"
            set_options(row, options)

    for split in ("train", "test"):
        rewrite(copy, change, split)
    done = robotmcqa("validate", copy, "--json")
    assert done.returncode == 3
    problems = json.loads(done.stdout)["problems"]
    assert {one["where"] for one in problems} == {"waypoint", "current_state", "motion"}
    assert all("not balanced" in one["what"] for one in problems)


def relicensed(folder: Path, **changes: str) -> Report:
    """With provenance, manifest and card in agreement about it."""
    path = folder / "meta/provenance.json"
    document = json.loads(path.read_text("utf-8"))
    document["source"] |= changes
    path.write_text(json.dumps(document), "utf-8")
    sign(folder)
    return validate(folder)


def test_rlbench_demos_under_another_licence_are_found(robotmcqa: Run, copy: Path) -> None:
    (problem,) = relicensed(copy, licence="MIT").problems
    assert problem.where == "meta/provenance.json, source.licence"
    assert "non-commercial" in problem.what
    done = robotmcqa("validate", copy)
    assert done.returncode == 3
    assert "says 'MIT'" in done.stdout


@pytest.mark.parametrize(
    ("source", "ok"),
    [
        ({"licence": RLBENCH}, True),
        ({"licence": SIM}, False),
        ({"licence": SIM, "recorded_by": "sim"}, True),
        ({"licence": RLBENCH, "recorded_by": "sim"}, False),
        ({"licence": "MIT", "recorded_by": "rlbench-live"}, False),
        ({"licence": "MIT", "scheme": "lab"}, True),
        ({"licence": "MIT", "scheme": "sim"}, False),
        ({"licence": SIM, "scheme": "sim"}, True),
    ],
)
def test_a_licence_has_to_fit_who_made_the_demos(
    copy: Path, source: dict[str, str], ok: bool
) -> None:
    assert relicensed(copy, **source).ok is ok


def test_the_card_and_the_sources_speak_of_the_same_licences(demos: Path) -> None:
    assert RLBENCH_LICENCE == RLBENCH == open_source(f"rlbench:{demos}").licence
    assert open_source("sim").licence == SIM


def test_a_column_too_few_is_an_error_with_a_remedy(robotmcqa: Run, copy: Path) -> None:
    table = pq.ParquetFile(shard(copy)).read()
    pq.write_table(table.drop_columns(["motion"]), shard(copy))
    sign(copy)
    done = robotmcqa("validate", copy)
    assert done.returncode == 3
    assert "motion" in done.stderr
    assert "remedy:" in done.stderr
