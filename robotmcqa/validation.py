"""Is a data set what it says it is? Schema, meaning and hashes, every row.

The answer of every question is worked out again from the recorded state and target, options are
held against the promises of their law, pictures are decoded, and files are hashed. Whether the
states themselves can be is asked of :mod:`~robotmcqa.plausibility`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robotmcqa.card.front_matter import front_matter_problems
from robotmcqa.collection import Part, entries_of, parts_of
from robotmcqa.dataset import Dataset
from robotmcqa.exchange_check import ExchangeCheck
from robotmcqa.files import sha256_of
from robotmcqa.licences import licence_problem
from robotmcqa.plausibility import Origin, Plausibility, RowStates
from robotmcqa.row_checks import RowChecks
from robotmcqa.schema import first_problem
from robotmcqa.shards import read_rows
from robotmcqa.spec import document_digest
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
        problems: everything wrong: the states as a whole, then in the order it was met.
        oddities: what can be, but seldom is; for people to look at.
        statistics: counts over the rows.
        letter_p: family -> chi-square p value of its right letters.
    """

    rows: int = 0
    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    oddities: list[Problem] = field(default_factory=list)
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
        self.oddities += [Problem(prefix + one.where, one.what) for one in other.oddities]
        self.statistics.take(other.statistics, prefix)
        self.letter_p |= {prefix + family: p for family, p in other.letter_p.items()}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "images": self.images,
            "problems": [asdict(one) for one in self.problems],
            "oddities": [asdict(one) for one in self.oddities],
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
    rows = RowChecks(dataset)
    exchanged = ExchangeCheck()
    plausibility = Plausibility(Origin.of(dataset.provenance["source"]), dataset.scene.valid_box)
    states = RowStates(plausibility)
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
            states.add(row)
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
    states.end()
    findings = plausibility.findings()
    # First: a column that was declared wrongly may be what is behind all the others.
    report.problems[:0] = [Problem(one.where, one.what) for one in findings if one.sure]
    report.oddities += [Problem(one.where, one.what) for one in findings if not one.sure]
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
    for problem in front_matter_problems(card.read_text("utf-8"), entries_of(parts)):
        yield Problem(CARD, problem)


def _manifest_problems(report: Report, dataset: Dataset) -> Iterator[Problem]:
    """What the manifest says of the spec, the rows and the failures, against what is there."""
    manifest = dataset.manifest
    failures = dataset.failures()
    for number, line in enumerate(failures, 1):
        problem = first_problem("failure", line)
        if problem:
            yield Problem(f"meta/failures.jsonl, line {number}", problem)
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
