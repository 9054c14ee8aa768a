"""Coordinates as text: nothing is lost, and distinct positions read differently."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robotmcqa.coordinates import (
    Millimetres,
    coordinate_text,
    distance_squared,
    to_metres,
    to_millimetres,
)

millimetres = st.one_of(
    st.integers(-20, 20), st.integers(-2500, 2500), st.integers(-(10**6), 10**6)
)
positions = st.tuples(millimetres, millimetres, millimetres)

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d{0,2}[1-9])?")
"""No trailing zeros, no bare point, no exponent, at most three decimals."""


def numbers(text: str) -> list[str]:
    assert text.startswith("[")
    assert text.endswith("]")
    return text[1:-1].split(", ")


@pytest.mark.parametrize(
    ("position", "text"),
    [
        ((265, -70, 1154), "[0.265, -0.07, 1.154]"),  # the method's example
        ((250, 0, 752), "[0.25, 0, 0.752]"),  # the centre of the table
        ((0, 0, 0), "[0, 0, 0]"),
        ((1, -1, 10), "[0.001, -0.001, 0.01]"),
        ((1000, -2000, 100), "[1, -2, 0.1]"),
        ((-500, 10_000, -10_010), "[-0.5, 10, -10.01]"),
    ],
)
def test_examples(position: Millimetres, text: str) -> None:
    assert coordinate_text(position) == text


@settings(max_examples=500)
@given(position=positions)
@example(position=(0, 0, 0))
def test_text_can_be_read_back(position: Millimetres) -> None:
    """A reader, or an answer parser, gets the very millimetres that were written."""
    read = [float(number) for number in numbers(coordinate_text(position))]
    assert to_millimetres(read) == position
    assert read == to_metres(position)


@settings(max_examples=500)
@given(position=positions)
def test_numbers_are_short(position: Millimetres) -> None:
    for number in numbers(coordinate_text(position)):
        assert NUMBER.fullmatch(number)
        assert number != "-0"


@settings(max_examples=500)
@given(a=positions, b=positions)
def test_texts_are_distinct_just_when_positions_are(a: Millimetres, b: Millimetres) -> None:
    assert (coordinate_text(a) == coordinate_text(b)) == (a == b)


def test_every_millimetre_of_the_table_has_its_own_text() -> None:
    texts = {coordinate_text((value, value, value)) for value in range(-2000, 2001)}
    assert len(texts) == 4001


@pytest.mark.parametrize("tiny", [-0.0, -0.0004, 0.0004, -1e-300])
def test_next_to_nothing_is_nought_without_a_sign(tiny: float) -> None:
    assert coordinate_text(to_millimetres([tiny, tiny, tiny])) == "[0, 0, 0]"


@settings(max_examples=500)
@given(xyz=st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_rounding_moves_by_half_a_millimetre_at_most(xyz: list[float]) -> None:
    rounded = to_metres(to_millimetres(xyz))
    for before, after in zip(xyz, rounded, strict=True):
        assert abs(after - before) <= 0.0005 + 1e-12
    assert to_millimetres(rounded) == to_millimetres(xyz)  # rounding again changes nothing


def test_halves_go_to_the_even_millimetre() -> None:
    """0.5 mm and 1.5 mm are exact in binary when written in metres like this."""
    assert to_millimetres([0.0625, 0.1875, -0.0625]) == (62, 188, -62)


def test_a_whole_state_may_be_given() -> None:
    """Only the first three of xyz, quaternion and gripper are position."""
    assert to_millimetres([0.1, 0.2, 0.3, 0, 0, 0, 1, 1]) == (100, 200, 300)


@given(a=positions, b=positions)
def test_distance(a: Millimetres, b: Millimetres) -> None:
    assert distance_squared(a, b) == distance_squared(b, a)
    assert (distance_squared(a, b) == 0) == (a == b)
    assert distance_squared((0, 0, 0), (3, 4, 12)) == 169
