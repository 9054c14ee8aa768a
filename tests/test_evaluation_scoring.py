"""What an answer is worth, and what many of them say: no model is asked here."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from inspect_ai.model import (
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    ModelOutput,
)
from inspect_ai.model._openai import chat_message_assistant_from_openai
from openai.types.chat import ChatCompletionMessage
from scipy.stats import binomtest

from robotmcqa.audit.intervals import share_of
from robotmcqa.evaluation.comparison import compare, mcnemar
from robotmcqa.evaluation.completions import written
from robotmcqa.evaluation.figures import Answer, figures_of
from robotmcqa.evaluation.scorer import judged
from robotmcqa.scoring import answer_reward, format_reward, l1_reward
from robotmcqa.secrets import HIDDEN, without_secrets

OPTIONS = ("[0.1, 0.2, 0.9]", "[0.3, 0.2, 0.9]", "[0.1, -0.2, 0.9]", "[0.1, 0.2, 1.2]")

WELL = "<think>It is [[B]].</think>\n<answer> [[B]] </answer>"


# ---------------------------------------------------------------------------------- one completion


@pytest.mark.parametrize(
    ("completion", "answer", "correct", "well_formed", "agrees"),
    [
        (WELL, "B", 1.0, True, True),
        (WELL.replace("It is [[B]]", "It is [[C]]"), "B", 1.0, True, False),
        (WELL.replace("It is [[B]]", "Well"), "B", 1.0, True, None),
        ("Surely. <answer>b</answer>", "B", 1.0, False, None),
        (WELL.replace("> [[B]]", "> [[A]]"), "A", 0.0, True, False),
        (WELL.replace("> [[B]]", "> [[E]]"), "", 0.0, True, None),
        (WELL + "<answer>[[B]]</answer>", "", 0.0, False, None),
        ("[[B]]", "", 0.0, False, None),
        ("", "", 0.0, False, None),
    ],
)
def test_a_letter_counts_whatever_the_form_and_the_form_stands_beside_it(
    completion: str, answer: str, correct: float, well_formed: bool, agrees: bool | None
) -> None:
    found = judged(completion, "B", OPTIONS)
    assert (found.answer, found.correct) == (answer, correct)
    assert (found.well_formed, found.agrees) == (well_formed, agrees)
    # The rewards of training say the same.
    assert [found.well_formed] == format_reward([completion])
    assert [found.correct] == answer_reward([completion], ["B"], gated=False, options=[OPTIONS])


def test_open_ended_answers_are_measured_by_their_distance() -> None:
    completion = "<think>Hm.</think><answer>[0.1, 0.2, 1.0]</answer>"
    found = judged(completion, "[0.1, 0.3, 0.9]", ())
    assert found.correct == pytest.approx(0.8)
    assert [found.correct] == l1_reward([completion], ["[0.1, 0.3, 0.9]"])
    assert found.agrees is None
    assert judged("<think></think><answer>left</answer>", "[0.1, 0.3, 0.9]", ()).correct == 0


# -------------------------------------------------------------------- thought that comes on its own


def output(**message: Any) -> Any:
    """As inspect makes it of a server's message."""
    made = ChatCompletionMessage.model_validate({"role": "assistant", **message})
    said = chat_message_assistant_from_openai("m", made, [])
    return ModelOutput.model_validate({"model": "m", "choices": [{"message": said}]})


@pytest.mark.parametrize(
    ("message", "well_formed", "agrees"),
    [
        ({"content": WELL}, True, True),
        ({"content": "<answer> [[B]] </answer>", "reasoning_content": "It is [[B]]."}, True, True),
        ({"content": "<answer> [[B]] </answer>", "reasoning": "It is [[C]]."}, True, False),
        # It thinks on its own, and once more as the prompt asks for: that one counts.
        ({"content": WELL, "reasoning_content": "It is [[C]]."}, True, True),
        ({"content": f"Sure. {WELL}"}, False, True),
        ({"content": f"<think>First.</think>{WELL}"}, False, None),
        ({"content": WELL + " That is all."}, False, True),
        ({"content": "<answer> [[B]] </answer>"}, False, None),
    ],
)
def test_a_completion_is_read_as_it_was_written(
    message: dict[str, str], well_formed: bool, agrees: bool | None
) -> None:
    found = judged(written(output(**message)), "B", OPTIONS)
    assert (found.correct, found.well_formed, found.agrees) == (1.0, well_formed, agrees)


def test_an_encrypted_thought_is_only_there_as_its_summary() -> None:
    parts = [
        ContentReasoning(reasoning="gAAAA", summary="It is [[B]].", redacted=True, signature="s"),
        ContentText(text="<answer> [[B]] </answer>"),
    ]
    said = ChatMessageAssistant(content=parts)
    text = written(ModelOutput.model_validate({"model": "m", "choices": [{"message": said}]}))
    assert "gAAAA" not in text
    assert judged(text, "B", OPTIONS).agrees is True


def test_a_model_that_says_nothing_at_all() -> None:
    assert written(ModelOutput(model="m", choices=[])) == ""


# ---------------------------------------------------------------------------------------- figures


def answer(number: int, correct: float, **changes: Any) -> Answer:
    """To question ``number``, of the demo ``number // 5``."""
    fields: dict[str, Any] = {
        "id": f"q{number}",
        "family": "waypoint",
        "task": "push_button",
        "episode": f"e{number // 5}",
        "run": 0,
        "answer": "A",
        "correct": correct,
        "well_formed": True,
        "agrees": None,
    }
    return Answer(**fields | changes)


def test_intervals_take_whole_demos_as_the_unit() -> None:
    right = [float(number // 5 % 2) for number in range(100)]  # all of a demo, or none of it
    figures = figures_of([answer(number, one) for number, one in enumerate(right)])
    expected = share_of(np.array(right), np.array([f"e{number // 5}" for number in range(100)]))
    assert figures.accuracy == expected
    low, high = figures.accuracy.interval
    plain_low, plain_high = figures.accuracy.wilson
    assert high - low > 2 * (plain_high - plain_low)


def test_a_question_that_was_put_three_times_counts_once() -> None:
    once = [answer(number, number % 3 == 0) for number in range(30)]
    thrice = [answer(number, number % 3 == 0, run=run) for number in range(30) for run in range(3)]
    assert figures_of(thrice).accuracy == figures_of(once).accuracy
    assert figures_of(thrice).by_run == (1 / 3, 1 / 3, 1 / 3)
    mixed = [answer(number, float(run == 0), run=run) for number in range(30) for run in range(2)]
    assert figures_of(mixed).accuracy.accuracy == 0.5
    assert figures_of(mixed).by_run == (1.0, 0.0)


def test_agreement_is_of_those_whose_reasoning_names_an_option() -> None:
    told = [answer(0, 1.0, agrees=True), answer(1, 1.0, agrees=False), answer(2, 1.0)]
    share = figures_of(told).agreement
    assert share is not None
    assert (share.accuracy, share.questions) == (0.5, 2)
    assert figures_of([answer(0, 1.0)]).agreement is None


# ------------------------------------------------------------------------------------- comparisons


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (5, 5), (3, 9), (12, 1), (40, 80)])
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int) -> None:
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(expected)


def test_models_are_compared_on_the_questions_that_both_have_answered() -> None:
    first = [answer(number, number % 2) for number in range(0, 60)]
    second = [answer(number, 0.0) for number in range(20, 80)]
    found = compare(first, second)
    assert found is not None
    assert (found.questions, found.episodes) == (40, 8)
    assert (found.both, found.only_first, found.only_second, found.neither) == (0, 20, 0, 20)
    assert found.p == pytest.approx(2 / 2**20)
    assert found.difference == 0.5
    assert compare(first[:20], second) is None


def test_the_difference_has_the_interval_of_its_demos() -> None:
    """Against the formula: the mean over demos of equal size, and Student's t."""
    draws = np.random.default_rng(0)
    gaps = draws.integers(0, 2, (12, 5)) * draws.integers(0, 2, (12, 1))
    first = [answer(number, float(one)) for number, one in enumerate(gaps.ravel())]
    second = [answer(number, 0.0) for number in range(60)]
    found = compare(first, second)
    assert found is not None
    means = gaps.mean(axis=1)
    half = 2.2009851600829594 * means.std(ddof=1) / math.sqrt(12)  # t of 11 degrees, 97.5 %
    assert found.interval == pytest.approx((means.mean() - half, means.mean() + half))


def test_where_nothing_differs_few_demos_say_little() -> None:
    widths = []
    for count in (5, 50, 500):
        same = [answer(number, 1.0) for number in range(count)]
        found = compare(same, same)
        assert found is not None
        assert (found.p, found.difference) == (1.0, 0.0)
        low, high = found.interval
        assert low < 0 < high
        widths.append(high - low)
    assert all(wide > narrow for wide, narrow in pairwise(widths))


def test_open_ended_answers_are_compared_by_their_mean_alone() -> None:
    first = [answer(number, 0.9) for number in range(10)]
    second = [answer(number, 0.7) for number in range(10)]
    found = compare(first, second, choice=False)
    assert found is not None
    assert found.p is None
    assert found.both is None
    assert found.difference == pytest.approx(0.2)


# ------------------------------------------------------------------------------------------- keys


def test_keys_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-123-a-secret")
    monkeypatch.setenv("ANOTHER_TOKEN", "none")
    monkeypatch.setenv("HARMLESS", "nothing secret at all")
    text = "401: sk-123-a-secret is wrong, none is right, nothing secret at all"
    hidden = text.replace("sk-123-a-secret", HIDDEN)
    assert without_secrets(text) == hidden
    coloured = (
        "key sk-\x1b[1;36m123\x1b[0m-a-sec\nret, and as JSON sk-\\u001b[1m123\\u001b[0m-a-secret"
    )
    assert without_secrets(coloured) == f"key {HIDDEN}, and as JSON {HIDDEN}"
