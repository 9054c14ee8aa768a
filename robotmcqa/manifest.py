"""``meta/manifest.json``: what a data set consists of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from robotmcqa import __version__
from robotmcqa.pools import SPLITS
from robotmcqa.spec import Spec
from robotmcqa.stages import Decided

__all__ = ["build_manifest"]


def build_manifest(
    spec: Spec,
    shards: Sequence[Mapping[str, Any]],
    decided: Sequence[Decided],
    failures: int,
    shard_bytes: int | None = None,
) -> dict[str, Any]:
    """The manifest (``schemas/v1/manifest.schema.json``), its files but those of rows yet to come.

    Args:
        spec: of the data set.
        shards: what :class:`~robotmcqa.stages.WriteShard` returned, in order.
        decided: of each task and split.
        failures: demos that are not in the data set.
        shard_bytes: where another size of shards than the usual one was asked for.
    """
    items: defaultdict[str, Counter[str]] = defaultdict(Counter)
    left_out: Counter[str] = Counter()
    for shard in shards:
        left_out.update(shard["left_out"])
        for task, families in shard["items"].items():
            items[task].update(families)
    references: Counter[str] = Counter()  # each serves one split alone
    outside: Counter[str] = Counter()
    for plan in decided:
        outside.update(plan.outside)
        if plan.references:
            references[plan.task] += plan.references
    splits = {}
    for split in SPLITS:
        mine = [shard for shard in shards if shard["split"] == split]
        rows = sum(shard["rows"] for shard in mine)
        if rows:
            splits[split] = {
                "rows": rows,
                "episodes": sum(shard["episodes"] for shard in mine),
            }
    return {
        "version": "1",
        "generator": f"robotmcqa {__version__}",
        "spec": spec.document(),
        "spec_digest": spec.digest(),
        "files": [shard["file"] for shard in shards if shard["file"]],
        "splits": splits,
        "items": items,
        "laws": [
            {"task": plan.task, "split": plan.split, "family": family, "law": law}
            for plan in sorted(decided, key=lambda plan: (plan.task, plan.split))
            for family, law in plan.laws.items()
        ],
        "references": dict(sorted(references.items())),
        "outside_box": dict(outside),
        "skipped": left_out,
        "failures": failures,
        **({"shard_bytes": shard_bytes} if shard_bytes else {}),
    }
