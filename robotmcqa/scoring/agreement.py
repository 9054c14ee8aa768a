"""Whether the reasoning leads to the chosen answer.

Accuracy can rise while the reasoning rots: a model may learn to choose well and to think aloud
about something else. The share of completions whose reasoning names the option that they choose
shows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from robotmcqa.scoring.completion import parse_completion
from robotmcqa.scoring.letters import LETTERS, letter_of

__all__ = ["agrees"]


def agrees(completion: str, options: Sequence[str]) -> bool | None:
    """Whether the option that the reasoning names last is the one that the answer chooses.

    An option is named by its text, in capitals or not, or as ``[[B]]``. Where one option's text is
    part of another's ("move left" in "slightly move left"), the longer one is meant.

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
    letters = dict(zip(LETTERS, options, strict=False))
    longest_first = sorted(letters, key=lambda letter: len(letters[letter]), reverse=True)
    names = (rf"(?P<{letter}>{re.escape(letters[letter])})" for letter in longest_first)
    in_brackets = rf"\[\[\s*(?P<bracketed>[{''.join(letters)}])\s*\]\]"
    named = list(re.finditer("|".join([in_brackets, *names]), reasoning, re.IGNORECASE))
    if not named:
        return None
    last = named[-1]
    return last["bracketed"].upper() if last["bracketed"] else last.lastgroup
