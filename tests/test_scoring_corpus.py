"""Every completion of the corpus gets what it deserves."""

from __future__ import annotations

import pytest

from robotmcqa.scoring import (
    answer_reward,
    combined_reward,
    format_reward,
    letter_of,
    parse_completion,
    ungated_answer_reward,
)
from tests.corpus.completions import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    parsed = parse_completion(case.text)
    assert case.problem in parsed.problem
    assert parsed.well_formed == (case.problem == "")
    found = None if parsed.answer is None else letter_of(parsed.answer, case.options)
    assert found == case.letter, case.why


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rewards(case: Case) -> None:
    """The rewards say the same as the parser, for every letter that could be right."""
    form = float(case.problem == "")
    options = [["an option"] * case.options]
    assert format_reward([case.text]) == [form]
    for right in "ABCDEFGH"[: case.options]:
        named = float(case.letter == right)
        given = ([case.text], [right])
        assert ungated_answer_reward(*given, options=options) == [named]
        assert answer_reward(*given, options=options) == [named * form]
        assert combined_reward(*given, options=options) == [0.5 * form + 0.5 * named * form]


def test_the_corpus_is_a_corpus() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.why for case in CASES)
