"""``bench agreement``: how far a judge agrees with people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robotmcqa.arrays import FloatArray
from robotmcqa.bench.intervals import Cell, interval
from robotmcqa.bench.published import AGREEMENT, AGREEMENT_ANSWERS
from robotmcqa.bench.record import TYPES
from robotmcqa.bench.run import Run
from robotmcqa.bench.scores import Score, scores_of
from robotmcqa.bench.verdicts import TOP
from robotmcqa.draws import Draws
from robotmcqa.errors import DataError

__all__ = [
    "Agreement",
    "agreement",
    "kappa",
    "pearson",
    "published",
    "read_scores",
    "template",
]

_COLUMNS = ("id", "score")
_FORM = "a CSV file with the columns id and score (0 to 3), and rater if there are several people"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one type of question, or of all.

    Attributes:
        pearson: correlation; its value is None where one side always gave the same score.
        kappa: quadratic weighted kappa, averaged verdicts rounded to whole scores.
        human, judge: mean scores.
    """

    pearson: Cell
    kappa: Cell
    human: float
    judge: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "pearson": self.pearson.document(),
            "kappa": self.kappa.document(),
            "human_mean": round(self.human, 4),
            "judge_mean": round(self.judge, 4),
        }


def read_scores(path: Path, known: Mapping[str, Score]) -> list[tuple[str, float]]:
    """Question and score of each line that has one.

    Raises:
        DataError: a line is wrong; names it, the field, and what would be right.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", f"{_FORM}; --template writes one") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error})", "save it as UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path}: no column {' and '.join(missing)}", _FORM)
    found: list[tuple[str, float]] = []
    seen: set[tuple[str, str]] = set()
    for line in reader:
        where = f"{path}, line {reader.line_num}"
        name, said = (line["id"] or "").strip(), (line["score"] or "").strip()
        if not said:
            continue  # not scored yet
        if name not in known:
            raise DataError(f"{where}: id: the run has no question '{name}'", _FORM)
        if said not in {str(score) for score in range(TOP + 1)}:
            raise DataError(f"{where}: score: '{said}'", f"a whole number from 0 to {TOP}")
        key = (name, (line.get("rater") or "").strip())
        if key in seen:
            raise DataError(
                f"{where}: id: '{name}' is scored twice", "a column rater tells people apart"
            )
        seen.add(key)
        found.append((name, float(said)))
    return found


def agreement(path: Path, run: Run) -> dict[str, Agreement]:
    """Type -> agreement, and ``all``; types without scores are left out.

    Raises:
        DataError: the file is wrong, or has no score that a verdict could be set beside.
    """
    known = {score.row["id"]: score for score in scores_of(run)}
    pairs = [
        (known[name], human)
        for name, human in read_scores(path, known)
        if known[name].value is not None
    ]
    if not pairs:
        raise DataError(
            f"{path}: no score of an answer that the judge has scored too",
            "fill in the column score, or let robotmcqa bench run come to its end",
        )
    chosen = {
        kind: [pair for pair in pairs if kind in ("all", pair[0].row["type"])]
        for kind in (*TYPES, "all")
    }
    return {kind: _agreement(some) for kind, some in chosen.items() if some}


def _agreement(pairs: Sequence[tuple[Score, float]]) -> Agreement:
    human = np.array([score for _, score in pairs])
    judge = np.array([score.value for score, _ in pairs], dtype=float)
    images = [score.image for score, _ in pairs]
    return Agreement(
        pearson=_figure(human, judge, images, pearson),
        kappa=_figure(human, np.floor(judge + 0.5), images, kappa),
        human=float(human.mean()),
        judge=float(judge.mean()),
    )


def _figure(human: FloatArray, judge: FloatArray, images: Sequence[str], statistic: Any) -> Cell:
    """The figure, and an interval that draws whole pictures again.

    Both figures follow from sums over pairs, so pictures are drawn by their sums.
    """
    products = np.stack([np.ones_like(human), human, judge, human**2, judge**2, human * judge])
    _, place = np.unique(list(images), return_inverse=True)
    sums: tuple[FloatArray, ...] = tuple(
        np.bincount(place, weights=row).astype(np.float64) for row in products
    )
    value = float(statistic(*sums))
    low, high = interval(sums, statistic) if np.isfinite(value) else (None, None)
    count = len(human)
    return Cell(value if np.isfinite(value) else None, low, high, count, len(sums[0]))


def pearson(
    n: FloatArray, a: FloatArray, b: FloatArray, aa: FloatArray, bb: FloatArray, ab: FloatArray,
    axis: int = -1,
) -> FloatArray:  # fmt: skip
    """Pearson's correlation, from the sums of 1, a, b, a^2, b^2 and ab."""
    n, a, b, aa, bb, ab = (column.sum(axis=axis) for column in (n, a, b, aa, bb, ab))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: FloatArray = (n * ab - a * b) / np.sqrt((n * aa - a**2) * (n * bb - b**2))
    return correlation


def kappa(
    n: FloatArray, a: FloatArray, b: FloatArray, aa: FloatArray, bb: FloatArray, ab: FloatArray,
    axis: int = -1,
) -> FloatArray:  # fmt: skip
    """Cohen's kappa with quadratic weights, from the same sums.

    One minus the mean squared difference over the one that independent scores of the same
    frequencies would have: both are moments (Fleiss and Cohen 1973).
    """
    n, a, b, aa, bb, ab = (column.sum(axis=axis) for column in (n, a, b, aa, bb, ab))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (aa - 2 * ab + bb) / n
        by_chance = aa / n + bb / n - 2 * (a / n) * (b / n)
        agreed: FloatArray = 1 - observed / by_chance
    return agreed


def published(kind: str) -> str:
    """What the paper reports for a type; "" where it reports nothing."""
    return f"{AGREEMENT[kind]:.2f} ({AGREEMENT_ANSWERS} answers)" if kind in AGREEMENT else ""


def template(run: Run, count: int, seed: int = 0) -> str:
    """A CSV for people to fill in: as many answers of each type, drawn by ``seed``.

    The judge's score is not in it: whoever sees it agrees with it.
    """
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(("id", "score", "rater", "type", "image", "question", "reference", "answer"))
    for score in _drawn(scores_of(run), count, seed):
        row = score.row
        writer.writerow(
            (
                row["id"],
                "",
                "",
                row["type"],
                row["image"],
                row["question"],
                row["answer"],
                score.answer,
            )
        )
    return sink.getvalue()


def _drawn(scores: Sequence[Score], count: int, seed: int) -> Iterator[Score]:
    for place, kind in enumerate(TYPES):
        share = (place + 1) * count // len(TYPES) - place * count // len(TYPES)
        those = [score for score in scores if score.row["type"] == kind and score.answer]
        draws = Draws("robotmcqa.bench", seed, "template", kind)
        for score, _ in zip(draws.without_replacement(those), range(share), strict=False):
            yield score
