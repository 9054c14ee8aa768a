"""Whether the reasoning leads to the chosen answer.

Accuracy can rise while the reasoning rots: a model may learn to choose well and to think aloud
about something else. The share of completions whose reasoning names the option that they choose
shows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from robotmcqa.scoring.completion import parse_completion
from robotmcqa.scoring.letters import letter_of

__all__ = ["agrees"]


def agrees(completion: str, options: Sequence[str]) -> bool | None:
    """Whether the option that the reasoning names last is the one that the answer chooses.

    An option is named by its text or as ``[[B]]``. Where one option's text is part of another's
    ("move left" in "slightly move left"), the longer one is meant.

    Returns:
        None where the completion chooses no option, or its reasoning names none.
    """
    parsed = parse_completion(completion)
    letter = letter_of(parsed.answer, len(options)) if parsed.answer is not None else None
    if letter is None or not parsed.reasoning:
        return None
    named = _named_last(parsed.reasoning, options)
    return None if named is None else named == letter


def _named_last(reasoning: str, options: Sequence[str]) -> str | None:
    texts = {text: "ABCDEFGH"[place] for place, text in enumerate(options)}
    longest_first = sorted(texts, key=len, reverse=True)
    pattern = "|".join([r"\[\[([A-H])\]\]", *(re.escape(text) for text in longest_first)])
    named = list(re.finditer(pattern, reasoning))
    return (named[-1][1] or texts[named[-1][0]]) if named else None
