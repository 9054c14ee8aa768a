"""Keys stay out of whatever is written: logs, errors, files."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["guard", "redacted", "redacted_deeply", "secrets"]

_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
_SHORTEST = 6
"""Characters: what is shorter is no key, and cutting it out would spoil ordinary words."""


def secrets() -> tuple[str, ...]:
    """The values of environment variables that hold keys, longest first."""
    found = {
        value.strip()
        for name, value in os.environ.items()
        if _NAMES.search(name) and len(value.strip()) >= _SHORTEST
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def redacted(text: str) -> str:
    """The text without them."""
    for secret in secrets():
        text = text.replace(secret, "***")
    return text


def redacted_deeply(document: Any) -> Any:
    """A JSON document without them."""
    if isinstance(document, str):
        return redacted(document)
    if isinstance(document, list):
        return [redacted_deeply(one) for one in document]
    if isinstance(document, dict):
        return {redacted(name): redacted_deeply(one) for name, one in document.items()}
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
        error.args = tuple(redacted(one) if isinstance(one, str) else one for one in error.args)
        for name, value in list(vars(error).items()):
            if isinstance(value, str):
                setattr(error, name, redacted(value))
            elif name == "body" and value is not None:
                error.body = redacted(str(value))  # type: ignore[attr-defined]
        error = error.__cause__ or error.__context__
