"""Items: from episodes built by hand to whole questions with one right answer."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from robotmcqa.coordinates import coordinate_text, distance_squared, to_millimetres
from robotmcqa.errors import SceneError, UsageError
from robotmcqa.item import Item, Skip
from robotmcqa.motion import MotionLabel, Step, motion_label, neighbours
from robotmcqa.schema import first_problem
from robotmcqa.spec import FAMILY_NAMES, Spec
from tests.items import (
    LETTERS,
    WORDS,
    episodes,
    made,
    make_episode,
    option_lines,
    place,
    right_text,
    rows,
    scene_with,
    skips,
    without_pictures,
)

LABELS = [
    label
    for label in (MotionLabel(*steps) for steps in product(Step, repeat=3))
    if label.is_possible()
]

specs = st.builds(
    without_pictures,
    choices=st.integers(2, 8),
    distractors=st.sampled_from(("auto", "uniform", "near", "matched")),
    state=st.sampled_from(("shown", "withheld")),
    motion_state=st.sampled_from(("shown", "withheld")),
    seed=st.integers(0, 1000),
)


@settings(max_examples=60, deadline=None)
@given(spec=specs)
def test_the_right_letter_points_to_the_right_text(spec: Spec) -> None:
    for row in rows(spec, episodes(14)):
        assert len(row["options"]) == spec.choices
        assert row["options"][LETTERS.index(row["answer"])] == right_text(row)
        assert len(set(row["options"])) == len(row["options"])
        assert first_problem("item", row) is None


@settings(max_examples=30, deadline=None)
@given(spec=specs)
def test_the_prompt_holds_every_option_in_order(spec: Spec) -> None:
    for row in rows(spec, episodes(10)):
        lettered = zip(LETTERS, row["options"], strict=False)
        assert option_lines(row["question"]) == [f"[[{one}]] {text}" for one, text in lettered]
        assert row["instruction"] in row["question"]


@settings(max_examples=30, deadline=None)
@given(spec=specs)
def test_positions_of_the_wrong_options_are_recorded_in_their_order(spec: Spec) -> None:
    """An audit reads them: they are what the wrong options say, far enough apart, in the box."""
    for row in rows(spec, episodes(10)):
        if row["family"] == "motion":
            assert row["distractors"] == []
            continue
        wrong = [text for text in row["options"] if text != right_text(row)]
        points = [to_millimetres(position) for position in row["distractors"]]
        assert [coordinate_text(point) for point in points] == wrong
        assert all(point in spec.scene.valid_box for point in points)
        right = to_millimetres(row["target" if row["family"] == "waypoint" else "state"])
        for index, point in enumerate(points):
            for other in [right, *points[:index]]:
                assert distance_squared(point, other) >= spec.separation**2


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("choices", [2, 4, 5])
def test_letters_are_equally_likely(family: str, choices: int) -> None:
    """Whoever always says A is right once in so many choices."""
    spec = without_pictures(families=(family,), choices=choices)
    letters = Counter(row["answer"] for row in rows(spec, episodes(250)))
    assert set(letters) == set(LETTERS[:choices])
    assert chisquare(list(letters.values())).pvalue > 1e-3


@pytest.mark.parametrize("choices", [-1, 0, 1, 9])
def test_choices_are_two_to_eight(choices: int) -> None:
    with pytest.raises(UsageError, match="choices"):
        Spec(choices=choices)


def test_rows_come_by_frame_and_family_and_say_where_they_are_from() -> None:
    """Each frame asks for the first keyframe after it."""
    episode = make_episode(3)
    got = rows(without_pictures(), [episode])
    assert [(row["frame"], row["family"]) for row in got] == [
        (frame, family) for frame in (0, 10, 20, 30) for family in FAMILY_NAMES
    ]
    assert {row["frame"]: row["keyframe"] for row in got} == {0: 12, 10: 12, 20: 25, 30: 39}
    assert len({row["id"] for row in got}) == len(got)
    for row in got:
        assert row["id"] == f"{episode.id}-{row['frame']:04d}-{row['family']}"
        assert row["state"] == list(episode.states[episode.frames.index(row["frame"])])
        assert row["target"] == list(episode.targets[episode.keyframes.index(row["keyframe"])])
        assert row["instruction"] in episode.instructions


def test_one_episode_speaks_with_one_instruction() -> None:
    used = set()
    for episode in episodes(30):
        own = {row["instruction"] for row in rows(without_pictures(), [episode])}
        assert len(own) == 1
        used |= own
    assert used == set(episodes(1)[0].instructions)


def test_a_frame_that_is_a_keyframe_asks_for_the_next_one() -> None:
    """Strictly after: asking where one already is would be no question."""
    episode = make_episode(1, keyframes=(10, 25, 39))
    got = rows(without_pictures(families=("waypoint",)), [episode])
    assert {row["frame"]: row["keyframe"] for row in got} == {0: 10, 10: 25, 20: 25, 30: 39}


def test_pictures_go_with_the_items() -> None:
    spec = Spec(cameras=("front", "wrist"))
    images = tuple((b"front%d" % frame, b"the wrist %d" % frame) for frame in range(4))
    got = [item for item in made(spec, [make_episode(0, images=images)]) if isinstance(item, Item)]
    assert len(got) == 12
    for index, item in enumerate(got):
        assert item.images == images[index // 3]
        assert item.document["images"] == [len(png) for png in item.images]
        assert item.document["cameras"] == ["front", "wrist"]


# Open questions


def test_open_questions_carry_the_right_text_and_no_options() -> None:
    got = rows(without_pictures(format="open"), episodes(5))
    assert len(got) == 60
    for row in got:
        assert row["answer"] == right_text(row)
        assert row["options"] == []
        assert row["distractors"] == []
        assert row["spec"]["law"] == "none"
        assert "[[" not in row["question"]
        assert row["family"] == "current_state" or row["answer"] not in row["question"]
        assert first_problem("item", row) is None


def test_an_open_question_does_not_give_its_answer_away() -> None:
    for row in rows(without_pictures(format="open", state="withheld"), episodes(20)):
        assert row["answer"] not in row["question"]


# Motion


@pytest.mark.parametrize("choices", [2, 4, 8])
def test_motion_options_are_neighbours_of_the_right_label(choices: int) -> None:
    for row in rows(without_pictures(families=("motion",), choices=choices), episodes(40)):
        label = motion_label(to_millimetres(row["state"]), to_millimetres(row["target"]))
        assert row["motion"] == label.text(WORDS)
        wrong = set(row["options"]) - {row["motion"]}
        assert len(wrong) == choices - 1
        assert wrong <= {other.text(WORDS) for other in neighbours(label)}


@pytest.mark.parametrize("choices", range(2, 6))
def test_motion_options_are_all_neighbours_of_each_other(choices: int) -> None:
    """So the right one cannot be told by being the one closest to all others."""
    label_of = {label.text(WORDS): label for label in LABELS}
    for row in rows(without_pictures(families=("motion",), choices=choices), episodes(40)):
        labels = [label_of[option] for option in row["options"]]
        for one, other in combinations(labels, 2):
            assert sum(a != b for a, b in zip(one.steps, other.steps, strict=True)) == 1


def test_the_dead_band_reaches_the_motion_question() -> None:
    home = place("home")
    nearby = (home[0] + 0.2, home[1] + 0.004, *home[2:])
    episode = make_episode(0, frames=(0,), states=(home,), keyframes=(39,), targets=(nearby,))
    for dead_band, text in ((0, "move forward and slightly move right"), (5, "move forward")):
        spec = without_pictures(families=("motion",), dead_band=dead_band)
        (row,) = rows(spec, [episode])
        assert row["motion"] == text
        assert row["options"][LETTERS.index(row["answer"])] == text


def test_motion_speaks_in_the_words_of_the_scene() -> None:
    spec = without_pictures(families=("motion",), scene=scene_with("z", "skyward", "groundward"))
    for row in rows(spec, episodes(10)):
        assert "up" not in row["motion"].split()
        assert "down" not in row["motion"].split()
        assert "skyward" in row["motion"] or "groundward" in row["motion"]


@pytest.mark.parametrize(("plus", "minus"), [("along", "along"), ("left", "right")])
def test_options_never_read_the_same_whatever_the_scene_calls_them(plus: str, minus: str) -> None:
    """A scene that uses one word for two directions is refused, or does no harm."""
    try:
        scene = scene_with("x", plus, minus)
    except SceneError:
        return
    for row in rows(without_pictures(families=("motion",), scene=scene, choices=8), episodes(40)):
        assert len(set(row["options"])) == len(row["options"]), row["options"]


# What is left out


def test_targets_that_are_too_close_are_not_asked_for() -> None:
    """49 mm away is left out, 50 mm is not; the current position is asked for all the same."""
    home = (0.2, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0)
    targets = tuple((0.2, y, z, *home[3:]) for y, z in ((0.049, 1.0), (0.05, 1.0), (0.03, 1.04)))
    episode = make_episode(0, states=(home,) * 4, targets=targets)
    spec = without_pictures(min_displacement=50)
    skipped = [(skip.frame, skip.family) for skip in skips(spec, [episode])]
    assert skipped == [(frame, family) for frame in (0, 10) for family in ("waypoint", "motion")]
    assert {skip.why for skip in skips(spec, [episode])} == {"closer than --min-displacement"}
    asked = {(row["frame"], row["family"]) for row in rows(spec, [episode])}
    assert asked == {(frame, family) for frame in (0, 10, 20, 30) for family in FAMILY_NAMES} - set(
        skipped
    )


def test_no_displacement_is_too_small_unless_asked() -> None:
    home = place("home")
    episode = make_episode(0, states=(home,) * 4, targets=(home,) * 3)
    assert skips(without_pictures(), [episode]) == []


def test_too_few_candidates_are_recorded_and_not_silent() -> None:
    """Four episodes, eight choices: ``matched`` has three others to draw from."""
    spec = without_pictures(distractors="matched", choices=8)
    got = made(spec, episodes(4))
    assert len(got) == 4 * 4 * 3  # every question is there, asked or skipped
    skipped = [skip for skip in got if isinstance(skip, Skip) and skip.family == "waypoint"]
    assert len(skipped) == 16
    for skip in skipped:
        assert "'matched' found" in skip.why
        assert "of 7" in skip.why


def test_standing_still_has_too_few_neighbours_for_eight_choices() -> None:
    home = place("home")
    episode = make_episode(0, states=(home,) * 4, targets=(home,) * 3)
    skipped = skips(without_pictures(families=("motion",), choices=8), [episode])
    assert [skip.frame for skip in skipped] == [0, 10, 20, 30]
    assert all("neighbouring motion labels" in skip.why for skip in skipped)


def test_matched_options_are_answers_of_other_episodes() -> None:
    """Waypoints of the same ordinal; never one's own."""
    everyone = episodes(12)
    spec = without_pictures(families=("waypoint",), distractors="matched")
    got = rows(spec, everyone)
    assert got
    for row in got:
        ordinal = (12, 25, 39).index(row["keyframe"])
        others = {
            coordinate_text(episode.target_positions[ordinal])
            for episode in everyone
            if episode.id != row["episode"]
        }
        assert set(row["options"]) - {right_text(row)} <= others


# Determinism


@pytest.mark.parametrize("law", ["uniform", "near", "matched"])
def test_items_do_not_depend_on_the_order_of_episodes(law: str) -> None:
    spec = without_pictures(distractors=law)
    everyone = episodes(12)
    forth = {row["id"]: row for row in rows(spec, everyone)}
    back = {row["id"]: row for row in rows(spec, reversed(everyone))}
    assert forth == back


def test_an_item_does_not_depend_on_the_other_families() -> None:
    together = {row["id"]: row["options"] for row in rows(without_pictures(), episodes(5))}
    for family in FAMILY_NAMES:
        for row in rows(without_pictures(families=(family,)), episodes(5)):
            assert row["options"] == together[row["id"]]


def test_another_seed_asks_other_questions() -> None:
    one = rows(without_pictures(seed=0), episodes(5))
    other = rows(without_pictures(seed=1), episodes(5))
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert sum(a["options"] == b["options"] for a, b in zip(one, other, strict=True)) < 5
