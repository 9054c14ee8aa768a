"""API keys: known so that they can be kept out of whatever is shown or written."""

from __future__ import annotations

import os
import re

__all__ = ["HIDDEN", "without_secrets"]

HIDDEN = "(key)"

_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)

_SHORTEST = 8
"""Characters; shorter values ("none", "EMPTY") are what servers without keys are given."""


_DECORATION = r"(?:(?:\x1b|\\u001b)\[[\d;]*m|\\n|[\n \u2502])*"
"""What a trace drawn in colours, and wrapped, may put between any two characters; also as JSON."""


def without_secrets(text: str) -> str:
    """A text that someone else's error may have put a key into: the environment's keys hidden."""
    found = {value for name, value in os.environ.items() if _NAMES.search(name)}
    for secret in sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(_DECORATION.join(map(re.escape, secret)), HIDDEN, text)
    return text
