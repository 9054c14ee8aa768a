"""What supervised training teaches is what rewards reward."""

from __future__ import annotations

from typing import Any

import pytest

from robotmcqa.completions import target_completion
from robotmcqa.errors import DataError
from robotmcqa.reasoning import reasoning_text
from robotmcqa.scoring import agrees, answer_reward, combined_reward, parse_completion

REASONING = reasoning_text(["reach the ball", "lift it"], 0, "move up", "move up")
CHOICE: dict[str, Any] = {
    "id": "0123456789abcdef-0000-motion",
    "options": ["move left", "move up"],
    "answer": "B",
    "reasoning": REASONING,
    "spec": {"format": "choice"},
}
OPEN = {**CHOICE, "options": [], "answer": "move up", "spec": {"format": "open"}}


def test_the_very_texts() -> None:
    assert target_completion(CHOICE, "cot") == (
        "<think>\nPlan:\n1. reach the ball\n2. lift it\nSubtask: reach the ball\nMove: move up\n"
        "Answer: move up\n</think>\n<answer> [[B]] </answer>"
    )
    assert target_completion(CHOICE, "direct") == "<think>\n\n</think>\n<answer> [[B]] </answer>"
    assert target_completion(OPEN, "cot") == REASONING
    assert target_completion(OPEN, "direct") == "move up"


def test_targets_earn_every_reward() -> None:
    for text in (target_completion(CHOICE, "cot"), target_completion(CHOICE, "direct")):
        assert combined_reward([text], ["B"], options=[CHOICE["options"]]) == [1]
        assert answer_reward([text], ["A"], options=[CHOICE["options"]]) == [0]
    assert parse_completion(target_completion(CHOICE, "cot")).reasoning == REASONING
    assert agrees(target_completion(CHOICE, "cot"), CHOICE["options"]) is True
    assert agrees(target_completion(CHOICE, "direct"), CHOICE["options"]) is None


@pytest.mark.parametrize("reasoning", [None, ""])
@pytest.mark.parametrize("row", [CHOICE, OPEN], ids=["choice", "open"])
def test_without_reasoning_there_is_none_to_teach(row: dict[str, Any], reasoning: Any) -> None:
    mute = {**row, "reasoning": reasoning}
    with pytest.raises(DataError, match=f"row {row['id']} has no reasoning") as refusal:
        target_completion(mute, "cot")
    assert "--completion direct" in refusal.value.remedy
    assert target_completion(mute, "direct") == target_completion(row, "direct")
