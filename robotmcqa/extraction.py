"""Extraction: demos in, a data set on disk out.

Three steps, each of which survives being killed:

1. *read*: every demo once, its question frames spooled to disk (:mod:`robotmcqa.spool`);
2. *decide*: splits of all of them; laws and pools task by task, from the spool into files;
3. *write*: shards of questions, then everything is put in place at once.

What stays in memory is a line for each demo, so that it hardly grows with their number. The bytes
depend on the demos and the spec alone, not on the workers, the order or the folder.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from robotmcqa import __version__
from robotmcqa.append import Base, base_of, check_base, pools_path, write_pools
from robotmcqa.audit import Audit
from robotmcqa.card.front_matter import content_digest
from robotmcqa.card.presentation import older_card, present
from robotmcqa.engines import LOCAL, Engine
from robotmcqa.errors import DemoError, ExtractionFailed, SourceError
from robotmcqa.failures import Failure, demo_failure, in_order, merged, note
from robotmcqa.files import JsonLines, json_text, printable, write_jsonl, write_text
from robotmcqa.generations import DOCUMENTS, combined_provenance, count_failures, pools_in
from robotmcqa.item import ItemMaker
from robotmcqa.listener import Listener, Silence
from robotmcqa.manifest import build_manifest
from robotmcqa.places import answering, remove_if_empty, remove_tree
from robotmcqa.pools import SPLITS, assign_splits, wants_references
from robotmcqa.provenance import provenance, selection_document
from robotmcqa.references import References, read_references
from robotmcqa.schema import schema_text
from robotmcqa.sources import (
    DemoRef,
    DemoSource,
    Selection,
    Simulated,
    check_cameras,
    reproducible,
    resolved,
    settings_of,
)
from robotmcqa.spec import Spec
from robotmcqa.spool import Entry
from robotmcqa.stages import (
    Decided,
    Member,
    PlanJob,
    PlanTask,
    ReadDemo,
    ShardJob,
    WriteShard,
    cut_shards,
    file_entry,
    plan_path,
    read_demos,
    skipped_path,
)
from robotmcqa.workplace import MANIFEST, Workplace, gaps_in, open_workplace

__all__ = ["Listener", "Summary", "extract"]

EPISODES_PER_WORKER = 64
SIMULATED_PER_WORKER = 16
PLANNED_PER_WORKER = 1024
"""Starting a process takes as long as reading about so many saved demos, or making so many, or
planning for so many.
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an extraction has made.

    Attributes:
        out: the data set's folder.
        manifest: its ``meta/manifest.json``.
        failures: the lines of its ``meta/failures.jsonl``, read whenever they are looked at.
        seconds: wall time of this run.
        already_complete: nothing had to be done.
        gaps: demos that failed and that ``resume`` makes again.
        reproducible: whether making the demos again gives the same ones.
        audit: its quick form, where this run made the data set and there are letters to guess.
        added: rows and episodes that this run has added to a data set, and the demos that were in
            it already; None where it made one.
    """

    out: Path
    manifest: Mapping[str, Any]
    failures: Sequence[Failure]
    seconds: float
    already_complete: bool = False
    audit: Audit | None = None
    gaps: Sequence[str] = ()
    reproducible: bool = True
    added: Mapping[str, int] | None = None


def extract(
    source: DemoSource,
    spec: Spec,
    out: Path,
    selection: Selection | None = None,
    *,
    engine: Engine = LOCAL,
    workers: int | None = 1,
    resume: bool = False,
    overwrite: bool = False,
    append: bool = False,
    shard_bytes: int | None = None,
    max_failures: int | None = None,
    listener: Listener | None = None,
) -> Summary:
    """Extract a data set.

    Args:
        source: where the demos are.
        spec: what to ask about them.
        out: place of the data set: new, empty, or one to resume, overwrite or add to. A folder, or
            what :func:`~robotmcqa.places.located` makes of a URL.
        selection: which demos; all by default.
        engine: runs the workers; :func:`~robotmcqa.engines.open_engine` opens another one.
        workers: processes; None for as many as there are cores and work for them. With more than
            one, a script has to call this below ``if __name__ == "__main__":``, because each
            process imports the script anew.
        resume: go on with an interrupted run; or make the demos that failed in a finished one, if
            they are a live simulator's, and put them into the data set.
        overwrite: replace what is in ``out`` once the new data set is whole.
        append: add the demos that are not yet in the data set in ``out``, which has the same spec.
        shard_bytes: of a shard's pictures, about; None for the usual size, or that of the data set
            which is added to.
        max_failures: give up when more demos than this have failed.
        listener: hears about progress.

    Raises:
        UsageError: ``out`` cannot be used like that, or the source has no such camera.
        SourceError: the source has no such demos.
        DataError: nobody can tell what people have written in the card that lies in ``out``.
        ExtractionFailed: no demo was usable, or too many failed.
    """
    began = time.monotonic()
    selection = resolved(source, selection or Selection())
    listener = listener or Silence()
    check_cameras(source, spec.cameras)
    # A template that does not work, or a card that cannot be kept, is better known before the
    # demos are read.
    ItemMaker(spec)
    with answering(out):
        older_card(out)
        if append:
            check_base(out, spec, source.licence)
    refs = list(source.refs(selection))
    if not refs:
        raise SourceError(
            f"{source.scheme}:{source.location}: no demos with this selection",
            "robotmcqa tasks lists what is there; check --task and --variation",
        )
    if workers is None:
        each = SIMULATED_PER_WORKER if isinstance(source, Simulated) else EPISODES_PER_WORKER
        workers = engine.fitting(len(refs), each)
    plan = {
        "robotmcqa": __version__,
        "source": printable(f"{source.scheme}:{source.location}"),
        "scheme": source.scheme,
        "settings": settings_of(source),
        "spec": spec.document(),
        "selection": selection_document(selection),
        "demos": len(refs),
        "overwrite": overwrite,
        **({"append": True} if append else {}),
        **({"shard_bytes": shard_bytes} if shard_bytes else {}),
    }
    audit, added = None, {"rows": 0, "episodes": 0} if append else None
    failures: Sequence[Failure] = JsonLines(out / "meta/failures.jsonl")
    with (
        answering(out),
        open_workplace(out, plan, resume=resume, overwrite=overwrite, append=append) as place,
    ):
        if not place.complete:
            if not (place.publish / MANIFEST).exists():
                base = base_of(place) if append else None
                run = _Run(
                    source, spec, selection, place, engine, workers, listener, base, shard_bytes
                )
                run.read(refs, max_failures)
                if run.members:
                    run.write()
                    audit = run.describe()
                added = run.added
            if (place.publish / MANIFEST).exists():
                place.put_in_place()
            else:  # nothing new
                failures = in_order(run.failures)
                place.abandon()
    manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    seconds = time.monotonic() - began
    return Summary(
        out,
        manifest,
        failures,
        seconds,
        place.complete,
        audit,
        gaps_in(out),
        reproducible(source),
        added,
    )


class _Run:
    """One extraction, step by step."""

    def __init__(
        self,
        source: DemoSource,
        spec: Spec,
        selection: Selection,
        place: Workplace,
        engine: Engine,
        workers: int,
        listener: Listener,
        base: Base | None = None,
        shard_bytes: int | None = None,
    ) -> None:
        self.source, self.spec, self.selection = source, spec, selection
        self.place, self.listener = place, listener
        self.engine, self.workers = engine, workers
        self.base = base
        self.shard_bytes = shard_bytes or (base.manifest.get("shard_bytes") if base else None)
        self.repeated = 0  # demos that the data set which is added to has already
        self.refs: Sequence[DemoRef] = ()
        self.failures: list[Failure] = []  # demos and notes
        self.gaps: list[str] = []  # demos that failed and may not fail again
        self.members: list[Member] = []
        self.splits: dict[str, str] = {}
        self.references = References()
        self.plans: dict[tuple[str, str], str] = {}  # (task, split) -> fingerprint of its plan
        self.decided: list[Decided] = []
        self.shards: list[dict[str, Any]] = []

    def read(self, refs: Sequence[DemoRef], max_failures: int | None) -> None:
        """Step 1: every demo onto the spool, or onto the list of failures."""
        self.refs = refs
        reading = "Making demos" if isinstance(self.source, Simulated) else "Reading demos"
        self.listener.stage(reading, len(refs))
        found: dict[str, Entry] = {}
        may_be_made = self.base is None and not reproducible(self.source)
        reader = ReadDemo(self.source, self.spec, self.place, self.place.episodes)
        for ref, result in read_demos(reader, refs, self.engine, self.workers):
            if isinstance(result, Entry):
                found[ref.name] = result
                self.listener.advance(1)
                continue
            self.failures.append(result)
            if may_be_made:
                self.gaps.append(ref.name)
            self.listener.advance(1, failures=1)
            if max_failures is not None and len(self.failures) > max_failures:
                raise ExtractionFailed(
                    f"--max-failures {max_failures} is exceeded: {len(self.failures)} failed",
                    "mend or remove them, or allow more; --resume goes on with what was read",
                    in_order(self.failures),
                )
        self._collect(refs, found)

    def _collect(self, refs: Sequence[DemoRef], found: Mapping[str, Entry]) -> None:
        """Order the episodes, drop copies, and note what had to be repaired."""
        first: dict[str, str] = {}
        for ref in refs:
            entry = found.get(ref.name)
            if entry is None:
                continue
            original = first.setdefault(entry.id, ref.name)
            if original != ref.name:
                copy = DemoError(f"the same recording as {original}", "keep one of the two")
                self.failures.append(demo_failure(ref, copy))
                self.listener.advance(0, failures=1)
                continue
            if self.base and entry.id in self.base.episodes:
                self.repeated += 1
                continue
            self.failures.extend(note(ref, text) for text in entry.notes)
            self.members.append((ref, entry))
        if not self.members and not self.repeated:
            self._give_up(
                f"none of the {len(refs)} demos is usable; "
                f"{'nothing was added' if self.base else 'no data set was written'}",
                "each failure above says what is wrong; robotmcqa tasks lists what is there",
            )
        self.members.sort(key=lambda member: _episode_order(member[1]))

    def _give_up(self, what: str, remedy: str) -> NoReturn:
        """There is nothing to write, and nothing worth resuming."""
        everything = list(self._all_failures())
        remove_tree(self.place.work)
        remove_if_empty(self.place.out)  # it may hold an older data set
        raise ExtractionFailed(what, remedy, everything)

    def _all_failures(self) -> Iterator[Failure]:
        """The lines of ``meta/failures.jsonl``, in order."""
        yield from in_order(self.failures)
        some = [shard["name"] for shard in self.shards if shard["left_out"]]
        yield from merged([skipped_path(self.place, name) for name in some], self.place.work)

    @property
    def added(self) -> dict[str, int] | None:
        """What a data set gets that is added to."""
        if self.base is None:
            return None
        return {
            "rows": sum(shard["rows"] for shard in self.shards),
            "episodes": sum(shard["episodes"] for shard in self.shards),
            **({"repeated": self.repeated} if self.repeated else {}),
        }

    def write(self) -> None:
        """Steps 2 and 3: decide, then write the shards."""
        older = self.base.episodes if self.base else {}
        self.splits = assign_splits(
            [
                *((entry.task, entry.id) for _, entry in self.members),
                *((task, episode) for episode, (task, _) in older.items()),
            ],
            self.spec.test_fraction,
            {episode: split for episode, (_, split) in older.items()},
        )
        self._plan()
        jobs = list(self._shard_jobs())
        self.listener.stage("Writing questions", len(self.members))
        writer = WriteShard(self.source, self.spec, self.place)
        for shard in self.engine.run_jobs(writer, jobs, min(self.workers, len(jobs))):
            self.listener.advance(shard["episodes"], items=shard["rows"])
            self.shards.append(shard)
        order = {job.name: number for number, job in enumerate(jobs)}
        self.shards.sort(key=lambda shard: order[shard["name"]])
        if not any(shard["rows"] for shard in self.shards):
            reasons: Counter[str] = Counter()
            for shard in self.shards:
                reasons.update(shard["left_out"])
            written = "nothing was added" if self.base else "no data set was written"
            self._give_up(
                f"every question was left out; {written}",
                "; ".join(f"{count} x {why}" for why, count in sorted(reasons.items())),
            )

    def _plan(self) -> None:
        """Laws and pools of each task and split, with reference demos where it has too few."""
        groups: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
        for ref, entry in self.members:
            groups[entry.task, self.splits[entry.id]].append((ref, entry))
        short: defaultdict[str, list[str]] = defaultdict(list)  # task -> splits with too few
        for task, split in sorted(groups, key=lambda key: SPLITS.index(key[1])):
            # A reference demo serves one split alone, and whom it has served is not recorded: a
            # data set that is added to has true answers of its own to draw from.
            if not self.base and wants_references(groups[task, split], self.spec):
                short[task].append(split)
        self.references = read_references(
            self.source,
            self.spec,
            self.selection,
            short,
            set(self.splits),
            self.place,
            self.engine,
            self.workers,
            self.listener,
        )
        self.failures.extend(self.references.notes)
        jobs = [self._plan_job(key, group) for key, group in groups.items()]
        self.plans = {(job.task, job.split): job.fingerprint for job in jobs}
        self.listener.stage("Planning questions", len(self.members))
        workers = min(self.workers, len(jobs), 1 + len(self.members) // PLANNED_PER_WORKER)
        for decided in self.engine.run_jobs(PlanTask(self.spec, self.place), jobs, workers):
            self.listener.advance(len(groups[decided.task, decided.split]))
            self.decided.append(decided)
        self.decided.sort(key=lambda one: (one.task, one.split))

    def _plan_job(self, key: tuple[str, str], group: Sequence[Member]) -> PlanJob:
        task, split = key
        others = self.references.members.get(key, ())
        plan = hashlib.blake2b(json.dumps([self.spec.document(), task, split]).encode())
        for some in (group, others):
            plan.update(f"{len(some)}\n{_listed(some)}".encode())
        drawn = self.spec.distractors in ("auto", "matched")
        older = self.base.data(split) if self.base and drawn else ()
        plan.update(self._onto().encode())
        return PlanJob(
            task, split, plan.hexdigest()[:32], _demos_of(group), _demos_of(others), tuple(older)
        )

    def _onto(self) -> str:
        """What is added to, for fingerprints."""
        return content_digest(self.base.manifest) if self.base else ""

    def _drawn_from(self) -> list[str]:
        """Ids of the reference episodes that are in a pool, by task and split."""
        used = {(one.task, one.split) for one in self.decided if one.references}
        return [
            entry.id
            for key, some in self.references.members.items()
            if key in used
            for _, entry in some
        ]

    def _shard_jobs(self) -> Iterator[ShardJob]:
        run = hashlib.blake2b(json.dumps(self.spec.document()).encode(), digest_size=16)
        run.update(_listed(self.members).encode())
        run.update(" ".join([*self._drawn_from(), self._onto()]).encode())
        for split in SPLITS:
            mine = [member for member in self.members if self.splits[member[1].id] == split]
            first = self.base.next_number(split) if self.base else 0
            groups = cut_shards(mine, len(self.spec.families), self.shard_bytes)
            for number, group in enumerate(groups, first):
                yield ShardJob(
                    name=f"{split}-{number:05d}",
                    split=split,
                    fingerprint=run.hexdigest(),
                    demos=_demos_of(group),
                    plans={
                        task: self.plans[task, split] for task in {one.task for _, one in group}
                    },
                )

    def describe(self) -> Audit | None:
        """Everything but the data: scene, schema, failures, provenance, card; last the manifest."""
        publish, meta = self.place.publish, self.place.publish / "meta"
        made = provenance(
            self.source,
            self.selection,
            self.spec,
            demos=len(self.refs),
            episodes=[entry.id for _, entry in self.members],
            references=self._drawn_from(),
        )
        failed = sum(line["kind"] == "demo" for line in self.failures)
        shard_bytes = self.shard_bytes
        manifest = build_manifest(self.spec, self.shards, self.decided, failed, shard_bytes)
        failures = self._all_failures()
        if self.base:
            plans = [(*key, plan_path(self.place, self.plans[key])) for key in sorted(self.plans)]
            pools = pools_path(self.base.generation)
            drawn = pools if write_pools(publish / pools, plans) else None
            failures = self.base.with_failures(failures)
            manifest = self.base.with_rows(manifest, self.repeated, drawn)
            made = combined_provenance([self.base.provenance, made])
        write_jsonl(meta / "failures.jsonl", failures)
        write_text(meta / "item.schema.json", schema_text("item"))
        write_text(meta / "metadata.json", json_text(self.spec.scene.document))
        write_text(meta / "provenance.json", json_text(made))
        if self.base:
            count_failures(manifest, meta / "failures.jsonl")
        names = [*DOCUMENTS, *pools_in(manifest)]
        manifest["files"].extend(file_entry(publish / name, name) for name in names)
        older = older_card(self.place.out)
        shown = present(publish, manifest, made, self.spec.scene, older)
        manifest["files"].extend(file_entry(publish / name, name) for name in shown.paths)
        if self.gaps:
            write_text(self.place.gaps, json_text({"demos": sorted(self.gaps)}))
        else:
            self.place.gaps.unlink(missing_ok=True)
        write_text(publish / MANIFEST, json_text(manifest))
        return shown.audit


def _episode_order(entry: Entry) -> tuple[str, int, str]:
    return (entry.task, entry.variation, entry.id)


def _demos_of(members: Iterable[Member]) -> tuple[DemoRef, ...]:
    return tuple(ref for ref, _ in members)


def _listed(members: Iterable[Member]) -> str:
    """A line for each episode and the demo it comes from, for fingerprints."""
    return "".join(f"{entry.id} {ref.name} {ref.revision}\n" for ref, entry in members)
