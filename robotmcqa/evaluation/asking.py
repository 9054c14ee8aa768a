"""Asking a model all questions once, with inspect: logs, retries, and going on after a crash."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai import eval as inspect_eval
from inspect_ai import eval_retry
from inspect_ai.log import (
    EvalLog,
    RecoveryNotAvailable,
    list_eval_logs,
    read_eval_log,
    recover_eval_log,
    write_eval_log,
)

from robotmcqa.errors import ModelError
from robotmcqa.evaluation.baselines import problems
from robotmcqa.evaluation.figures import Answer
from robotmcqa.evaluation.models import Named, explained_prerequisites, opened, ready
from robotmcqa.evaluation.plan import Plan
from robotmcqa.evaluation.samples import Pictures
from robotmcqa.evaluation.subject import Subject
from robotmcqa.evaluation.tasks import listening
from robotmcqa.evaluation.trouble import first_line
from robotmcqa.secrets import without_secrets

__all__ = ["Asked", "ask_all"]

MOST_FAILED = 10
"""Questions without an answer at which a run stops: then the trouble is not with one question."""

_GIVEN_UP = "CancelledError("
"""How inspect marks questions that were under way when it stopped asking."""

FLUSHES = 100
"""How often a log is written while it grows; what is not in it yet lies in inspect's buffer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it.

    Attributes:
        answers: of all runs.
        unanswered: why questions got none: the words of the error, how often.
        cut_off: completions that ended at the limit of tokens, and so may lack their answer.
        tokens: in and out.
    """

    answers: tuple[Answer, ...]
    unanswered: Mapping[str, int]
    cut_off: int
    tokens: tuple[int, int]


def ask_all(
    model: Named,
    subject: Subject,
    pictures: Pictures,
    plan: Plan,
    folder: Path,
    advance: Callable[[int], None],
) -> Asked:
    """Ask, or go on asking where an earlier run in this folder was cut off.

    Args:
        model: to ask.
        subject: the questions.
        pictures: what is done with theirs.
        plan: for all else.
        folder: of the logs.
        advance: hears how many more are answered.

    Raises:
        ModelError: so many questions failed that the model or its server must be at fault.
        KeyboardInterrupt: Ctrl-C; what was answered is kept.
    """
    before = _before(folder)
    answered = len(before.samples or ()) if before else 0
    advance(answered)
    if before is not None and answered == subject.size * plan.seeds:
        return _asked(before)
    problems.clear()
    with listening(advance), redirect_stdout(sys.stderr):  # results alone go to stdout
        if before is None:
            log = _begin(model, subject, pictures, plan, folder)
        else:
            log = _go_on(before, model, plan, folder)
    if problems:
        raise problems.pop()
    log = read_eval_log(log.location)
    if not model.is_baseline:
        log = _without_secrets(log)
    if log.status == "cancelled":
        raise KeyboardInterrupt
    asked = _asked(log)
    if log.status != "success" or not asked.answers:
        raise _explained(model, log, asked)
    return asked


_SETTINGS: Mapping[str, Any] = {
    "display": "none",
    "log_level": "critical",  # what goes wrong is told once, at the end
    "ctl_server": False,
    "log_images": False,  # they are in the data set
    "log_model_api": False,
    "fail_on_error": MOST_FAILED,
    "score_display": False,
}


def _begin(model: Named, subject: Subject, pictures: Pictures, plan: Plan, folder: Path) -> EvalLog:
    (log,) = inspect_eval(
        subject.task(**subject.arguments, pictures=pictures),
        model=opened(model, dict(plan.arguments)),
        log_dir=str(folder),
        epochs=plan.seeds,
        temperature=plan.temperature,
        max_tokens=plan.max_tokens,
        max_connections=plan.connections,
        max_retries=plan.retries,
        log_buffer=max(1, subject.size * plan.seeds // FLUSHES),
        **_SETTINGS,
    )
    return log


def _go_on(before: EvalLog, model: Named, plan: Plan, folder: Path) -> EvalLog:
    ready(model)  # inspect opens it again itself, as the log has it
    with explained_prerequisites(model):
        (log,) = eval_retry(
            before,
            log_dir=str(folder),
            max_connections=plan.connections,
            max_retries=plan.retries,
            **_SETTINGS,
        )
    return log


def _before(folder: Path) -> EvalLog | None:
    """The newest log of a folder, with what every log in it has finished; None if there is none.

    A run that is resumed copies what is finished one by one. Cut off again, its log lacks what an
    older one has.
    """
    names = sorted((info.name for info in list_eval_logs(str(folder))), reverse=True)
    logs = [_read(name) for name in names]  # they begin with the time
    if not logs:
        return None
    finished: dict[tuple[Any, int], Any] = {}
    for log in logs:
        for sample in log.samples or ():
            if sample.error is None and sample.scores:
                finished.setdefault((sample.id, sample.epoch), sample)
    newest = logs[0]
    newest.samples = list(finished.values())
    return newest


def _read(location: str) -> EvalLog:
    """A log; of a killed run with what had not yet got into it."""
    log = read_eval_log(location)
    if log.status == "started":
        with suppress(RecoveryNotAvailable):  # then everything is in the log
            log = recover_eval_log(location, overwrite=True)
    return log


def _asked(log: EvalLog) -> Asked:
    answers = []
    unanswered: Counter[str] = Counter()
    cut_off = 0
    for sample in log.samples or ():
        if sample.error is not None:
            if sample.error.message.startswith(_GIVEN_UP):
                continue
            unanswered[first_line(sample.error.message)] += 1
        elif sample.scores:
            (score,) = sample.scores.values()
            answers.append(_answer(sample, score))
            cut_off += sample.output.stop_reason in ("max_tokens", "model_length")
    usage = log.stats.model_usage.values()
    tokens = (sum(one.input_tokens for one in usage), sum(one.output_tokens for one in usage))
    return Asked(tuple(answers), dict(unanswered), cut_off, tokens)


def _answer(sample: Any, score: Any) -> Answer:
    agrees = score.value["agrees"]
    return Answer(
        id=str(sample.id),
        family=sample.metadata["family"],
        task=sample.metadata["task"],
        episode=sample.metadata["episode"],
        run=sample.epoch - 1,
        answer=score.answer or "",
        correct=float(score.value["correct"]),
        well_formed=bool(score.value["well_formed"]),
        agrees=None if agrees is None or math.isnan(agrees) else bool(agrees),
    )


def _explained(model: Named, log: EvalLog, asked: Asked) -> ModelError:
    failed = asked.unanswered
    if failed:
        why = max(failed, key=lambda words: failed[words])
        what = f"{sum(failed.values())} questions got no answer: {why}"
    else:
        what = first_line(log.error.message if log.error else log.status)
    return ModelError(
        f"{model.name}: {what}",
        "mend that and run the same with --resume; nothing that was answered is asked again",
    )


def _without_secrets(log: EvalLog) -> EvalLog:
    """A server may put the key that it refuses into its answer, and inspect that into the log."""
    text = log.model_dump_json()
    clean = without_secrets(text)
    if clean == text:
        return log
    written = EvalLog.model_validate_json(clean)
    write_eval_log(written, log.location)
    written.location = log.location
    return written
