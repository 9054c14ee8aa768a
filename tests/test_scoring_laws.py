"""Laws of parsing and scoring, for whatever a model may write."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robotmcqa.coordinates import coordinate_text, to_metres
from robotmcqa.scoring import (
    agrees,
    answer_reward,
    format_reward,
    l1_reward,
    l1_score,
    letter_of,
    parse_completion,
    position_of,
)

FRAGMENTS = (
    *("<think>", "</think>", "<answer>", "</answer>", "<think", "answer>", "</", "<|im_end|>"),
    *("[[A]]", "[[b]]", "[[", "]]", "A", "(C)", "not ", " or ", "Option ", "\\boxed{", "**"),
    *(" ", "\n", "\u00a0", "\u200b", "\ufeff", "\u0301", "\ud800", "\x00", "0.25", "-", ",", "["),
)
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
everything = st.characters(codec=None, exclude_categories=())
completions = st.one_of(
    st.text(everything), fragments, st.builds(str.__add__, fragments, st.text())
)
free = st.text(everything).filter(lambda text: not re.search(r"</?(think|answer)>", text))
"""Text without a tag of the form."""
blanks = st.text(st.sampled_from(" \n\t\u00a0\u200b\ufeff"), max_size=4)
seen = st.tuples(blanks, free).map(lambda parts: f"{parts[0]}x{parts[1]}")
letters = st.sampled_from("ABCDEFGH")
coordinates = st.integers(-(10**6), 10**6)
metres = st.floats(-1e6, 1e6) | st.floats(-2, 2)
positions = st.tuples(metres, metres, metres)


@settings(max_examples=500)
@given(text=completions, options=st.integers(0, 8))
def test_nothing_crashes(text: str, options: int) -> None:
    parsed = parse_completion(text)
    for part in (text, parsed.reasoning or "", parsed.answer or ""):
        letter = letter_of(part, options)
        assert letter is None or letter in "ABCDEFGH"[:options]
        position = position_of(part)
        assert position is None or len(position) == 3
    assert agrees(text, ["move left", "move up"][:options]) in (True, False, None)
    for reward in (
        format_reward([text]),
        answer_reward([text], ["A"]),
        l1_reward([text], ["0 0 0"]),
    ):
        assert 0 <= reward[0] <= 1


@settings(max_examples=500)
@given(text=completions)
@example(text="<think></think><answer>[[A]]</answer>")
def test_well_formed_is_what_can_be_rebuilt_from_its_parts(text: str) -> None:
    """Of the parts and white space, and of nothing else."""
    parsed = parse_completion(text)
    if not parsed.well_formed:
        assert parsed.problem
        return
    thought, answer = parsed.reasoning, parsed.answer
    assert thought is not None
    assert answer
    rebuilt = f"<think>{thought}</think><answer>{answer}</answer>"
    assert parse_completion(rebuilt) == parsed

    def bare(written: str) -> str:
        return re.sub(r"[\s\u200b\ufeff]|<\|im_end\|>", "", written)

    assert bare(rebuilt) == bare(text)


@given(before=blanks, thought=free, between=blanks, answer=free, after=blanks)
def test_what_is_built_of_one_thought_and_one_answer_is_well_formed(
    before: str, thought: str, between: str, answer: str, after: str
) -> None:
    inside = f"x{answer}x"  # not empty, and no blanks at its ends
    text = f"{before}<think>{thought}</think>{between}<answer>{inside}</answer>{after}"
    parsed = parse_completion(text)
    assert parsed.well_formed, parsed.problem
    assert parsed.reasoning == thought.strip()
    assert parsed.answer == inside


@given(thought=free, answer=free, rest=seen, place=st.integers(0, 2))
def test_any_other_text_outside_is_one_too_many(
    thought: str, answer: str, rest: str, place: int
) -> None:
    outside = ["", "", ""]
    outside[place] = rest
    before, between, after = outside
    text = f"{before}<think>{thought}</think>{between}<answer>x{answer}</answer>{after}"
    assert "there is text" in parse_completion(text).problem


@given(thought=free, letter=letters, options=st.integers(0, 8))
def test_the_form_that_is_asked_for_gives_its_letter(
    thought: str, letter: str, options: int
) -> None:
    text = f"<think>{thought}</think><answer>[[{letter}]]</answer>"
    parsed = parse_completion(text)
    assert parsed.well_formed
    assert parsed.answer is not None
    offered = letter in "ABCDEFGH"[:options]
    assert letter_of(parsed.answer, options) == (letter if offered else None)


@given(one=letters, other=letters, between=st.sampled_from(["", " ", ", ", " or ", " and ", "/"]))
def test_two_letters_in_form_are_no_answer_unless_they_are_one(
    one: str, other: str, between: str
) -> None:
    named = letter_of(f"[[{one}]]{between}[[{other}]]")
    assert named == (one if one == other else None)


# ------------------------------------------------------------------------------------- positions


@settings(max_examples=500)
@given(position=st.tuples(coordinates, coordinates, coordinates))
def test_a_position_is_read_back_as_it_was_written(position: tuple[int, int, int]) -> None:
    written = coordinate_text(position)
    assert position_of(written) == tuple(to_metres(position))
    for other in (written[1:-1], f"({written[1:-1]})", written.replace(", ", " "), f" {written}. "):
        assert position_of(other) == position_of(written)
    assert position_of(written.replace("-", "\u2212")) == position_of(written)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("x=0.1, y=-0.2, z=1", (0.1, -0.2, 1.0)),
        ("[x: 0.1; y: 0.2; z: 0.3]", (0.1, 0.2, 0.3)),
        ("(0.1 m, 0.2 m, 0.3 m)", (0.1, 0.2, 0.3)),
        ("[0.1, 0.2, 0.3] m", (0.1, 0.2, 0.3)),
        ("+.5 1. 2e-1", (0.5, 1.0, 0.2)),
        ("\uff3b\uff10.\uff11, 0.2, 0.3\uff3d", (0.1, 0.2, 0.3)),
    ],
)
def test_a_position_written_otherwise(text: str, position: tuple[float, ...]) -> None:
    assert position_of(text) == position


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "[x, y, z]", "0.1, 0.2", "[1, 2, 3, 4]", "[0.1, 0.2, 0.3] [0.1, 0.2, 0.3]"),
        *("10 cm, 20 cm, 30 cm", "0,1; 0,2; 0,3", "1e999, 0, 0", "nan, nan, nan", "inf 0 0"),
        *("[0.1, 0.2, 0.3] or so", "123", "A", "1.2.3, 4, 5", "[0.1, 0.2, 0.3" + " " * 300 + "]"),
    ],
)
def test_no_position(text: str) -> None:
    """Other units and decimal commas would be read as another place: rather none."""
    assert position_of(text) is None


@given(a=positions, b=positions)
def test_l1_score(a: tuple[float, float, float], b: tuple[float, float, float]) -> None:
    score = l1_score(a, b)
    assert 0 <= score <= 1
    assert score == l1_score(b, a)
    assert l1_score(a, a) == 1
    away = sum(abs(x - y) for x, y in zip(a, b, strict=True))
    assert score == pytest.approx(max(0.0, 1 - away))


def test_l1_score_of_what_no_robot_reaches() -> None:
    assert l1_score((1e308, 1e308, 1e308), (-1e308, 0, 0)) == 0
    assert l1_score((float("nan"), 0, 0), (0, 0, 0)) == 0


# ------------------------------------------------------------------------------------- agreement

OPTIONS = ["move left", "slightly move left", "move forward and slightly move left", "move up"]
places = st.integers(0, 3)
quiet = free.filter(lambda text: "move" not in text.lower() and "[[" not in text)


def _thought(reasoning: str, place: int) -> str:
    return f"<think>{reasoning}</think><answer>[[{'ABCD'[place]}]]</answer>"


@given(before=quiet, named=places, chosen=places, after=quiet)
def test_reasoning_agrees_when_it_names_last_what_is_chosen(
    before: str, named: int, chosen: int, after: str
) -> None:
    for name in (OPTIONS[named], OPTIONS[named].capitalize(), f"[[{'ABCD'[named]}]]"):
        text = _thought(f"{OPTIONS[chosen - 1]}? {before} {name} {after}", chosen)
        assert agrees(text, OPTIONS) == (named == chosen)


@given(reasoning=quiet, chosen=places)
def test_who_names_nothing_neither_agrees_nor_disagrees(reasoning: str, chosen: int) -> None:
    assert agrees(_thought(reasoning, chosen), OPTIONS) is None
    assert agrees(f"<think>move up</think><answer>{reasoning}x</answer>", OPTIONS[:1]) is None
    assert agrees(reasoning, OPTIONS) is None


def test_agreement_of_positions() -> None:
    options = ["[0.1, 0.2, 0.3]", "[0.1, 0.2, 0.35]"]
    assert agrees(_thought("Answer: [0.1, 0.2, 0.35]", 1), options) is True
    assert agrees(_thought("Answer: [0.1, 0.2, 0.35]", 0), options) is False
    assert agrees(_thought("it is [[D]], which is not offered", 0), options) is None
    assert agrees(_thought("[0.1, 0.2, 0.3]", 0), []) is None  # open-ended: no letters


# ------------------------------------------------------------------------------------------ time

LONG = 100_000


@pytest.mark.parametrize(
    "unit",
    [
        *(" ", "\n", "a", "A ", "[", "[[", "[[ ", "]]", "[[A]] ", "(", "<", "<think>", "</answer>"),
        *("<think></think>", "<answer>[[A]]</answer>", "A or ", "not ", "n't be ", "is ", "the "),
        *(
            "*",
            "\\",
            "\\boxed{",
            "0",
            "0.",
            "1 ",
            "-",
            ",",
            "e5",
            "\u0301\u0316",
            "\u200b",
            "\ufdfa",
        ),
        *("<|im_end|>", "move ", "move left", "slightly "),
    ],
)
def test_long_inputs_take_no_longer_than_they_have_to(unit: str) -> None:
    """Run, not timed: what takes the square of 100,000 would not end within a test's patience."""
    text = (unit * LONG)[:LONG]
    for inside in (text, f"A{text}", f"[[A{text}]]", f"[{text}B"):
        letter_of(inside)
        position_of(inside)
        completion = f"<think>{inside}</think><answer>{inside}</answer>{inside}"
        parse_completion(inside)
        parse_completion(completion)
        agrees(f"<think>{inside}</think><answer>[[A]]</answer>", OPTIONS)
        answer_reward([completion], ["A"])
        l1_reward([completion], ["[0, 0, 0]"])
