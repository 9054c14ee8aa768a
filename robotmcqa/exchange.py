"""Sets of questions that exchange their answers: the law ``swapped``.

Questions of one task are put into sets as large as a question has options (k), and each question
of a set offers the same options: the right answers of all of them. So every set of options is
asked once for each of its members, and **whatever is guessed from the options alone is right
exactly once per set**. Not by statistics, by counting: no place, however common, and no shape of a
set can betray an answer. Only what differs between the members' prompts can.

The few questions that are left over join a set. A set of more than k stands in a circle, in an
order drawn by chance, and each question offers its own answer and the next k - 1. Every answer is
then still offered k times and right once, and by the symmetry of the circle each of the k options
is equally likely to be the right one.

Two questions may share a set when their answers are apart (5 cm, or unequal motion labels), so
the law never makes a question ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robotmcqa.draws import Draws

__all__ = ["BLOCK", "blocks_of", "exchangeable_sets", "partners"]

BLOCK = 1000
"""About so many questions are put into sets together: the work grows with the square."""

Matrix = NDArray[Any]


def blocks_of(sizes: Sequence[int], most: int = BLOCK) -> list[range]:
    """Cut episodes with so many questions each into runs of about equal size.

    Args:
        sizes: questions of each episode.
        most: questions of a run, about.
    """
    count = -(-sum(sizes) // most) if sum(sizes) else 0
    cuts = [0]
    done, total = 0, sum(sizes)
    for index, size in enumerate(sizes, 1):
        done += size
        if len(cuts) < count and done * count >= total * len(cuts):
            cuts.append(index)
    cuts = [*dict.fromkeys(cuts), len(sizes)] if count else []
    return [range(a, b) for a, b in pairwise(cuts) if a < b]


def exchangeable_sets(
    apart: Matrix, unlike: Matrix, size: int, draws: Draws
) -> list[tuple[int, ...]]:
    """Put questions into sets.

    The questions whose answers conflict with the most others come first, for they are the hardest
    to place: a place where many demos rest goes into a set of its own each time. Each takes the
    partners that are least unlike it and each other, in all.

    Args:
        apart: (n, n) whether two questions may be in one set.
        unlike: (n, n) whole numbers; pairs with a low one are put together.
        size: of a set.
        draws: break ties.

    Returns:
        Sets of ``size`` or more indices, each in a random order; questions in none could not be
        placed.
    """
    n = len(apart)
    rank = np.empty(n, dtype=np.int64)
    rank[list(draws.without_replacement(range(n)))] = np.arange(n)
    # Ties are broken by the rank: one number holds both.
    cost = unlike.astype(np.int64) * n * size
    conflicts = (~apart).sum(axis=1)
    in_turn = np.lexsort((rank, -conflicts)).tolist()
    free = np.ones(n, dtype=bool)
    sets: list[list[int]] = []
    for first in in_turn:
        if free[first]:
            members = _members(first, apart, cost, rank, free, size)
            if len(members) == size:
                free[members] = False
                sets.append(members)
    left = [one for one in in_turn if free[one]]
    for one, members in _joining(left, sets, apart, cost):
        members.append(one)
    return [tuple(sorted(members, key=lambda one: int(rank[one]))) for members in sets]


def partners(members: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """For each member of a set, whose answers stand beside its own in a question of ``size``."""
    count = len(members)
    return [
        tuple(members[(place + step) % count] for step in range(1, size)) for place in range(count)
    ]


def _members(
    first: int, apart: Matrix, cost: Matrix, rank: Matrix, free: Matrix, size: int
) -> list[int]:
    """``first`` and the free ones least unlike it and each other; fewer where there are none."""
    members = [first]
    possible = free & apart[first]
    possible[first] = False
    total = cost[first] + rank
    while len(members) < size and possible.any():
        candidates = np.flatnonzero(possible)
        chosen = int(candidates[np.argmin(total[candidates])])
        members.append(chosen)
        possible &= apart[chosen]
        possible[chosen] = False
        total = total + cost[chosen]
    return members


def _joining(
    left: Sequence[int], sets: list[list[int]], apart: Matrix, cost: Matrix
) -> Iterator[tuple[int, list[int]]]:
    """Each question that is left over with the set it is least unlike; no set takes two."""
    open_sets = list(sets)
    for one in left:
        fitting = [members for members in open_sets if apart[one, members].all()]
        if fitting:
            chosen = min(fitting, key=lambda members: int(cost[one, members].sum()))
            open_sets.remove(chosen)
            yield one, chosen
