"""Distractors for positions: the laws for where wrong options come from.

====================  ==========================================================================
``uniform``           anywhere in the valid box. The design of the paper.
``near``              a shell of 5 to 20 cm around a *hidden centre*. The answer is one of the
                      points of that shell, so no option sits in the middle of the others.
``level``             at the answer's height, in a tight disc around a hidden centre. For the
                      few demos that nothing can be drawn from: the height tells nothing.
``matched``           true answers of other episodes of the same task and split, so that an
                      option's text hardly tells whether it is right.
``swapped``           the right answers of the other questions in a set (:mod:`robotmcqa.exchange`):
                      the same options are asked once for each of their owners, so that the options
                      alone tell nothing at all.
====================  ==========================================================================

``auto`` picks one of the last three once per run; see :mod:`robotmcqa.pools`.

All laws work on whole millimetres and keep the same promises: every distractor lies in the valid
box and at least ``separation`` from the answer and from every other distractor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from robotmcqa.coordinates import Millimetres, distance_squared
from robotmcqa.draws import Draws
from robotmcqa.errors import TooFewCandidates
from robotmcqa.scene import ValidBox

__all__ = [
    "LAWS",
    "Pool",
    "draw_level",
    "draw_matched",
    "draw_near",
    "draw_swapped",
    "draw_uniform",
]

Pool = Sequence[tuple[str, Millimetres]]
"""True answers that ``matched`` and ``swapped`` take: (episode id, position)."""

LAWS = ("auto", "uniform", "near", "level", "matched", "swapped")

SHELL = (50, 200)
"""Inner and outer radius of the shell of ``near``, mm."""

DISC = 75
"""Least radius of the disc of ``level``, mm: as tight as options that are 5 cm apart allow."""

_TRIES = 2000
"""Candidates looked at before a law gives up on a question."""


def draw_uniform(
    answer: Millimetres, count: int, box: ValidBox, separation: int, draws: Draws
) -> list[Millimetres]:
    """``count`` distractors, uniform in the box.

    Raises:
        TooFewCandidates: the box is too crowded.
    """

    def candidates() -> Iterator[Millimetres]:
        while True:
            yield (draws.between(*box.x), draws.between(*box.y), draws.between(*box.z))

    return _first_apart(candidates(), answer, count, separation, "uniform")


def draw_near(
    answer: Millimetres, count: int, box: ValidBox, separation: int, draws: Draws
) -> list[Millimetres]:
    """``count`` distractors in the shell around a hidden centre; the answer lies in it too.

    Where the shell reaches out of the box the distractors keep to what is left of it, so an answer
    on the floor of the box tends to be the lowest option.

    Raises:
        TooFewCandidates: too little of the shell lies in the box.
    """
    offset = _in_shell(draws)
    centre = (answer[0] - offset[0], answer[1] - offset[1], answer[2] - offset[2])

    def candidates() -> Iterator[Millimetres | None]:
        while True:
            dx, dy, dz = _in_shell(draws)
            candidate = (centre[0] + dx, centre[1] + dy, centre[2] + dz)
            # Out of the box counts as a try too, so a shell outside of it cannot loop for ever.
            yield candidate if candidate in box else None

    return _first_apart(candidates(), answer, count, separation, "near")


def draw_level(
    answer: Millimetres, count: int, box: ValidBox, separation: int, draws: Draws
) -> list[Millimetres]:
    """``count`` distractors at the answer's height, in a disc around a hidden centre.

    Heights of keyframes repeat from demo to demo (above the table, at the lid, lifted), so a wrong
    height gives an option away; a place in the plane does so far less. All options are placed
    first, and which of them is the answer is drawn afterwards, so none is the odd one out.

    Raises:
        TooFewCandidates: too little of the disc lies in the box.
    """
    radius = max(DISC, separation * (count + 3) // 4)
    for _ in range(_TRIES):
        points = _spread(count + 1, radius, separation, draws)
        own = points.pop(draws.below(count + 1)) if points else (0, 0)
        wrong = [(answer[0] + x - own[0], answer[1] + y - own[1], answer[2]) for x, y in points]
        if wrong and all(point in box for point in wrong):
            return wrong
    raise TooFewCandidates(
        f"the law 'level' found no {count} distractors at least {separation / 1000:g} m apart"
    )


def draw_swapped(partners: Pool, count: int, draws: Draws) -> list[Millimetres]:
    """The answers of the ``count`` other questions of the set, in a random order.

    Raises:
        TooFewCandidates: the question is in no set.
    """
    if len(partners) != count:
        raise TooFewCandidates("the law 'swapped' found no set of questions for it")
    return [position for _, position in draws.without_replacement(partners)]


def draw_matched(
    answer: Millimetres,
    count: int,
    box: ValidBox,
    separation: int,
    draws: Draws,
    pool: Pool,
    episode: str,
) -> list[Millimetres]:
    """``count`` distractors out of ``pool``, each true answer in it equally likely.

    Args:
        pool: true answers in an order that does not depend on the run.
        episode: whose question this is; its own entries are passed over.

    Raises:
        TooFewCandidates: too few of them lie in the box and far enough apart.
    """
    candidates = (
        point
        for owner, point in draws.without_replacement(pool)
        if owner != episode and point in box
    )
    return _first_apart(candidates, answer, count, separation, "matched")


def _in_shell(draws: Draws) -> Millimetres:
    """Uniform in the shell around the origin."""
    inner, outer = SHELL
    while True:
        point = (
            draws.between(-outer, outer),
            draws.between(-outer, outer),
            draws.between(-outer, outer),
        )
        if inner**2 <= distance_squared(point, (0, 0, 0)) <= outer**2:
            return point


def _spread(count: int, radius: int, separation: int, draws: Draws) -> list[tuple[int, int]]:
    """``count`` points of a disc around the origin, apart; none where it has become too full."""
    least = max(separation, 1) ** 2
    points: list[tuple[int, int]] = []
    for _ in range(50 * count):
        x, y = draws.between(-radius, radius), draws.between(-radius, radius)
        if x * x + y * y > radius**2:
            continue
        if all((x - a) ** 2 + (y - b) ** 2 >= least for a, b in points):
            points.append((x, y))
            if len(points) == count:
                return points
    return []


def _first_apart(
    candidates: Iterator[Millimetres | None],
    answer: Millimetres,
    count: int,
    separation: int,
    law: str,
) -> list[Millimetres]:
    """The first ``count`` candidates that keep their distance from the answer and each other."""
    chosen = [answer]
    # Distinct as text even with --separation 0: equal millimetres are equal text.
    least = max(separation, 1) ** 2
    for candidate in islice(candidates, _TRIES):
        if candidate and all(distance_squared(candidate, other) >= least for other in chosen):
            chosen.append(candidate)
            if len(chosen) > count:
                return chosen[1:]
    raise TooFewCandidates(
        f"the law '{law}' found {len(chosen) - 1} of {count} distractors "
        f"at least {separation / 1000:g} m apart"
    )
