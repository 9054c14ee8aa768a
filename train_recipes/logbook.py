"""What completions are like while a model learns, beside what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from robotmcqa.scoring import agrees, letter_of, parse_completion
from robotmcqa.scoring.rewards import completion_text

__all__ = ["logged"]

Reward = Callable[..., list[float]]


def logged(reward: Reward) -> Reward:
    """The same reward, logging what TRL's own metrics lack.

    * ``well_formed``: share of completions of the right form;
    * ``answered``: share whose one answer block names an option;
    * ``accuracy/FAMILY``: share of right letters, whatever the form (questions with options);
    * ``agreement``: share of answers that the reasoning leads to. Accuracy can rise while
      reasoning rots; this shows it.
    """

    @wraps(reward)
    def with_log(completions: Sequence[Any], **columns: Any) -> list[float]:
        log = columns.get("log_metric")
        if log is not None:
            _log(log, [completion_text(one) for one in completions], columns)
        return reward(completions=completions, **columns)

    return with_log


def _log(log: Callable[[str, float], None], texts: Sequence[str], columns: Any) -> None:
    for text, family, options, solution in zip(
        texts, columns["family"], columns["options"], columns["solution"], strict=True
    ):
        parsed = parse_completion(text)
        log("well_formed", float(parsed.well_formed))
        if not options:
            continue
        letter = None if parsed.answer is None else letter_of(parsed.answer, len(options))
        log("answered", float(letter is not None))
        log(f"accuracy/{family}", float(letter == solution))
        agreement = agrees(text, options)
        if agreement is not None:
            log("agreement", float(agreement))
