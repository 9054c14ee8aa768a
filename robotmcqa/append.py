"""The data set that ``extract --append`` adds to, as it is looked at while more is made.

None of its bytes change. What is taken from it: which demos it has already, in which split, and
their true answers, for ``matched`` to draw from beside those of new demos.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robotmcqa.coordinates import Millimetres
from robotmcqa.dataset import Dataset
from robotmcqa.episode import Episode
from robotmcqa.errors import UsageError
from robotmcqa.failures import Failure, place_of_line
from robotmcqa.files import iterate_jsonl, write_bytes
from robotmcqa.generations import combined_manifest, generations_of
from robotmcqa.places import copy, is_remote, move, opened, temporary_beside
from robotmcqa.plan_file import load_plan
from robotmcqa.schema import schema_text
from robotmcqa.spec import Spec
from robotmcqa.workplace import MANIFEST, Workplace

__all__ = [
    "Base",
    "Pools",
    "base_of",
    "check_base",
    "check_same_spec",
    "episodes_in",
    "linked",
    "older_episodes",
    "pools_path",
    "read_pools",
    "write_pools",
]

_KEPT = (MANIFEST, "meta/provenance.json", "meta/failures.jsonl", "meta/metadata.json")


@dataclass(frozen=True, slots=True)
class Base:
    """A data set that is added to.

    Attributes:
        manifest, provenance: its documents.
        folder: where they lie while more is made.
        episodes: id -> (task, split) of every episode that it asks about.
        generation: number of the one that is being made.
    """

    manifest: Mapping[str, Any]
    provenance: Mapping[str, Any]
    folder: Path
    episodes: Mapping[str, tuple[str, str]]

    @property
    def generation(self) -> int:
        return len(generations_of(self.manifest))

    def data(self, split: str) -> list[str]:
        """Paths of its data files."""
        return [file["path"] for file in self.manifest["files"] if file.get("split") == split]

    def next_number(self, split: str) -> int:
        """Of a shard of the split."""
        taken = [int(Path(name).stem.rpartition("-")[2]) for name in self.data(split)]
        return max(taken, default=-1) + 1

    def with_failures(self, new: Iterable[Failure]) -> Iterator[Failure]:
        """The lines of its list and new ones, in order; a demo that failed again stands once."""
        old = iterate_jsonl(self.folder / "meta/failures.jsonl")
        for line, _ in groupby(merge(old, new, key=place_of_line)):
            yield line

    def with_rows(
        self, manifest: Mapping[str, Any], repeated: int, pools: str | None
    ) -> dict[str, Any]:
        """Its manifest with the data files of a new generation."""
        whole = combined_manifest([self.manifest, manifest])
        if "shard_bytes" in manifest:
            whole["shard_bytes"] = manifest["shard_bytes"]
        newest = whole["generations"][-1]
        if repeated:
            newest["repeated"] = repeated
        if pools:
            newest["pools"] = pools
        return whole


def check_base(out: Path, spec: Spec, licence: str) -> None:
    """Have it known before any work whether demos can be added to a data set.

    Raises:
        UsageError: it was made with another spec, or of demos under another licence.
        DatasetError: it is damaged.
    """
    if not (out / MANIFEST).exists():
        return  # an interrupted run may be about to put it in place
    dataset = Dataset.open(out)
    check_same_spec(dataset.manifest, spec.document(), str(out), "--append")
    there = dataset.provenance["source"]["licence"]
    if there != licence:
        raise UsageError(
            f"{out} is of demonstrations under '{there}', these are under '{licence}'",
            "a data set has one licence: --config NAME makes a second one beside it",
        )


def base_of(place: Workplace) -> Base:
    """What lies in ``place.out``, kept aside so that an interrupted run can go on from it.

    Raises:
        UsageError: it has changed since an interrupted run began to add to it.
    """
    folder = place.work / "onto"
    if not (folder / MANIFEST).exists():
        for name in (*_KEPT[1:], MANIFEST):
            write_bytes(folder / name, (place.out / name).read_bytes())
    elif (place.out / MANIFEST).read_bytes() != (folder / MANIFEST).read_bytes():
        raise UsageError(
            f"{place.out} has changed since this run began to add to it",
            f"remove {place.work}, then run again with --append alone",
        )
    dataset = Dataset.open(folder)
    manifest = dataset.manifest
    for file in manifest["files"]:
        if "split" in file or file["path"].startswith("meta/pools-"):
            linked(place.out / file["path"], place.publish / file["path"])
    episodes = {
        episode: (task, split)
        for split in manifest["splits"]
        for task, episode in episodes_in(
            place.out / file["path"] for file in manifest["files"] if file.get("split") == split
        )
    }
    return Base(manifest, dataset.provenance, folder, episodes)


def check_same_spec(
    manifest: Mapping[str, Any], wanted: Mapping[str, Any], name: str, what: str
) -> None:
    """Rows of one data set answer to one spec.

    Raises:
        UsageError: they differ; it says in which fields.
    """
    there = manifest["spec"]
    changes = [
        f"{field}: {there.get(field)!r} there, {wanted.get(field)!r} now"
        for field in sorted({*there, *wanted})
        if there.get(field) != wanted.get(field)
    ]
    known = {file["path"]: file["sha256"] for file in manifest["files"]}
    current = hashlib.sha256(schema_text("item").encode()).hexdigest()
    if not changes and known.get("meta/item.schema.json", current) != current:
        changes = ["the schema of a row has changed since"]
    if changes:
        raise UsageError(
            f"{name} was made with another spec ({'; '.join(changes)})",
            f"{what} needs the same options; --out DIR writes elsewhere",
        )


def linked(old: Path, new: Path) -> None:
    """The same file under another name; a copy where there are no links."""
    if new.exists():
        return
    if is_remote(new):
        copy(old, new)
        return
    try:
        os.link(old.resolve(), new)  # a download of the Hub's is a symbolic link
    except OSError:
        shutil.copyfile(old, new)


def episodes_in(shards: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """(task, id) of the episodes, each once for each run of rows."""
    for path in shards:
        with opened(path) as file, pq.ParquetFile(file) as shard:
            for group in range(shard.num_row_groups):
                table = shard.read_row_group(group, ["task", "episode"], use_threads=False)
                columns = (table["task"].to_pylist(), table["episode"].to_pylist())
                for pair, _ in groupby(zip(*columns, strict=True)):
                    yield pair


_MOMENT = ("variation", "episode", "frame", "keyframe", "state", "target")


def older_episodes(shards: Sequence[Path], task: str) -> list[Episode]:
    """What the rows of a task tell of its episodes: the moments that were asked about.

    Keyframes are those that the questions name, so their numbers can differ from those in the
    demo where a keyframe follows so close upon another that no question was asked between them.
    """
    found = []
    for path in shards:
        with opened(path) as file:
            table = pq.read_table(
                file, columns=list(_MOMENT), filters=[("task", "==", task)], use_threads=False
            )
        for _, rows in groupby(table.to_pylist(), key=lambda row: row["episode"]):
            moments = {row["frame"]: row for row in rows}
            targets = {row["keyframe"]: tuple(row["target"]) for row in moments.values()}
            first = next(iter(moments.values()))
            found.append(
                Episode(
                    id=first["episode"],
                    task=task,
                    variation=first["variation"],
                    instructions=(),
                    notes=(),
                    length=0,
                    keyframes=tuple(sorted(targets)),
                    targets=tuple(targets[keyframe] for keyframe in sorted(targets)),
                    frames=tuple(sorted(moments)),
                    states=tuple(tuple(moments[frame]["state"]) for frame in sorted(moments)),
                )
            )
    return found


_POOLS = pa.schema(
    [
        *((name, pa.string()) for name in ("task", "split", "family", "key", "episode")),
        *((name, pa.int32()) for name in ("x_mm", "y_mm", "z_mm")),
    ]
)


def pools_path(generation: int) -> str:
    """Where the pools of a generation that was appended are recorded."""
    return f"meta/pools-{generation:05d}.parquet"


def write_pools(path: Path, plans: Iterable[tuple[str, str, Path]]) -> bool:
    """Record what ``matched`` drew from: every true answer, and whose it is.

    Args:
        path: of the file.
        plans: (task, split, path of the plan).

    Returns:
        Whether there was anything to record; else there is no file.
    """
    written = False
    temporary = temporary_beside(path)
    with pq.ParquetWriter(temporary, _POOLS, compression="zstd") as writer:
        for task, split, plan in plans:
            for (family, key), pool in load_plan(plan).pools.items():
                lines = [
                    (task, split, family, json.dumps(key), episode, *position)
                    for episode, position in pool
                ]
                if lines:
                    columns = map(list, zip(*lines, strict=True))
                    arrays = [
                        pa.array(column, kind)
                        for column, kind in zip(columns, _POOLS.types, strict=True)
                    ]
                    writer.write_table(pa.table(arrays, schema=_POOLS))
                    written = True
    if written:
        move(temporary, path)
    else:
        temporary.unlink()
    return written


Pools = Mapping[str, Mapping[Millimetres, set[str]]]
"""Family -> true answer (mm) -> ids of the episodes whose it is."""


def read_pools(path: Path, task: str, split: str) -> Pools:
    """What was recorded for one task and split."""
    wanted = [("task", "==", task), ("split", "==", split)]
    with opened(path) as file:
        table = pq.read_table(file, filters=wanted, use_threads=False)
    found: dict[str, dict[Millimetres, set[str]]] = {}
    names = ("family", "episode", "x_mm", "y_mm", "z_mm")
    for family, episode, x, y, z in zip(*(table[one].to_pylist() for one in names), strict=True):
        found.setdefault(family, {}).setdefault((x, y, z), set()).add(episode)
    return found
