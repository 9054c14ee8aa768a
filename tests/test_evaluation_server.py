"""``robotmcqa eval`` against a server that speaks OpenAI's protocol, over real HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from inspect_ai.log import list_eval_logs, read_eval_log
from PIL import Image
from starlette.responses import Response

from tests.conftest import SCRIPT, Run, rows_of
from tests.evaluations import ANSWER, command, release
from tests.hub_server.fixture import test_hub
from tests.model_server import Asked, ModelServer, refusal, serving
from tests.releases import REPO, Client, anna
from tests.runs import started, wait_until

__all__ = ["anna", "release", "test_hub"]

KEY = "sk-0123456789-very-secret"


def by_prompt(release: Path) -> dict[str, list[dict[str, Any]]]:
    """Prompt -> the questions that have it: two frames may be asked about in the same words."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(release):
        rows.setdefault(row["question"], []).append(row)
    return rows


def nowhere_in(folder: Path, secret: str) -> None:
    for path in folder.rglob("*"):
        if path.suffix == ".eval":
            assert secret not in read_eval_log(str(path)).model_dump_json()
        elif path.is_file():
            assert secret not in path.read_text()


# --------------------------------------------------------------------------------------- the whole


def test_a_served_model_is_asked_with_its_pictures_and_without(
    release: Path, robotmcqa: Run, tmp_path: Path
) -> None:
    """One process, three runs of two seeds; the server is busy once and fails every tenth time."""
    known = by_prompt(release)

    def script(asked: Asked) -> str | dict[str, Any] | Response:
        if asked.number == 2:
            return refusal(429, "too much at once", Retry_After="1")
        if asked.number % 10 == 9:
            return refusal(500, "out of order")
        if not asked.images:
            return {"content": "<think> I see", "finish_reason": "length"}
        right = known[asked.text][0]["answer"]
        if asked.body["seed"] == 0:  # a thought that comes on its own
            thought = {"reasoning_content": f"It must be [[{right}]]."}
            return thought | {"content": f"<answer> [[{right}]] </answer>"}
        return f"<answer> [[{right}]] </answer>"

    out = tmp_path / "out"
    with serving(script) as server:
        done = robotmcqa(
            *("eval", release, "--model", "small/model", "--base-url", server.url),
            *("--limit", 3, "--blind", "--blank", "--seeds", 2, "--temperature", 0.7),
            *("--out", out, "--json"),
            env={"ROBOTMCQA_API_KEY": KEY},
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((out / "results.json").read_text())
    _pictures_are_those_of_the_questions(server, known)
    assert {one.key for one in server.asked} == {KEY}
    assert {one.body["temperature"] for one in server.asked} == {0.7}
    assert {one.body["model"] for one in server.asked} == {"small/model"}
    assert KEY not in done.stdout + done.stderr
    nowhere_in(out, KEY)

    assert [run["pictures"] for run in found["runs"]] == ["shown", "removed", "blank"]
    for run, right in zip(found["runs"], (1.0, 0.0, 1.0), strict=True):
        for figures in run["families"].values():
            assert figures["accuracy"]["questions"] == 3
            assert figures["by_run"] == [right, right]
            assert figures["accuracy"]["accuracy"] == right
            assert figures["well_formed"]["accuracy"] == (0.5 if right else 0.0)
    assert [run["cut_off"] for run in found["runs"]] == [0, 18, 0]
    seen = {(one["first"], one["second"]) for one in found["comparisons"]}
    name = "small/model"
    assert seen == {(name, f"{name} (pictures {how})") for how in ("removed", "blank")}
    # Nothing is paid twice but what failed: 9 questions, three times, with two seeds.
    failed = sum(one.number == 2 or one.number % 10 == 9 for one in server.asked)
    assert len(server.asked) - failed == 9 * 3 * 2
    record = yaml.safe_load((out / "hub/small_model/model-index.yaml").read_text())
    results = record["model-index"][0]["results"]
    assert [one["metrics"][0]["value"] for one in results] == [1.0, 1.0, 1.0]


def _pictures_are_those_of_the_questions(
    server: ModelServer, known: dict[str, list[dict[str, Any]]]
) -> None:
    kinds: Counter[str] = Counter()
    for asked in server.asked:
        kinds["blank" if asked.images else "removed"] += 1
        if not asked.images:
            assert asked.order == ("text",)
            continue
        assert asked.order == ("image_url", "text")
        (picture,) = map(np.asarray, asked.images)
        originals = [
            np.asarray(Image.open(BytesIO(row["images"][0]["bytes"]))) for row in known[asked.text]
        ]
        if (picture == 128).all():
            assert picture.shape == originals[0].shape
        else:
            kinds["blank"] -= 1
            kinds["shown"] += 1
            assert any((picture == original).all() for original in originals)
    assert min(kinds[kind] for kind in ("shown", "removed", "blank")) >= 18


# ----------------------------------------------------------------------------------- interruptions


def test_an_interrupted_run_goes_on_without_paying_twice(
    release: Path, tmp_path: Path, robotmcqa: Run
) -> None:
    """Ctrl-C, then kill -9, then to the end."""
    at_once = 2

    def script(asked: Asked) -> str:
        time.sleep(0.02)
        return ANSWER

    questions = len(rows_of(release))
    with serving(script) as server:
        words: list[object] = ["eval", release, "--model", "m", "--base-url", server.url]
        words += ["--split", "all", "--max-connections", at_once, "--out", tmp_path / "out"]
        for last, blow in ((25, signal.SIGINT), (50, signal.SIGKILL)):
            resume = ["--resume"] if server.asked else []
            process = started([str(SCRIPT), *map(str, words), *resume])
            wait_until(lambda last=last: len(server.asked) >= last)  # type: ignore[misc]
            process.send_signal(blow)
            said = process.communicate(timeout=60)[1]
            assert process.returncode == (130 if blow == signal.SIGINT else -signal.SIGKILL)
            assert "Traceback" not in said
            assert ("--resume" in said) == (blow == signal.SIGINT)
        done = robotmcqa(*words, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    answered = sum(one["accuracy"]["questions"] for one in run["families"].values())
    assert answered == questions
    # What was under way when the run was cut off has to be asked again, and nothing else.
    assert questions <= len(server.asked) <= questions + 2 * at_once
    prompts = Counter(row["question"] for row in rows_of(release))
    asked = Counter(server.questions)
    assert sum((asked - prompts).values()) <= 2 * at_once


def test_a_question_that_fails_is_told_and_asked_again(
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = 3  # of twelve

    def script(asked: Asked) -> str | Response:
        return refusal(400, "the picture is too small") if asked.number < refused else ANSWER

    with serving(script) as server:
        words = [release, "--model", "m", "--base-url", server.url, "--limit", 4]
        words += ["--out", tmp_path / "out", "--json"]
        assert command(monkeypatch, *words) == 4
        said = capsys.readouterr()
        (run,) = json.loads(said.out)["runs"]
        assert sum(run["unanswered"].values()) == refused
        assert "the picture is too small" in said.err
        assert "--resume" in said.err
        assert not (tmp_path / "out/hub").exists()  # no record of half a result
        assert command(monkeypatch, *words, "--resume") == 0
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        assert run["unanswered"] == {}
        assert len(server.asked) == 12 + refused


# -------------------------------------------------------------------------------- a server at fault


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, f"{KEY} is no key of ours"), (404, "there is no model m"), (500, "out of order")],
)
def test_a_server_at_fault_ends_the_run_with_a_sentence(
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    message: str,
) -> None:
    """And a key that it repeats is in no log."""
    monkeypatch.setenv("ROBOTMCQA_API_KEY", KEY)
    with serving(lambda asked: refusal(status, message)) as server:
        code = command(
            monkeypatch,
            *(release, "--model", "m", "--base-url", server.url, "--split", "all"),
            *("--max-retries", 0, "--out", tmp_path / "out"),
        )
    said = capsys.readouterr()
    assert code == 4
    assert not said.out
    assert str(status) in said.err
    assert message.replace(KEY, "(key)") in said.err
    assert "--resume" in said.err
    assert "Traceback" not in said.err
    # A few questions tell; the rest is not tried in vain. (The client tries a 500 three times.)
    assert 10 <= len(server.asked) <= 100 < len(rows_of(release)) * (3 if status == 500 else 1)
    assert list_eval_logs(str(tmp_path / "out/logs"))
    nowhere_in(tmp_path / "out", KEY)


def test_inspect_finds_the_tasks_by_itself(release: Path, tmp_path: Path) -> None:
    """``inspect eval robotmcqa/waypoint``, as its documentation has it."""
    inspect = SCRIPT.with_name("inspect")
    done = subprocess.run(
        [
            *(str(inspect), "eval", "robotmcqa/current_state", "-T", f"dataset={release}"),
            *("--model", "baseline/oracle", "--limit", "2", "--log-dir", str(tmp_path)),
            *("--display", "plain"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = [read_eval_log(info.name) for info in list_eval_logs(str(tmp_path))]
    assert log.eval.task == "robotmcqa/current_state"
    assert log.results is not None
    values = {score.name: score.metrics for score in log.results.scores}
    assert values["correct"]["grouped_all"].value == 1.0


@pytest.mark.slow
def test_a_release_is_evaluated_by_its_address(anna: Client, dataset: Path, tmp_path: Path) -> None:
    """And the Hub's own reader reads the record, which names the commit that was asked about."""
    anna.json("push", dataset, "--repo", REPO)
    with serving(lambda asked: ANSWER) as server:
        found = anna.json(
            *("eval", f"{REPO}@v1.0.0", "--model", "m", "--base-url", server.url),
            *("--out", tmp_path / "out"),
        )
    record = yaml.safe_load((tmp_path / "out/hub/m/.eval_results/robotmcqa.yaml").read_text())
    (entry,) = parse_eval_result_entries(record)
    listed = yaml.safe_load((dataset / "eval.yaml").read_text())
    assert entry.task_id == listed["tasks"][0]["id"]
    assert (entry.dataset_id, entry.dataset_revision) == (
        REPO,
        anna.hub.repository(REPO).tags["v1.0.0"],
    )
    shares = [one["accuracy"] for one in found["runs"][0]["families"].values()]
    right = sum(share["accuracy"] * share["questions"] for share in shares)
    assert entry.value == pytest.approx(100 * right / found["questions"], abs=0.05)
    assert entry.notes is not None
    assert f"{found['questions']} questions of split test" in entry.notes
