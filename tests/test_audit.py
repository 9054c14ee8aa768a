"""The blind audit finds what was planted, finds nothing where nothing is, and says so honestly."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.audit import LEARNED, Table, audit, audit_table, audit_tables, tables_of, verdict
from robotmcqa.audit.guesses import GUESSES, credit_of
from robotmcqa.audit.intervals import share_of, wilson
from robotmcqa.audit.learned import joined, learn, learn_apart
from robotmcqa.draws import Draws
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.spec import Spec
from tests.conftest import Run
from tests.items import WORDS, episodes, rows, without_pictures

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


# -------------------------------------------------------------------------------- cleaning


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
    assert even.interval == even.wilson == clustered.wilson
    assert clustered.interval[0] < clustered.wilson[0]
    assert clustered.interval[1] > clustered.wilson[1]


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
        big = joined(big, big)
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
    assert robotmcqa("audit", tmp_path).returncode == 3


def test_the_full_form_of_a_data_set(dataset: Path) -> None:
    steps: list[int] = []
    found = audit(dataset, families=("waypoint",), begin=steps.append, advance=lambda: None)
    assert list(found.families) == ["waypoint"]
    assert found.families["waypoint"].how
    assert LEARNED in found.families["waypoint"].guesses
    assert steps == [31]
    assert found.worst == found.families["waypoint"].guessable.accuracy
    assert "| waypoint | `uniform` |" in found.markdown()
    with pytest.raises(UsageError, match="no family"):
        audit(dataset, families=("nonsense",))


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
