"""Which questions are audited where there are too many: those of demonstrations drawn by a hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["FEW_QUESTIONS", "MOST_QUESTIONS", "Drawn", "drawn_of"]

MOST_QUESTIONS = 20_000
"""About so many questions of a family are audited at most: what is guessed of them is known to a
percent, and more of them would only take time and memory.
"""

FEW_QUESTIONS = 6_000
"""The same for the quick audit at the end of an extraction, beside which memory is to stay flat."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A share of the demonstrations, 1 for all. Each is drawn as a whole or not at all.

    The hash knows nothing but the demonstration's id, so whatever else is in the data set, a
    demonstration that is drawn at one share is drawn at every larger one.
    """

    share: float = 1.0

    def takes(self, episode: str) -> bool:
        """Whether an episode is one of them."""
        return self.share >= 1 or _rank(episode) < self.share


def drawn_of(manifest: Mapping[str, Any], most: int = MOST_QUESTIONS) -> Drawn:
    """So many demonstrations that about ``most`` questions of the largest family are theirs."""
    families: Counter[str] = Counter()
    for counts in manifest["items"].values():
        families.update(counts)
    largest = max(families.values(), default=0)
    if largest <= most:
        return Drawn()
    episodes = sum(split["episodes"] for split in manifest["splits"].values())
    return Drawn(min(1.0, max(most / largest, LEAST_EPISODES / episodes)))


LEAST_EPISODES = 100
"""About so many are drawn at least, however many questions they have: figures rest on them."""


@lru_cache(maxsize=1)  # rows of an episode stand together
def _rank(episode: str) -> float:
    digest = hashlib.blake2b(episode.encode(), digest_size=8, person=b"robotmcqa.audit").digest()
    return int.from_bytes(digest, "little") / 2**64
