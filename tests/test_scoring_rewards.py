"""The rewards: what they are made of, and how each trainer loads and calls them."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robotmcqa.errors import UsageError
from robotmcqa.scoring import (
    answer_reward,
    combined_reward,
    format_reward,
    l1_reward,
    ungated_answer_reward,
)

RIGHT = "<think>x</think><answer>[[B]]</answer>"
WRONG = "<think>x</think><answer>[[A]]</answer>"
BARE = "<answer>[[B]]</answer>"
NEAR = "<think>x</think><answer>[0.1, 0.2, 0.35]</answer>"
PLACE = "[0.1, 0.2, 0.3]"


def said(*texts: str) -> list[list[dict[str, Any]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


# ------------------------------------------------------------------------------------ what they are


def test_answer_and_format() -> None:
    completions, solution = [RIGHT, WRONG, BARE, ""], ["B"] * 4
    assert format_reward(completions) == [1, 1, 0, 0]
    assert answer_reward(completions, solution) == [1, 0, 0, 0]
    assert ungated_answer_reward(completions, solution) == [1, 0, 1, 0]
    assert combined_reward(completions, solution) == [1, 0.5, 0, 0]


@given(
    completions=st.lists(st.sampled_from([RIGHT, WRONG, BARE, "", "[[B]]"]), max_size=6),
    weight=st.floats(0, 1),
    gated=st.booleans(),
)
def test_combined_is_the_weighted_sum(completions: list[str], weight: float, gated: bool) -> None:
    solution = ["B"] * len(completions)
    form = format_reward(completions)
    right = answer_reward(completions, solution, gated)
    assert combined_reward(completions, solution, weight, gated) == [
        weight * one + (1 - weight) * other for one, other in zip(form, right, strict=True)
    ]
    ungated = ungated_answer_reward(completions, solution)
    assert answer_reward(completions, solution) == [
        one * other for one, other in zip(form, ungated, strict=True)
    ]


def test_options_decide_which_letters_there_are() -> None:
    last = "<think>x</think><answer>[[D]]</answer>"
    for count, named in ((8, 1.0), (4, 1.0), (3, 0.0), (0, 0.0)):
        assert answer_reward([last], ["D"], options=[["one"] * count]) == [named]
    assert answer_reward([last], ["D"]) == [1]
    assert answer_reward([last, last], ["D", "D"], options=[None, ["one", "two"]]) == [1, 0]


def test_a_batch_of_unequal_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        answer_reward([RIGHT, RIGHT], ["B"])
    with pytest.raises(ValueError, match="zip"):
        combined_reward([RIGHT], ["B"], options=[["a"], ["b"]])


def test_conversations() -> None:
    """As TRL hands them over: the model's message, of text or of typed parts."""
    parts = [{"type": "text", "text": "<think>x</think>"}, {"type": "text", "text": BARE}]
    mixed: list[Any] = [
        *said(RIGHT),
        [{"role": "assistant", "content": parts}],
        [{"role": "assistant", "content": [{"type": "image", "text": None}, *parts]}],
        [{"role": "user", "content": WRONG}, {"role": "assistant", "content": RIGHT}],
        [{"role": "assistant", "content": None}],
        [{"role": "assistant"}],
        [],
    ]
    assert format_reward(mixed) == [1, 1, 1, 1, 0, 0, 0]
    assert answer_reward(mixed, ["B"] * 7) == [1, 1, 1, 1, 0, 0, 0]


def test_closeness() -> None:
    far = "<think>x</think><answer>[2, 2, 2]</answer>"
    ungated = "<answer>[0.1, 0.2, 0.3]</answer>"
    completions = [NEAR, far, RIGHT, ungated, ""]
    solution = [PLACE] * 5
    assert l1_reward(completions, solution) == pytest.approx([0.95, 0, 0, 0, 0])
    assert l1_reward(completions, solution, gated=False) == pytest.approx([0.95, 0, 0, 1, 0])


def test_movements_have_no_closeness() -> None:
    with pytest.raises(UsageError, match="'move up' is no position") as refusal:
        l1_reward([NEAR], ["move up"])
    assert "waypoint and current_state" in refusal.value.remedy


# ---------------------------------------------------------------------------------------------- TRL


def by_dotted_path(path: str) -> Callable[..., list[float]]:
    """As ``trl grpo --reward_funcs`` finds a function that it does not know."""
    module, _, name = path.rpartition(".")
    function: Callable[..., list[float]] = getattr(importlib.import_module(module), name)
    return function


@pytest.mark.parametrize(
    ("name", "worth"),
    [
        ("format_reward", [1, 1, 0]),
        ("answer_reward", [1, 0, 0]),
        ("ungated_answer_reward", [1, 0, 1]),
        ("combined_reward", [1, 0.5, 0]),
    ],
)
def test_as_trl_calls_them(name: str, worth: list[float]) -> None:
    """With every column of the batch, and with things of the trainer's own."""
    reward = by_dotted_path(f"robotmcqa.scoring.{name}")
    given_by_trl: dict[str, Any] = {
        "prompts": [[{"role": "user", "content": "?"}]] * 3,
        "completions": said(RIGHT, WRONG, BARE),
        "completion_ids": [[1, 2]] * 3,
        "solution": ["B"] * 3,
        "options": [["one", "two"]] * 3,
        "images": [["a picture"]] * 3,
        "id": ["1", "2", "3"],
        "family": ["motion"] * 3,
        "trainer_state": object(),
        "log_extra": print,
        "log_metric": print,
    }
    assert reward(**given_by_trl) == worth
    assert reward.__name__ == name  # under which TRL logs it


def test_closeness_as_trl_calls_it() -> None:
    reward = by_dotted_path("robotmcqa.scoring.l1_reward")
    told = {"options": [[]], "id": ["1"], "trainer_state": None}
    assert reward(prompts=["?"], completions=said(NEAR), solution=[PLACE], **told) == [
        pytest.approx(0.95)
    ]


# ------------------------------------------------------------------------------------------- VLM-R1


def test_as_vlm_r1_calls_them() -> None:
    """It wraps the solutions that it reads, and adds what it read beside them."""
    beside: dict[str, Any] = {
        "accu_reward_method": ["default"],
        "image_path": [["/a.png"]],
        "options": [["1", "2"]],
    }
    solution = ["<answer> B </answer>"]
    assert answer_reward(completions=said(RIGHT), solution=solution, **beside) == [1]
    assert answer_reward(completions=said(WRONG), solution=solution, **beside) == [0]
    assert l1_reward(said(NEAR), solution=[f"<answer> {PLACE} </answer>"]) == [pytest.approx(0.95)]


# ------------------------------------------------------------------------------------ EasyR1, verl


def printed(module: str) -> str:
    """What ``python -m`` says is to stand in the trainer's configuration."""
    words = [sys.executable, "-m", module]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def module_of(path: str, name: str) -> ModuleType:
    """A file loaded under a name of the trainer's, outside any package."""
    assert Path(path).is_file()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for name in ("custom_reward_fn", "custom_module"):
        sys.modules.pop(name, None)


def easyr1(setting: str, **kwargs: Any) -> tuple[ModuleType, Callable[..., Any]]:
    """``worker.reward.reward_function`` and ``reward_function_kwargs``, as EasyR1 reads them."""
    path, name = setting.rsplit(":", maxsplit=1)
    module = module_of(path, "custom_reward_fn")
    return module, partial(getattr(module, name), **kwargs)


def inputs(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [
        {"response": said, "response_length": len(said), "ground_truth": right}
        for said, right in pairs
    ]


def test_as_easyr1_calls_it() -> None:
    module, reward = easyr1(printed("robotmcqa.scoring.easyr1"))
    assert (module.REWARD_NAME, module.REWARD_TYPE) == ("robotmcqa", "batch")
    scores = reward(inputs((RIGHT, "B"), (WRONG, np.array(["B"], dtype=object)[0]), (BARE, "B")))
    assert scores == [
        {"overall": 1, "format": 1, "accuracy": 1},
        {"overall": 0.5, "format": 1, "accuracy": 0},
        {"overall": 0, "format": 0, "accuracy": 0},
    ]
    assert all(isinstance(value, float) for score in scores for value in score.values())


def test_easyr1_may_weigh_the_format_otherwise() -> None:
    _, reward = easyr1(printed("robotmcqa.scoring.easyr1"), format_weight=0.1)
    assert [score["overall"] for score in reward(inputs((WRONG, "B"), (RIGHT, "B")))] == [0.1, 1]


def test_open_ended_questions_in_easyr1() -> None:
    """As the export's README writes it: the printed path, and ``_open``."""
    _, reward = easyr1(printed("robotmcqa.scoring.easyr1") + "_open")
    (score,) = reward(inputs((NEAR, PLACE)))
    assert score == {"overall": pytest.approx(0.975), "format": 1, "accuracy": pytest.approx(0.95)}


def verl(path: str, name: str, **kwargs: Any) -> Callable[..., Any]:
    """``custom_reward_function.path``, ``.name`` and ``.reward_kwargs``, as verl reads them."""
    return partial(getattr(module_of(path, "custom_module"), name), **kwargs)


@pytest.mark.parametrize(
    ("text", "truth", "score"), [(RIGHT, "B", 1), (WRONG, "B", 0.5), (NEAR, PLACE, 0.975)]
)
def test_as_verl_calls_it(text: str, truth: str, score: float) -> None:
    reward = verl(printed("robotmcqa.scoring.verl"), "compute_score")
    found = reward(
        data_source="org/name",
        solution_str=text,
        ground_truth=truth,
        extra_info={"split": "train", "index": 0},
    )
    assert found["score"] == pytest.approx(score)
    assert set(found) == {"score", "format", "accuracy"}


def test_verl_may_weigh_the_format_otherwise() -> None:
    reward = verl(printed("robotmcqa.scoring.verl"), "compute_score", format_weight=0.0)
    assert reward(data_source="", solution_str=WRONG, ground_truth="B")["score"] == 0
