"""The spec: every change of it shows in its digest, and the presets give way to single options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from robotmcqa.errors import UsageError
from robotmcqa.spec import PRESETS, Spec, preset
from tests.items import episodes, rows, scene_with, without_pictures

OTHER: Mapping[str, Any] = {
    "families": ("waypoint",),
    "format": "open",
    "choices": 5,
    "distractors": "near",
    "state": "withheld",
    "motion_state": "shown",
    "min_displacement": 1,
    "separation": 51,
    "dead_band": 1,
    "stride": 11,
    "keyframes": "every-10",
    "cameras": ("wrist",),
    "seed": 1,
    "test_fraction": 0.2,
    "scene": scene_with("x", "ahead", "back"),
    "templates": {"motion": "own"},
}


@pytest.mark.parametrize("field", [field.name for field in fields(Spec)])
def test_any_change_of_the_spec_shows_in_its_digest(field: str) -> None:
    """Rows of different specs must never be taken for one data set."""
    changed = replace(Spec(), **{field: OTHER[field]})
    assert changed.document() != Spec().document()
    assert changed.digest() != Spec().digest()


def test_changes_of_the_spec_have_digests_of_their_own() -> None:
    changed = {replace(Spec(), **{field: value}).digest() for field, value in OTHER.items()}
    assert len(changed) == len(OTHER)
    one, two = Spec(templates={"motion": "one"}), Spec(templates={"motion": "two"})
    assert one.digest() != two.digest()


def test_equal_specs_have_equal_digests() -> None:
    """However their numbers and orders were written."""
    assert Spec(families=("motion", "waypoint")) == Spec(families=("waypoint", "motion"))
    one, other = Spec(test_fraction=0), Spec(test_fraction=0.0)
    assert one == other
    assert one.digest() == other.digest()


def test_every_row_carries_the_digest_of_its_spec() -> None:
    spec = without_pictures(seed=7)
    assert {row["spec"]["digest"] for row in rows(spec, episodes(2))} == {spec.digest()}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_way_to_single_fields(name: str) -> None:
    spec = preset(name, choices=3, state="shown", distractors="near")
    assert (spec.choices, spec.state, spec.distractors) == (3, "shown", "near")
    with pytest.raises(UsageError, match="no preset"):
        preset(name + "x")
