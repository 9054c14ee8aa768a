"""``meta/manifest.json``: what a data set consists of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from robotmcqa import __version__
from robotmcqa.failures import Failure
from robotmcqa.pools import SPLITS, TaskPlan
from robotmcqa.spec import Spec

__all__ = ["build_manifest"]


def build_manifest(
    spec: Spec,
    shards: Sequence[Mapping[str, Any]],
    documents: Sequence[Mapping[str, Any]],
    plans: Mapping[tuple[str, str], TaskPlan],
    failures: Sequence[Failure],
    outside_box: Mapping[str, int],
) -> dict[str, Any]:
    """The manifest (``schemas/v1/manifest.schema.json``).

    Args:
        spec: of the data set.
        shards: what :class:`~robotmcqa.stages.WriteShard` returned, in order.
        documents: file entries of everything in ``meta/`` but the manifest.
        plans: (task, split) -> laws and pools.
        failures: all lines of ``meta/failures.jsonl``.
        outside_box: family -> questions whose right option lies outside the valid box.
    """
    items: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for shard in shards:
        for task, families in shard["items"].items():
            items[task].update(families)
    references: Counter[str] = Counter()  # each serves one split alone
    for (task, _), plan in plans.items():
        if plan.references:
            references[task] += plan.references
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
        "files": [*(shard["file"] for shard in shards if shard["file"]), *documents],
        "splits": splits,
        "items": items,
        "laws": [
            {"task": task, "split": split, "family": family, "law": law}
            for (task, split), plan in sorted(plans.items())
            for family, law in plan.laws.items()
        ],
        "references": dict(sorted(references.items())),
        "outside_box": dict(outside_box),
        "skipped": Counter(line["why"] for line in failures if line["kind"] == "item"),
        "failures": sum(line["kind"] == "demo" for line in failures),
    }
