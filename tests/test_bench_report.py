"""Reports, intervals and agreement, on runs that are written down by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import cohen_kappa_score

from robotmcqa.arrays import FloatArray
from robotmcqa.bench.agreement import agreement, kappa, pearson, template
from robotmcqa.bench.intervals import mean_of
from robotmcqa.bench.journal import Journal
from robotmcqa.bench.published import AGREEMENT, SCORES
from robotmcqa.bench.record import TYPES, write_rows
from robotmcqa.bench.report import COLUMNS, report
from robotmcqa.bench.run import Run, opened_run
from robotmcqa.bench.settings import Settings
from robotmcqa.errors import DataError, UsageError
from robotmcqa.files import json_text, write_text
from tests.conftest import Run as Command

IMAGES = 12


def written(folder: Path, score: Any, **settings: Any) -> Run:
    """A run of 12 pictures with a question of each type, every second one In.

    ``score(image, type)``: verdicts; None for one that cannot be read.
    """
    values = {"model": "some/model", "judge": "some/judge", "label": "some/model", **settings}
    rows = [
        {
            "id": f"{image}-{kind}",
            "type": kind,
            "group": "in" if image % 2 else "out",
            "image": f"images/{image}.png",
            "question": f"{kind}?",
            "answer": "so",
        }
        for image in range(IMAGES)
        for kind in TYPES
    ]
    write_rows(folder, rows)
    write_text(folder / "run.json", json_text(Settings(**values).document()))
    answers, verdicts = Journal(folder / "answers.jsonl"), Journal(folder / "verdicts.jsonl")
    for row in rows:
        name = row["id"]
        image, _, kind = name.partition("-")
        stop = "max_tokens" if image == "0" else "stop"
        answers.add(f"a{name}", {"id": name, "answer": "so", "completion": "", "stop": stop})
        for sample, one in enumerate(score(int(image), kind)):
            line = {"id": name, "sample": sample, "score": one, "reason": "", "problem": ""}
            verdicts.add(f"v{name}{sample}", line)
    return opened_run(folder)


def test_the_table_has_the_papers_columns_and_means(tmp_path: Path) -> None:
    run = written(tmp_path, lambda image, kind: [image % 4 if kind == "motion" else 2])
    (line,) = report([run]).lines
    assert list(line.cells) == list(COLUMNS)
    value = {name: cell.value for name, cell in line.cells.items()}
    assert value["planning"] == value["spatial Avg"] == 2
    assert value["motion In"] == 2  # pictures 1, 3, 5, ...: scores 1 and 3
    assert value["motion Out"] == 1
    assert value["motion Avg"] == 1.5
    cell = line.cells["motion Avg"]
    assert (cell.questions, cell.images) == (12, 12)
    assert cell.low is not None
    assert cell.high is not None
    assert 0.5 < cell.low < 1.5 < cell.high < 2.5
    assert line.cells["planning"].low is None  # all alike: no spread, no interval


def test_published_rows_stand_beside_and_are_called_so(tmp_path: Path) -> None:
    page = report([written(tmp_path, lambda image, kind: [image % 4])]).markdown()
    assert len(SCORES) == 12
    for name, row in SCORES.items():
        (line,) = [one for one in page.splitlines() if one.startswith(f"| *{name} (published)*")]
        for value in row.values():
            assert f"{value:.2f}" in line
    assert "on its own questions" in page
    assert "OFFLINE" not in page
    assert "1.50 [" in page


def test_the_offline_judge_is_named_at_the_top(tmp_path: Path) -> None:
    run = written(tmp_path, lambda image, kind: [3], judge="offline/overlap")
    page = report([run]).markdown()
    assert page.index("OFFLINE JUDGE") < page.index("|")
    assert report([run]).document()["warnings"][0].startswith("OFFLINE JUDGE")


def test_verdicts_are_averaged_and_unreadable_ones_counted(tmp_path: Path) -> None:
    run = written(
        tmp_path,
        lambda image, kind: [1, None, 2] if image else [None, None, None],
        judge_samples=3,
    )
    (line,) = report([run]).lines
    assert {cell.value for cell in line.cells.values()} == {1.5}
    assert line.cells["planning"].questions == IMAGES - 1
    assert line.counts["verdicts that cannot be read"] == 4 * (IMAGES - 1) + 4 * 3
    assert line.counts["answered, without a score"] == 4
    assert line.counts["cut off at --max-tokens"] == 4


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    run = written(tmp_path, lambda image, kind: [1], judge_samples=2)
    found = report([run])
    assert any(warning.startswith("INCOMPLETE") for warning in found.warnings)
    assert found.lines[0].counts["verdicts still to come"] == 4 * IMAGES


def test_runs_of_a_label_share_a_line_with_the_spread_between_them(tmp_path: Path) -> None:
    runs = [
        written(tmp_path / str(seed), lambda image, kind, seed=seed: [seed], label="ours")
        for seed in (1, 2)
    ]
    other = written(tmp_path / "other", lambda image, kind: [0])
    ours, single = report([*runs, other]).lines
    assert (ours.label, ours.runs) == ("ours", 2)
    assert ours.cells["planning"].value == 1.5
    assert ours.cells["planning"].images == IMAGES
    assert ours.spread["planning"] == pytest.approx(0.7071, abs=1e-4)
    assert not single.spread


def test_unlike_runs_are_not_to_be_compared(tmp_path: Path) -> None:
    one = written(tmp_path / "1", lambda image, kind: [1], label="1", bench="a")
    two = written(tmp_path / "2", lambda image, kind: [1], label="2", bench="b", judge="other")
    said = " ".join(report([one, two]).warnings)
    assert "different models (other, some/judge)" in said
    assert "different benchmarks" in said
    with pytest.raises(UsageError):
        report([])


def test_pictures_are_the_unit_of_an_interval() -> None:
    """Five questions that say the same about a picture are no five pictures."""
    values = [float(image % 4) for image in range(20)]
    names = [str(image) for image in range(20)]
    once, five = mean_of(values, names), mean_of(values * 5, names * 5)
    assert five.value == once.value
    assert five.low == pytest.approx(once.low)
    assert five.high == pytest.approx(once.high)
    assert (five.questions, five.images) == (100, 20)
    independent = mean_of(values * 5, [str(number) for number in range(100)])
    assert independent.low is not None
    assert once.low is not None
    assert independent.low > once.low


def test_an_interval_holds_the_truth_nearly_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        cell = mean_of(generator.integers(0, 4, 50).tolist(), [str(n) for n in range(50)])
        assert cell.low is not None
        assert cell.high is not None
        held += cell.low <= 1.5 <= cell.high
    assert 51 <= held <= 60


# ------------------------------------------------------------------------------------- agreement


def test_kappa_and_pearson_are_those_of_other_libraries() -> None:
    generator = np.random.default_rng(1)
    for _ in range(20):
        human: FloatArray = generator.integers(0, 4, 40).astype(float)
        judge: FloatArray = np.clip(human + generator.integers(-1, 2, 40), 0, 3).astype(float)
        sums = (np.ones(40), human, judge, human**2, judge**2, human * judge)
        assert float(pearson(*sums)) == pytest.approx(pearsonr(human, judge).statistic)
        expected = cohen_kappa_score(human, judge, weights="quadratic", labels=[0, 1, 2, 3])
        assert float(kappa(*sums)) == pytest.approx(expected)


def scores_csv(path: Path, scores: dict[str, int]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "score"))
        writer.writerows(scores.items())
    return path


def test_agreement_by_type_beside_the_published_one(tmp_path: Path, robotmcqa: Command) -> None:
    run = written(tmp_path / "run", lambda image, kind: [image % 4])
    human = {
        row["id"]: (int(row["id"].split("-")[0]) + (row["type"] == "planning")) % 4
        for row in run.rows
    }
    path = scores_csv(tmp_path / "scores.csv", human)
    found = agreement(path, run)
    assert set(found) == {*TYPES, "all"}
    assert found["motion"].kappa.value == pytest.approx(1)
    assert (found["planning"].kappa.value or 1) < 0.3
    assert found["all"].pearson.questions == 4 * IMAGES
    low, high = found["all"].pearson.low, found["all"].pearson.high
    assert low is not None
    assert high is not None
    assert -1 <= low < (found["all"].pearson.value or 0) < high <= 1
    assert found["motion"].document()["kappa"]["value"] == 1
    done = robotmcqa("bench", "agreement", path, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    for value in AGREEMENT.values():
        assert f"{value:.2f} (80 answers)" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,points\na,1\n", "no column score"),
        ("id,score\nnobody,1\n", "line 2: id: the run has no question 'nobody'"),
        ("id,score\n0-motion,4\n", "line 2: score: '4'"),
        ("id,score\n0-motion,1\n0-motion,2\n", "line 3: id: '0-motion' is scored twice"),
        ("id,score\n0-motion,\n", "no score of an answer"),
    ],
)
def test_wrong_scores_are_named(tmp_path: Path, text: str, said: str) -> None:
    run = written(tmp_path / "run", lambda image, kind: [1])
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        agreement(path, run)
    assert said in caught.value.what
    assert caught.value.remedy


def test_several_people_may_score_an_answer(tmp_path: Path) -> None:
    run = written(tmp_path / "run", lambda image, kind: [image % 4])
    path = tmp_path / "scores.csv"
    lines = [f"{image}-motion,{image % 4},{who}\n" for image in range(6) for who in "ab"]
    path.write_text("id,score,rater\n" + "".join(lines))
    found = agreement(path, run)["motion"]
    assert (found.pearson.questions, found.pearson.images) == (12, 6)


def test_a_template_is_the_same_each_time_and_hides_the_judge(tmp_path: Path) -> None:
    run = written(tmp_path / "run", lambda image, kind: [2])
    text = template(run, 16)
    assert text == template(run, 16) != template(run, 16, seed=1)
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 16
    assert {row["score"] for row in rows} == {""}
    assert {kind: sum(row["type"] == kind for row in rows) for kind in TYPES} == dict.fromkeys(
        TYPES, 4
    )
    filled = tmp_path / "scores.csv"
    filled.write_text(text.replace(",,,motion", ",2,,motion"))
    assert agreement(filled, run)["motion"].judge == 2


# --------------------------------------------------------------------------------------- journal


def test_a_journal_survives_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    Journal(path).add("a", {"id": "a", "text": "Zürich \u2028"})
    with path.open("ab") as file:
        file.write(b'{"key": "b", "id"')
    journal = Journal(path)
    assert len(journal) == 1
    journal.add("c", {"id": "c"})
    again = Journal(path)
    assert [line["id"] for line in again.lines()] == ["a", "c"]
    assert (again.get("a") or {})["text"] == "Zürich \u2028"


def test_a_damaged_run_is_refused_with_a_remedy(tmp_path: Path) -> None:
    written(tmp_path, lambda image, kind: [1])
    with (tmp_path / "verdicts.jsonl").open("a") as file:
        file.write("not json\n")
    with pytest.raises(DataError, match="cannot be read") as caught:
        opened_run(tmp_path)
    assert "remove that line" in caught.value.remedy


def test_a_report_of_nothing(robotmcqa: Command, tmp_path: Path) -> None:
    done = robotmcqa("bench", "report", tmp_path)
    assert done.returncode == 3
    assert "holds no run" in done.stderr
