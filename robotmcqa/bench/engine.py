"""The run as an inspect-ai task. The only module here that imports inspect-ai.

inspect-ai talks to the models: providers, connections, pauses and retries are its own. What it
gets is a solver and a scorer that look into the run's folder first.
"""

from __future__ import annotations

import math
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from inspect_ai import Task, eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import transcript
from inspect_ai.model import (
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, grouped, mean, scorer
from inspect_ai.solver import solver

from robotmcqa.bench.derived import data_uri
from robotmcqa.bench.overlap import overlap_verdict
from robotmcqa.bench.prompts import judge_text, prompt_text
from robotmcqa.bench.record import Row
from robotmcqa.bench.run import LOGS, Run
from robotmcqa.bench.settings import OFFLINE, REFERENCE, verdict_key
from robotmcqa.bench.verdicts import parse_verdict
from robotmcqa.errors import UsageError
from robotmcqa.secrets import guard, without_secrets, without_secrets_deeply

__all__ = ["run", "task_of"]

_MARKUP = re.compile(r"\[/?(?:bold|blue|red|italic|link)[^\]]*\]")
"""What inspect-ai writes for rich."""


def run(
    opened: Run,
    left: list[Row],
    connections: int,
    max_retries: int,
    advance: Callable[[], None],
) -> list[str]:
    """Ask these questions; returns what went wrong, in words.

    Raises:
        UsageError: there is no such model, or its key is missing.
    """
    config = GenerateConfig(max_connections=connections, max_retries=max_retries)
    model, judge = (_model(name, config) for name in (opened.settings.model, opened.settings.judge))
    errors: list[str] = []
    with _asyncio_hears_ctrl_c():
        logs = eval(
            task_of(opened, left, judge, advance, errors),
            model=model,
            display="none",
            log_dir=str(opened.folder / LOGS),
            log_images=False,
            log_realtime=False,
            log_level="error",
            fail_on_error=False,
            max_samples=2 * connections,
        )
    if not logs or logs[0].status == "cancelled":
        raise KeyboardInterrupt
    if logs[0].error:
        errors.append(without_secrets(logs[0].error.message))
    return errors


@contextmanager
def _asyncio_hears_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C end the run between two steps: asyncio sees to it, unless a handler is set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _model(name: str, config: Any) -> Any:
    """The model of that name; None where it is an offline one."""
    if name.startswith(OFFLINE):
        return None
    try:
        model = get_model(name, config=config, memoize=False)
    except (PrerequisiteError, ValueError, ImportError) as error:
        said = " ".join(_MARKUP.sub("", without_secrets(str(error))).split())
        raise UsageError(
            f"model '{name}': {said}",
            "names are inspect-ai's, such as openai/gpt-4o, anthropic/claude-sonnet-4-5 or "
            "openai-api/NAME/MODEL with NAME_BASE_URL and NAME_API_KEY set",
        ) from None
    guard(model.api)
    return model


def task_of(
    opened: Run, rows: list[Row], judge: Any, advance: Callable[[], None], errors: list[str]
) -> Any:
    """The inspect-ai task for some questions of a run; what fails is added to ``errors``."""
    samples = [_sample(opened, row) for row in rows]
    return Task(
        dataset=MemoryDataset(samples, name="robot-r1-bench"),
        solver=_answers(opened, {row["id"]: row for row in rows}, errors),
        scorer=_judged(opened, {row["id"]: row for row in rows}, judge, advance, errors),
        name="robot_r1_bench",
        config=GenerateConfig(temperature=0.0, max_tokens=opened.settings.max_tokens),
    )


def _sample(opened: Run, row: Row) -> Any:
    content = [ContentText(text=row["question"])]
    if not opened.settings.blind:
        content.insert(0, ContentImage(image=data_uri(opened.pictures[row["image"]][0])))
    return Sample(
        id=row["id"],
        input=[
            ChatMessageSystem(content=prompt_text(row["type"])),
            ChatMessageUser(content=content),
        ],
        target=row["answer"],
        metadata={"type": row["type"], "group": row.get("group", ""), "image": row["image"]},
    )


def _answers(opened: Run, rows: dict[str, Row], errors: list[str]) -> Any:
    """A solver that has the model answer what the folder holds no answer to."""

    def answers() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            row = rows[state.sample_id]
            line = opened.answers.get(opened.answer_key(row))
            if line is None and opened.settings.model == REFERENCE:
                opened.keep_answer(row, f"<think></think><answer>{row['answer']}</answer>", "stop")
            elif line is None:
                with _in_short(opened.settings.model, errors):
                    state = await generate(state)
                    _refuse(state.output.error)
                opened.keep_answer(row, state.output.completion, str(state.output.stop_reason))
                return state
            kept = opened.answers.get(opened.answer_key(row)) or {}
            state.output = ModelOutput.from_content(opened.settings.model, kept["completion"])
            return state

        return solve

    return solver(name="robotmcqa/bench_answer")(answers)()


def _judged(
    opened: Run,
    rows: dict[str, Row],
    judge: Any,
    advance: Callable[[], None],
    errors: list[str],
) -> Any:
    """A scorer that has the judge grade what the folder holds no verdict on."""

    def rubric() -> Any:
        async def score(state: Any, target: Any) -> Any:
            row = rows[state.sample_id]
            answer = (opened.answers.get(opened.answer_key(row)) or {})["answer"]
            found = [
                await _verdict(opened, row, answer, sample, judge, errors)
                for sample in range(opened.settings.judge_samples if answer else 0)
            ]
            read = [one["score"] for one in found if one["score"] is not None]
            value = 0.0 if not answer else sum(read) / len(read) if read else math.nan
            advance()
            return Score(
                value=value,
                answer=answer,
                explanation="\n\n".join(one["reply"] for one in found) or "no answer block",
                metadata={"type": row["type"], "unparsable": len(found) - len(read)},
            )

        return score

    made = scorer(metrics=[grouped(mean(), "type")], name="robotmcqa/bench_rubric")(rubric)
    return made()


async def _verdict(
    opened: Run, row: Row, answer: str, sample: int, judge: Any, errors: list[str]
) -> Any:
    """One verdict, from the folder or from the judge."""
    key = verdict_key(opened.settings, row, answer, sample)
    line = opened.verdicts.get(key)
    if line is not None:
        return line
    if judge is None:
        verdict, reply = overlap_verdict(row["answer"], answer), ""
    else:
        text = judge_text(row["question"], row["answer"], answer)
        config = GenerateConfig(temperature=opened.settings.judge_temperature)
        with _in_short(opened.settings.judge, errors):
            output = await judge.generate([ChatMessageUser(content=text)], config=config)
            _refuse(output.error)
        reply = output.completion
        verdict = parse_verdict(reply)
    document = {
        "id": row["id"],
        "sample": sample,
        "score": verdict.score,
        "reason": verdict.reason,
        "problem": verdict.problem,
        "reply": reply,
    }
    opened.verdicts.add(key, document)
    return opened.verdicts.get(key)


@contextmanager
def _in_short(model: str, errors: list[str]) -> Iterator[None]:
    """An error, noted in ``errors``, without the request that inspect-ai puts in front of it."""
    try:
        yield
    except Exception as error:
        said = without_secrets(f"{model}: {error.__cause__ or error}")
        errors.append(said)
        raise ModelFailed(said) from None
    finally:
        for event in transcript().events:
            if event.event == "model" and event.call is not None:
                # What a server has answered is logged as it came, refusals that quote a key too.
                event.call.response = without_secrets_deeply(event.call.response)


def _refuse(error: str | None) -> None:
    if error:
        raise ModelFailed(error)


class ModelFailed(RuntimeError):
    """A model gave no answer, however often it was asked."""
