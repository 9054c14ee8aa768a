"""Laws that were tried for docs/distractors.md and not taken: waypoints only.

Each takes the moments of a task and gives candidates for wrong options of one of them, best first;
the study takes the first that are in the box and apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from robotmcqa.coordinates import Millimetres, distance_squared
from robotmcqa.draws import Draws
from robotmcqa.episode import Moment
from robotmcqa.spec import Spec

__all__ = ["CANDIDATES", "wrong_positions"]

Candidates = Callable[[Moment, Sequence[Moment], Draws], Iterator[Millimetres]]

_NEAREST = 8


def turned(moment: Moment, others: Sequence[Moment], draws: Draws) -> Iterator[Millimetres]:
    """The answer's own displacement, turned about the vertical through the gripper."""
    (x, y, _), (to_x, to_y, to_z) = moment.position, moment.target_position
    reach, bearing = math.hypot(to_x - x, to_y - y), math.atan2(to_y - y, to_x - x)
    for _ in range(2000):
        angle = bearing + draws.below(3600) * math.pi / 1800
        yield (round(x + reach * math.cos(angle)), round(y + reach * math.sin(angle)), to_z)


def like_distance(moment: Moment, others: Sequence[Moment], draws: Draws) -> Iterator[Millimetres]:
    """Same-numbered keyframes of other episodes, those about as far from the gripper first."""
    own = math.sqrt(distance_squared(moment.position, moment.target_position))
    pool = [one.target_position for one in others if one.ordinal == moment.ordinal]
    shuffled = list(draws.without_replacement(sorted(set(pool))))
    yield from sorted(
        shuffled, key=lambda point: abs(math.sqrt(distance_squared(moment.position, point)) - own)
    )


def like_state(moment: Moment, others: Sequence[Moment], draws: Draws) -> Iterator[Millimetres]:
    """Answers of the questions whose gripper is nearest to this one's."""
    near = sorted(others, key=lambda one: distance_squared(one.position, moment.position))
    first = list(draws.without_replacement(near[:_NEAREST]))
    yield from (one.target_position for one in (*first, *near[_NEAREST:]))


CANDIDATES: dict[str, Candidates] = {
    "turned": turned,
    "like distance": like_distance,
    "like state": like_state,
}


def wrong_positions(
    law: str, moment: Moment, others: Sequence[Moment], spec: Spec, draws: Draws
) -> list[Millimetres] | None:
    """Wrong options under a candidate law; None where there are too few."""
    chosen = [moment.target_position]
    for point in islice(CANDIDATES[law](moment, others, draws), 3000):
        if point in spec.scene.valid_box and all(
            distance_squared(point, other) >= spec.separation**2 for other in chosen
        ):
            chosen.append(point)
            if len(chosen) == spec.choices:
                return chosen[1:]
    return None
