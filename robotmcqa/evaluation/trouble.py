"""Why a question got no answer, in one line: what the server said, not what it was asked."""

from __future__ import annotations

from robotmcqa.secrets import without_secrets

__all__ = ["NoAnswer", "first_line"]

LONGEST = 300
"""Characters of a reason."""


class NoAnswer(Exception):
    """A question got no answer; ``message`` is what inspect puts into its log."""

    def __init__(self, error: Exception) -> None:
        self.message = first_line(_said(error))
        super().__init__(self.message)


def first_line(text: str) -> str:
    """The first line of a message, without keys."""
    lines = without_secrets(text).strip().splitlines()
    return lines[0][:LONGEST] if lines else "no reason was given"


def _said(error: Exception) -> str:
    """The words at the bottom: retries and inspect wrap the provider's own error."""
    last = getattr(error, "last_attempt", None)
    cause = (last.exception() if last is not None else None) or error
    named = getattr(cause, "provider_message", None) or getattr(cause, "message", None)
    return str(named or cause) or type(cause).__name__
