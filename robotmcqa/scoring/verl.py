"""The rewards as verl calls them.

In verl's configuration, with the path that ``python -m robotmcqa.scoring.verl`` prints::

    custom_reward_function.path: /path/to/robotmcqa/scoring/verl.py
    custom_reward_function.name: compute_score
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robotmcqa.scoring.rewards import FORMAT_WEIGHT, answer_reward, format_reward, l1_reward

__all__ = ["compute_score"]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    format_weight: float = FORMAT_WEIGHT,
) -> dict[str, float]:
    """``score``, ``format`` and ``accuracy`` of one completion.

    Args:
        data_source: where the question comes from; not used.
        solution_str: the completion.
        ground_truth: the right letter, or the right position of an open-ended question.
        extra_info: verl's further columns; not used.
        format_weight: of the format in ``score``.
    """
    reward = answer_reward if len(ground_truth) == 1 else l1_reward
    (form,) = format_reward([solution_str])
    (right,) = reward([solution_str], [ground_truth])
    score = format_weight * form + (1 - format_weight) * right
    return {"score": score, "format": form, "accuracy": right}


if __name__ == "__main__":
    print(Path(__file__).resolve())  # noqa: T201
