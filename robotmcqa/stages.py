"""The two stages of an extraction that run in workers: read one demo, write one shard."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robotmcqa import spool
from robotmcqa.episode import Episode, digest_of, episode_of, pictures
from robotmcqa.errors import DemoError, RobotMCQAError, SourceError
from robotmcqa.failures import Failure, demo_failure, skipped_item
from robotmcqa.files import json_text, sha256_of, write_text
from robotmcqa.item import ItemMaker, Skip
from robotmcqa.pools import TaskPlan
from robotmcqa.shards import ShardWriter
from robotmcqa.sources import DemoRef, DemoSource
from robotmcqa.spec import Spec
from robotmcqa.workers import run_jobs
from robotmcqa.workplace import Workplace

__all__ = [
    "ReadDemo",
    "ShardJob",
    "WriteShard",
    "cut_shards",
    "file_entry",
    "read_demos",
    "spool_path",
]

SHARD_BYTES = 64 << 20
SHARD_ROWS = 20_000
"""A shard ends at whichever comes first. It is also what a worker writes at a time."""

Member = tuple[DemoRef, Episode]
"""An episode without its pictures, and the demo it was made from."""


def spool_path(folder: Path, ref: DemoRef) -> Path:
    """Tied to the demo's name and revision: a demo that has changed since is read again."""
    key = f"{ref.name}\0{ref.revision}".encode()
    return folder / f"{hashlib.blake2b(key, digest_size=12).hexdigest()}.json"


@dataclass(frozen=True, slots=True)
class ReadDemo:
    """One demo onto the spool in ``folder``, or a line for the list of failures."""

    source: DemoSource
    spec: Spec
    folder: Path

    def __call__(self, ref: DemoRef) -> tuple[DemoRef, Episode | Failure]:
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
        return ref, spool.save(spool_path(self.folder, ref), episode, pictures=keep)


def read_demos(
    reader: ReadDemo, refs: Iterable[DemoRef], workers: int
) -> Iterator[tuple[DemoRef, Episode | Failure]]:
    """Every demo with what became of it, in any order; those on the spool are not read again."""
    unread = []
    for ref in refs:
        episode = spool.read(spool_path(reader.folder, ref))
        if episode:
            yield ref, episode
        else:
            unread.append(ref)
    yield from run_jobs(reader, unread, min(workers, len(unread)))


@dataclass(frozen=True, slots=True)
class ShardJob:
    """A shard to write.

    Attributes:
        name: of its file, e.g. ``"train-00000"``.
        split: it belongs to.
        fingerprint: of everything that the run's questions depend on; a shard that was finished
            under another one is written anew.
        members: its episodes, in order.
        plans: task -> laws and pools.
    """

    name: str
    split: str
    fingerprint: str
    members: tuple[Member, ...]
    plans: Mapping[str, TaskPlan]


def cut_shards(members: Iterable[Member], families: int) -> Iterator[tuple[Member, ...]]:
    """Cut a split into shards; where the cuts fall depends on the episodes alone."""
    group: list[Member] = []
    size = rows = 0
    for ref, episode in members:
        group.append((ref, episode))
        size += episode.image_bytes
        rows += len(episode.frames) * families
        if size >= SHARD_BYTES or rows >= SHARD_ROWS:
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
            for ref, bare in job.members:
                episode = self._with_pictures(ref, bare)
                for made in maker.items(episode, job.plans[episode.task]):
                    if isinstance(made, Skip):
                        skipped.append(skipped_item(episode, made))
                    else:
                        writer.add(made)
                        items[episode.task][made.document["family"]] += 1
        rows = sum(families.total() for families in items.values())
        if rows:
            file = file_entry(path, f"data/{path.name}") | {"split": job.split, "rows": rows}
        else:
            file = None
            path.unlink()  # every question was skipped
        shard = {
            "name": job.name,
            "split": job.split,
            "fingerprint": job.fingerprint,
            "episodes": len(job.members),
            "rows": rows,
            "file": file,
            "items": items,
            "skipped": skipped,
        }
        write_text(known, json_text(shard))
        return shard

    def _with_pictures(self, ref: DemoRef, episode: Episode) -> Episode:
        cameras = self.spec.cameras
        if not cameras:
            return episode
        if not self.source.replayable:
            kept = spool.load_pictures(spool_path(self.place.episodes, ref), len(cameras))
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
        whole = shard["file"] is None or sha256_of(path) == shard["file"]["sha256"]
        if shard["fingerprint"] == fingerprint and whole:
            return shard
    except (OSError, ValueError, KeyError):
        pass
    return None


def file_entry(path: Path, name: str) -> dict[str, Any]:
    """A file as the manifest lists it."""
    return {"path": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
