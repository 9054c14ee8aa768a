"""Keyed draws: randomness that depends on what is drawn for, and on nothing else.

Every draw is addressed by a key (seed, spec version, family, episode, frame, slot). The bits come
from BLAKE2b over key and counter, so the same question gets the same distractors whatever was
drawn before it, in whatever process. The core uses no other randomness.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["Draws"]

T = TypeVar("T")

_WORD = 1 << 64
_EIGHT_WORDS = struct.Struct("<8Q")


class Draws:
    """A stream of independent 64-bit words, fixed by ``key``."""

    def __init__(self, *key: str | int) -> None:
        # Lengths in front: ("ab", "c") and ("a", "bc") are different keys.
        parts = [str(part).encode() for part in key]
        material = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
        self._keyed = hashlib.blake2b(material, digest_size=64, person=b"robotmcqa.draws")
        self._counter = 0
        self._words: Iterator[int] = iter(())

    def word(self) -> int:
        """The next word, uniform in ``0 .. 2**64 - 1``."""
        word = next(self._words, None)
        if word is None:
            block = self._keyed.copy()
            block.update(self._counter.to_bytes(8, "little"))
            self._counter += 1
            self._words = iter(_EIGHT_WORDS.unpack(block.digest()))
            word = next(self._words)
        return word

    def below(self, n: int) -> int:
        """Uniform in ``0 .. n-1``, exactly: words past the last whole multiple are rejected."""
        if not 1 <= n <= _WORD:
            raise ValueError(f"below() needs n from 1 to 2**64, got {n}")
        limit = _WORD - _WORD % n
        word = self.word()
        while word >= limit:
            word = self.word()
        return word % n

    def between(self, low: int, high: int) -> int:
        """Uniform in ``low .. high``, both included."""
        return low + self.below(high - low + 1)

    def choice(self, options: Sequence[T]) -> T:
        """One of ``options``, each equally likely."""
        return options[self.below(len(options))]

    def without_replacement(self, items: Sequence[T]) -> Iterator[T]:
        """``items`` in a random order, drawn lazily: a sparse Fisher-Yates.

        Costs as much as is consumed, however long ``items`` is.
        """
        moved: dict[int, int] = {}
        for remaining in range(len(items), 0, -1):
            at = self.below(remaining)
            yield items[moved.get(at, at)]
            moved[at] = moved.get(remaining - 1, remaining - 1)
