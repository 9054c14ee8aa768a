"""Reference demos: made for ``matched`` to draw distractors from, and never in a data set.

A split with few demos of a task has too few true answers of other demos to draw from. A simulator
can make more: their states only, no pictures, in a moment.

A reference demo's answers are always wrong: no question is asked about it. So each serves one
split alone. If both drew from the same ones, whoever remembers what was never right in training
would know it for wrong in testing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from robotmcqa.engines import Engine
from robotmcqa.failures import Failure, note
from robotmcqa.listener import Listener
from robotmcqa.sources import DemoRef, DemoSource, Selection, SuppliesReferences
from robotmcqa.spec import Spec
from robotmcqa.spool import Entry
from robotmcqa.stages import Member, ReadDemo, read_demos
from robotmcqa.workplace import Workplace

__all__ = ["REFERENCE_EPISODES", "References", "read_references"]

REFERENCE_EPISODES = 24
"""Reference demos of a task for each split that is short: enough for several kinds of keyframes
and for those that fail.
"""


@dataclass(frozen=True, slots=True)
class References:
    """Reference episodes, and what became of the demos that are none.

    Attributes:
        members: (task, split) -> demos and their episodes, in the source's order; none is in two.
        notes: a line of ``meta/failures.jsonl`` for each that had to be left out.
    """

    members: Mapping[tuple[str, str], Sequence[Member]] = field(default_factory=dict)
    notes: Sequence[Failure] = ()


def read_references(
    source: DemoSource,
    spec: Spec,
    selection: Selection,
    short: Mapping[str, Sequence[str]],
    taken: Set[str],
    place: Workplace,
    engine: Engine,
    workers: int,
    listener: Listener,
) -> References:
    """Reference episodes of each task and split, from the spool where an earlier run has read them.

    Args:
        source, spec, selection: of the data set.
        short: task -> its splits that need references.
        taken: ids of the episodes in the data set; copies of them are no references.
        place: where the spool is.
        engine, workers: read them.
        listener: hears about progress.

    Returns:
        Nothing where the source supplies none.
    """
    if not short or not isinstance(source, SuppliesReferences):
        return References()
    refs = [
        ref
        for task, splits in sorted(short.items())
        for ref in source.references(task, selection, REFERENCE_EPISODES * len(splits))
    ]
    listener.stage("Planning reference demos", len(refs))
    found: dict[str, Entry | Failure] = {}
    reader = ReadDemo(source, replace(spec, cameras=()), place, place.references)
    for ref, result in read_demos(reader, refs, engine, workers):
        found[ref.name] = result
        listener.advance(1, failures=not isinstance(result, Entry))
    whole, notes = _sorted_out(refs, found, taken)
    return References(
        {
            (task, split): whole.get(task, [])[place :: len(splits)]
            for task, splits in sorted(short.items())
            for place, split in enumerate(splits)
        },
        notes,
    )


def _sorted_out(
    refs: Sequence[DemoRef], found: Mapping[str, Entry | Failure], taken: Set[str]
) -> tuple[dict[str, list[Member]], list[Failure]]:
    """Each task's recordings once, in the order of ``refs``, and why the others are left out."""
    members: dict[str, list[Member]] = {}
    notes = []
    seen = set(taken)
    for ref in refs:
        result = found[ref.name]
        if not isinstance(result, Entry):
            notes.append(note(ref, f"a reference demo was left out: {result['why']}"))
        elif result.id in seen:
            notes.append(note(ref, "a reference demo was left out: the same recording as another"))
        else:
            seen.add(result.id)
            members.setdefault(ref.task, []).append((ref, result))
    return members, notes
