"""The stages of an extraction that run in workers: read a demo, plan a task, write a shard.

What goes to a worker and comes back is small (names of demos, counts): episodes, plans and lines
about questions that were left out are files in the workplace.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from robotmcqa import spool
from robotmcqa.append import older_episodes
from robotmcqa.engines import Engine
from robotmcqa.episode import Episode, digest_of, episode_of, pictures
from robotmcqa.errors import DemoError, RobotMCQAError, SourceError
from robotmcqa.failures import Failure, demo_failure, in_order, skipped_item
from robotmcqa.files import is_whole, json_text, sha256_of, write_jsonl, write_text
from robotmcqa.item import ItemMaker, Skip
from robotmcqa.plan_file import load_plan, save_plan
from robotmcqa.pools import outside_the_box, plan_task
from robotmcqa.shards import ShardWriter
from robotmcqa.sources import DemoRef, DemoSource, release, settings_of
from robotmcqa.spec import Spec
from robotmcqa.spool import Entry
from robotmcqa.workplace import Workplace

__all__ = [
    "Decided",
    "Member",
    "PlanJob",
    "PlanTask",
    "ReadDemo",
    "ShardJob",
    "WriteShard",
    "cut_shards",
    "file_entry",
    "plan_path",
    "read_demos",
    "skipped_path",
]

SHARD_BYTES = 64 << 20
SHARD_ROWS = 20_000
"""A shard ends at whichever comes first. It is also what a worker writes at a time.

Where other bytes are asked for, the rows grow with them, but do not shrink.
"""

Member = tuple[DemoRef, Entry]
"""A demo, and what is remembered of its episode."""


@dataclass(frozen=True, slots=True)
class ReadDemo:
    """One demo onto the spool in ``folder``, or a line for the list of failures."""

    source: DemoSource
    spec: Spec
    place: Workplace
    folder: Path

    def conditions(self) -> Mapping[str, Any]:
        return {"settings": settings_of(self.source), "--out": self.place.mark()}

    def __call__(self, ref: DemoRef) -> tuple[DemoRef, Entry | Failure]:
        cameras = self.spec.cameras
        try:
            episode = episode_of(self.source.load(ref, cameras), self.spec)
        except DemoError as error:
            return ref, demo_failure(ref, error, self.source.broken_files(ref, cameras))
        except (RobotMCQAError, MemoryError):
            raise
        except Exception as error:  # a source of the user's own may fail in any way
            return ref, demo_failure(ref, DemoError(f"{type(error).__name__}: {error}"))
        keep = bool(cameras) and not self.source.replayable
        spool.save(spool.path_of(self.folder, ref), episode, pictures=keep)
        return ref, spool.entry_of(episode)


def read_demos(
    reader: ReadDemo, refs: Iterable[DemoRef], engine: Engine, workers: int
) -> Iterator[tuple[DemoRef, Entry | Failure]]:
    """Every demo with what became of it, in any order; those on the spool are not read again.

    What the source keeps running for it has ended when the last one is read.
    """
    unread = []
    there = spool.names(reader.folder)
    for ref in refs:
        path = spool.path_of(reader.folder, ref)
        if path.name in there and (episode := spool.read(path)):
            yield ref, spool.entry_of(episode)
        else:
            unread.append(ref)
    try:
        yield from engine.run_jobs(reader, unread, min(workers, len(unread)))
    finally:
        release(reader.source)


@dataclass(frozen=True, slots=True)
class PlanJob:
    """A task in one split, to be planned.

    Attributes:
        task, split: which.
        fingerprint: of everything that the plan depends on.
        demos: its episodes' demos.
        references: demos that ``matched`` may draw from beside them.
        older: data files, below the published folder, with episodes that it may draw from too.
    """

    task: str
    split: str
    fingerprint: str
    demos: tuple[DemoRef, ...]
    references: tuple[DemoRef, ...] = ()
    older: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What the whole has to know of a task's plan.

    Attributes:
        task, split: it is for.
        laws: family -> law.
        references: number of reference demos whose true answers are in the pools.
        outside: family -> questions whose right option lies outside the valid box.
    """

    task: str
    split: str
    laws: Mapping[str, str]
    references: int = 0
    outside: Mapping[str, int] = field(default_factory=dict)


def plan_path(place: Workplace, fingerprint: str) -> Path:
    """Where a plan lies."""
    return place.plans / f"{fingerprint}.npz"


@dataclass(frozen=True, slots=True)
class PlanTask:
    """Laws and pools of one task in one split, into their file."""

    spec: Spec
    place: Workplace

    def conditions(self) -> Mapping[str, Any]:
        return {"--out": self.place.mark()}

    def __call__(self, job: PlanJob) -> Decided:
        path = plan_path(self.place, job.fingerprint)
        known = path.with_suffix(".json")  # written last
        if known.exists():
            return Decided(**json.loads(known.read_text("utf-8")))
        own = list(spool.read_all(self.place.episodes, job.demos))
        others = list(spool.read_all(self.place.references, job.references))
        older = older_episodes([self.place.publish / name for name in job.older], job.task)
        plan = plan_task(own, self.spec, others, older)
        save_plan(path, plan)
        decided = Decided(
            job.task, job.split, plan.laws, plan.references, outside_the_box(own, self.spec)
        )
        write_text(known, json.dumps(asdict(decided)))  # not sorted: laws are in the spec's order
        return decided


@dataclass(frozen=True, slots=True)
class ShardJob:
    """A shard to write.

    Attributes:
        name: of its file, e.g. ``"train-00000"``.
        split: it belongs to.
        fingerprint: of everything that the run's questions depend on; a shard that was finished
            under another one is written anew.
        demos: its episodes' demos, in order.
        plans: task -> fingerprint of its plan.
    """

    name: str
    split: str
    fingerprint: str
    demos: tuple[DemoRef, ...]
    plans: Mapping[str, str]


def skipped_path(place: Workplace, shard: str) -> Path:
    """Where the lines about a shard's questions that were not asked lie, in order."""
    return place.shards / f"{shard}.skipped.jsonl"


def cut_shards(
    members: Iterable[Member], families: int, most_bytes: int | None = None
) -> Iterator[tuple[Member, ...]]:
    """Cut a split into shards; where the cuts fall depends on the episodes alone.

    Args:
        members: of the split, in order.
        families: questions of a frame.
        most_bytes: of a shard's pictures, about; :data:`SHARD_BYTES` by default.
    """
    most_bytes = most_bytes or SHARD_BYTES
    most_rows = max(SHARD_ROWS, SHARD_ROWS * most_bytes // SHARD_BYTES)
    group: list[Member] = []
    size = rows = 0
    for ref, episode in members:
        group.append((ref, episode))
        size += episode.image_bytes
        rows += episode.frames * families
        if size >= most_bytes or rows >= most_rows:
            yield tuple(group)
            group, size, rows = [], 0, 0
    if group:
        yield tuple(group)


@dataclass(frozen=True, slots=True)
class WriteShard:
    """Questions about a shard's episodes into its file; returns what the manifest needs of it."""

    source: DemoSource
    spec: Spec
    place: Workplace

    def conditions(self) -> Mapping[str, Any]:
        return {"--out": self.place.mark()}

    def __call__(self, job: ShardJob) -> dict[str, Any]:
        path = self.place.publish / "data" / f"{job.name}.parquet"
        known = self.place.shards / f"{job.name}.json"
        finished = _finished(known, path, job.fingerprint)
        if finished:
            return finished
        maker = _maker(self.spec)
        items: defaultdict[str, Counter[str]] = defaultdict(Counter)
        skipped: list[Failure] = []
        with ShardWriter(path) as writer:
            for ref, bare in zip(
                job.demos, spool.read_all(self.place.episodes, job.demos), strict=True
            ):
                episode = self._with_pictures(ref, bare)
                plan = load_plan(plan_path(self.place, job.plans[episode.task]))
                for made in maker.items(episode, plan):
                    if isinstance(made, Skip):
                        skipped.append(skipped_item(episode, made))
                    else:
                        writer.add(made)
                        items[episode.task][made.document["family"]] += 1
        rows = sum(families.total() for families in items.values())
        if rows:
            file = {"path": f"data/{path.name}", "bytes": writer.bytes, "sha256": writer.sha256}
            file |= {"split": job.split, "rows": rows}
        else:
            file = None
            path.unlink()  # every question was skipped
        write_jsonl(skipped_path(self.place, job.name), in_order(skipped))
        shard = {
            "name": job.name,
            "split": job.split,
            "fingerprint": job.fingerprint,
            "episodes": len(job.demos),
            "rows": rows,
            "file": file,
            "items": items,
            "left_out": Counter(line["why"] for line in skipped),
        }
        write_text(known, json_text(shard))
        return shard

    def _with_pictures(self, ref: DemoRef, episode: Episode) -> Episode:
        cameras = self.spec.cameras
        if not cameras:
            return episode
        if not self.source.replayable:
            kept = spool.load_pictures(spool.path_of(self.place.episodes, ref), len(cameras))
            return replace(episode, images=kept)
        changed = SourceError(
            f"{ref.name}: its pictures have changed since they were read",
            "--overwrite starts again with what is there now",
        )
        try:
            images = pictures(
                lambda camera, frame: self.source.picture(ref, camera, frame),
                cameras,
                episode.frames,
            )
        except DemoError:
            raise changed from None
        if digest_of(images) != episode.image_digest:
            raise changed
        return replace(episode, images=images)


_makers: dict[str, ItemMaker] = {}


def _maker(spec: Spec) -> ItemMaker:
    """One maker per process and spec: compiled templates do not travel between processes."""
    key = spec.digest()
    if key not in _makers:
        _makers.clear()
        _makers[key] = ItemMaker(spec)
    return _makers[key]


def _finished(known: Path, path: Path, fingerprint: str) -> dict[str, Any] | None:
    """What is known of a shard that an interrupted run had finished."""
    try:
        shard: dict[str, Any] = json.loads(known.read_bytes())
        file = shard["file"]
        whole = file is None or is_whole(path, file["bytes"], file["sha256"])
        if shard["fingerprint"] == fingerprint and whole and "left_out" in shard:
            return shard
    except (OSError, ValueError, KeyError):
        pass
    return None


def file_entry(path: Path, name: str) -> dict[str, Any]:
    """A file as the manifest lists it."""
    return {"path": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
