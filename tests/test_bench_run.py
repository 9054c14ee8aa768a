"""``robotmcqa bench run`` against a real server: pictures, failures, kills, keys, reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from robotmcqa.bench.prompts import prompt_text
from robotmcqa.bench.report import report
from robotmcqa.bench.run import open_run, opened_run
from robotmcqa.bench.settings import Settings
from tests.bench_helpers import by_question, part_of
from tests.conftest import SCRIPT, Run, environment
from tests.openai_stub import (
    ANSWERER,
    GRADER,
    KEY,
    Stub,
    asked,
    judged,
    lines,
    picture,
    stub_server,
)

pytest.importorskip("inspect_ai", reason="pip install 'robotmcqa[eval]'")
QUESTIONS = 24


@pytest.fixture(scope="module")
def small(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part_of(bench, tmp_path_factory.mktemp("small"), QUESTIONS)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_server() as server:
        yield server


def command(bench: Path, out: Path, *more: object) -> list[str]:
    words = ["bench", "run", bench, "--model", ANSWERER, "--judge", GRADER, "--out", out, *more]
    return [str(word) for word in words]


FORMS = (
    "Score: {}\nReason: as it says",
    "**Score:** {}/3\n\n**Reason:** the same",
    '```json\n{{"score": {}, "reason": "it fits"}}\n```',
    "Reason: the relation is the same.\nScore = {}",
)


def test_pictures_go_in_and_failures_are_tried_again(
    small: Path, stub: Stub, robotmcqa: Run, tmp_path: Path
) -> None:
    """A judge that fails every tenth call and a model that is told to slow down: every question
    gets its answer and its two verdicts, each paid for once."""
    rows = by_question(small)

    def fault(model: str, call: int) -> tuple[int, dict[str, str]] | None:
        if model == "grader" and call % 10 == 0:
            return 500, {}
        return (429, {"retry-after": "0"}) if model == "answerer" and call in (2, 3) else None

    stub.fault = fault
    stub.answer = lambda question: f"<think>look</think><answer>{rows[question]['answer']}</answer>"
    stub.verdict = lambda question, number: FORMS[(len(question) + number) % 4].format(2 + number)
    run = tmp_path / "run"
    done = robotmcqa(*command(small, run, "--judge-samples", 2, "--json"), env=stub.environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["questions"], told["answered"], told["judged"]) == (QUESTIONS,) * 3
    assert stub.paid == {
        **{("answerer", question): 1 for question in rows},
        **{("grader", question): 2 for question in rows},
    }
    assert stub.calls["answerer"] == QUESTIONS + 2
    assert stub.calls["grader"] == 2 * QUESTIONS + stub.calls["grader"] // 10
    _check_requests(stub, small, rows)
    found = report([opened_run(run)])
    assert {cell.value for cell in found.lines[0].cells.values()} == {2.5}
    assert not found.warnings
    before = stub.calls.total()
    again = robotmcqa(*command(small, run, "--judge-samples", 2), env=stub.environment)
    assert again.returncode == 0
    assert stub.calls.total() == before


def _check_requests(stub: Stub, small: Path, rows: dict[str, dict[str, str]]) -> None:
    """What the models got: the picture, the rules, a temperature; the judge everything but it."""
    for body in stub.requests:
        if body["model"] == "answerer":
            row = rows[asked(body)]
            assert picture(body) == (small / row["image"]).read_bytes()
            assert body["messages"][0]["content"] == prompt_text(row["type"])
            assert body["temperature"] == 0
        else:
            told = judged(body)
            row = rows[told["question"]]
            assert told["reference"] == told["answer"] == row["answer"]
            assert body["temperature"] == 1
            assert "image_url" not in json.dumps(body)


def test_a_killed_run_goes_on_without_paying_twice(
    small: Path, stub: Stub, robotmcqa: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    stub.hold_after = 17
    process = subprocess.Popen(
        [str(SCRIPT), *command(small, run)],
        env=environment(**stub.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kept = (run / "answers.jsonl", run / "verdicts.jsonl")
    deadline = time.monotonic() + 120
    while sum(len(lines(path)) for path in kept) < 17 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert stub.paid.total() == 17
    with kept[1].open("ab") as file:  # what a kill within a write leaves
        file.write(b'{"key": "half a li')
    assert "INCOMPLETE" in report([opened_run(run)]).markdown()
    stub.release()
    done = robotmcqa(*command(small, run), env=stub.environment)
    assert done.returncode == 0, done.stderr
    assert set(stub.paid.values()) == {1}
    assert stub.paid.total() == 2 * QUESTIONS
    assert "INCOMPLETE" not in report([opened_run(run)]).markdown()


def test_ctrl_c_ends_a_run_quietly(small: Path, stub: Stub, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stub.hold_after = 5
    process = subprocess.Popen(
        [str(SCRIPT), *command(small, run)],
        env=environment(**stub.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while stub.paid.total() < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    while len(lines(run / "answers.jsonl")) + len(lines(run / "verdicts.jsonl")) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert not out
    assert err.strip() == "interrupted; the same command goes on from here"
    assert len(lines(run / "answers.jsonl")) + len(lines(run / "verdicts.jsonl")) == 5


def test_a_key_is_never_written_down(
    small: Path, stub: Stub, robotmcqa: Run, tmp_path: Path
) -> None:
    """A server that refuses and quotes the key: exit code 4, and the key is nowhere."""
    from inspect_ai.log import read_eval_log

    stub.quote_key = True
    stub.fault = lambda model, call: (429, {"retry-after": "0"}) if call == 1 else (403, {})
    run = tmp_path / "run"
    done = robotmcqa(*command(small, run), env=stub.environment)
    assert done.returncode == 4
    assert "refused (key)" in done.stderr
    assert "the same command again goes on" in done.stderr
    assert KEY not in done.stdout + done.stderr
    for path in run.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    (log,) = (run / "logs").glob("*.eval")
    logged = read_eval_log(str(log)).model_dump_json()
    assert "refused (key)" in logged
    assert KEY not in logged


def test_verdicts_that_cannot_be_read_and_answers_without_a_block_are_counted(
    small: Path, stub: Stub, robotmcqa: Run, tmp_path: Path
) -> None:
    rows = list(by_question(small))
    stub.answer = lambda question: (
        "no tags at all" if question == rows[0] else "<answer>something</answer>"
    )
    stub.verdict = lambda question, number: (
        "I cannot say." if question == rows[1] else "Score: 1\nReason: partly"
    )
    run = tmp_path / "run"
    done = robotmcqa(*command(small, run), env=stub.environment)
    assert done.returncode == 0, done.stderr
    assert ("grader", rows[0]) not in stub.paid
    told = robotmcqa("bench", "report", run, "--json")
    found = json.loads(told.stdout)
    (line,) = found["lines"]
    assert line["counts"]["no answer block (scored 0)"] == 1
    assert line["counts"]["verdicts that cannot be read"] == 1
    assert line["counts"]["answered, without a score"] == 1
    assert "left out of the means" in found["warnings"][0]
    total = sum(line["cells"][name]["questions"] for name in ("planning", "high-level"))
    total += sum(line["cells"][name]["questions"] for name in ("motion Avg", "spatial Avg"))
    assert total == QUESTIONS - 1
    # Another judge gets the same answers: the model need not be asked again.
    other = open_run(small, tmp_path / "other", Settings(ANSWERER, "another/judge"), run)
    assert len(other.answers) == QUESTIONS
    assert len(other.verdicts) == 0
    elsewhere = open_run(small, tmp_path / "elsewhere", Settings("another/model", GRADER), run)
    assert len(elsewhere.answers) == 0


@pytest.mark.slow
def test_the_whole_benchmark(bench: Path, stub: Stub, robotmcqa: Run, tmp_path: Path) -> None:
    stub.fault = lambda model, call: (500, {}) if model == "grader" and call % 10 == 0 else None
    stub.answer = lambda question: "<answer>to the left</answer>"
    done = robotmcqa(*command(bench, tmp_path / "run", "--json"), env=stub.environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["judged"] == 215
    assert sum(count for (model, _), count in stub.paid.items() if model == "grader") == 215
    blind = command(bench, tmp_path / "blind", "--blind")
    assert robotmcqa(*blind, env=stub.environment).returncode == 0
    assert [picture(one) for one in stub.requests if one["model"] == "answerer"].count(None) == 215
