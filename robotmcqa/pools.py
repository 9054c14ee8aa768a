"""What a run decides once, before any question is written: splits, laws, pools.

These need all episodes at once, but only their low-dimensional digests. The result does not
depend on the order in which the episodes were read.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field

from robotmcqa.coordinates import Millimetres, distance_squared
from robotmcqa.distractors import Pool
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, Moment
from robotmcqa.exchange import blocks_of, exchangeable_sets, partners
from robotmcqa.questions import FAMILIES
from robotmcqa.questions.family import Family, PositionFamily
from robotmcqa.spec import SPEC_VERSION, Spec

__all__ = [
    "ENOUGH_OTHERS",
    "SPLITS",
    "SetKey",
    "TaskPlan",
    "assign_splits",
    "is_asked",
    "outside_the_box",
    "plan_task",
    "wants_references",
]

SPLITS = ("train", "test")

SetKey = tuple[str, str, int]
"""(family, episode id, frame) of a question in a set of ``swapped``."""

ENOUGH_OTHERS = 8
"""``matched`` takes reference episodes into its pools where a task and split have no more than
this many episodes; ``auto`` takes ``matched`` only where there are this many beside a question's
own.
"""


FEW_CIRCLES = 600
"""Up to so many questions of a family in a task and split, circles stand in the order in which they
came about: data sets of that size that are out keep their bytes.
"""


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """For one task in one split: the law of each family, and what the laws draw from.

    Attributes:
        laws: family -> law.
        pools: of ``matched``: (family, the family's key) -> true answers.
        references: number of reference demos whose true answers are in the pools.
        sets: of ``swapped``: (family, episode, frame) -> answers of the other questions in its set.
    """

    laws: Mapping[str, str]
    pools: Mapping[tuple[str, Hashable], Pool]
    references: int = 0
    sets: Mapping[SetKey, Pool] = field(default_factory=dict)

    def pool(self, family: Family, moment: Moment) -> Pool:
        """What the wrong options of one question are drawn from."""
        if self.laws[family.name] == "swapped":
            return self.sets.get((family.name, moment.episode, moment.frame), ())
        return self.pools.get((family.name, family.pool_key(moment)), ())


def wants_references(episodes: Sized, spec: Spec) -> bool:
    """Whether the episodes of one task in one split are too few for ``matched``, if it is asked."""
    return (
        spec.format == "choice"
        and spec.distractors in ("auto", "matched")
        and len(episodes) <= ENOUGH_OTHERS
        and any(FAMILIES[name].law("matched") == "matched" for name in spec.families)
    )


def plan_task(
    episodes: Iterable[Episode],
    spec: Spec,
    references: Sequence[Episode] = (),
    older: Sequence[Episode] = (),
) -> TaskPlan:
    """Laws and pools for the episodes of one task in one split.

    Args:
        episodes: those that questions are asked about.
        spec: of the data set.
        references: episodes of the same task that ``matched`` may draw from beside them.
        older: those of the same task and split that were asked about before; likewise.
    """
    own = sorted(episodes, key=lambda episode: episode.id)
    in_order = sorted((*own, *references, *older), key=lambda episode: episode.id)
    if spec.format == "open":
        return TaskPlan(dict.fromkeys(spec.families, "none"), {})
    laws: dict[str, str] = {}
    sets: dict[SetKey, Pool] = {}
    pools: defaultdict[tuple[str, Hashable], list[tuple[str, Millimetres]]] = defaultdict(list)
    for name in spec.families:
        family = FAMILIES[name]
        found: Mapping[SetKey, Pool] = {}
        law = family.law(spec.distractors)
        if law == "auto":
            law, found = _auto(family, own, len(in_order), spec)
        elif law == "swapped":
            found, _ = _sets(family, own, spec)
        laws[name] = law
        sets |= found
        if law == "matched":
            for episode in in_order:
                for key, position in family.pool_entries(episode):
                    pools[name, key].append((episode.id, position))
    return TaskPlan(laws, dict(pools), len(references) if pools else 0, sets)


def _auto(
    family: Family, own: Sequence[Episode], everyone: int, spec: Spec
) -> tuple[str, Mapping[SetKey, Pool]]:
    """What ``auto`` stands for, and the sets of ``swapped``.

    A prompt that states the position: ``level``, of all laws the one that it says least about.
    Few episodes with enough references: ``matched``, for sets of few episodes would offer places
    of one and the same episode. Else ``swapped`` unless it leaves out too much, then ``matched``
    where there are enough, then ``level``. Labels have ``neighbours`` for the last two.
    """
    if isinstance(family, PositionFamily) and family.state(spec) == "shown":
        return "level", {}
    otherwise = family.law("matched" if everyone > ENOUGH_OTHERS else "level")
    if otherwise == "matched" and len(own) <= ENOUGH_OTHERS:
        return otherwise, {}
    sets, left = _sets(family, own, spec)
    return ("swapped", sets) if left <= family.most_left_out else (otherwise, {})


def _sets(
    family: Family, episodes: Sequence[Episode], spec: Spec
) -> tuple[dict[SetKey, Pool], float]:
    """Sets of ``swapped`` over all questions that will be asked, and the share left out.

    Args:
        episodes: in an order that does not depend on the run.
    """
    asked = [_asked(family, episode, spec) for episode in episodes]
    sets: dict[SetKey, Pool] = {}
    total = sum(map(len, asked))
    # Blocks hold episodes drawn by chance, not neighbours in whatever order their ids stand.
    draws = Draws(spec.seed, SPEC_VERSION, family.name, "sets", episodes[0].task)
    asked = list(draws.without_replacement(asked))
    for block in blocks_of([len(moments) for moments in asked]):
        moments = [moment for index in block for moment in asked[index]]
        apart, unlike = family.apart(moments, spec), family.unlike(moments, spec)
        for members in exchangeable_sets(apart, unlike, spec.choices, draws):
            if total > FEW_CIRCLES and len(members) > spec.choices:
                members = _in_a_circle(members, moments, family, spec)
            for member, others in zip(members, partners(members, spec.choices), strict=True):
                one = moments[member]
                sets[family.name, one.episode, one.frame] = tuple(
                    (moments[other].episode, family.exchanged(moments[other])) for other in others
                )
    return sets, 1 - len(sets) / total if total else 1.0


def _in_a_circle(
    members: Sequence[int], moments: Sequence[Moment], family: Family, spec: Spec
) -> tuple[int, ...]:
    """A set of more than a question's options in an order that hangs on nothing.

    The order it comes in is that of the ranks by which its members were chosen, and of a common
    answer's many questions the one of the lowest rank is chosen. Where the same answers meet in
    many circles, they would mostly stand in the same order.
    """
    first = moments[members[0]]
    draws = Draws(spec.seed, SPEC_VERSION, family.name, "circle", first.episode, first.frame)
    return tuple(draws.without_replacement(members))


def _asked(family: Family, episode: Episode, spec: Spec) -> list[Moment]:
    """The moments that a question of the family is asked about."""
    return [moment for moment in episode.moments() if is_asked(family, moment, spec)]


def is_asked(family: Family, moment: Moment, spec: Spec) -> bool:
    """Whether the movement is long enough for the family to ask about it."""
    if not (family.needs_displacement() and spec.min_displacement):
        return True
    moved = distance_squared(moment.position, moment.target_position)
    return moved >= spec.min_displacement**2


def outside_the_box(episodes: Iterable[Episode], spec: Spec) -> dict[str, int]:
    """Family -> questions whose right option lies outside the valid box, where any do.

    Wrong options never do, so such a right one is the odd one out.
    """
    families = [family for name, family in FAMILIES.items() if name in spec.families]
    outside: Counter[str] = Counter()
    if spec.format == "choice":
        for episode in episodes:
            for moment in episode.moments():
                for family in families:
                    if (
                        isinstance(family, PositionFamily)
                        and family.answer_position(moment) not in spec.scene.valid_box
                    ):
                        outside[family.name] += 1
    return dict(outside)


def assign_splits(
    episodes: Sequence[tuple[str, str]], fraction: float, placed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Episode id -> split, for ``(task, episode id)`` pairs.

    An episode is in the test split when the hash of its id falls below ``fraction``. The hash
    knows nothing else, so such an episode keeps its split when others are added or the seed
    changes. Two exceptions keep small sets usable: a task that ought to have a test episode
    (``fraction`` of it rounds to one or more) but has none gets its lowest one, and as long as
    there are two episodes neither split stays empty (unless ``fraction`` is 0). An episode placed
    by an exception may change its split when others are added to the demos and all are extracted
    anew; one that is ``placed`` stays.

    Args:
        episodes: all of them, those that are placed too.
        fraction: share of the test split.
        placed: id -> split of those in a data set that is added to.
    """
    placed = placed or {}
    ranks = {episode: _rank(episode) for _, episode in episodes}
    free = ranks.keys() - placed.keys()
    test = {one for one in free if ranks[one] < fraction}
    test |= {one for one, split in placed.items() if split == "test"}
    by_task: defaultdict[str, list[str]] = defaultdict(list)
    for task, episode in episodes:
        by_task[task].append(episode)
    for members in by_task.values():
        if len(members) >= 2 and fraction * len(members) >= 0.5 and not test.intersection(members):
            test.update(_lowest(free.intersection(members), ranks))
    if fraction > 0 and len(ranks) >= 2:
        if not test:
            test.update(_lowest(free, ranks))
        if len(test) == len(ranks):
            test.difference_update(sorted(free, key=ranks.__getitem__)[-1:])
    return {episode: "test" if episode in test else "train" for episode in ranks}


def _lowest(episodes: Iterable[str], ranks: Mapping[str, float]) -> list[str]:
    """The one whose hash is the lowest, if there is any."""
    return sorted(episodes, key=ranks.__getitem__)[:1]


def _rank(episode: str) -> float:
    digest = hashlib.blake2b(episode.encode(), digest_size=8, person=b"robotmcqa.split").digest()
    return int.from_bytes(digest, "little") / 2**64
