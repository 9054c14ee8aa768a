"""Extraction: demos in, a data set on disk out.

Three steps, each of which survives being killed:

1. *read*: every demo once, its question frames spooled to disk (:mod:`robotmcqa.spool`);
2. *decide*: splits, laws and pools, from the low-dimensional part of all of them;
3. *write*: shards of questions, then everything is put in place at once.

The bytes depend on the demos and the spec alone, not on the workers, the order or the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from robotmcqa import __version__, spool
from robotmcqa.card import render_card
from robotmcqa.episode import Episode, episode_of
from robotmcqa.errors import DemoError, ExtractionFailed, RobotMCQAError, SourceError
from robotmcqa.failures import Failure, demo_failure, in_order, note, skipped_item
from robotmcqa.files import json_text, sha256_of, write_jsonl, write_text
from robotmcqa.item import ItemMaker, Skip
from robotmcqa.pools import SPLITS, TaskPlan, assign_splits, plan_task
from robotmcqa.provenance import provenance, selection_document
from robotmcqa.schema import schema_text
from robotmcqa.shards import ShardWriter
from robotmcqa.sources import DemoRef, DemoSource, Selection
from robotmcqa.spec import Spec
from robotmcqa.spool import Spooled
from robotmcqa.workers import available_cores, run_jobs
from robotmcqa.workplace import MANIFEST, Workplace, open_workplace

__all__ = ["Listener", "Summary", "extract"]

SHARD_BYTES = 64 << 20
SHARD_ROWS = 20_000
"""A shard ends at whichever comes first. It is also what a worker writes at a time."""

EPISODES_PER_WORKER = 64
"""Starting a process takes as long as reading about this many saved demos."""


class Listener(Protocol):
    """Hears how an extraction gets on."""

    def stage(self, name: str, episodes: int) -> None:
        """A step begins; it has so many episodes to do."""

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
        """So many more are done."""


class _Silence:
    def stage(self, name: str, episodes: int) -> None: ...

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What an extraction has made.

    Attributes:
        out: the data set's folder.
        manifest: its ``meta/manifest.json``.
        failures: the lines of its ``meta/failures.jsonl``.
        seconds: wall time of this run.
        already_complete: nothing had to be done.
    """

    out: Path
    manifest: Mapping[str, Any]
    failures: Sequence[Failure]
    seconds: float
    already_complete: bool = False


def extract(
    source: DemoSource,
    spec: Spec,
    out: Path,
    selection: Selection | None = None,
    *,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    max_failures: int | None = None,
    listener: Listener | None = None,
) -> Summary:
    """Extract a data set.

    Args:
        source: where the demos are.
        spec: what to ask about them.
        out: folder of the data set; new, empty, or one to resume or overwrite.
        selection: which demos; all by default.
        workers: processes; by default as many as there are cores and work for them.
        resume: go on with an interrupted run.
        overwrite: replace what is in ``out`` once the new data set is whole.
        max_failures: give up when more demos than this have failed.
        listener: hears about progress.

    Raises:
        UsageError: ``out`` cannot be used like that.
        SourceError: the source has no such demos.
        ExtractionFailed: no demo was usable, or too many failed.
    """
    began = time.monotonic()
    selection = selection or Selection()
    listener = listener or _Silence()
    refs = list(source.refs(selection))
    if not refs:
        raise SourceError(
            f"{source.scheme}:{source.location}: no demos with this selection",
            "robotmcqa tasks lists what is there; check --task and --variation",
        )
    if workers is None:
        workers = min(available_cores(), 1 + len(refs) // EPISODES_PER_WORKER)
    plan = {
        "robotmcqa": __version__,
        "source": f"{source.scheme}:{source.location}",
        "spec": spec.document(),
        "selection": selection_document(selection),
        "overwrite": overwrite,
    }
    with open_workplace(out, plan, resume=resume, overwrite=overwrite) as place:
        if not place.complete:
            if not (place.publish / MANIFEST).exists():
                run = _Run(source, spec, selection, place, workers, listener)
                run.read(refs, max_failures)
                run.write()
                run.describe()
            place.put_in_place()
    manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    lines = (out / "meta/failures.jsonl").read_text("utf-8").splitlines()
    seconds = time.monotonic() - began
    return Summary(out, manifest, [json.loads(line) for line in lines], seconds, place.complete)


class _Run:
    """One extraction, step by step."""

    def __init__(
        self,
        source: DemoSource,
        spec: Spec,
        selection: Selection,
        place: Workplace,
        workers: int,
        listener: Listener,
    ) -> None:
        self.source, self.spec, self.selection = source, spec, selection
        self.place, self.workers, self.listener = place, workers, listener
        self.failures: list[Failure] = []
        self.episodes: list[tuple[Path, Spooled]] = []
        self.splits: dict[str, str] = {}
        self.plans: dict[tuple[str, str], TaskPlan] = {}
        self.shards: list[dict[str, Any]] = []

    def read(self, refs: Sequence[DemoRef], max_failures: int | None) -> None:
        """Step 1: every demo into the spool, or onto the list of failures."""
        self.listener.stage("Reading demos", len(refs))
        found: dict[str, Spooled] = {}
        missing = []
        for ref in refs:
            spooled = spool.peek(self.place.episodes / _spool_name(ref))
            if spooled:
                found[ref.name] = spooled
                self.listener.advance(1)
            else:
                missing.append(ref)
        reader = _Reader(self.source, self.spec, self.place.episodes)
        failed = 0
        for ref, result in run_jobs(reader, missing, min(self.workers, len(missing))):
            if isinstance(result, Spooled):
                found[ref.name] = result
                self.listener.advance(1)
                continue
            self.failures.append(result)
            failed += 1
            self.listener.advance(1, failures=1)
            if max_failures is not None and failed > max_failures:
                raise ExtractionFailed(
                    f"{failed} demos failed, more than --max-failures {max_failures}",
                    "mend or remove them, or allow more; --resume goes on with what was read",
                    in_order(self.failures),
                )
        self._collect(refs, found)

    def _collect(self, refs: Sequence[DemoRef], found: Mapping[str, Spooled]) -> None:
        """Order the episodes, drop copies, and note what had to be repaired."""
        first: dict[str, str] = {}
        for ref in refs:
            spooled = found.get(ref.name)
            if spooled is None:
                continue
            episode = spooled.episode
            original = first.setdefault(episode.id, ref.name)
            if original != ref.name:
                copy = DemoError(f"the same recording as {original}", "keep one of the two")
                self.failures.append(demo_failure(ref, copy))
                self.listener.advance(0, failures=1)
                continue
            self.failures.extend(note(ref, text) for text in episode.notes)
            self.episodes.append((self.place.episodes / _spool_name(ref), spooled))
        if not self.episodes:
            shutil.rmtree(self.place.work)
            raise ExtractionFailed(
                f"none of the {len(refs)} demos is usable; no data set was written",
                "mend or replace the files named above",
                in_order(self.failures),
            )
        self.episodes.sort(key=lambda pair: _episode_order(pair[1].episode))

    def write(self) -> None:
        """Steps 2 and 3: decide, then write the shards."""
        episodes = [spooled.episode for _, spooled in self.episodes]
        self.splits = assign_splits(
            [(episode.task, episode.id) for episode in episodes], self.spec.test_fraction
        )
        groups: defaultdict[tuple[str, str], list[Episode]] = defaultdict(list)
        for episode in episodes:
            groups[episode.task, self.splits[episode.id]].append(episode)
        self.plans = {key: plan_task(group, self.spec) for key, group in groups.items()}
        jobs = list(self._shard_jobs())
        self.listener.stage("Writing questions", len(episodes))
        writer = _Writer(self.spec, self.place)
        for shard in run_jobs(writer, jobs, min(self.workers, len(jobs))):
            self.listener.advance(shard["episodes"], items=shard["file"]["rows"])
            self.shards.append(shard)
        self.shards.sort(key=lambda shard: str(shard["file"]["path"]))
        self.failures.extend(line for shard in self.shards for line in shard["skipped"])

    def _shard_jobs(self) -> Iterator[_ShardJob]:
        """Cut each split into shards; where the cuts fall depends on content alone."""
        run = hashlib.blake2b(json.dumps(self.spec.document()).encode(), digest_size=16)
        for path, spooled in self.episodes:
            run.update(f"{spooled.episode.id} {path.name}\n".encode())
        fingerprint = run.hexdigest()
        for split in SPLITS:
            mine = [pair for pair in self.episodes if self.splits[pair[1].episode.id] == split]
            for number, group in enumerate(_cut(mine, len(self.spec.families))):
                tasks = {spooled.episode.task for _, spooled in group}
                yield _ShardJob(
                    name=f"{split}-{number:05d}",
                    split=split,
                    fingerprint=fingerprint,
                    episodes=tuple(path for path, _ in group),
                    plans={task: self.plans[task, split] for task in tasks},
                )

    def describe(self) -> None:
        """Everything but the data: scene, schema, failures, provenance, card; last the manifest."""
        publish, meta = self.place.publish, self.place.publish / "meta"
        failures = in_order(self.failures)
        episodes = [spooled.episode for _, spooled in self.episodes]
        made = provenance(self.source, self.selection, self.spec, [one.id for one in episodes])
        write_text(meta / "metadata.json", json_text(self.spec.scene.document))
        write_text(meta / "item.schema.json", schema_text("item"))
        write_jsonl(meta / "failures.jsonl", failures)
        write_text(meta / "provenance.json", json_text(made))
        items: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for shard in self.shards:
            for task, families in shard["items"].items():
                items[task].update(families)
        documents = ("metadata.json", "item.schema.json", "failures.jsonl", "provenance.json")
        manifest = {
            "version": "1",
            "generator": f"robotmcqa {__version__}",
            "spec": self.spec.document(),
            "spec_digest": self.spec.digest(),
            "files": [
                *(shard["file"] for shard in self.shards),
                *(_file_entry(meta / name, f"meta/{name}") for name in sorted(documents)),
            ],
            "splits": {
                split: {
                    "rows": sum(
                        shard["file"]["rows"]
                        for shard in self.shards
                        if shard["file"]["split"] == split
                    ),
                    "episodes": sum(self.splits[one.id] == split for one in episodes),
                }
                for split in SPLITS
                if any(shard["file"]["split"] == split for shard in self.shards)
            },
            "items": items,
            "laws": [
                {"task": task, "split": split, "family": family, "law": law}
                for (task, split), plan in sorted(self.plans.items())
                for family, law in plan.laws.items()
            ],
            "skipped": Counter(line["why"] for line in failures if line["kind"] == "item"),
            "failures": sum(line["kind"] == "demo" for line in failures),
        }
        write_text(publish / "README.md", render_card(manifest, made))
        write_text(publish / MANIFEST, json_text(manifest))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Step 1 for one demo; runs in a worker."""

    source: DemoSource
    spec: Spec
    folder: Path

    def __call__(self, ref: DemoRef) -> tuple[DemoRef, Spooled | Failure]:
        cameras = self.spec.cameras
        try:
            episode = episode_of(self.source.load(ref, cameras), self.spec)
        except DemoError as error:
            return ref, demo_failure(ref, error, self.source.broken_files(ref, cameras))
        except RobotMCQAError:
            raise
        except Exception as error:  # a source of the user's own may fail in any way
            wrapped = DemoError(f"{type(error).__name__}: {error}")
            return ref, demo_failure(ref, wrapped)
        return ref, spool.save(self.folder / _spool_name(ref), episode)


@dataclass(frozen=True, slots=True)
class _ShardJob:
    """A shard to write.

    Attributes:
        fingerprint: of everything that the run's questions depend on; a shard that was finished
            under another one is written anew.
    """

    name: str
    split: str
    fingerprint: str
    episodes: tuple[Path, ...]
    plans: Mapping[str, TaskPlan]


class _Writer:
    """Step 3 for one shard; runs in a worker."""

    def __init__(self, spec: Spec, place: Workplace) -> None:
        self.spec, self.place = spec, place
        self._maker: ItemMaker | None = None

    def __getstate__(self) -> tuple[Spec, Workplace, None]:
        return (self.spec, self.place, None)  # compiled templates do not pickle

    def __setstate__(self, state: tuple[Spec, Workplace, None]) -> None:
        self.spec, self.place, self._maker = state

    def __call__(self, job: _ShardJob) -> dict[str, Any]:
        path = self.place.publish / "data" / f"{job.name}.parquet"
        known = self.place.shards / f"{job.name}.json"
        if known.exists() and path.exists():
            shard: dict[str, Any] = json.loads(known.read_text("utf-8"))
            if (
                shard["fingerprint"] == job.fingerprint
                and sha256_of(path) == shard["file"]["sha256"]
            ):
                return shard
        self._maker = self._maker or ItemMaker(self.spec)
        items: defaultdict[str, Counter[str]] = defaultdict(Counter)
        skipped: list[Failure] = []
        with ShardWriter(path) as writer:
            for spooled in job.episodes:
                episode = spool.load(spooled)
                for made in self._maker.items(episode, job.plans[episode.task]):
                    if isinstance(made, Skip):
                        skipped.append(
                            skipped_item(episode.task, episode.variation, episode.id, made)
                        )
                    else:
                        writer.add(made)
                        items[episode.task][made.document["family"]] += 1
        rows = sum(families.total() for families in items.values())
        shard = {
            "fingerprint": job.fingerprint,
            "episodes": len(job.episodes),
            "file": _file_entry(path, f"data/{path.name}") | {"split": job.split, "rows": rows},
            "items": items,
            "skipped": skipped,
        }
        write_text(known, json_text(shard))
        return shard


def _cut(
    episodes: Iterable[tuple[Path, Spooled]], families: int
) -> Iterator[list[tuple[Path, Spooled]]]:
    group: list[tuple[Path, Spooled]] = []
    size = rows = 0
    for pair in episodes:
        group.append(pair)
        size += pair[1].image_bytes
        rows += len(pair[1].episode.frames) * families
        if size >= SHARD_BYTES or rows >= SHARD_ROWS:
            yield group
            group, size, rows = [], 0, 0
    if group:
        yield group


def _episode_order(episode: Episode) -> tuple[str, int, str]:
    return (episode.task, episode.variation, episode.id)


def _spool_name(ref: DemoRef) -> str:
    """Tied to the demo's name and revision: a demo that has changed since is read again."""
    key = f"{ref.name}\0{ref.revision}".encode()
    return f"{hashlib.blake2b(key, digest_size=12).hexdigest()}.arrow"


def _file_entry(path: Path, name: str) -> dict[str, Any]:
    return {"path": name, "bytes": os.path.getsize(path), "sha256": sha256_of(path)}
