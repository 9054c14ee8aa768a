"""The rewards as EasyR1 calls them.

In EasyR1's configuration, with the path that ``python -m robotmcqa.scoring.easyr1`` prints::

    worker.reward.reward_function: /path/to/robotmcqa/scoring/easyr1.py:compute_score

Newer versions read from this file that it takes batches; older ones also want to be told::

    worker.reward.reward_type: batch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robotmcqa.scoring.rewards import FORMAT_WEIGHT, answer_reward, format_reward, l1_reward

__all__ = ["REWARD_NAME", "REWARD_TYPE", "compute_score", "compute_score_open"]

REWARD_NAME = "robotmcqa"
REWARD_TYPE = "batch"


def compute_score(
    reward_inputs: Sequence[Mapping[str, Any]], format_weight: float = FORMAT_WEIGHT
) -> list[dict[str, float]]:
    """``overall``, ``format`` and ``accuracy`` of each answer to a question with options.

    Args:
        reward_inputs: with ``response`` and ``ground_truth``, the right letter.
        format_weight: of the format in ``overall``.
    """
    return _scores(reward_inputs, format_weight, answer_reward)


def compute_score_open(
    reward_inputs: Sequence[Mapping[str, Any]], format_weight: float = FORMAT_WEIGHT
) -> list[dict[str, float]]:
    """The same for open-ended questions: ``accuracy`` is ``clip(1 - L1, 0, 1)``."""
    return _scores(reward_inputs, format_weight, l1_reward)


def _scores(
    reward_inputs: Sequence[Mapping[str, Any]], format_weight: float, reward: Any
) -> list[dict[str, float]]:
    responses = [str(one["response"]) for one in reward_inputs]
    solutions = [str(one["ground_truth"]) for one in reward_inputs]
    return [
        {
            "overall": format_weight * form + (1 - format_weight) * right,
            "format": form,
            "accuracy": right,
        }
        for form, right in zip(format_reward(responses), reward(responses, solutions), strict=True)
    ]


if __name__ == "__main__":
    print(f"{Path(__file__).resolve()}:compute_score")  # noqa: T201
