"""A run: a folder that keeps settings, questions, answers and verdicts.

::

    run.json          what decides the run
    questions.jsonl   the questions as they were
    answers.jsonl     what the model wrote, a line as each comes
    verdicts.jsonl    what the judge wrote, likewise
    logs/             inspect-ai's own log of each start: inspect view --log-dir RUN/logs

A run that was interrupted goes on from there: what has a line is not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa.bench.check import check
from robotmcqa.bench.derived import digest_of
from robotmcqa.bench.journal import Journal
from robotmcqa.bench.overlap import OVERLAP
from robotmcqa.bench.record import Row, read_rows, write_rows
from robotmcqa.bench.scores import scores_of
from robotmcqa.bench.settings import OFFLINE, REFERENCE, Settings, answer_key
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.files import json_text, sha256_of, write_text
from robotmcqa.scoring import parse_completion

__all__ = ["ANSWERS", "RUN", "VERDICTS", "Outcome", "Run", "open_run", "opened_run", "run"]

RUN, ANSWERS, VERDICTS, LOGS = "run.json", "answers.jsonl", "verdicts.jsonl", "logs"


@dataclass(frozen=True, slots=True)
class Run:
    """An open run.

    Attributes:
        folder: of the run.
        settings: what decides it.
        rows: the questions.
        pictures: the PNG bytes and the SHA-256 of each, by name; empty where only read back.
        answers, verdicts: what has been written so far.
    """

    folder: Path
    settings: Settings
    rows: tuple[Row, ...]
    pictures: dict[str, tuple[bytes, str]]
    answers: Journal
    verdicts: Journal

    def answer_key(self, row: Row) -> str:
        """The key of a question's answer."""
        return answer_key(self.settings, row, self.pictures[row["image"]][1])

    def keep_answer(self, row: Row, completion: str, stop: str) -> None:
        """Write down what the model wrote. What is outside its answer block is kept, not judged."""
        answer = parse_completion(completion).answer
        line = {"id": row["id"], "answer": answer, "completion": completion, "stop": stop}
        self.answers.add(self.answer_key(row), line)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a run has come.

    Attributes:
        questions: in all.
        answered, judged: how many have an answer, and all of their verdicts.
        errors: what kept the others from it, each cause once.
    """

    questions: int
    answered: int
    judged: int
    errors: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return self.judged == self.questions


def open_run(bench: Path, folder: Path, settings: Settings, answers_of: Path | None = None) -> Run:
    """Open a run's folder, to start it or to go on.

    Args:
        bench: the benchmark.
        folder: of the run.
        settings: without ``bench`` and perhaps ``label``, which are filled in.
        answers_of: another run, whose answers to the same questions are taken over.

    Raises:
        DatasetError: the benchmark has faults.
        UsageError: another run lies there, or there is no such offline model or judge.
    """
    for name, known in ((settings.model, REFERENCE), (settings.judge, OVERLAP)):
        if name.startswith(OFFLINE) and name != known:
            raise UsageError(
                f"there is no '{name}'",
                f"--model {REFERENCE} and --judge {OVERLAP} need no service",
            )
    rows, problems = check(bench)
    if problems:
        first = problems[0]
        raise DatasetError(
            f"{bench}: {first.where}: {first.what}",
            f"robotmcqa bench validate {bench} names all {len(problems)}; {first.remedy}",
        )
    label = settings.label or settings.model + (" (blind)" if settings.blind else "")
    settings = Settings(**{**settings.document(), "label": label, "bench": digest_of(bench, rows)})
    pictures = {
        name: ((bench / name).read_bytes(), sha256_of(bench / name))
        for name in {row["image"] for row in rows}
    }
    _begin(folder, settings, rows)
    opened = Run(
        folder, settings, tuple(rows), pictures,
        Journal(folder / ANSWERS), Journal(folder / VERDICTS),
    )  # fmt: skip
    if answers_of is not None:
        _take_over(opened, answers_of)
    return opened


def _begin(folder: Path, settings: Settings, rows: list[Row]) -> None:
    begun = any((folder / name).is_file() for name in (ANSWERS, VERDICTS))
    if begun and (folder / RUN).is_file():
        there = _settings_of(folder)
        for name, value in settings.document().items():
            other = there.document()[name]
            if other != value:
                raise UsageError(
                    f"{folder}: holds a run with {name} {other!r}, not {value!r}",
                    "--out DIR starts another; --answers RUN judges the same answers anew",
                )
        return
    # A run without a single answer has decided nothing: its name may have been a slip.
    there_is_none = not (folder / RUN).is_file()
    if there_is_none and folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: holds something that is no run", "give another --out")
    write_rows(folder, rows)
    write_text(folder / RUN, json_text(settings.document()))


def _take_over(run: Run, other: Path) -> None:
    source = Journal(opened_run(other).folder / ANSWERS)
    for row in run.rows:
        key = run.answer_key(row)
        line = source.get(key)
        if line is not None and run.answers.get(key) is None:
            run.answers.add(key, {name: value for name, value in line.items() if name != "key"})


def _settings_of(folder: Path) -> Settings:
    try:
        return Settings(**json.loads((folder / RUN).read_text("utf-8")))
    except FileNotFoundError:
        raise DatasetError(f"{folder}: holds no run", "robotmcqa bench run makes one") from None
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{folder / RUN}: {error}", "start the run again") from None


def opened_run(folder: Path) -> Run:
    """A run to read back: no benchmark and no model is needed.

    Raises:
        DatasetError: there is none, or it is damaged.
    """
    settings = _settings_of(folder)
    rows = read_rows(folder)
    try:
        answers, verdicts = Journal(folder / ANSWERS), Journal(folder / VERDICTS)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{folder}: a line of {ANSWERS} or {VERDICTS} cannot be read ({error})",
            "remove that line, and robotmcqa bench run asks again",
        ) from None
    return Run(folder, settings, tuple(rows), {}, answers, verdicts)


def run(
    opened: Run,
    *,
    connections: int = 10,
    max_retries: int = 8,
    limit: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Outcome:
    """Answer and judge whatever has not been yet.

    Args:
        opened: the run.
        connections: requests at the same time, to the model and to the judge each.
        max_retries: of a request that fails, with growing pauses.
        limit: only the first questions, for a look.
        advance: called after each question.

    Raises:
        UsageError: inspect-ai is missing, or knows no such model.
    """
    left = [score for score in scores_of(opened)[:limit] if not score.complete]
    if not left:
        return outcome(opened)
    try:
        from robotmcqa.bench import engine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "inspect_ai":
            raise
        raise UsageError(
            "bench run needs inspect-ai, which is not installed", "pip install 'robotmcqa[eval]'"
        ) from None
    for _ in range(len(opened.rows[:limit]) - len(left)):
        advance()
    errors = engine.run(opened, [score.row for score in left], connections, max_retries, advance)
    return outcome(opened, errors)


def outcome(opened: Run, errors: Any = ()) -> Outcome:
    """How far a run has come, by what lies in its folder."""
    scores = scores_of(opened)
    return Outcome(
        questions=len(scores),
        answered=sum(score.answered for score in scores),
        judged=sum(score.complete for score in scores),
        errors=tuple(dict.fromkeys(errors)),
    )
