"""What a model is to say: the target that supervised training makes of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from robotmcqa.errors import DataError

__all__ = ["Style", "target_completion"]

Style = Literal["cot", "direct"]
"""cot: reason, then answer. direct: answer."""


def target_completion(row: Mapping[str, Any], style: Style) -> str:
    """The completion that a row teaches.

    A question with options is answered in the form that its prompt asks for, so that what is
    learned here earns the format reward later; in the direct style the thought is empty. An
    open-ended question is answered as the paper's baselines do: with the reasoning alone (Plan,
    Subtask, Move and Answer, a line each), or with the answer's text alone.

    Args:
        row: of a data set, with ``id``, ``answer``, ``reasoning`` and ``spec``.
        style: of the completion.

    Raises:
        DataError: the style is ``cot``, and the row has no reasoning.
    """
    reasoning = row.get("reasoning")
    if style == "cot" and not reasoning:
        raise DataError(
            f"row {row['id']} has no reasoning",
            "simulated demos carry it; --completion direct trains without",
        )
    if row["spec"]["format"] == "open":
        return str(reasoning if style == "cot" else row["answer"])
    thought = reasoning if style == "cot" else ""
    return f"<think>\n{thought}\n</think>\n<answer> [[{row['answer']}]] </answer>"
