"""Versions, changelog and blocks: what a release is called and what it says, without a Hub."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robotmcqa.card.blocks import block, blocks, filled, kept, merged, without_release
from robotmcqa.errors import DataError, UsageError
from robotmcqa.hub.changelog import entry, newest, with_entry
from robotmcqa.hub.versions import FIRST, Change, Version, changed, next_version, versions_among

numbers = st.integers(0, 10**6)
versions = st.builds(Version, numbers, numbers, numbers)

# ------------------------------------------------------------------------------------- versions


@given(versions)
def test_a_version_is_what_it_reads_as(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(versions, st.sampled_from([Change.CARD, Change.ROWS, Change.SPEC]))
def test_the_next_version_comes_after(version: Version, change: Change) -> None:
    after = next_version(version, change)
    assert after > version
    assert after.major == version.major  # more than that is for people to say
    assert (after.minor > version.minor) == (change is Change.SPEC)


def test_the_first_version_is_one() -> None:
    assert str(next_version(None, Change.SPEC)) == str(FIRST) == "v1.0.0"


def test_versions_are_ordered_as_numbers() -> None:
    assert Version.parse("v1.10.0") > Version.parse("v1.9.9")
    tags = ["v1.10.0", "v1.9.0", "draft", "v2", "1.0.0", "v01.0.0", "v1.0.0-rc1"]
    assert list(versions_among(tags).values()) == ["v1.9.0", "v1.10.0"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.0.0",
        "v1.0",
        "v1.0.0.0",
        "v01.0.0",
        "v1.0.0-rc1",
        "v1.0.-1",
        "v1.0.0\n",
        "v\u0661.0.0",
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no version") as error:
        Version.parse(text)
    assert "v1.2.0" in error.value.remedy


# -------------------------------------------------------------------------------- what has changed

MANIFEST: dict[str, Any] = {
    "version": "1",
    "spec": {"choices": 4, "seed": 0, "families": ["waypoint"]},
    "splits": {"train": {"rows": 9, "episodes": 3}},
    "files": [
        {"path": "data/train-00000.parquet", "split": "train", "sha256": "a"},
        {"path": "data/train-00001.parquet", "split": "train", "sha256": "b"},
        {"path": "meta/item.schema.json", "sha256": "c"},
        {"path": "assets/letters.svg", "sha256": "d"},
    ],
}


def other(**changes: Any) -> dict[str, Any]:
    """The manifest with other values, by ``field__field``."""
    manifest = copy.deepcopy(MANIFEST)
    for path, value in changes.items():
        *steps, last = path.split("__")
        place: Any = manifest
        for step in steps:
            place = place[int(step) if step.isdecimal() else step]
        place[last] = value
    return manifest


@pytest.mark.parametrize(
    ("after", "change", "words"),
    [
        (other(), Change.NONE, ""),
        (other(files__3__sha256="x"), Change.NONE, ""),  # a picture is no question
        (other(files__1__sha256="x"), Change.ROWS, "1 of 2 data files"),
        (other(spec__seed=1, files__0__sha256="x"), Change.ROWS, "1 of 2"),
        (
            other(files__0__sha256="x", splits__train__rows=12),
            Change.ROWS,
            "9 questions are now 12",
        ),
        (other(spec__choices=6, files__0__sha256="x"), Change.SPEC, "choices 4 is now 6"),
        (other(spec__new="far"), Change.SPEC, "new none is now far"),
        (other(files__2__sha256="x"), Change.SPEC, "schema"),
        (other(version="2"), Change.SPEC, "schema"),
    ],
)
def test_what_changed_decides_the_version(
    after: dict[str, Any], change: Change, words: str
) -> None:
    found, told = changed({"default": MANIFEST}, {"default": after})
    assert found is change
    assert bool(told) == bool(change)
    assert words in "; ".join(told)


def test_another_config_is_a_minor_change_and_named() -> None:
    one, two = {"paper": MANIFEST}, {"paper": MANIFEST, "grounded": other(spec__choices=2)}
    assert changed(one, two) == (Change.SPEC, ["new config `grounded`"])
    assert changed(two, one) == (Change.SPEC, ["no config `grounded`"])
    third = {**two, "paper": other(files__0__sha256="x")}
    change, told = changed(two, third)
    assert change is Change.ROWS
    assert told == ["rows have changed in 1 of 2 data files of `paper`"]


# -------------------------------------------------------------------------------------- changelog


def test_entries_stand_newest_first_and_lose_nothing() -> None:
    text = None
    for number in range(3):
        text = with_entry(text, entry(Version(1, number, 0), f"Why {number}.", ["what"], "9 rows"))
        assert newest(text) == Version(1, number, 0)
    assert text is not None
    places = [
        text.index(f"## v1.{number}.0\n\nWhy {number}.\n\n- what\n- 9 rows") for number in range(3)
    ]
    assert places == sorted(places, reverse=True)
    assert text.startswith("# Changelog\n")


def test_a_changelog_that_people_have_written_in_stays() -> None:
    mine = "# Ours\n\nWords.\n\n## v1.0.0\n\nold\n"
    text = with_entry(mine, entry(Version(1, 0, 1), "", ["x"], "y"))
    assert text == "# Ours\n\nWords.\n\n## v1.0.1\n\n- x\n- y\n\n## v1.0.0\n\nold\n"


def test_a_message_cannot_pass_for_an_entry() -> None:
    text = with_entry(None, entry(Version(1, 0, 0), "Hear:\n## v9.0.0\nmore", ["x"], "y"))
    assert newest(text) == Version(1, 0, 0)
    assert "## v9" not in text


def test_without_entries_there_is_no_newest() -> None:
    assert newest("# Changelog\n") is None


# ----------------------------------------------------------------------------------------- blocks

CARD = f"""# Title

{block("release", "version", "Version 1.")}

{block("yours", "about")}

Computed.

{block("yours", "limits", "Mine.")}
"""


def test_blocks_are_told_apart_by_kind() -> None:
    assert blocks(CARD, "yours") == {"about": "", "limits": "Mine."}
    assert blocks(CARD, "release") == {"version": "Version 1."}
    assert blocks("no blocks", "yours") == {}


def test_filling_changes_these_blocks_and_nothing_else() -> None:
    text = filled(CARD, "yours", {"about": "One.\n\nTwo.", "version": "no"})
    assert blocks(text, "yours") == {"about": "One.\n\nTwo.", "limits": "Mine."}
    assert blocks(text, "release") == {"version": "Version 1."}
    assert filled(text, "yours", {"about": ""}) == CARD


def test_line_ends_of_another_system_are_no_obstacle() -> None:
    assert blocks(CARD.replace("\n", "\r\n"), "yours") == {"about": "", "limits": "Mine."}
    assert without_release(CARD.replace("\n", "\r\n")) == without_release(CARD)


def test_the_same_card_of_two_versions_is_the_same_card() -> None:
    assert without_release(CARD) == without_release(CARD.replace("Version 1.", "Version 2."))
    assert without_release(CARD) != without_release(CARD.replace("Computed", "Reckoned"))


def test_what_people_wrote_survives_even_without_its_place() -> None:
    text = kept("# New card\n", blocks(CARD, "yours"))
    assert blocks(text, "yours")["limits"] == "Mine."
    assert text.startswith("# New card\n")
    assert kept(text, blocks(text, "yours")) == text


@pytest.mark.parametrize(
    ("mine", "theirs", "base", "expected"),
    [
        ("", "", "", ""),
        ("", "theirs", "", "theirs"),
        ("", "theirs", "old", "theirs"),
        ("", "", "old", ""),  # deleted on the Hub
        ("old", "", "old", ""),
        ("mine", "", "", "mine"),
        ("mine", "old", "old", "mine"),
        ("old", "theirs", "old", "theirs"),
        ("same", "same", "old", "same"),
    ],
)
def test_what_was_written_on_one_side_is_taken(
    mine: str, theirs: str, base: str, expected: str
) -> None:
    assert merged({"about": mine}, {"about": theirs}, [{"about": base}]) == {"about": expected}


def test_what_was_written_on_both_sides_is_for_people_to_settle() -> None:
    with pytest.raises(DataError, match="'yours: about' was written here and on the Hub"):
        merged({"about": "mine"}, {"about": "theirs"}, [{"about": "old"}])


def test_blocks_of_one_side_only_are_kept() -> None:
    assert merged({"a": "1"}, {"b": "2"}, []) == {"a": "1", "b": "2"}
