"""The laws for wrong positions that are drawn: what they promise, and that they betray nothing.

Keys are fixed, so the statistical tests give the same p-value on every run.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import dist, isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare, kstest

from robotmcqa.coordinates import Millimetres, coordinate_text, distance_squared
from robotmcqa.distractors import (
    SHELL,
    Pool,
    draw_level,
    draw_matched,
    draw_near,
    draw_uniform,
)
from robotmcqa.draws import Draws
from robotmcqa.errors import TooFewCandidates
from robotmcqa.scene import ValidBox, scene_preset

P = 1e-3
"""Below this a fair law would fall once in a thousand keys; the keys here are not such."""

BOX = scene_preset("rlbench").valid_box
ROOMY = ValidBox((-2000, 2000), (-2000, 2000), (-2000, 2000))
MIDDLE = (0, 0, 0)

answers = st.tuples(st.integers(*BOX.x), st.integers(*BOX.y), st.integers(*BOX.z))


def grid_pool(box: ValidBox = BOX, step: int = 150) -> list[tuple[str, Millimetres]]:
    """True answers of many episodes, spread over the box and a little beyond it."""
    points = [
        (x, y, z)
        for x in range(box.x[0] - step, box.x[1] + step + 1, step)
        for y in range(box.y[0], box.y[1] + 1, step)
        for z in range(box.z[0], box.z[1] + 1, step)
    ]
    return [(f"episode{number % 40}", point) for number, point in enumerate(points)]


POOL = grid_pool()


def draw(
    law: str,
    answer: Millimetres,
    count: int,
    separation: int,
    draws: Draws,
    box: ValidBox = BOX,
    pool: Pool = tuple(POOL),
) -> list[Millimetres]:
    if law == "matched":
        return draw_matched(answer, count, box, separation, draws, pool, "episode0")
    laws = {"uniform": draw_uniform, "near": draw_near, "level": draw_level}
    return laws[law](answer, count, box, separation, draws)


@pytest.mark.parametrize("law", ["uniform", "near", "level", "matched"])
@settings(max_examples=300, deadline=None)
@given(
    answer=answers,
    count=st.integers(1, 7),
    separation=st.integers(0, 90),
    seed=st.integers(0, 10**6),
)
def test_what_every_law_promises(
    law: str, answer: Millimetres, count: int, separation: int, seed: int
) -> None:
    """In the box, apart from the answer and from each other, and never fewer than asked for."""
    try:
        wrong = draw(law, answer, count, separation, Draws(seed))
    except TooFewCandidates:
        return  # how often that may be is tested below
    assert len(wrong) == count
    assert all(point in BOX for point in wrong)
    for a, b in combinations([answer, *wrong], 2):
        assert distance_squared(a, b) >= separation**2
    assert len({coordinate_text(point) for point in [answer, *wrong]}) == count + 1


@pytest.mark.parametrize("law", ["uniform", "near", "matched"])
def test_usual_questions_never_run_dry(law: str) -> None:
    """Three distractors 5 cm apart for an answer well inside the RLBench box."""
    for seed in range(200):
        x, y, z = (Draws("inside", axis, seed).below(500) for axis in range(3))
        assert len(draw(law, (x - 50, y - 250, z + 952), 3, 50, Draws(seed))) == 3


@pytest.mark.parametrize("law", ["uniform", "near", "matched"])
def test_a_question_always_gets_the_same_distractors(law: str) -> None:
    answer = (200, 0, 1000)
    first = draw(law, answer, 3, 50, Draws("question", 1))
    assert draw(law, answer, 3, 50, Draws("question", 1)) == first
    others = {tuple(draw(law, answer, 3, 50, Draws("question", n))) for n in range(2, 30)}
    assert tuple(first) not in others
    assert len(others) == 28


def test_the_separation_holds_at_its_very_value() -> None:
    """Exactly 5 cm away is far enough; a millimetre less is not."""
    box = ValidBox((0, 50), (0, 0), (0, 0))
    assert draw_uniform((0, 0, 0), 1, box, 50, Draws(1)) == [(50, 0, 0)]
    with pytest.raises(TooFewCandidates):
        draw_uniform((0, 0, 0), 1, box, 51, Draws(1))


@pytest.mark.parametrize("law", ["uniform", "near"])
def test_a_box_too_small_is_said_and_not_searched_for_ever(law: str) -> None:
    box = ValidBox((0, 60), (0, 60), (0, 60))
    with pytest.raises(TooFewCandidates, match=f"'{law}'.*of 7.*0.05 m"):
        draw(law, (30, 30, 30), 7, 50, Draws(0), box)


def test_near_says_so_when_its_shell_lies_outside_the_box() -> None:
    with pytest.raises(TooFewCandidates, match="'near' found 0 of 3"):
        draw_near((5000, 0, 0), 3, BOX, 50, Draws(0))


# uniform


def test_uniform_is_uniform_along_each_axis() -> None:
    box = ValidBox((-300, 699), (0, 999), (500, 1499))
    drawn = [
        point
        for seed in range(3000)
        for point in draw_uniform((200, 500, 1000), 3, box, 50, Draws("uniform", seed))
    ]
    for axis, low in enumerate((-300, 0, 500)):
        tenths = Counter((point[axis] - low) // 100 for point in drawn)
        assert set(tenths) == set(range(10))
        assert chisquare(list(tenths.values())).pvalue > P


def test_uniform_reaches_every_corner() -> None:
    box = ValidBox((0, 1), (5, 6), (-1, 0))
    drawn = {
        point for seed in range(60) for point in draw_uniform((9, 9, 9), 3, box, 1, Draws(seed))
    }
    assert drawn == {(x, y, z) for x in (0, 1) for y in (5, 6) for z in (-1, 0)}


# near


def test_near_puts_the_answer_into_the_same_shell_as_the_distractors() -> None:
    """With hundreds of distractors their mean is the hidden centre, to some millimetres.

    Seen from there the answer lies where any distractor lies: never in the middle, and as often
    in each part of the shell as its volume says.
    """
    inner, outer = SHELL
    volumes = []
    for seed in range(80):
        wrong = draw_near(MIDDLE, 250, ROOMY, 0, Draws("shell", seed))
        centre = np.mean(wrong, axis=0)
        away = [dist(point, centre) for point in wrong]
        assert inner - 45 < min(away) < max(away) < outer + 45
        own = dist(MIDDLE, centre)
        assert inner - 45 < own < outer + 45
        volumes.append((own**3 - inner**3) / (outer**3 - inner**3))
    assert kstest(volumes, "uniform").pvalue > P


def options_near(seed: int) -> list[Millimetres]:
    """The answer first, then its three distractors, in the middle of a roomy box."""
    return [MIDDLE, *draw_near(MIDDLE, 3, ROOMY, 50, Draws("medoid", seed))]


def medoid(options: list[Millimetres]) -> int:
    """Which option has the least sum of distances to the others."""
    sums = [sum(dist(one, other) for other in options) for one in options]
    return sums.index(min(sums))


def test_near_does_not_put_the_answer_in_the_middle() -> None:
    """The medoid is the answer a quarter of the time, not most of it."""
    asked = 3000
    right = sum(medoid(options_near(seed)) == 0 for seed in range(asked))
    assert binomtest(right, asked, 0.25).pvalue > P


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_near_does_not_betray_the_answer_by_its_rank(axis: int) -> None:
    """Neither the leftmost nor the second from the left is more often right."""
    ranks: Counter[int] = Counter()
    for seed in range(3000):
        answer, *wrong = (point[axis] for point in options_near(seed))
        if answer not in wrong:  # a tie has no rank
            ranks[sum(value < answer for value in wrong)] += 1
    assert chisquare([ranks[rank] for rank in range(4)]).pvalue > P


def test_near_stays_within_two_radii_of_the_answer() -> None:
    for seed in range(300):
        for point in options_near(seed)[1:]:
            assert 50 <= isqrt(distance_squared(point, MIDDLE)) <= 2 * SHELL[1]


# matched


def test_matched_takes_only_what_other_episodes_answered() -> None:
    allowed = {point for owner, point in POOL if owner != "episode7"}
    own = {point for owner, point in POOL if owner == "episode7"}
    assert own  # else this test would say nothing
    for seed in range(200):
        wrong = draw_matched((200, 0, 1000), 3, BOX, 50, Draws(seed), POOL, "episode7")
        assert set(wrong) <= allowed - own


def test_matched_makes_each_true_answer_equally_likely() -> None:
    pool = [(f"episode{n}", (100 * n, 0, 0)) for n in range(1, 13)]
    box = ValidBox((0, 2000), (0, 0), (0, 0))
    counts = Counter(
        point
        for seed in range(4000)
        for point in draw_matched((0, 0, 0), 3, box, 50, Draws("even", seed), pool, "own")
    )
    assert set(counts) == {point for _, point in pool}
    assert chisquare(list(counts.values())).pvalue > P


@pytest.mark.parametrize(
    "pool",
    [
        [],
        [("own", (300, 0, 1000)), ("own", (400, 0, 1000)), ("own", (500, 0, 1000))],
        [("a", (300, 0, 1000)), ("b", (300, 0, 1000)), ("c", (300, 0, 1001))],
        [("a", (300, 0, 1000)), ("b", (400, 0, 1000)), ("c", (500, 0, 5000))],
        [("a", (300, 0, 1000)), ("b", (400, 0, 1000)), ("c", (201, 0, 1000))],
    ],
    ids=["empty", "only its own", "all in one place", "outside the box", "next to the answer"],
)
def test_matched_says_when_the_pool_does_not_suffice(pool: list[tuple[str, Millimetres]]) -> None:
    with pytest.raises(TooFewCandidates, match=r"'matched' found \d of 3"):
        draw_matched((200, 0, 1000), 3, BOX, 50, Draws(0), pool, "own")


def test_matched_finds_the_few_there_are() -> None:
    """Three usable entries among many that are not: all three, whatever the draws."""
    usable: list[tuple[str, Millimetres]] = [
        (f"other{n}", (300 + 60 * n, 0, 1000)) for n in (0, 1, 2)
    ]
    useless: list[tuple[str, Millimetres]] = [("own", (n, 100, 900)) for n in range(500)]
    for seed in range(20):
        wrong = draw_matched((200, 0, 1000), 3, BOX, 50, Draws(seed), [*useless, *usable], "own")
        assert sorted(wrong) == [point for _, point in usable]


# --------------------------------------------------------------------------------------- level


def test_level_keeps_the_height_and_finds_room() -> None:
    for number in range(300):
        wrong = draw("level", MIDDLE, 3, 50, Draws("level", number), ROOMY)
        assert {point[2] for point in wrong} == {0}
        assert all(distance_squared(point, MIDDLE) <= 150**2 for point in wrong)
    for count, separation in ((7, 50), (7, 90), (1, 200), (3, 300)):
        assert len(draw("level", MIDDLE, count, separation, Draws("room", count), ROOMY)) == count


def test_the_answer_of_level_is_not_the_middle() -> None:
    medoids = 0
    for number in range(2000):
        options = [MIDDLE, *draw("level", MIDDLE, 3, 50, Draws("medoid", number), ROOMY)]
        total = [sum(dist(one, other) for other in options) for one in options]
        medoids += total[0] == min(total)
    assert binomtest(medoids, 2000, 0.25).pvalue > P
