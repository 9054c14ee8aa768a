"""API keys: known so that they can be kept out of whatever is shown or written."""

from __future__ import annotations

import os
import re

__all__ = ["HIDDEN", "secrets", "without_secrets"]

HIDDEN = "(key)"

_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)

_SHORTEST = 8
"""Characters; shorter values ("none", "EMPTY") are what servers without keys are given."""


def secrets() -> list[str]:
    """Values of the environment's variables that are named like keys; the longest first."""
    found = {value for name, value in os.environ.items() if _NAMES.search(name)}
    return sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)


def without_secrets(text: str) -> str:
    """A text that someone else's error may have put a key into."""
    for secret in secrets():
        text = text.replace(secret, HIDDEN)
    return text
