"""Motion labels: every displacement has one, and its neighbours are near but different."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robotmcqa.coordinates import Millimetres
from robotmcqa.motion import MotionLabel, Step, motion_label, neighbours
from robotmcqa.scene import scene_preset

WORDS = scene_preset("rlbench").motion_words

HERE = (0, 0, 0)

# Small numbers make ties, halves and standing still common; large ones are whole rooms.
millimetres = st.one_of(st.integers(-6, 6), st.integers(-3000, 3000))
positions = st.tuples(millimetres, millimetres, millimetres)

POSSIBLE = [
    label
    for label in (MotionLabel(*steps) for steps in product(Step, repeat=3))
    if label.is_possible()
]
STILL = MotionLabel(Step.NONE, Step.NONE, Step.NONE)


def moved_by(displacement: Millimetres, dead_band: int = 0) -> MotionLabel:
    return motion_label(HERE, displacement, dead_band)


def differing_axes(a: MotionLabel, b: MotionLabel) -> int:
    return sum(one != other for one, other in zip(a.steps, b.steps, strict=True))


@pytest.mark.parametrize(
    ("displacement", "text"),
    [
        ((0, 0, 300), "move up"),
        ((0, 200, -90), "move right and slightly move down"),
        ((300, -100, -280), "move forward, slightly move left, and move down"),
        ((-1, 0, 0), "move backward"),
        ((0, -5, 5), "move left and move up"),
        ((0, 0, 0), "stay in place"),
    ],
)
def test_wording(displacement: Millimetres, text: str) -> None:
    """The first three are the method's own examples of one, two and three parts."""
    assert moved_by(displacement).text(WORDS) == text


@settings(max_examples=500)
@given(start=positions, end=positions, dead_band=st.integers(0, 50))
def test_every_displacement_has_a_label(
    start: Millimetres, end: Millimetres, dead_band: int
) -> None:
    label = motion_label(start, end, dead_band)
    assert label in POSSIBLE
    assert label.text(WORDS)


@settings(max_examples=300)
@given(start=positions, end=positions, dead_band=st.integers(0, 50))
def test_only_the_displacement_counts(start: Millimetres, end: Millimetres, dead_band: int) -> None:
    displacement = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
    assert motion_label(start, end, dead_band) == moved_by(displacement, dead_band)


@settings(max_examples=500)
@given(displacement=positions, axis=st.integers(0, 2), dead_band=st.integers(0, 10))
def test_the_mirrored_displacement_has_the_mirrored_label(
    displacement: Millimetres, axis: int, dead_band: int
) -> None:
    turned = list(displacement)
    turned[axis] = -turned[axis]
    mirrored = moved_by((turned[0], turned[1], turned[2]), dead_band)
    steps = list(moved_by(displacement, dead_band).steps)
    steps[axis] = Step(-steps[axis])
    assert mirrored == MotionLabel(*steps)


@settings(max_examples=500)
@given(displacement=positions)
def test_direction_and_size_per_axis(displacement: Millimetres) -> None:
    """Slightly if and only if at most half of the largest change; the sign is the direction."""
    largest = max(map(abs, displacement))
    for change, step in zip(displacement, moved_by(displacement).steps, strict=True):
        assert (step == Step.NONE) == (change == 0)
        assert (step > 0) == (change > 0)
        assert (abs(step) == 1) == (change != 0 and abs(change) * 2 <= largest)


def test_half_of_the_largest_is_slight_and_more_is_not() -> None:
    assert moved_by((100, 50, 51)).steps == (Step.FORTH, Step.SLIGHTLY_FORTH, Step.FORTH)
    assert moved_by((101, -50, 51)).steps == (Step.FORTH, Step.SLIGHTLY_BACK, Step.FORTH)


@settings(max_examples=500)
@given(displacement=positions, dead_band=st.integers(0, 50))
def test_the_dead_band_takes_small_changes_for_none(
    displacement: Millimetres, dead_band: int
) -> None:
    x, y, z = (change if abs(change) > dead_band else 0 for change in displacement)
    label = moved_by(displacement, dead_band)
    assert label == moved_by((x, y, z))
    assert (label == STILL) == (max(map(abs, displacement)) <= dead_band)


def test_the_dead_band_itself_is_no_movement() -> None:
    assert moved_by((10, 11, -10), dead_band=10).text(WORDS) == "move right"
    assert moved_by((10, 11, -10), dead_band=0).text(WORDS) == (
        "move forward, move right, and move down"
    )


def test_labels_have_distinct_texts() -> None:
    """Options are compared as text: two labels must never read the same."""
    assert len({label.text(WORDS) for label in POSSIBLE}) == len(POSSIBLE)


def test_a_label_is_possible_just_when_some_displacement_has_it() -> None:
    """-2 .. 2 mm per axis realises every pattern of sign, slight and full."""
    realised = {moved_by((x, y, z)) for x, y, z in product(range(-2, 3), repeat=3)}
    assert realised == set(POSSIBLE)


@pytest.mark.parametrize("label", POSSIBLE, ids=lambda label: label.text(WORDS))
def test_neighbours(label: MotionLabel) -> None:
    found = neighbours(label)
    assert len(found) >= 6  # enough for six wrong options
    assert len(set(found)) == len(found)
    assert label not in found
    assert STILL not in found  # staying in place is no movement
    for other in found:
        assert differing_axes(label, other) == 1
        # The step per axis in mm is a displacement that has the label.
        assert moved_by((int(other.x), int(other.y), int(other.z))) == other


@pytest.mark.parametrize("label", POSSIBLE, ids=lambda label: label.text(WORDS))
def test_neighbours_leaves_none_out(label: MotionLabel) -> None:
    expected = {other for other in POSSIBLE if differing_axes(label, other) == 1 and other != STILL}
    assert set(neighbours(label)) == expected


def test_being_neighbours_is_mutual() -> None:
    """Else the right answer could be told: only one of the options would be next to all."""
    for a, b in product(POSSIBLE, repeat=2):
        if STILL not in (a, b):
            assert (a in neighbours(b)) == (b in neighbours(a))
