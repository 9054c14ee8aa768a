"""Is a data set what it says it is? Schema, meaning and hashes, every row.

The answer of every question is worked out again from the recorded state and target, options are
held against the promises of their law, pictures are decoded, and files are hashed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from robotmcqa.card.front_matter import front_matter_problems
from robotmcqa.collection import Part, entries_of, parts_of
from robotmcqa.coordinates import coordinate_text, distance_squared, to_millimetres
from robotmcqa.dataset import Dataset
from robotmcqa.episode import Moment
from robotmcqa.exchange_check import ExchangeCheck
from robotmcqa.files import sha256_of
from robotmcqa.licences import licence_problem
from robotmcqa.motion import all_labels, motion_label, neighbours
from robotmcqa.questions import FAMILIES
from robotmcqa.questions.prompts import LETTERS
from robotmcqa.reasoning import plan_of, reasoning_problems
from robotmcqa.schema import first_problem, is_valid
from robotmcqa.shards import read_rows
from robotmcqa.spec import Spec, document_digest
from robotmcqa.statistics import Statistics, letter_balance
from robotmcqa.workplace import CARD

__all__ = ["Problem", "Report", "validate"]

UNBALANCED = 1e-6
"""Letters with a chi-square p value below this are a problem; chance does it once in a million."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: which row or file, and what."""

    where: str
    what: str


@dataclass
class Report:
    """What ``validate`` found.

    Attributes:
        rows: how many were read.
        images: distinct pictures that were decoded.
        problems: everything wrong, in the order it was met.
        statistics: counts over the rows.
        letter_p: family -> chi-square p value of its right letters.
    """

    rows: int = 0
    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    statistics: Statistics = field(default_factory=Statistics)
    letter_p: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems

    def add(self, other: Report, prefix: str) -> None:
        """Take in the report on another data set, whose files lie under ``prefix``."""
        self.rows += other.rows
        self.images += other.images
        self.problems += [Problem(prefix + one.where, one.what) for one in other.problems]
        self.statistics.take(other.statistics, prefix)
        self.letter_p |= {prefix + family: p for family, p in other.letter_p.items()}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "images": self.images,
            "problems": [{"where": one.where, "what": one.what} for one in self.problems],
            "letter_p": self.letter_p,
            "statistics": self.statistics.document(),
        }


def validate(path: Path, advance: Callable[[int], None] = lambda rows: None) -> Report:
    """Check a data set, or several in the subfolders of one folder.

    Args:
        path: its folder.
        advance: called with the number of rows just checked.

    Raises:
        DatasetError: there is no data set, or its manifest cannot be read.
    """
    parts = parts_of(path)
    if not parts[0].prefix:
        return _validate(path, advance)
    whole = Report(problems=list(_card_problems(path, parts)))
    for part in parts:
        whole.add(_validate(part.dataset.path, advance), part.prefix)
    return whole


def _validate(path: Path, advance: Callable[[int], None]) -> Report:
    """Check one data set."""
    dataset = Dataset.open(path)
    report = Report()
    report.problems.extend(_file_problems(dataset))
    if report.problems:
        return report  # rows of a damaged file say nothing
    unfit = licence_problem(dataset.provenance["source"])
    if unfit:  # the card follows the provenance, so nothing else would notice
        report.problems.append(Problem("meta/provenance.json, source.licence", unfit))
    rows = _RowChecks(dataset)
    exchanged = ExchangeCheck()
    splits: dict[str, str] = {}  # episode -> the split it was first met in
    for shard in dataset.shards():
        in_shard = 0
        rows.next_file(shard["split"])
        for row in read_rows(path / shard["path"]):
            in_shard += 1
            advance(1)
            broken = rows.schema_problem(row)
            if broken:
                report.problems.append(Problem(str(row["id"]), broken))
                continue
            report.problems.extend(Problem(row["id"], what) for what in rows.problems(row))
            exchanged.add(shard["split"], row)
            first = splits.setdefault(row["episode"], shard["split"])
            if first != shard["split"]:
                report.problems.append(Problem(row["id"], "its episode is in both splits"))
            report.statistics.add(row)
        if in_shard != shard["rows"]:
            what = f"{in_shard} rows, the manifest says {shard['rows']}"
            report.problems.append(Problem(shard["path"], what))
        report.rows += in_shard
    report.images = rows.images
    promises = exchanged.problems(dataset.manifest["spec"]["choices"])
    report.problems.extend(Problem(where, what) for where, what in promises)
    report.problems.extend(_balance_problems(report, dataset))
    if not report.problems:  # otherwise the counts are bound to differ
        report.problems.extend(_manifest_problems(report, dataset))
    if not report.problems:  # the card is held against the manifest
        report.problems.extend(_card_problems(path, parts_of(path)))
    return report


def _file_problems(dataset: Dataset) -> Iterator[Problem]:
    listed = {file["path"] for file in dataset.manifest["files"]}
    for file in dataset.manifest["files"]:
        path = dataset.path / file["path"]
        if not path.is_file():
            yield Problem(file["path"], "missing")
        elif path.stat().st_size != file["bytes"] or sha256_of(path) != file["sha256"]:
            yield Problem(file["path"], "differs from the manifest (size or sha256)")
    for path in sorted((dataset.path / "data").glob("**/*.parquet")):
        name = path.relative_to(dataset.path).as_posix()
        if name not in listed:
            yield Problem(name, "not in the manifest, but readers would load it")
    if not dataset.shards():
        yield Problem("meta/manifest.json", "lists no data file")


def _card_problems(path: Path, parts: Sequence[Part]) -> Iterator[Problem]:
    """A reader's tools believe the card; a stale or relabelled one misleads them."""
    card = path / CARD
    if not card.is_file():
        yield Problem(CARD, "missing")
        return
    try:
        text = card.read_text("utf-8")
    except UnicodeDecodeError as error:
        yield Problem(CARD, f"is not text in UTF-8 ({error})")
        return
    for problem in front_matter_problems(text, entries_of(parts)):
        yield Problem(CARD, problem)


def _manifest_problems(report: Report, dataset: Dataset) -> Iterator[Problem]:
    """What the manifest says of the spec, the rows and the failures, against what is there."""
    manifest = dataset.manifest
    failures = []
    for number, line in enumerate(dataset.failures(), 1):
        problem = first_problem("failure", line)
        if problem:
            yield Problem(f"meta/failures.jsonl, line {number}", problem)
        else:
            failures.append(line)
    rows: Counter[str] = Counter()
    for shard in dataset.shards():
        rows[shard["split"]] += shard["rows"]
    claims = {
        "spec_digest": (manifest["spec_digest"], document_digest(manifest["spec"])),
        "spec.scene": (manifest["spec"]["scene"], document_digest(dataset.scene.document)),
        "splits": ({name: split["rows"] for name, split in manifest["splits"].items()}, rows),
        "items": (
            {task: sum(families.values()) for task, families in manifest["items"].items()},
            report.statistics.tasks,
        ),
        "skipped": (
            manifest["skipped"],
            Counter(line["why"] for line in failures if line["kind"] == "item"),
        ),
        "failures": (manifest["failures"], sum(line["kind"] == "demo" for line in failures)),
    }
    for name, (said, found) in claims.items():
        if said != found:
            yield Problem(f"meta/manifest.json, {name}", f"says {said}, but it is {found}")


def _balance_problems(report: Report, dataset: Dataset) -> Iterator[Problem]:
    choices = dataset.manifest["spec"]["choices"]
    for family, counts in report.statistics.letters.items():
        p = letter_balance(counts, choices)
        report.letter_p[family] = p
        if p < UNBALANCED:
            yield Problem(family, f"right letters are not balanced (chi-square p = {p:.2g})")


class _RowChecks:
    """What holds for every row; remembers the row before."""

    def __init__(self, dataset: Dataset) -> None:
        document = dataset.manifest["spec"]
        self.document = document
        self.digest = dataset.manifest["spec_digest"]
        self.scene = dataset.scene
        # What recomputing an answer needs of the spec.
        self.spec = Spec(dead_band=document["dead_band_mm"], scene=dataset.scene)
        self.laws = {(law["task"], law["family"], law["law"]) for law in dataset.manifest["laws"]}
        self.labels = {one.text(self.scene.motion_words) for one in all_labels()}
        self.images = 0
        self._pictures: list[bytes] = []
        self._before: tuple[Any, ...] = ()
        self._split = ""
        self._plans: tuple[str, tuple[str, ...] | None] = ("", None)  # of the episode before

    def next_file(self, split: str) -> None:
        """The rows that come next are a file of ``split``; order goes on over a split's files."""
        if split != self._split:
            self._before = ()
        self._split = split

    def schema_problem(self, row: dict[str, Any]) -> str | None:
        """The first way in which a row breaks the item schema; then nothing else can be asked."""
        sizes = [len((image or {}).get("bytes") or b"") for image in row["images"] or ()]
        document = {**row, "images": sizes}
        if not is_valid("item", document):
            return f"schema: {first_problem('item', document)}"
        numbers = (
            *row["state"],
            *row["target"],
            *(one for xyz in row["distractors"] for one in xyz),
        )
        if not all(map(math.isfinite, numbers)):
            return "a position is not a finite number"
        return None

    def problems(self, row: dict[str, Any]) -> list[str]:
        """Everything wrong with what a row that fits the schema says."""
        pictures = [image["bytes"] for image in row["images"]]
        return [
            *self._identity(row),
            *self._meaning(row),
            *self._prompt(row),
            *self._decoded(row, pictures),
            *self._reasoning(row),
        ]

    def _identity(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row["id"] != f"{row['episode']}-{row['frame']:04d}-{row['family']}":
            yield "id does not fit episode, frame and family"
        if row["family"] not in self.document["families"]:
            yield f"family '{row['family']}' is not in the spec"
            return
        if row["keyframe"] <= row["frame"]:
            yield f"keyframe {row['keyframe']} does not come after frame {row['frame']}"
        if row["spec"]["digest"] != self.digest:
            yield "made under another spec than the manifest's"
        if (row["task"], row["family"], row["spec"]["law"]) not in self.laws:
            yield f"law '{row['spec']['law']}' is not the one in the manifest"
        family = self.document["families"].index(row["family"])
        place = (row["task"], row["variation"], row["episode"], row["frame"], family)
        if self._before and place <= self._before:
            yield "out of order, or there twice"
        self._before = place

    def _meaning(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row["family"] not in FAMILIES:
            return
        moment = _moment(row)
        label = motion_label(moment.position, moment.target_position, self.spec.dead_band)
        if row["motion"] != label.text(self.scene.motion_words):
            yield f"motion '{row['motion']}' is not the movement from state to target"
        right = FAMILIES[row["family"]].answer(moment, self.spec)
        if row["spec"]["format"] == "open":
            if row["answer"] != right:
                yield f"the answer is {right}, not {row['answer']}"
            return
        options = row["options"]
        if len(options) != self.document["choices"]:
            yield f"{len(options)} options, the spec says {self.document['choices']}"
        place = LETTERS.index(row["answer"])
        if place >= len(options) or options[place] != right:
            yield f"the answer is {right}, which is not option {row['answer']}"
            return
        wrong = [option for option in options if option != right]
        if row["spec"]["law"] == "neighbours":
            near = {one.text(self.scene.motion_words) for one in neighbours(label)}
            for option in set(wrong) - near:
                yield f"option '{option}' is no neighbour of '{right}'"
        elif row["family"] == "motion":
            for option in set(wrong) - self.labels:
                yield f"option '{option}' is no movement"
        else:
            yield from self._positions(row, wrong, right)

    def _positions(self, row: Mapping[str, Any], wrong: list[str], right: str) -> Iterator[str]:
        points = [to_millimetres(point) for point in row["distractors"]]
        if [coordinate_text(point) for point in points] != wrong:
            yield "the distractors are not the wrong options"
            return
        for point in points:
            if point not in self.scene.valid_box:
                yield f"distractor {coordinate_text(point)} lies outside the valid box"
        answer = row["state"] if row["family"] == "current_state" else row["target"]
        everything = [to_millimetres(answer), *points]
        least = self.document["separation_mm"]
        for index, one in enumerate(everything):
            for other in everything[:index]:
                if distance_squared(one, other) < least**2:
                    yield (
                        f"options {coordinate_text(other)} and {coordinate_text(one)} are closer "
                        f"than {least / 1000:g} m"
                    )

    def _prompt(self, row: Mapping[str, Any]) -> Iterator[str]:
        for option in row["options"]:
            if option not in row["question"]:
                yield f"option '{option}' is not in the prompt"
        if row["family"] in self.document["templates"]:
            return  # a template of the user's own may say what it likes
        lettered = zip(LETTERS, row["options"], strict=False)
        listed = "".join(f"\n[[{letter}]] {option}" for letter, option in lettered)
        if listed not in row["question"]:
            yield "the prompt does not list the options by their letters"
        state = f"now at {coordinate_text(to_millimetres(row['state']))}."
        if (state in row["question"]) != (row["spec"]["state"] == "shown"):
            yield f"the prompt does not treat the current position as '{row['spec']['state']}'"

    def _reasoning(self, row: Mapping[str, Any]) -> Iterator[str]:
        text, family, plan = row["reasoning"], FAMILIES.get(row["family"]), None
        if text is not None and family:
            right = family.answer(_moment(row), self.spec)
            yield from reasoning_problems(text, row["motion"], right)
            plan = plan_of(text)
            if plan is None:
                return
        episode, before = self._plans
        if episode == row["episode"] and plan != before:
            yield "the reasoning's plan is not that of the row before, though the episode is"
        self._plans = (row["episode"], plan)

    def _decoded(self, row: Mapping[str, Any], pictures: list[bytes]) -> Iterator[str]:
        if row["cameras"] != self.document["cameras"] or len(pictures) != len(row["cameras"]):
            yield f"{len(pictures)} pictures for the cameras {row['cameras']}"
        if pictures == self._pictures:
            return  # the same frame as the row before
        self._pictures = pictures
        for camera, png in zip(row["cameras"], pictures, strict=False):
            problem = _decoding_problem(png)
            self.images += 1
            if problem:
                yield f"picture of camera '{camera}': {problem}"


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(
        episode=row["episode"],
        frame=row["frame"],
        ordinal=0,
        keyframe=row["keyframe"],
        state=tuple(row["state"]),
        target=tuple(row["target"]),
        position=to_millimetres(row["state"]),
        target_position=to_millimetres(row["target"]),
        images=(),
    )


def _decoding_problem(png: bytes) -> str | None:
    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"does not decode ({error})"
    return None
