"""A data set that was added to: what each generation of it was, and several as one.

The first extraction is generation 0, and says nothing of it. Each ``extract --append`` adds one;
``merge`` puts the generations of its parts behind each other. Old shards keep their bytes, so rows
are in order within a generation, and each generation keeps the promises of its laws by itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robotmcqa import __version__
from robotmcqa.files import iterate_jsonl
from robotmcqa.pools import SPLITS

__all__ = [
    "DOCUMENTS",
    "combined_manifest",
    "combined_provenance",
    "count_failures",
    "generation_of",
    "generations_of",
    "pools_in",
    "sources_of",
]

DOCUMENTS = tuple(
    f"meta/{name}"
    for name in ("failures.jsonl", "item.schema.json", "metadata.json", "provenance.json")
)
"""What stands in ``meta/`` of every data set beside the manifest."""


def generation_of(file: Mapping[str, Any]) -> int:
    """Which generation a data file of a manifest belongs to."""
    number: int = file.get("generation", 0)
    return number


def generations_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifest's list of generations, which is left out where there is but one."""
    if "generations" in manifest:
        return list(manifest["generations"])
    splits = manifest["splits"].values()
    return [
        {
            "generator": manifest["generator"],
            "rows": sum(split["rows"] for split in splits),
            "episodes": sum(split["episodes"] for split in splits),
        }
    ]


def sources_of(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where the demos of each generation came from."""
    return [provenance["source"], *(one["source"] for one in provenance.get("appended", ()))]


def pools_in(manifest: Mapping[str, Any]) -> list[str]:
    """Paths of the files that record what ``matched`` drew from."""
    return [one["pools"] for one in manifest.get("generations", ()) if "pools" in one]


def count_failures(manifest: dict[str, Any], lines: Path) -> None:
    """Have a manifest say what its list of failures says."""
    kinds: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for line in iterate_jsonl(lines):
        kinds[line["kind"]] += 1
        if line["kind"] == "item":
            skipped[line["why"]] += 1
    manifest["skipped"], manifest["failures"] = skipped, kinds["demo"]


def combined_manifest(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One manifest of several data sets with the same spec, in this order.

    Args:
        parts: their manifests. Of their files only data files are taken over, under the names
            that they have there.
    """
    files: list[dict[str, Any]] = []
    generations: list[dict[str, Any]] = []
    items: defaultdict[str, Counter[str]] = defaultdict(Counter)
    sums: dict[str, Counter[str]] = {
        name: Counter() for name in ("references", "outside_box", "skipped")
    }
    rows: Counter[str] = Counter()
    episodes: Counter[str] = Counter()
    laws: dict[tuple[str, ...], Mapping[str, str]] = {}
    for manifest in parts:
        for file in manifest["files"]:
            if "split" in file:
                number = len(generations) + generation_of(file)
                files.append({**file, "generation": number} if number else dict(file))
        generations += generations_of(manifest)
        for task, families in manifest["items"].items():
            items[task].update(families)
        for name, counts in sums.items():
            counts.update(manifest.get(name, {}))
        for split, numbers in manifest["splits"].items():
            rows[split] += numbers["rows"]
            episodes[split] += numbers["episodes"]
        for law in manifest["laws"]:
            # By name: a manifest that was read has its fields in another order than a new one.
            laws.setdefault(tuple(law[name] for name in _LAW), law)
    rank = {family: place for place, family in enumerate(parts[0]["spec"]["families"])}
    whole = {
        **parts[0],
        "generator": f"robotmcqa {__version__}",
        "files": sorted(files, key=lambda file: SPLITS.index(file["split"])),
        "splits": {
            split: {"rows": rows[split], "episodes": episodes[split]}
            for split in SPLITS
            if rows[split]
        },
        "items": items,
        "laws": sorted(
            laws.values(),
            key=lambda law: (law["task"], law["split"], rank[law["family"]], law["law"]),
        ),
        **sums,
        "failures": sum(manifest["failures"] for manifest in parts),
        "generations": generations,
    }
    if len(generations) == 1:
        del whole["generations"]
    return whole


_LAW = ("task", "split", "family", "law")


def combined_provenance(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One provenance: the first, and what each of the others was made from."""
    first, *others = parts
    appended = [*first.get("appended", ())]
    for other in others:
        appended += [_without(other, "version", "appended"), *other.get("appended", ())]
    whole = _without(first, "appended")
    return {**whole, "appended": appended} if appended else whole


def _without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
