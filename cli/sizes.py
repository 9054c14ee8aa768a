"""Sizes as people write them: ``64MB``, ``500 MiB``, ``1000000``."""

from __future__ import annotations

import re

from robotmcqa.errors import UsageError

__all__ = ["bytes_of"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_FORM = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]i?|)b?", re.ASCII | re.IGNORECASE)


def bytes_of(text: str) -> int:
    """Bytes that ``text`` names.

    Raises:
        UsageError: it is no size, or too small to hold a picture.
    """
    match = _FORM.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if size < 1 << 20:
        raise UsageError(f"--shard-size {text}", "a size of 1MiB or more, such as 64MB or 500MiB")
    return size
