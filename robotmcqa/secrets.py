"""Keys stay out of whatever is shown or written: logs, errors, files."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["HIDDEN", "guard", "without_secrets", "without_secrets_deeply"]

HIDDEN = "(key)"

_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)

_SHORTEST = 6
"""Characters; shorter values ("none", "EMPTY") are what servers without keys are given."""

_DECORATION = r"(?:(?:\x1b|\\u001b)\[[\d;]*m|\\n|[\n \u2502])*"
"""What a trace drawn in colours, and wrapped, may put between any two characters; also as JSON."""


def without_secrets(text: str) -> str:
    """A text that someone else's error may have put a key into: the environment's keys hidden."""
    found = {value.strip() for name, value in os.environ.items() if _NAMES.search(name)}
    for secret in sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(_DECORATION.join(map(re.escape, secret)), HIDDEN, text)
    return text


def without_secrets_deeply(document: Any) -> Any:
    """A JSON document without them."""
    if isinstance(document, str):
        return without_secrets(document)
    if isinstance(document, list):
        return [without_secrets_deeply(one) for one in document]
    if isinstance(document, dict):
        return {
            without_secrets(name): without_secrets_deeply(one) for name, one in document.items()
        }
    return document


def guard(api: Any) -> None:
    """Clean every error that a model's API raises or returns, before anybody logs it.

    Servers quote the key that they refuse. The error keeps its type: whether to try again is
    decided by it.

    Args:
        api: the ``ModelAPI`` of an inspect-ai model; its ``generate`` is wrapped, once.
    """
    generate: Callable[..., Awaitable[Any]] = api.generate
    if getattr(generate, "guarded", False):
        return

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await generate(*args, **kwargs)
        except Exception as error:
            _clean(error)
            raise
        if isinstance(result, tuple) and isinstance(result[0], Exception):
            _clean(result[0])
        return result

    guarded.guarded = True  # type: ignore[attr-defined]
    api.generate = guarded


def _clean(error: BaseException | None) -> None:
    """Cut keys out of an error, its causes and its notes, in place."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(
            without_secrets(one) if isinstance(one, str) else one for one in error.args
        )
        for name, value in list(vars(error).items()):
            if isinstance(value, str):
                setattr(error, name, without_secrets(value))
            elif name == "body" and value is not None:
                error.body = without_secrets(str(value))  # type: ignore[attr-defined]
        error = error.__cause__ or error.__context__
