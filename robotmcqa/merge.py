"""Several data sets with one spec as one.

Shards whose questions all stay are taken over byte for byte. An episode that two parts have is
taken from the first of them; shards with questions about it in a later part are written anew. The
result is put in place at once, and each part's extractions become generations of it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge as in_turn
from itertools import groupby
from pathlib import Path
from typing import Any

from robotmcqa.append import check_same_spec, episodes_in, linked
from robotmcqa.card.front_matter import content_digest
from robotmcqa.card.presentation import older_card, present
from robotmcqa.collection import parts_of
from robotmcqa.coordinates import to_millimetres
from robotmcqa.dataset import Dataset
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.failures import Failure, in_order, place_of_line
from robotmcqa.files import json_text, write_jsonl, write_text
from robotmcqa.generations import (
    DOCUMENTS,
    combined_manifest,
    combined_provenance,
    count_failures,
    generation_of,
    generations_of,
    pools_in,
)
from robotmcqa.item import Item
from robotmcqa.pools import SPLITS
from robotmcqa.schema import schema_text
from robotmcqa.shards import ShardWriter, read_rows
from robotmcqa.spec import FAMILY_NAMES
from robotmcqa.stages import file_entry
from robotmcqa.workplace import MANIFEST, WORK, Workplace, open_workplace

__all__ = ["Merged", "merge"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge has made.

    Attributes:
        out: the data set's folder.
        manifest: its ``meta/manifest.json``.
        taken: data files that were taken over as they are.
        rewritten: data files from which questions were left out.
        dropped: episodes that an earlier part has, for each part.
    """

    out: Path
    manifest: Mapping[str, Any]
    taken: int
    rewritten: int
    dropped: Sequence[int]


@dataclass
class _Part:
    """One of the data sets.

    Attributes:
        dataset: itself.
        episodes: id -> (task, split).
        repeated: ids of those that an earlier part has.
    """

    dataset: Dataset
    episodes: Mapping[str, tuple[str, str]]
    repeated: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return str(self.dataset.path)

    @property
    def adds(self) -> bool:
        """Whether it has an episode that no earlier part has."""
        return len(self.repeated) < len(self.episodes)


def merge(
    paths: Sequence[Path],
    out: Path,
    *,
    overwrite: bool = False,
    begin: Callable[[int], None] = lambda shards: None,
    advance: Callable[[], None] = lambda: None,
) -> Merged:
    """Put data sets together.

    Args:
        paths: their folders; the first that has an episode keeps it.
        out: folder of the data set to be.
        overwrite: replace what is in ``out`` once the new data set is whole.
        begin: called once with the number of data files.
        advance: called after each.

    Raises:
        UsageError: there are fewer than two, their specs or licences differ, or ``out`` cannot be
            used.
        DatasetError: one is missing or damaged, or an episode cannot be left out of it without
            breaking what its other questions rest on.
    """
    if len(paths) < 2:
        raise UsageError("one data set alone cannot be merged", "name two or more folders")
    if out.resolve() in [path.resolve() for path in paths]:
        raise UsageError(f"--out {out} is one of the data sets", "--out takes another folder")
    parts = [_opened(path) for path in paths]
    _check_alike(parts)
    _find_repeated(parts)
    manifests = [part.dataset.manifest for part in parts]
    digests = [content_digest(manifest) for manifest in manifests]
    plan = {"merge": digests, "demos": 0, "overwrite": True}
    _refuse_occupied(out, overwrite)
    # A merge takes a moment: what an interrupted one has left is simply made again.
    with open_workplace(out, plan, resume=False, overwrite=True) as place:
        begin(sum(len(part.dataset.shards()) for part in parts if part.adds))
        made = _Merge(parts, place).run(advance)
        place.put_in_place()
    return made


def _opened(path: Path) -> _Part:
    (part, *others) = parts_of(path)
    if part.prefix or others:
        raise UsageError(
            f"{path} holds several data sets", f"merge them one by one, e.g. {part.dataset.path}"
        )
    dataset = part.dataset
    found = {
        episode: (task, split)
        for split in dataset.manifest["splits"]
        for task, episode in episodes_in(path / one["path"] for one in dataset.shards(split))
    }
    return _Part(dataset, found)


def _refuse_occupied(out: Path, overwrite: bool) -> None:
    plan = out / WORK / "plan.json"
    if plan.exists() and "merge" not in json.loads(plan.read_text("utf-8")):
        raise UsageError(
            f"{out} holds an interrupted extraction", "go on with it, or use another --out"
        )
    if (out / MANIFEST).exists() and not overwrite:
        raise UsageError(
            f"{out} already holds a data set",
            "--overwrite replaces it; --out DIR writes elsewhere",
        )


def _check_alike(parts: Sequence[_Part]) -> None:
    first, *others = parts
    for other in others:
        spec = other.dataset.manifest["spec"]
        check_same_spec(
            first.dataset.manifest, spec, f"{first.name}, unlike {other.name},", "merge"
        )
        one, two = (part.dataset.provenance["source"]["licence"] for part in (first, other))
        if one != two:
            raise UsageError(
                f"{first.name} is of demonstrations under '{one}', {other.name} under '{two}'",
                "a data set has one licence: keep them as two configs of one folder",
            )


def _find_repeated(parts: Sequence[_Part]) -> None:
    """Which episodes of which part are left out.

    Raises:
        DatasetError: other questions of the part rest on them.
    """
    seen: dict[str, str] = {}  # episode -> split
    for part in parts:
        part.repeated = {episode for episode in part.episodes if episode in seen}
        _check_exchange(part)
        for episode in part.repeated:
            split = part.episodes[episode][1]
            if split != seen[episode] and "matched" in _laws(part):
                raise DatasetError(
                    f"{part.name}: episode {episode} is in its {split} split, and in the "
                    f"{seen[episode]} split of a part before it",
                    "'matched' draws within a split: merge parts whose splits agree",
                )
        seen |= {one: split for one, (_, split) in part.episodes.items() if one not in seen}


def _laws(part: _Part) -> set[str]:
    return {law["law"] for law in part.dataset.manifest["laws"]}


def _check_exchange(part: _Part) -> None:
    """Questions of ``swapped`` offer each other's answers: all of a task stay, or none."""
    places: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for episode, (task, split) in part.episodes.items():
        places[task, split].add(episode in part.repeated)
    for law in part.dataset.manifest["laws"]:
        if law["law"] == "swapped" and len(places[law["task"], law["split"]]) > 1:
            raise DatasetError(
                f"{part.name}: some demos of {law['task']} ({law['split']}) are in a part before "
                "it, and under the law 'swapped' the others' questions rest on them",
                "robotmcqa extract --append adds the new demos alone",
            )


class _Merge:
    """One merge in its workplace."""

    def __init__(self, parts: Sequence[_Part], place: Workplace) -> None:
        self.parts, self.place = parts, place
        self.numbers: Counter[str] = Counter()  # split -> data files so far
        self.generations = 0
        self.taken = self.rewritten = 0

    def run(self, advance: Callable[[], None]) -> Merged:
        """Make the data set in ``place.publish``."""
        adding = [part for part in self.parts if part.adds]
        manifests = [self._manifest_of(part, advance) for part in adding]
        publish, meta = self.place.publish, self.place.publish / "meta"
        manifest = combined_manifest(manifests)
        made = combined_provenance([part.dataset.provenance for part in adding])
        write_jsonl(meta / "failures.jsonl", self._failures())
        write_text(meta / "item.schema.json", schema_text("item"))
        scene = self.parts[0].dataset.scene
        write_text(meta / "metadata.json", json_text(scene.document))
        write_text(meta / "provenance.json", json_text(made))
        count_failures(manifest, meta / "failures.jsonl")
        names = [*DOCUMENTS, *pools_in(manifest)]
        manifest["files"].extend(file_entry(publish / name, name) for name in names)
        shown = present(publish, manifest, made, scene, older_card(self.place.out))
        manifest["files"].extend(file_entry(publish / name, name) for name in shown.paths)
        write_text(publish / MANIFEST, json_text(manifest))
        dropped = [len(part.repeated) for part in self.parts]
        return Merged(self.place.out, manifest, self.taken, self.rewritten, dropped)

    def _manifest_of(self, part: _Part, advance: Callable[[], None]) -> dict[str, Any]:
        """A part's manifest with what is left of it, its files under their new names."""
        before = part.dataset.manifest
        left = _Left(before)
        files = []
        for shard in part.dataset.shards():
            file = self._shard(part, shard, left)
            if file:
                files.append(file)
            advance()
        stay = {place for one, place in part.episodes.items() if one not in part.repeated}
        laws = [law for law in before["laws"] if (law["task"], law["split"]) in stay]
        whole: dict[str, Any] = {**before, **left.counts(), "files": files, "laws": laws}
        whole["generations"] = left.generations(files)
        for one in whole["generations"]:
            if "pools" in one:
                name = f"meta/pools-{self.generations:05d}.parquet"
                linked(part.dataset.path / one["pools"], self.place.publish / name)
                one["pools"] = name
            self.generations += 1
        return whole

    def _shard(self, part: _Part, shard: Mapping[str, Any], left: _Left) -> dict[str, Any] | None:
        """A data file's entry after what was left out of it; None where nothing is left."""
        old = part.dataset.path / shard["path"]
        name = f"data/{shard['split']}-{self.numbers[shard['split']]:05d}.parquet"
        new = self.place.publish / name
        gone = part.repeated.intersection(episode for _, episode in episodes_in([old]))
        if not gone:
            linked(old, new)
            self.taken += 1
            self.numbers[shard["split"]] += 1
            return {**shard, "path": name}
        rows = _rewritten(old, new, gone, lambda row: left.without(part, shard, row))
        if not rows:
            return None
        self.rewritten += 1
        self.numbers[shard["split"]] += 1
        return {**shard, **file_entry(new, name), "rows": rows}

    def _failures(self) -> Iterator[Failure]:
        """The lines of all parts in order, each once, and one for each episode left out."""
        notes = [
            {
                "kind": "note",
                "task": part.episodes[episode][0],
                "variation": None,
                "where": episode,
                "why": f"left out of data set {number} of the merge: an earlier one has it",
            }
            for number, part in enumerate(self.parts, 1)
            for episode in part.repeated
        ]
        lines = (_kept_lines(part) for part in self.parts)
        for line, _ in groupby(in_turn(in_order(notes), *lines, key=place_of_line)):
            yield line


def _kept_lines(part: _Part) -> Iterator[Failure]:
    """A part's lines, without those about questions of episodes that were left out."""
    for line in part.dataset.failures():
        if line["kind"] != "item" or line["where"].partition("-")[0] not in part.repeated:
            yield line


def _rewritten(old: Path, new: Path, gone: set[str], hear: Callable[[Row], None]) -> int:
    """A data file without the rows of some episodes; the number of rows that are left."""
    rows = 0
    images: tuple[bytes, ...] = ()
    with ShardWriter(new) as writer:
        for row in read_rows(old):
            if row["episode"] in gone:
                hear(row)
                continue
            pictures = tuple(image["bytes"] for image in row["images"])
            images = images if images == pictures else pictures  # shared, as they were
            writer.add(Item({**row, "images": [len(one) for one in images]}, images))
            rows += 1
    if not rows:
        new.unlink()
    return rows


class _Left:
    """Counts of a part, less what was left out."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.manifest = manifest
        self.items = {task: Counter(counts) for task, counts in manifest["items"].items()}
        self.outside = Counter(manifest["outside_box"])
        self.rows = Counter({split: one["rows"] for split, one in manifest["splits"].items()})
        self.gone: defaultdict[tuple[str, int], set[str]] = defaultdict(set)

    def without(self, part: _Part, shard: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """A row is left out."""
        self.items[row["task"]][row["family"]] -= 1
        self.rows[shard["split"]] -= 1
        self.gone[shard["split"], generation_of(shard)].add(row["episode"])
        if row["family"] in self.outside:
            answer = row["state"] if row["family"] == "current_state" else row["target"]
            if to_millimetres(answer) not in part.dataset.scene.valid_box:
                self.outside[row["family"]] -= 1

    def counts(self) -> dict[str, Any]:
        """Of the manifest."""
        episodes = {
            split: one["episodes"]
            - sum(len(some) for (of, _), some in self.gone.items() if of == split)
            for split, one in self.manifest["splits"].items()
        }
        return {
            "items": {
                task: {family: counts[family] for family in FAMILY_NAMES if counts[family] > 0}
                for task, counts in self.items.items()
                if any(counts.values())
            },
            "outside_box": +self.outside,
            "splits": {
                split: {"rows": self.rows[split], "episodes": episodes[split]}
                for split in SPLITS
                if self.rows[split]
            },
        }

    def generations(self, files: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Of the part, with what is left of each."""
        rows: Counter[int] = Counter()
        for file in files:
            rows[generation_of(file)] += file["rows"]
        found = []
        for number, one in enumerate(generations_of(self.manifest)):
            less = sum(len(some) for (_, of), some in self.gone.items() if of == number)
            found.append({**one, "rows": rows[number], "episodes": one["episodes"] - less})
        return found
