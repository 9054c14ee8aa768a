"""Evaluations of baselines on a release of simulated demos, and what comes of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from robotmcqa import audit as audit_package
from robotmcqa.audit import audit, learned, tables_of
from robotmcqa.errors import DatasetError, RobotMCQAError, UsageError
from robotmcqa.evaluation import models
from robotmcqa.evaluation.baselines import BASELINES
from robotmcqa.evaluation.hub_record import eval_results, model_index
from robotmcqa.evaluation.plan import Plan
from robotmcqa.evaluation.questions import questions_of
from robotmcqa.evaluation.run import Evaluation
from robotmcqa.evaluation.samples import samples_of
from robotmcqa.evaluation.subject import subject_of
from tests.conftest import rows_of, tree
from tests.evaluations import command, evaluated, release
from tests.extractions import FAMILIES
from tests.items import WORDS

__all__ = ["release"]


@pytest.fixture(scope="module")
def baselines(release: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    """Of all questions; read only."""
    out = tmp_path_factory.mktemp("evaluation") / "out"
    names = ("oracle", "random", "first", "nearest")
    return evaluated(release, out, *(f"baseline/{name}" for name in names), split="all"), out


def accuracy(found: Evaluation, name: str) -> dict[str, float]:
    (run,) = [run for run in found.runs if run.model.name == f"baseline/{name}"]
    return {family: one.accuracy.accuracy for family, one in run.families.items()}


# -------------------------------------------------------------------------------------- baselines


def test_the_oracle_is_always_right(baselines: tuple[Evaluation, Path], release: Path) -> None:
    found, _ = baselines
    assert accuracy(found, "oracle") == dict.fromkeys(FAMILIES, 1.0)
    for figures in found.runs[0].families.values():
        assert figures.well_formed.accuracy == 1.0
        assert figures.agreement is not None
        assert figures.agreement.accuracy == 1.0
        assert figures.accuracy.episodes == 8
    assert len(found.runs[0].asked.answers) == len(rows_of(release))


def test_chance_lies_in_the_interval_of_drawing_lots(baselines: tuple[Evaluation, Path]) -> None:
    found, _ = baselines
    assert found.chance == 0.25
    for figures in found.runs[1].families.values():
        low, high = figures.accuracy.interval
        assert low <= 0.25 <= high


def test_nearest_and_first_are_what_they_say(
    baselines: tuple[Evaluation, Path], release: Path
) -> None:
    found, _ = baselines
    share = audit(release, quick=True).families["waypoint"].guesses["nearest"]
    assert accuracy(found, "nearest")["waypoint"] == pytest.approx(share.accuracy)
    for family in FAMILIES:
        answers = [row["answer"] for row in rows_of(release) if row["family"] == family]
        share_of_a = answers.count("A") / len(answers)
        assert accuracy(found, "first")[family] == pytest.approx(share_of_a)


def credits_of_the_audit(release: Path, family: str) -> dict[str, float]:
    """Question -> what the audit gives its learned guesser for it; a part of 1 where it ties."""
    rows = [(split, row) for split in ("train", "test") for row in rows_of(release, split)]
    members = [(split, row) for split, row in rows if row["family"] == family]
    found = learned.learn(tables_of(members, WORDS)[family])
    return {members[row][1]["id"]: one for row, one in zip(found.rows, found.credit, strict=True)}


def test_blind_learned_is_the_figure_of_the_audit(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the test split counts as large: learned from the train split, tested on the other.

    Of options that tie, the audit gives the share of drawing one; an answer is one of them.
    """
    monkeypatch.setattr(learned, "LEAST_TEST", 10)
    found = evaluated(
        *(release, tmp_path / "out", "baseline/blind-learned"), families=("current_state",)
    )
    correct = {one.id: one.correct for one in found.runs[0].asked.answers}
    credit = credits_of_the_audit(release, "current_state")
    untied = {name: one for name, one in credit.items() if one in (0.0, 1.0)}
    assert correct.keys() == credit.keys()
    assert len(untied) > 5
    assert {name: correct[name] for name in untied} == untied
    with pytest.raises(RobotMCQAError, match=r"learn this one from"):
        evaluated(release, tmp_path / "train", "baseline/blind-learned", split="train", limit=1)


@pytest.mark.slow
def test_blind_learned_is_the_figure_of_the_audit_in_folds(release: Path, tmp_path: Path) -> None:
    """Three seeds are the audit's three shufflings. Few questions tie once there are more."""
    found = evaluated(*(release, tmp_path / "out", "baseline/blind-learned"), split="all", seeds=3)
    for family, one in audit(release).families.items():
        share = one.guesses[audit_package.LEARNED]
        ties = sum(
            credit % (1 / 3) > 1e-9 for credit in credits_of_the_audit(release, family).values()
        )
        figures = found.runs[0].families[family].accuracy
        assert figures.questions == share.questions
        assert abs(figures.accuracy - share.accuracy) <= ties / share.questions + 1e-9


# ------------------------------------------------------------------------------------------ files


def test_results_are_written_down(baselines: tuple[Evaluation, Path]) -> None:
    found, out = baselines
    assert json.loads((out / "results.json").read_text()) == found.document()
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == sum(len(run.asked.answers) for run in found.runs)
    right = [one["correct"] for one in answers if one["model"] == "baseline/random"]
    shares = [one.accuracy for one in found.runs[1].families.values()]
    counted = sum(share.accuracy * share.questions for share in shares)
    assert sum(right) == pytest.approx(counted)
    for family in FAMILIES:
        whole = found.document()["runs"][1]["families"][family]
        tasks = whole["by_task"].values()
        assert sum(one["accuracy"]["questions"] for one in tasks) == whole["accuracy"]["questions"]


def test_baselines_have_no_record_on_the_hub(baselines: tuple[Evaluation, Path]) -> None:
    assert not (baselines[1] / "hub").exists()


def test_records_are_what_the_hub_reads(baselines: tuple[Evaluation, Path]) -> None:
    from dataclasses import replace

    found, _ = baselines
    subject = replace(
        found.subject, repo="org/questions", revision="0" * 40, leaderboard="robotmcqa"
    )
    released = replace(found, subject=subject)
    run = released.runs[1]
    (entry,) = yaml.safe_load(yaml.safe_dump(eval_results(released, run)))
    assert entry["dataset"] == {
        "id": "org/questions",
        "task_id": "robotmcqa",
        "revision": "0" * 40,
    }
    right = [one.correct for one in run.asked.answers]
    assert entry["value"] == pytest.approx(100 * sum(right) / len(right), abs=0.01)
    assert entry["source"]["url"].startswith("https://")
    name, results = model_index_to_eval_results(model_index(released, run)["model-index"])
    assert name == "baseline/random"
    kinds = [(one.dataset_type, one.dataset_split, one.metric_type) for one in results]
    assert kinds.count(("org/questions", "all", "accuracy")) == 3
    assert eval_results(found, run) == []  # a folder is no data set on the Hub
    part = replace(released, subject=replace(subject, leaderboard=None))
    assert eval_results(part, run) == []


def test_a_whole_split_is_what_eval_yaml_lists(release: Path) -> None:
    for chosen, leaderboard in (
        ({}, "robotmcqa"),
        ({"split": "all"}, None),
        ({"limit": 2}, None),
        ({"families": ("motion",)}, None),
    ):
        plan = Plan(place=str(release), models=(models.named("baseline/first"),), **chosen)
        assert subject_of(plan).leaderboard == leaderboard


@pytest.mark.parametrize("text", ["tasks: [1", "- 1", "tasks: [{config: a}]", "tasks: !!int"])
def test_a_broken_eval_yaml_is_named(release: Path, tmp_path: Path, text: str) -> None:
    there = tmp_path / "there"
    shutil.copytree(release, there)
    for place in there.rglob("eval.yaml"):
        place.write_text(text)
    plan = Plan(place=str(there), models=(models.named("baseline/first"),))
    with pytest.raises(DatasetError, match=r"eval.yaml: no list of tasks"):
        subject_of(plan)


def test_every_pair_of_models_is_compared(baselines: tuple[Evaluation, Path]) -> None:
    found, _ = baselines
    pairs = {(first, second) for first, second, _ in found.comparisons}
    assert len(pairs) == 6
    one = found.comparisons["baseline/oracle", "baseline/random", "waypoint"]
    assert one.only_second == 0
    assert one.difference == pytest.approx(1 - accuracy(found, "random")["waypoint"])


def test_a_finished_evaluation_is_shown_again_without_asking(
    baselines: tuple[Evaluation, Path],
    release: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found, out = baselines
    for name in BASELINES:
        monkeypatch.setitem(BASELINES, name, lambda tag, seed: pytest.fail("asked again"))
    logs = tree(out / "logs")
    names = [word for run in found.runs for word in ("--model", run.model.name)]
    words = [release, *names, "--split", "all", "--out", out]
    assert command(monkeypatch, *words, "--resume", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["runs"] == found.document()["runs"]
    assert tree(out / "logs") == logs
    assert command(monkeypatch, *words) == 2
    assert command(monkeypatch, *words, "--resume", "--limit", "3") == 2
    assert "limit" in capsys.readouterr().err


# --------------------------------------------------------------------------------- which questions


def test_a_limit_takes_of_every_family_the_same_questions_and_more_of_them(release: Path) -> None:
    few, more = (
        {row["id"] for row in questions_of(str(release), split="all", limit=limit).rows}
        for limit in (5, 9)
    )
    assert len(few) == 15
    assert few < more
    tasks = {row["task"] for row in rows_of(release) if row["id"] in more}
    assert tasks == {"push_button", "reach_target"}


def test_pictures_come_first_and_the_prompt_as_it_is(release: Path) -> None:
    questions = questions_of(str(release), limit=1)
    (row, *_), (shown, *_) = questions.rows, samples_of(questions, "shown")
    image, text = shown.input[0].content
    assert (image.type, text.type) == ("image", "text")
    assert text.text == row["question"]
    assert row["answer"] not in json.dumps(shown.input[0].metadata)  # the baselines look it up
    (removed,) = samples_of(questions, "removed")[0].input[0].content
    assert removed.text == row["question"]


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["{nowhere}", "--model", "baseline/random"], 3, "no data set"),
        (["{release}", "--model", "gpt"], 2, "a model is provider/name"),
        (["{release}", "--model", "nobody/gpt"], 2, "not recognized"),
        (["{release}", "--model", "baseline/wise"], 2, "baseline/oracle"),
        (["{release}", "--model", "{nowhere}"], 2, "config.json"),
        (["{release}", "--model", "{release}"], 2, "config.json"),
        (["{release}", "--model", "openai-api/nobody/gpt"], 2, "NOBODY_API_KEY"),
        (["{release}", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"], 4, "reached"),
        (["{release}", "--model", "m", "--base-url", "nowhere"], 2, "http://localhost:8000/v1"),
        (["{release}", "--model", "m", "--base-url", "http://me:secret@x/v1"], 2, "_API_KEY"),
        (["{release}", "--model", "baseline/first", "--family", "colour"], 2, "waypoint"),
        (["{release}", "--model", "baseline/first", "--config", "other"], 2, "default"),
        (["{release}", "--model", "baseline/first", "-M", "api_key=secret"], 2, "variable"),
        (["{release}", "--model", "baseline/first", "-M", "device"], 2, "device=cuda"),
        (["{release}", "--model", "baseline/first", "-M", "a=[1"], 2, "-M a: not YAML"),
        (["{release}", "--model", "baseline/first", "--out", "{release}"], 2, "--out"),
        (["{release}", "--model", "mockllm/m", "--seeds", "2"], 2, "--temperature"),
        (["{release}", *["--model", "baseline/first"] * 2], 2, "twice"),
        (["spatialrgpt:{nowhere}", "--model", "baseline/first"], 3, "no such file"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_in_a_sentence_with_a_remedy(
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    given = [word.format(nowhere=tmp_path / "nowhere", release=release) for word in words]
    out = tmp_path / "out"
    assert command(monkeypatch, *given, *([] if "--out" in words else ["--out", out])) == code
    said = capsys.readouterr()
    assert not said.out
    assert says in said.err
    assert "remedy:" in said.err
    assert "secret" not in said.err
    assert "Traceback" not in said.err
    assert not out.exists()


def test_a_split_that_is_not_there(many_demos: Path, tmp_path: Path) -> None:
    from tests.items import without_pictures
    from tests.runs import made

    folder = made(many_demos, tmp_path / "all", without_pictures(test_fraction=0.0))
    with pytest.raises(UsageError, match="no split 'test'") as error:
        questions_of(str(folder))
    assert "train" in error.value.remedy


def test_open_ended_questions_are_scored_by_distance(many_demos: Path, tmp_path: Path) -> None:
    from tests.items import without_pictures
    from tests.runs import made

    folder = made(many_demos, tmp_path / "open", without_pictures(format="open", test_fraction=0.3))
    chosen: dict[str, Any] = {"families": ("waypoint",), "limit": 4}
    found = evaluated(folder, tmp_path / "out", "baseline/oracle", **chosen)
    assert found.document()["measure"] == "clip(1 - L1, 0, 1)"
    assert found.runs[0].families["waypoint"].accuracy.accuracy == 1.0
    with pytest.raises(RobotMCQAError, match="no options"):
        evaluated(folder, tmp_path / "first", "baseline/first", **chosen)
    with pytest.raises(RobotMCQAError, match="motion"):
        evaluated(folder, tmp_path / "motion", "baseline/oracle")


def test_a_folder_with_a_checkpoint_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in (str(tmp_path), f"robotmcqa/{tmp_path}"):
        assert models.named(name).inspect == f"robotmcqa/{tmp_path}"
