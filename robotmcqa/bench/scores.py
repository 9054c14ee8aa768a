"""What the answers of a run are worth, from what lies in its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robotmcqa.bench.record import Row

if TYPE_CHECKING:
    from robotmcqa.bench.run import Run

__all__ = ["Score", "scores_of"]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one question.

    Attributes:
        row: the question.
        answered: whether the model has been asked.
        cut: whether its answer came to the limit of tokens.
        answer: inside its answer block; None where there is not exactly one, or it is empty.
        value: mean of the verdicts, 0 without an answer; None where there is no verdict (yet).
        verdicts: how many could be read.
        unparsable: how many could not.
        complete: nothing about it is left to be asked.
        reason: of the first verdict.
    """

    row: Row
    answered: bool
    cut: bool
    answer: str | None
    value: float | None
    verdicts: int
    unparsable: int
    complete: bool
    reason: str

    @property
    def image(self) -> str:
        return str(self.row["image"])

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.row["id"],
            "type": self.row["type"],
            "group": self.row.get("group"),
            "question": self.row["question"],
            "reference": self.row["answer"],
            "answer": self.answer,
            "score": self.value,
            "unparsable": self.unparsable,
            "reason": self.reason,
        }


def scores_of(run: Run) -> list[Score]:
    """The score of every question, in the benchmark's order."""
    answers = {line["id"]: line for line in run.answers.lines()}
    verdicts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in run.verdicts.lines():
        verdicts[line["id"]].append(line)
    wanted = run.settings.judge_samples
    return [_score(row, answers.get(row["id"]), verdicts[row["id"]], wanted) for row in run.rows]


def _score(
    row: Row, answer: Mapping[str, Any] | None, verdicts: list[Mapping[str, Any]], wanted: int
) -> Score:
    if answer is None:
        return Score(row, False, False, None, None, 0, 0, False, "")
    said, cut = answer["answer"] or None, answer["stop"] == "max_tokens"
    if said is None:
        return Score(row, True, cut, None, 0.0, 0, 0, True, "no answer block")
    read = [line["score"] for line in verdicts if line["score"] is not None]
    value = sum(read) / len(read) if read else None
    reason = verdicts[0]["reason"] if verdicts else ""
    complete = len(verdicts) >= wanted
    unparsable = len(verdicts) - len(read)
    return Score(row, True, cut, said, value, len(read), unparsable, complete, reason)
