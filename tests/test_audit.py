"""The blind audit finds what was planted, finds nothing where nothing is, and says so honestly."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.audit import LEARNED, Table, audit, audit_table, audit_tables, tables_of, verdict
from robotmcqa.audit.guesses import GUESSES, credit_of
from robotmcqa.audit.intervals import share_of, wilson
from robotmcqa.audit.learned import learn, learn_apart
from robotmcqa.audit.table import joined
from robotmcqa.draws import Draws
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.motion import all_labels
from robotmcqa.spec import Spec
from tests.conftest import Run
from tests.hub_server.fixture import test_hub
from tests.items import WORDS, episodes, rows, without_pictures
from tests.releases import REPO, Client, anna

__all__ = ["anna", "test_hub"]

EPISODES, FRAMES, CHOICES = 40, 8, 4


def numbers(key: str, *shape: int) -> Any:
    """Uniform in 0..1, fixed by the key."""
    draws = Draws("test_audit", key)
    flat = [draws.below(1 << 30) / (1 << 30) for _ in range(int(np.prod(shape)))]
    return np.array(flat).reshape(shape)


def lots(key: str, n: int) -> Any:
    return (numbers(key, n) * CHOICES).astype(int)


@cache
def fair() -> Table:
    """Questions whose options are all drawn alike: nothing can be guessed."""
    n = EPISODES * FRAMES
    options = numbers("options", n, CHOICES, 3).round(3)
    episode = np.repeat([f"episode{number:02d}" for number in range(EPISODES)], FRAMES)
    right = lots("right", n)
    return Table(
        family="waypoint",
        positions=True,
        options=options,
        texts=np.array([[str(one.tolist()) for one in some] for some in options], dtype=object),
        right=right,
        state=numbers("state", n, 3).round(3),
        target=options[np.arange(n), right],
        shown=np.zeros(n, dtype=bool),
        task=np.where(np.arange(n) % (2 * FRAMES) < FRAMES, "push", "lift"),
        episode=episode,
        split=np.full(n, "train"),
        variation=np.zeros(n, dtype=int),
        ordinal=np.arange(n) % FRAMES // 3,
        law=np.full(n, "uniform"),
    )


def accuracy(table: Table, guess: str) -> float:
    score = GUESSES[guess].score(table)
    assert score is not None
    return float(credit_of(score, table.right).mean())


def with_right(table: Table, right: Any) -> Table:
    return replace(table, right=np.asarray(right))


# ----------------------------------------------------------------------------- planted leaks


def planted(leak: str) -> Table:
    """The fair questions, but the right option is always the one that the leak names."""
    table = replace(fair(), shown=np.ones(len(fair()), dtype=bool))
    if leak in ("longest", "shortest"):
        texts = np.full((len(table), CHOICES), "middling", dtype=object)
        texts[np.arange(len(table)), table.right] = "it" if leak == "shortest" else "x" * 20
        return replace(table, texts=texts)
    gaps = np.linalg.norm(table.options[:, :, None] - table.options[:, None], axis=3).sum(axis=2)
    near = np.linalg.norm(table.options - table.state[:, None], axis=2)
    rights = {
        "letter": np.ones(len(table), dtype=int),
        "nearest": near.argmin(axis=1),
        "medoid": gaps.argmin(axis=1),
        "odd_one_out": gaps.argmax(axis=1),
        "height": np.abs(table.options[:, :, 2] - 0.5).argmin(axis=1),
        "middle": np.linalg.norm(table.options - 0.5, axis=2).argmin(axis=1),
    }
    return with_right(table, rights[leak])


@pytest.mark.parametrize(
    ("leak", "least"),
    [
        *(("letter", 1.0), ("nearest", 1.0), ("medoid", 1.0), ("odd_one_out", 1.0)),
        *(("height", 0.9), ("middle", 0.9), ("longest", 1.0), ("shortest", 1.0)),
    ],
)
def test_a_planted_leak_is_found_by_its_guess_and_only_there(leak: str, least: float) -> None:
    assert accuracy(planted(leak), leak) >= least
    assert accuracy(replace(fair(), shown=planted(leak).shown), leak) < 0.35


@pytest.mark.parametrize("leak", ["nearest", "medoid", "odd_one_out", "height"])
def test_a_planted_leak_is_learned(leak: str) -> None:
    found = learn(planted(leak), folds=4, shufflings=1)
    assert found.credit.mean() > 0.75
    assert len(found.rows) == len(fair())


def test_what_only_position_and_option_together_say_is_learned() -> None:
    """Options in balance: none is right more often than another, whatever is looked at alone."""
    table = planted("nearest")
    n = len(table)
    corners = np.array([[x, y, 0.5] for x in (0.2, 0.8) for y in (0.2, 0.8)])
    options = np.broadcast_to(corners, (n, 4, 3)).copy()
    right = np.linalg.norm(options - table.state[:, None], axis=2).argmax(axis=1)
    crossed = replace(table, options=options, right=right, target=options[np.arange(n), right])
    assert learn(crossed, folds=4, shufflings=1).credit.mean() > 0.85


def test_nothing_is_found_where_nothing_is() -> None:
    found = audit_table(fair())
    low, high = found.guesses[LEARNED].interval
    assert low <= 0.25 <= high
    assert found.guessable.accuracy < 0.33
    assert found.chance == 0.25
    assert found.notes == ()


def test_a_label_that_is_usual_is_found() -> None:
    usual = rows(without_pictures(families=("motion",), seed=3), episodes(30))
    table = tables_of((("train", row) for row in usual), WORDS)["motion"]
    first = table.texts[0, 0]
    texts = table.texts.copy()
    texts[:, 0] = first
    same = replace(table, texts=texts, right=np.zeros(len(table), dtype=int))
    assert accuracy(same, "commonest") > 0.97  # another option may bear the same label
    assert accuracy(same, "letter") == 1.0


# ---------------------------------------------------------------------- blind and not blind


def test_the_withheld_position_is_no_blind_guess() -> None:
    """It is reported, as an upper bound, and never the headline."""
    table = replace(planted("nearest"), shown=np.zeros(len(fair()), dtype=bool))
    found = audit_table(table, quick=True)
    assert found.guesses["nearest_to_withheld"].accuracy == 1.0
    assert found.best != "nearest_to_withheld"
    assert "nearest" not in found.guesses
    assert not found.document()["guesses"]["nearest_to_withheld"]["blind"]


def test_a_guess_knows_nothing_of_its_own_episode() -> None:
    """Each episode has a height of its own, so the height of others says nothing."""
    table = fair()
    number = np.array([int(name[-2:]) for name in table.episode])
    options = table.options.copy()
    options[np.arange(len(table)), table.right, 2] = number / EPISODES
    own = replace(table, options=options)
    assert accuracy(own, "height") < 0.45
    letters = with_right(table, number % CHOICES)  # the own letter alone would be right always
    assert accuracy(letters, "letter") < 0.05


# ------------------------------------------------------------------------- what train gives away


def of_references(disjoint: bool) -> Table:
    """Wrong options from reference demos: twelve places that are never right anywhere."""
    table = fair()
    test = np.array([int(name[-2:]) % 4 == 0 for name in table.episode])
    places = numbers("references", 24, 3).round(3)
    drawn = (numbers("drawn", len(table), CHOICES) * 12).astype(int)
    drawn = (drawn + 3 * np.arange(CHOICES)) % 12  # seldom the same twice
    options = places[drawn + (12 * test[:, None] if disjoint else 0)]
    own = np.arange(len(table)), table.right
    options[own] = table.options[own]
    texts = np.array([[str(one.tolist()) for one in some] for some in options], dtype=object)
    split = np.where(test, "test", "train")
    return replace(table, options=options, texts=texts, split=split, target=options[own])


def test_what_is_never_right_in_training_is_avoided_in_testing() -> None:
    found = audit_table(of_references(disjoint=False), quick=True)
    share = found.guesses["record"]
    assert share.accuracy == 1.0
    assert share.questions == 10 * FRAMES  # those of the test split
    assert found.best == "record"
    assert found.document()["guesses"]["record"]["blind"]
    assert found.guesses["medoid"].questions == len(fair())


def test_references_of_their_own_give_nothing_away() -> None:
    found = audit_table(of_references(disjoint=True), quick=True)
    assert found.guesses["record"].accuracy == pytest.approx(1 / CHOICES)


@pytest.mark.parametrize("split", ["train", "test"])
def test_without_two_splits_there_is_no_record(split: str) -> None:
    table = replace(fair(), split=np.full(len(fair()), split))
    assert "record" not in audit_table(table, quick=True).guesses


# -------------------------------------------------------------------------------- cleaning


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions by fewer trees, for tests that do not ask how good they are."""
    monkeypatch.setattr("robotmcqa.audit.prediction.TREES", 3)


def test_answers_of_held_out_episodes_do_not_push_below_chance() -> None:
    """Matched questions from few answers: without cleaning a learner knows what is wrong."""
    spec = without_pictures(families=("waypoint",), distractors="matched", state="withheld")
    made = rows(spec, episodes(30))
    table = tables_of((("train", row) for row in made), WORDS)["waypoint"]
    clean = learn(table, folds=5, shufflings=1)
    dirty = learn(replace(table, law=np.full(len(table), "uniform")), folds=5, shufflings=1)
    assert dirty.credit.mean() < 0.18
    assert 0.19 < clean.credit.mean() < 0.36
    assert 0.3 < clean.trained < 1 == dirty.trained


@pytest.mark.usefixtures("few_trees")
def test_little_left_by_cleaning_is_told() -> None:
    spec = without_pictures(families=("waypoint",), distractors="matched", choices=8)
    table = tables_of((("train", row) for row in rows(spec, episodes(14))), WORDS)["waypoint"]
    found = audit_table(table)
    assert 0 < found.trained < 0.5
    assert f"cleaning left {100 * found.trained:.1f} % of the training" in found.notes[0]
    assert found.document()["notes"] == list(found.notes)


def test_nothing_left_by_cleaning_is_no_chance_result() -> None:
    """Every option stands everywhere: what was not learned has no share, least of all 25 %."""
    table = replace(fair(), law=np.full(len(fair()), "matched"))
    same = np.tile(table.options[:1], (len(table), 1, 1))
    texts = np.tile(table.texts[:1], (len(table), 1))
    crowded = replace(table, options=same, texts=texts, task=np.full(len(table), "push"))
    found = audit_table(crowded)
    assert LEARNED not in found.guesses
    assert found.trained == 0
    assert "not learned" in found.how
    assert "not learned" in found.notes[0]
    assert "cleaning left 0.0 %" in found.notes[0]
    assert "learned" not in found.document()["guesses"]


def test_too_few_questions_to_learn_from_are_no_chance_result() -> None:
    few = np.arange(len(fair())) < 4
    table = fair()
    arrays = {
        name: getattr(table, name)[few]
        for name in table.__dataclass_fields__
        if isinstance(getattr(table, name), np.ndarray)
    }
    found = learn(replace(table, **arrays))
    assert not len(found.rows)
    assert "not learned" in found.how
    with pytest.raises(DatasetError, match="too little"):
        learn_apart(replace(table, **arrays), table)


def test_swapped_is_at_chance() -> None:
    spec = without_pictures(distractors="swapped", state="withheld")
    half = [episodes(60)[start::2] for start in (0, 1)]
    tables = [tables_of((("train", row) for row in rows(spec, some)), WORDS) for some in half]
    for family in ("waypoint", "current_state", "motion"):
        train, test = (one[family] for one in tables)
        share = share_of(learn_apart(train, test), test.episode)
        assert share.interval[0] <= 0.25 <= share.interval[1], family
        medoid = accuracy(test, "medoid")
        assert medoid == pytest.approx(0.25, abs=0.03), family


# -------------------------------------------------------------------------------- intervals


def test_wilson_against_its_published_example() -> None:
    """Newcombe 1998, table I: 81 of 263."""
    low, high = wilson(81 / 263, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0.0, 20)[0] == 0.0
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_questions_of_one_episode_widen_the_interval() -> None:
    episode = np.repeat(np.arange(20), 10)
    all_or_none = np.repeat(np.arange(20) % 2, 10).astype(float)
    spread = np.tile(np.arange(10) % 2, 20).astype(float)
    clustered, even = share_of(all_or_none, episode), share_of(spread, episode)
    assert clustered.accuracy == even.accuracy == 0.5
    assert clustered.design_effect == pytest.approx(10, rel=0.1)
    assert even.design_effect == 1
    assert even.wilson == clustered.wilson == wilson(0.5, 200)
    assert even.interval[0] < even.wilson[0]  # that it is 1 was estimated from 20 episodes
    assert clustered.interval[0] < clustered.wilson[0]
    assert clustered.interval[1] > clustered.wilson[1]


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_without_any_variance_demos_alone_count(right: float) -> None:
    """All right in two demos of 70 questions: that is twice, not 140 times."""
    found = share_of(np.full(140, right), np.repeat([0, 1], 70))
    assert (found.effective, found.design_effect) == (2, 70)
    assert found.interval == wilson(right, 2)
    assert found.interval[1] - found.interval[0] > 0.6


@pytest.mark.parametrize("right", [0, 100, 140])
def test_one_demo_alone_says_next_to_nothing(right: int) -> None:
    found = share_of((np.arange(140) < right).astype(float), np.zeros(140, dtype=int))
    assert (found.effective, found.episodes) == (1, 1)
    assert found.interval == wilson(right / 140, 1)


@pytest.mark.parametrize("demos", [2, 3, 5, 20])
@pytest.mark.parametrize(
    ("a", "b"), [(1, 3), (30, 90), (9, 1)], ids=["clustered", "alike", "nearly all right"]
)
def test_intervals_hold_the_truth(demos: int, a: float, b: float) -> None:
    """In 95 of 100 data sets, however few demos there are and however they differ."""
    chance = np.random.default_rng(demos)
    episode, truth = np.repeat(np.arange(demos), 15), a / (a + b)
    held = 0
    for _ in range(600):
        each = chance.beta(a, b, demos)[episode]
        low, high = share_of((chance.random(len(each)) < each).astype(float), episode).interval
        held += low <= truth <= high
    assert held / 600 >= 0.93


def test_the_more_is_tried_the_less_is_sure() -> None:
    found = share_of((np.arange(300) % 3 > 0).astype(float), np.arange(300) // 15)
    sure = [found.least(tried) for tried in (1, 10, 100)]
    assert found.accuracy > sure[0] > sure[1] > sure[2] > 0.4
    assert found.least(2) == pytest.approx(found.interval[0])  # half of 5 % on its side


def noise(chance: Any, demos: int, family: str) -> Table:
    """Ten questions a demo about nothing at all, a fifth of the demos for testing."""
    n = demos * 10
    positions, right = family != "motion", chance.integers(0, CHOICES, n)
    if positions:
        options = chance.uniform(-0.3, 0.3, (n, CHOICES, 3)).round(3)
        texts = np.array([[str(one) for one in some] for some in options.tolist()], dtype=object)
    else:
        labels = [(label.steps, label.text(WORDS)) for label in all_labels()][:12]
        drawn = np.array([chance.permutation(12)[:CHOICES] for _ in range(n)])
        options = np.array([steps for steps, _ in labels], dtype=float)[drawn]
        texts = np.array([text for _, text in labels], dtype=object)[drawn]
    number = np.repeat(np.arange(demos), 10)
    return Table(
        family=family,
        positions=positions,
        options=options,
        texts=texts,
        right=right,
        state=chance.uniform(-0.3, 0.3, (n, 3)),
        target=chance.uniform(-0.3, 0.3, (n, 3)),
        shown=np.full(n, family == "waypoint"),
        task=np.full(n, "push"),
        episode=number.astype(str),
        split=np.where(number % 5 == 0, "test", "train"),
        variation=np.zeros(n, dtype=int),
        ordinal=np.tile(np.arange(10), demos),
        law=np.full(n, "uniform"),
    )


@pytest.mark.parametrize("demos", [5, 30])
def test_noise_is_seldom_called_guessable(demos: int) -> None:
    """At most 5 % of data sets, though thirty guesses are tried; most have one that was lucky."""
    chance = np.random.default_rng(demos)
    called = lucky = 0
    for _ in range(100):
        names = ("waypoint", "current_state", "motion")
        found = audit_tables({name: noise(chance, demos, name) for name in names}, quick=True)
        families = found.families.values()
        assert {one.tried for one in families} == {12 + 11 + 10}  # the letter is one of four
        called += any("guessable" in one.verdict or "hardly" in one.verdict for one in families)
        lucky += any(one.guessable.least() > one.chance for one in families)
        assert found.worst.least == max(one.least for one in families)
    assert called <= 8  # 5 expected at most; more than 8 happen in one of fifteen such tests
    assert lucky > called or demos == 5


def test_few_demos_are_too_few_to_tell() -> None:
    everything = np.ones(20)
    assert verdict(share_of(everything, np.repeat([0, 1], 10)), 0.25, 20) == (
        "too few demonstrations to tell"
    )
    assert verdict(share_of(everything, np.arange(20)), 0.25, 20) == "the picture is not needed"


def test_verdicts() -> None:
    episode = np.arange(1000)
    words = [
        verdict(share_of((episode < right).astype(float), episode), 0.25)
        for right in (250, 300, 400, 600, 990)
    ]
    assert words == [
        "no better than chance",
        "hardly better than chance",
        "partly guessable",
        "largely guessable",
        "the picture is not needed",
    ]


def test_ties_share_the_credit() -> None:
    score = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0]])
    assert credit_of(score, np.array([0, 2, 0])).tolist() == [0.5, 0.25, 0.0]


# ------------------------------------------------------------------------- splits, repetition


def test_a_large_test_split_is_used() -> None:
    table = fair()
    big = table
    for _ in range(3):
        big = joined([big, big])
    split = np.where(np.arange(len(big)) < 1400, "train", "test")
    found = learn(replace(big, split=split))
    assert found.rows.tolist() == list(range(1400, len(big)))
    assert "1400" in found.how


def test_the_same_seed_gives_the_same_audit() -> None:
    table = fair()
    one, again, other = (learn(table, seed, folds=3, shufflings=1).credit for seed in (1, 1, 2))
    assert one.tolist() == again.tolist()
    assert one.tolist() != other.tolist()


# ----------------------------------------------------------------------------- whole data sets


def test_the_command(robotmcqa: Run, many_demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = robotmcqa("extract", "--source", f"rlbench:{many_demos}", "--no-images", "--out", out)
    assert made.returncode == 0, made.stderr
    line = next(one for one in made.stdout.splitlines() if one.startswith("Blind audit"))
    for word in ("waypoint", "current_state", "motion", "chance 25 %", "--preset grounded"):
        assert word in line
    done = robotmcqa("audit", out, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == audit(out, quick=True).document()
    assert list(document["families"]) == ["waypoint", "current_state", "motion"]
    part = document["families"]["waypoint"]
    assert LEARNED not in part["guesses"]
    assert part["guesses"][part["best"]]["accuracy"] > 0.25
    assert (
        sum(one["questions"] for one in part["by_distance"].values())
        == (part["guesses"]["medoid"]["questions"])
    )
    refused = robotmcqa("audit", out, "--quick", "--fail-above", "0.26")
    assert refused.returncode == 3
    assert "remedy" in refused.stderr
    assert "without the picture" in refused.stdout
    assert robotmcqa("audit", out, "--quick", "--fail-above", "1").returncode == 0
    assert robotmcqa("audit", out, "--family", "nonsense").returncode == 2
    assert robotmcqa("audit", tmp_path / "nothing").returncode == 3


@pytest.mark.usefixtures("few_trees")
def test_the_full_form_of_a_data_set(dataset: Path) -> None:
    steps: list[int] = []
    found = audit(dataset, families=("waypoint",), begin=steps.append, advance=lambda: None)
    assert list(found.families) == ["waypoint"]
    assert found.families["waypoint"].how
    assert LEARNED in found.families["waypoint"].guesses
    assert steps == [31]
    assert found.worst is found.families["waypoint"]
    assert "| waypoint | `uniform` |" in found.markdown()
    with pytest.raises(UsageError, match="no family"):
        audit(dataset, families=("nonsense",))


def test_several_data_sets_are_audited_one_by_one(
    robotmcqa: Run, dataset: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both"
    for name in ("paper", "grounded"):
        shutil.copytree(dataset, both / name)
    done = robotmcqa("audit", both, "--quick", "--fail-above", "0.3")
    assert done.returncode == 3
    assert [line for line in done.stdout.splitlines() if line.startswith("#")] == [
        "# grounded",
        "# paper",
    ]
    assert done.stderr.count("surely more than 30.0%") == 2
    told = json.loads(robotmcqa("audit", both, "--quick", "--json").stdout)
    alone = audit(dataset, quick=True).document()
    assert told == {"grounded": alone, "paper": alone}
    shown = robotmcqa("show", both)
    assert shown.returncode == 2
    assert f"robotmcqa show {both}/grounded, robotmcqa show {both}/paper" in shown.stderr


def test_a_release_is_audited_by_its_address(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    assert anna.json("audit", f"hf://{REPO}@v1.0.0", "--quick") == (
        audit(dataset, quick=True).document()
    )
    refused = anna.run("audit", f"hf://{REPO}@v9.0.0", "--quick")
    assert refused.returncode == 2
    assert "its versions are: v1.0.0" in refused.stderr


def test_a_card_has_the_best_guess_by_task(dataset: Path) -> None:
    found = audit(dataset, quick=True)
    _, _, folded = found.markdown().partition("<details>")
    lines = [line for line in folded.splitlines() if line.startswith("| `")]
    assert len(lines) == 3
    for line in lines:
        task, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for cell, one in zip(cells, found.families.values(), strict=True):
            share = one.by_task[task.strip("`")]
            assert cell == f"{100 * share.accuracy:.0f} % of {share.questions}"
    one_task = replace(found, families={"waypoint": audit_table(noise_of_one_task(), quick=True)})
    assert "<details>" not in one_task.markdown()


def noise_of_one_task() -> Table:
    return noise(np.random.default_rng(0), 5, "waypoint")


def test_open_questions_cannot_be_guessed_among() -> None:
    made = rows(Spec(cameras=(), format="open"), episodes(2))
    with pytest.raises(DatasetError, match="open-ended"):
        tables_of((("train", row) for row in made), WORDS)


def test_a_data_set_in_one_line() -> None:
    made = rows(without_pictures(), episodes(10))
    found = audit_tables(tables_of((("train", row) for row in made), WORDS), quick=True)
    line = found.line()
    assert line.startswith("Blind audit (quick): waypoint ")
    assert line.endswith("chance 25 %")
    assert "  " not in line
