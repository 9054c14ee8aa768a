"""Is a data set what it says it is? Schema, meaning and hashes, every row.

The answer of every question is worked out again from the recorded state and target, options are
held against the promises of their law, pictures are decoded, and files are hashed. Whether the
states themselves can be is asked of :mod:`~robotmcqa.plausibility`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robotmcqa.append import Pools, read_pools
from robotmcqa.card.front_matter import front_matter_problems
from robotmcqa.collection import Part, entries_of, parts_of
from robotmcqa.dataset import Dataset
from robotmcqa.exchange_check import ExchangeCheck
from robotmcqa.files import sha256_of
from robotmcqa.generations import generation_of, generations_of, sources_of
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
    sources = sources_of(dataset.provenance)
    for source in sources:
        unfit = licence_problem(source)
        if unfit:  # the card follows the provenance, so nothing else would notice
            report.problems.append(Problem("meta/provenance.json, source.licence", unfit))
    checks = [Plausibility(Origin.of(source), dataset.scene.valid_box) for source in sources]
    _check_rows(dataset, report, checks, advance)
    report.problems.extend(_balance_problems(report, dataset))
    if not report.problems:  # otherwise the counts are bound to differ
        report.problems.extend(_manifest_problems(report, dataset))
    if not report.problems:  # the card is held against the manifest
        report.problems.extend(_card_problems(path, parts_of(path)))
    findings = [finding for check in checks for finding in check.findings()]
    # First: a column that was declared wrongly may be what is behind all the others.
    report.problems[:0] = [Problem(one.where, one.what) for one in findings if one.sure]
    report.oddities += [Problem(one.where, one.what) for one in findings if not one.sure]
    return report


def _check_rows(
    dataset: Dataset,
    report: Report,
    plausibility: Sequence[Plausibility],
    advance: Callable[[int], None],
) -> None:
    """Every row by itself, and what the rows of a task have to keep together.

    ``plausibility``, one for each generation, hears of the states.

    Of the rows that were met nothing is remembered but counts, the episodes' places, and what the
    task at hand has promised.
    """
    rows = RowChecks(dataset)
    exchanged = ExchangeCheck(dataset.manifest["spec"]["choices"])
    places: dict[str, tuple[str, int]] = {}  # episode -> split and generation it was first met in
    for shard in dataset.shards():
        in_shard, task = 0, None
        place = (shard["split"], generation_of(shard))
        rows.next_file(*place)
        states = RowStates(plausibility[place[1]])
        for row in read_rows(dataset.path / shard["path"]):
            in_shard += 1
            advance(1)
            broken = rows.schema_problem(row)
            if broken:
                report.problems.append(Problem(str(row["id"]), broken))
                continue
            if row["task"] != task:
                task = row["task"]
                rows.next_task(_pools_of(dataset, task, *place))
            report.problems.extend(Problem(row["id"], what) for what in rows.problems(row))
            exchanged.add(*place, row)
            states.add(row)
            first = places.setdefault(row["episode"], place)
            if first[0] != place[0]:
                report.problems.append(Problem(row["id"], "its episode is in both splits"))
            elif first != place:
                what = f"its episode is in generations {first[1]} and {place[1]}"
                report.problems.append(Problem(row["id"], what))
            report.statistics.add(row)
        states.end()
        if in_shard != shard["rows"]:
            what = f"{in_shard} rows, the manifest says {shard['rows']}"
            report.problems.append(Problem(shard["path"], what))
        report.rows += in_shard
    report.images = rows.images
    report.problems.extend(Problem(where, what) for where, what in exchanged.problems())


def _pools_of(dataset: Dataset, task: str, split: str, generation: int) -> Pools | None:
    """What ``matched`` drew from, where that is recorded."""
    if not generation:
        return None
    path = generations_of(dataset.manifest)[generation].get("pools")
    return read_pools(dataset.path / path, task, split) if path else None


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
    generations = len(generations_of(dataset.manifest))
    for file in dataset.shards():
        if generation_of(file) >= generations:
            what = (
                f"is of generation {generation_of(file)}, but the manifest tells of {generations}"
            )
            yield Problem(file["path"], what)
    if len(sources_of(dataset.provenance)) != generations:
        what = f"does not tell of the manifest's {generations} generation(s)"
        yield Problem("meta/provenance.json", what)


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
        "generations": (_rows_said(manifest), _rows_found(dataset)),
    }
    for name, (said, found) in claims.items():
        if said != found:
            yield Problem(f"meta/manifest.json, {name}", f"says {said}, but it is {found}")


def _rows_said(manifest: Mapping[str, Any]) -> list[int]:
    return [one["rows"] for one in generations_of(manifest)]


def _rows_found(dataset: Dataset) -> list[int]:
    """Rows of each generation, as its data files have them."""
    rows = [0] * len(generations_of(dataset.manifest))
    for shard in dataset.shards():
        if generation_of(shard) < len(rows):
            rows[generation_of(shard)] += shard["rows"]
    return rows


def _balance_problems(report: Report, dataset: Dataset) -> Iterator[Problem]:
    choices = dataset.manifest["spec"]["choices"]
    for family, counts in report.statistics.letters.items():
        p = letter_balance(counts, choices)
        report.letter_p[family] = p
        if p < UNBALANCED:
            yield Problem(family, f"right letters are not balanced (chi-square p = {p:.2g})")
