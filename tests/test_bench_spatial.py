"""Which facts are plain: margins in metres and in the picture, on made-up views."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robotmcqa.bench.moments import agrees_with_picture, candidates, clear_motion, stage_of
from robotmcqa.bench.spatial import Fact, facts
from robotmcqa.bench.steps import high_level, motion, planning
from robotmcqa.bench.view import HAND, Point, Seen, View
from robotmcqa.bench.wording import RELATIONS, in_words, listed
from robotmcqa.draws import Draws
from robotmcqa.motion import MotionLabel, Step

TABLE = 0.752
LABEL = MotionLabel(Step.NONE, Step.NONE, Step.BACK)


def seen(key: str, name: str, point: Point, size: float = 0.06) -> Seen:
    """As a camera far away in front sees it: right is +y, up is +z, towards it is down a bit."""
    column, row = 0.5 + point[1], 0.9 - (point[2] - TABLE) + 0.4 * (point[0] - 0.3)
    box = (column - size / 2, row - size / 2, column + size / 2, row + size / 2)
    return Seen(key, name, point, box)


def view(task: str, gripper: Point, things: dict[str, Point], **changes: object) -> View:
    made = View(
        task=task,
        variation=0,
        episode="0" * 16,
        frame=3,
        instruction="do it",
        gripper=seen(HAND, "the gripper", gripper),
        things={key: seen(key, f"the {key} thing", point) for key, point in things.items()},
        held="",
        moved=frozenset(),
        remaining=("grasp the cup", "lift the cup"),
        label=LABEL,
        extras={},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def cups(one: Point, other: Point, **changes: object) -> list[Fact]:
    high = (0.0, -0.3, 1.3)
    return facts(view("pick_up_cup", high, {"cup": one, "other_cup": other}, **changes))


def of(found: list[Fact], relation: str) -> set[tuple[str, ...]]:
    return {
        (fact.subject, *fact.others, *fact.value) for fact in found if fact.relation == relation
    }


def test_left_and_right_go_by_y() -> None:
    found = of(cups((0.3, -0.2, 0.8), (0.3, 0.2, 0.8)), "side")
    assert ("cup", "other_cup", "left") in found
    assert ("other_cup", "cup", "right") in found
    assert ("cup", "other_cup", "right") not in found


def test_in_front_is_towards_the_camera() -> None:
    found = of(cups((0.45, 0.0, 0.8), (0.1, 0.0, 0.8)), "depth")
    assert found == {("cup", "other_cup", "forward"), ("other_cup", "cup", "backward")}


@pytest.mark.parametrize("gap", [0.03, 0.06])
def test_near_ties_are_never_asked_about(gap: float) -> None:
    found = cups((0.3, 0.0, 0.8), (0.3 + gap, gap, 0.8))
    for relation in ("side", "depth", "place", "outermost"):
        assert not {one for one in of(found, relation) if HAND not in one}


def test_an_open_question_needs_every_part_to_be_plain() -> None:
    """To the left, and in front by neither nothing nor much: a person would wonder."""
    assert not of(cups((0.38, -0.2, 0.8), (0.3, 0.2, 0.8)), "place")
    both = of(cups((0.5, -0.2, 0.8), (0.3, 0.2, 0.8)), "place")
    assert ("cup", "other_cup", "left", "forward") in both
    side = of(cups((0.31, -0.2, 0.8), (0.3, 0.2, 0.8)), "place")
    assert ("cup", "other_cup", "left") in side


def test_depth_is_not_asked_of_what_is_in_the_air() -> None:
    found = of(cups((0.5, 0.0, 1.0), (0.1, 0.0, 0.8)), "depth")
    assert not found


def test_height_is_asked_where_something_is_in_the_air() -> None:
    found = of(cups((0.3, -0.3, 0.8), (0.3, 0.3, 0.8)), "height")
    assert (HAND, "cup", "higher") in found
    assert ("cup", HAND, "lower") in found
    assert not {one for one in found if HAND not in one}


def test_what_the_gripper_holds_is_not_compared_with_it() -> None:
    found = cups((0.0, -0.3, 1.25), (0.3, 0.3, 0.8), held="cup")
    for fact in found:
        assert not {HAND, "cup"} <= {fact.subject, *fact.others}, fact
    assert ("cup", HAND) in of(found, "support")


def test_nearer_needs_a_large_difference() -> None:
    gripper, near = (0.3, 0.0, 0.95), {"cup": (0.3, 0.05, 0.8), "other_cup": (0.3, 0.1, 0.8)}
    assert not of(facts(view("pick_up_cup", gripper, near)), "nearer")
    far = {"cup": (0.3, 0.05, 0.8), "other_cup": (0.3, 0.45, 0.8)}
    found = of(facts(view("pick_up_cup", gripper, far)), "nearer")
    assert (HAND, "cup", "other_cup", "cup") in found


def test_the_order_needs_every_neighbour_to_be_plain() -> None:
    at = {"base": (0.3, -0.3, 0.8), "cup_1": (0.3, 0.0, 0.8), "cup_2": (0.3, 0.3, 0.8)}
    found = of(facts(view("stack_cups", (0.0, 0.0, 1.3), at)), "order")
    assert [one[-3:] for one in found] == [("base", "cup_1", "cup_2")]
    close = {**at, "cup_2": (0.3, 0.04, 0.8)}
    assert not of(facts(view("stack_cups", (0.0, 0.0, 1.3), close)), "order")


def test_a_thing_that_has_been_moved_lies_nobody_knows_where() -> None:
    found = cups((0.3, -0.2, 0.8), (0.3, 0.2, 0.8), moved=frozenset({"cup"}))
    assert of(found, "support") == {("other_cup", "the table")}


def test_every_relation_has_words_in_several_phrasings() -> None:
    at = {"base": (0.5, -0.3, 0.8), "cup_1": (0.3, 0.0, 0.8), "cup_2": (0.1, 0.3, 0.8)}
    scene = view("stack_cups", (0.1, 0.3, 1.0), at)
    found = facts(scene)
    assert {fact.relation for fact in found} >= {"side", "depth", "place", "order", "outermost"}
    for fact in found:
        told = {in_words(fact, scene, Draws("test", number)) for number in range(40)}
        assert len(told) > 2, fact
        for question, answer in told:
            assert question[0].isupper()
            assert question[-1] in "?."
            assert answer[-1] == "."
    assert set(RELATIONS) >= {fact.relation for fact in found}


# ------------------------------------------------------------------------------------- movements


def test_pictures_span_the_demo() -> None:
    assert [stage_of(number, 5, 11) for number in range(5)] == [0, 2, 4, 6, 8]
    assert [stage_of(number, 5, 3) for number in range(5)] == [0, 0, 1, 1, 2]
    assert [stage_of(number, 5, 1) for number in range(5)] == [0] * 5


def test_candidates_lie_within_their_movement() -> None:
    found = list(candidates([20, 40, 41], 1))
    assert {keyframe for _, keyframe in found} == {40}
    assert all(20 <= frame < 40 for frame, _ in found)
    assert list(candidates([20, 40, 41], 2)) == [(40, 41)]


@pytest.mark.parametrize(
    ("moved", "label"),
    [
        ((0, 0, -80), LABEL),
        ((5, -8, -80), LABEL),
        ((-100, 0, -30), MotionLabel(Step.BACK, Step.NONE, Step.SLIGHTLY_BACK)),
        ((0, 30, -100), MotionLabel(Step.NONE, Step.SLIGHTLY_FORTH, Step.BACK)),
        ((30, 0, -100), None),  # a little to and fro shows not at all
        ((60, 0, -60), None),
        ((0, 0, -30), None),  # too short a way
        ((0, 18, -80), None),  # seen by some
        ((0, 50, -100), None),  # slight or not?
        ((0, 0, 0), None),
    ],
)
def test_only_clear_movements_are_asked_about(
    moved: tuple[int, int, int], label: MotionLabel | None
) -> None:
    assert clear_motion((0, 0, 0), moved) == label


def test_a_movement_has_to_look_like_its_label() -> None:
    right = MotionLabel(Step.NONE, Step.FORTH, Step.NONE)
    assert agrees_with_picture(right, 0.2, 0.0)
    assert not agrees_with_picture(right, -0.2, 0.0)
    assert not agrees_with_picture(right, 0.01, 0.0)
    assert agrees_with_picture(LABEL, 0.01, 0.3)
    assert not agrees_with_picture(LABEL, 0.1, 0.3)
    assert not agrees_with_picture(LABEL, 0.0, -0.1)


@pytest.mark.parametrize("number", range(20))
def test_a_movement_in_words(number: int) -> None:
    label = MotionLabel(Step.SLIGHTLY_BACK, Step.FORTH, Step.BACK)
    question, answer = motion(("grasp the cup",), label, Draws("test", number))
    assert "grasp the cup" in question
    for word in ("right", "down", "slightly backward"):
        assert word in answer.lower()
    assert "forward" not in answer
    assert "slightly right" not in answer.lower()
    assert answer.lower().index("right") < answer.index(
        "slightly backward"
    )  # what is large comes first


@pytest.mark.parametrize("number", range(20))
def test_a_plan_in_words_keeps_its_order(number: int) -> None:
    steps = ("move above the lid", "grasp the lid", "lift the lid off the saucepan")
    question, answer = planning("open it", steps, Draws("test", number))
    assert '"open it"' in question
    low = answer.lower()
    assert low.index("above") < low.index("lid off the saucepan")
    assert low.count("lid") == 3
    question, answer = high_level("open it", steps, Draws("test", number))
    assert "above the lid" in answer
    assert "saucepan" not in answer


def test_a_list_in_words() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
