"""The law ``swapped``: sets of questions that exchange their answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.coordinates import distance_squared, to_millimetres
from robotmcqa.draws import Draws
from robotmcqa.exchange import blocks_of, exchangeable_sets, partners
from robotmcqa.exchange_check import ExchangeCheck
from robotmcqa.extraction import extract
from robotmcqa.pools import plan_task
from robotmcqa.sources import open_source
from robotmcqa.spec import Spec, preset
from robotmcqa.validation import validate
from tests.items import WORDS, episodes, right_text, rows, skips, without_pictures

FAMILIES = ("waypoint", "current_state", "motion")


def swapped(**chosen: Any) -> Spec:
    return without_pictures(distractors="swapped", **chosen)


def offered_and_right(some: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    offered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in some:
        offered.update(row["options"])
        right[right_text(row)] += 1
    return {text: (count, right[text]) for text, count in offered.items()}


# ----------------------------------------------------------------------------------- the law


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("choices", [2, 4, 6])
@pytest.mark.parametrize("state", ["shown", "withheld"])
def test_every_answer_is_offered_as_often_as_it_is_right_times_the_options(
    family: str, choices: int, state: Any
) -> None:
    made = rows(swapped(families=(family,), choices=choices, state=state), episodes(20))
    assert len(made) >= 0.9 * 80
    for text, (offered, right) in offered_and_right(made).items():
        assert offered == choices * right, text


def test_most_option_sets_are_asked_once_for_each_member() -> None:
    made = rows(swapped(families=("waypoint",)), episodes(21))  # 84 questions: 21 sets of four
    sets: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for row in made:
        sets[frozenset(row["options"])].append(right_text(row))
    assert len(made) == 84
    for options, rights in sets.items():
        assert Counter(rights).keys() == options
        assert len(set(Counter(rights).values())) == 1


def test_any_guess_from_the_options_alone_is_right_once_per_set() -> None:
    """However clever: here it sees all of the data, and takes the option that is right most."""
    made = rows(swapped(families=("waypoint",)), episodes(21))
    often = Counter(right_text(row) for row in made)
    for guess in (
        lambda options: max(sorted(options), key=lambda text: often[text]),
        min,
        max,
        lambda options: max(sorted(options), key=len),
    ):
        assert sum(guess(row["options"]) == right_text(row) for row in made) == len(made) / 4


def test_positions_are_apart_and_answers_of_the_same_task() -> None:
    made = rows(swapped(families=("waypoint", "current_state"), separation=120), episodes(20))
    answers = {
        family: {right_text(row) for row in made if row["family"] == family}
        for family in ("waypoint", "current_state")
    }
    for row in made:
        assert set(row["options"]) <= answers[row["family"]]
        answer = row["state"] if row["family"] == "current_state" else row["target"]
        points = [to_millimetres(one) for one in (answer[:3], *row["distractors"])]
        assert all(distance_squared(a, b) >= 120**2 for a, b in combinations(points, 2))


def test_neither_order_nor_process_matters() -> None:
    spec = swapped()
    some = episodes(15)
    assert plan_task(some[::-1], spec) == plan_task(some, spec)
    assert plan_task(some, spec) != plan_task(some, replace(spec, seed=1))


def test_movements_that_are_not_asked_about_are_in_no_set() -> None:
    spec = swapped(min_displacement=600)
    made = rows(spec, episodes(30))
    assert any(skip.why == "closer than --min-displacement" for skip in skips(spec, episodes(30)))
    for family in FAMILIES:
        some = [row for row in made if row["family"] == family]
        for offered, right in offered_and_right(some).values():
            assert offered == 4 * right


def test_with_the_position_shown_the_grippers_of_a_set_are_near() -> None:
    def spread(state: Any) -> float:
        made = rows(swapped(families=("waypoint",), state=state), episodes(40))
        where: defaultdict[frozenset[str], list[Any]] = defaultdict(list)
        for row in made:
            where[frozenset(row["options"])].append(row["state"][:3])
        return float(np.mean([np.ptp(np.array(some), axis=0).mean() for some in where.values()]))

    assert spread("shown") < 0.7 * spread("withheld")


def test_what_is_all_in_one_place_cannot_be_asked() -> None:
    same = [replace(one, targets=episodes(1)[0].targets[:1] * 3) for one in episodes(12)]
    assert not rows(swapped(families=("waypoint",)), same)
    assert {skip.why for skip in skips(swapped(families=("waypoint",)), same)} == {
        "the law 'swapped' found no set of questions for it"
    }
    assert plan_task(same, preset("grounded")).laws["waypoint"] == "matched"
    assert plan_task(same[:5], preset("grounded")).laws["waypoint"] == "level"


def test_motion_options_are_labels_of_the_task() -> None:
    made = rows(swapped(families=("motion",)), episodes(20))
    labels = {row["motion"] for row in made}
    assert made
    assert all(set(row["options"]) <= labels and not row["distractors"] for row in made)
    assert all(text.startswith(("move", "slightly")) for text in labels)
    assert WORDS  # the labels above are in the preset's words


# ------------------------------------------------------------------------------------- sets


@pytest.mark.parametrize("n", [0, 3, 4, 5, 7, 8, 41])
@pytest.mark.parametrize("size", [2, 4])
def test_sets_where_everything_fits(n: int, size: int) -> None:
    apart = ~np.eye(n, dtype=bool)
    sets = exchangeable_sets(apart, np.zeros((n, n), dtype=int), size, Draws("sets", n))
    members = [one for some in sets for one in some]
    assert len(members) == len(set(members))
    assert {len(some) for some in sets} <= {size, size + 1}
    assert n - len(members) <= max(0, n % size - len(sets))  # one left over joins each set


def test_the_likest_are_put_together() -> None:
    colour = np.arange(40) % 10
    unlike = np.abs(colour[:, None] - colour[None]) * 100
    sets = exchangeable_sets(~np.eye(40, dtype=bool), unlike, 4, Draws("likest"))
    assert all(len({int(colour[one]) for one in some}) == 1 for some in sets)


def test_a_crowded_place_is_dealt_over_the_sets() -> None:
    """Ten of forty in one place: exactly one in each set, and nobody is left out."""
    crowd = np.arange(40) < 10
    apart = ~(crowd[:, None] & crowd[None]) & ~np.eye(40, dtype=bool)
    sets = exchangeable_sets(apart, np.zeros((40, 40), dtype=int), 4, Draws("crowd"))
    assert len(sets) == 10
    assert all(crowd[list(some)].sum() == 1 for some in sets)


def test_partners_stand_in_a_circle() -> None:
    assert partners((7, 3, 9), 3) == [(3, 9), (9, 7), (7, 3)]
    assert partners((7, 3, 9, 1), 3) == [(3, 9), (9, 1), (1, 7), (7, 3)]


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ((), 10, []),
        ((4, 4, 4), 12, [range(3)]),
        ((4, 4, 4, 4), 8, [range(2), range(2, 4)]),
        ((30,), 10, [range(1)]),
        ((0, 0), 10, []),
    ],
)
def test_blocks(sizes: tuple[int, ...], most: int, expected: list[range]) -> None:
    assert blocks_of(sizes, most) == expected


def test_blocks_hold_every_episode_once_and_are_about_equal() -> None:
    sizes = [9 + number % 5 for number in range(500)]
    blocks = blocks_of(sizes, 1000)
    assert [index for block in blocks for index in block] == list(range(500))
    work = [sum(sizes[index] for index in block) for block in blocks]
    assert max(work) < 1.1 * min(work)
    assert max(work) <= 1013


# ------------------------------------------------------------------------------- validation


def test_a_data_set_of_swapped_questions_validates(many_demos: Path, tmp_path: Path) -> None:
    spec = without_pictures(distractors="swapped", test_fraction=0.4)
    extract(open_source(f"rlbench:{many_demos}"), spec, tmp_path / "out", workers=1)
    report = validate(tmp_path / "out")
    assert report.ok, report.problems[:3]
    assert report.rows > 100


def test_a_broken_exchange_is_found() -> None:
    made = rows(swapped(families=("waypoint",)), episodes(16))
    whole, broken = ExchangeCheck(4), ExchangeCheck(4)
    for row in made:
        whole.add("train", 0, row)
    for row in made[1:]:
        broken.add("train", 0, row)
    assert not list(whole.problems())
    found = list(broken.problems())
    assert len(found) == 4
    assert all("reach_target" in where and "offers" in what for where, what in found)


def offering(options: Sequence[str], answer: str, law: str = "swapped") -> dict[str, Any]:
    return {
        "spec": {"law": law},
        "task": "reach_target",
        "family": "waypoint",
        "options": list(options),
        "answer": "ABCDEFGH"[options.index(answer)],
    }


def circle(members: str) -> list[dict[str, Any]]:
    """The questions of a set with one member more than a question has options."""
    return [
        offering([one, *(members[other] for other in others)], one)
        for one, others in zip(
            members, partners(range(len(members)), len(members) - 1), strict=True
        )
    ]


def found_in(questions: list[dict[str, Any]], choices: int = 4) -> list[str]:
    check = ExchangeCheck(choices)
    for question in questions:
        check.add("train", 0, question)
    return [what for _, what in check.problems()]


def test_an_answer_that_hangs_on_its_company_is_found() -> None:
    """Every option is right once for four times it is offered, yet its set says which it is."""
    questions = circle("vwxyz") * 4
    offered = Counter(option for one in questions for option in one["options"])
    assert set(offered.values()) == {16}
    assert len(found_in(questions)) == 5
    assert "'w' 4" in " ".join(found_in(questions))


def test_circles_in_orders_of_their_own_are_no_betrayal() -> None:
    orders = ("vwxyz", "vyxwz", "vzwyx", "vwzxy")
    assert not found_in([question for order in orders for question in circle(order)])
    assert not found_in(circle("vwxyz"))
    assert not found_in([*circle("vwxyz"), *(offering("vwxy", one) for one in "vwxy" * 3)])
    assert not found_in(circle("abc") * 2, 2)  # of three there are but two orders


@pytest.mark.parametrize("times", [1, 2, 30])
def test_a_set_that_is_asked_unevenly_is_found(times: int) -> None:
    """Two sets share three options, and each asks for a shared one where the other has it not."""
    one = [offering("vwxy", right) for right in "vvxy"]
    other = [offering("vwxz", right) for right in "wwxz"]
    assert len(found_in((one + other) * times)) == 2


def test_lots_of_circles_that_lean_to_one_option_are_found() -> None:
    orders = ("vwxyz",) * 40 + ("vyxwz", "vzwyx", "vwzxy", "vxwzy", "vxyzw") * 2
    assert found_in([question for order in orders for question in circle(order)])


@pytest.mark.parametrize("seed", range(6))
def test_labels_that_repeat_are_no_false_alarm(seed: int) -> None:
    """Motion: few labels, so that many sets offer the same ones."""
    for choices in (2, 3, 4, 6):
        made = rows(swapped(families=("motion",), choices=choices, seed=seed), episodes(60))
        assert len(made) > 150
        assert not found_in(made, choices)
