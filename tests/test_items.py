"""Items: from episodes built by hand to whole questions.

``ROBOTMCQA_UPDATE_GOLDEN=1`` writes the prompts in ``tests/golden`` anew; look at what git says
has changed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from robotmcqa.coordinates import coordinate_text, distance_squared, to_millimetres
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, State
from robotmcqa.errors import SceneError, TemplateError, UsageError
from robotmcqa.item import Item, ItemMaker, Skip
from robotmcqa.motion import motion_label, neighbours
from robotmcqa.pools import plan_task
from robotmcqa.scene import SceneMetadata, scene_from_document, scene_preset
from robotmcqa.schema import first_problem
from robotmcqa.spec import FAMILY_NAMES, PRESETS, Spec, preset

GOLDEN = Path(__file__).parent / "golden"

WORDS = scene_preset("rlbench").motion_words

LETTERS = "ABCDEFGH"


def place(*key: str | int) -> State:
    """A state somewhere in the RLBench box."""
    draws = Draws("place", *key)
    x, y, z = draws.between(-300, 700), draws.between(-500, 500), draws.between(752, 1600)
    return (x / 1000, y / 1000, z / 1000, 0.0, 0.0, 0.0, 1.0, 1.0)


def make_episode(number: int, **changes: Any) -> Episode:
    """Four question frames (0, 10, 20, 30) and three keyframes, at places fixed by ``number``."""
    episode = Episode(
        id=f"{Draws('id', number).word():016x}",
        task="reach_target",
        variation=0,
        instructions=("reach the red ball", "touch the red ball"),
        notes=(),
        length=40,
        keyframes=(12, 25, 39),
        targets=tuple(place(number, "target", index) for index in range(3)),
        frames=(0, 10, 20, 30),
        states=tuple(place(number, "state", index) for index in range(4)),
    )
    return replace(episode, **changes)


def episodes(count: int) -> list[Episode]:
    return [make_episode(number) for number in range(count)]


def without_pictures(**chosen: Any) -> Spec:
    return Spec(cameras=(), **chosen)


def made(spec: Spec, of: Iterable[Episode]) -> list[Item | Skip]:
    """All that comes of the episodes of one task and split."""
    in_turn = list(of)
    plan = plan_task(in_turn, spec)
    maker = ItemMaker(spec)
    return [item for episode in in_turn for item in maker.items(episode, plan)]


def rows(spec: Spec, of: Iterable[Episode]) -> list[dict[str, Any]]:
    return [item.document for item in made(spec, of) if isinstance(item, Item)]


def skips(spec: Spec, of: Iterable[Episode]) -> list[Skip]:
    return [skip for skip in made(spec, of) if isinstance(skip, Skip)]


def right_text(row: Mapping[str, Any]) -> str:
    """What the right option has to say, worked out from the row's own numbers."""
    state, target = to_millimetres(row["state"]), to_millimetres(row["target"])
    texts = {
        "waypoint": coordinate_text(target),
        "current_state": coordinate_text(state),
        "motion": motion_label(state, target).text(WORDS),
    }
    return texts[row["family"]]


def option_lines(question: str) -> list[str]:
    return [line for line in question.splitlines() if line.startswith("[[")]


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


# The current position


@pytest.mark.parametrize("format_", ["choice", "open"])
@pytest.mark.parametrize(("family", "field"), [("waypoint", "state"), ("motion", "motion_state")])
@pytest.mark.parametrize("visibility", ["shown", "withheld"])
def test_the_position_is_in_the_prompt_just_when_shown(
    format_: str, family: str, field: str, visibility: str
) -> None:
    chosen = {field: visibility, "format": format_}
    for row in rows(without_pictures(families=(family,), **chosen), episodes(20)):
        position = coordinate_text(to_millimetres(row["state"]))
        assert (position in row["question"]) == (visibility == "shown")
        assert row["spec"]["state"] == visibility


@pytest.mark.parametrize("visibility", ["shown", "withheld"])
def test_current_state_never_states_what_it_asks_for(visibility: str) -> None:
    chosen: dict[str, Any] = {"state": visibility, "motion_state": visibility}
    for row in rows(without_pictures(families=("current_state",), **chosen), episodes(20)):
        position = coordinate_text(to_millimetres(row["state"]))
        assert row["question"].count(position) == 1  # as an option
        assert row["spec"]["state"] == "withheld"


# Motion


@pytest.mark.parametrize("choices", [2, 4, 8])
def test_motion_options_are_neighbours_of_the_right_label(choices: int) -> None:
    for row in rows(without_pictures(families=("motion",), choices=choices), episodes(40)):
        label = motion_label(to_millimetres(row["state"]), to_millimetres(row["target"]))
        assert row["motion"] == label.text(WORDS)
        wrong = set(row["options"]) - {row["motion"]}
        assert len(wrong) == choices - 1
        assert wrong <= {other.text(WORDS) for other in neighbours(label)}


def test_the_dead_band_reaches_the_motion_question() -> None:
    home = place("home")
    nearby = (home[0] + 0.2, home[1] + 0.004, *home[2:])
    episode = make_episode(0, frames=(0,), states=(home,), keyframes=(39,), targets=(nearby,))
    for dead_band, text in ((0, "move forward and slightly move right"), (5, "move forward")):
        spec = without_pictures(families=("motion",), dead_band=dead_band)
        (row,) = rows(spec, [episode])
        assert row["motion"] == text
        assert row["options"][LETTERS.index(row["answer"])] == text


def scene_with(axis: str, plus: str, minus: str) -> SceneMetadata:
    """The preset with other words for one axis."""
    shipped = scene_preset("rlbench").document
    renamed = {
        "plus": {"word": plus, "meaning": "this way"},
        "minus": {"word": minus, "meaning": "that way"},
    }
    return scene_from_document(
        {**shipped, "axes": {**shipped["axes"], axis: renamed}}, "scene.json"
    )


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


# Prompts


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_whole_prompt(family: str) -> None:
    """Any change to a prompt changes what models are trained on: it has to be seen."""
    images = ((b"png",),)
    home = (0.278, -0.008, 1.472, 0.0, 1.0, 0.0, 0.0, 1.0)
    episode = make_episode(
        0, frames=(0,), states=(home,), keyframes=(39,), targets=(place("goal"),), images=images
    )
    (row,) = rows(Spec(families=(family,)), [episode])
    path = GOLDEN / f"prompt_{family}.txt"
    prompt = row["question"] + "\n"
    if os.environ.get("ROBOTMCQA_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(prompt, encoding="utf-8")
    assert prompt == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("format_", ["choice", "open"])
@pytest.mark.parametrize("visibility", ["shown", "withheld"])
def test_prompts_are_tidy(format_: str, visibility: str) -> None:
    """No leftover template, no missing value, no gap of two lines, no blanks at the ends."""
    chosen: dict[str, Any] = {"format": format_, "state": visibility, "motion_state": visibility}
    for row in rows(without_pictures(**chosen), episodes(3)):
        question = row["question"]
        assert question == question.strip()
        for trace in ("{{", "{%", "None", "Undefined"):
            assert trace not in question
        lines = question.split("\n")
        assert all(line == line.rstrip() for line in lines)
        assert not any(above == below == "" for above, below in pairwise(lines))
        assert "<think>" in question
        assert "<answer>" in question


def test_an_instruction_is_text_and_never_a_template() -> None:
    """It comes with the demo, which may come from a stranger."""
    instruction = "stack {{ 6 * 7 }} <b>cups</b> & {% raise %}"
    episode = make_episode(0, instructions=(instruction,))
    for row in rows(without_pictures(), [episode]):
        assert instruction in row["question"]


def test_a_template_of_ones_own() -> None:
    own = (
        "{{ robot }}|{{ instruction }}|{{ state }}|{{ cameras | length }}|{{ scene.frame }}\n"
        "{% for letter, text in options %}{{ letter }}: {{ text }};{% endfor %}"
    )
    spec = without_pictures(templates={"waypoint": own}, families=("waypoint", "motion"))
    got = rows(spec, episodes(2))
    waypoint = next(row for row in got if row["family"] == "waypoint")
    state = coordinate_text(to_millimetres(waypoint["state"]))
    options = "".join(
        f"{letter}: {text};" for letter, text in zip("ABCD", waypoint["options"], strict=True)
    )
    assert waypoint["question"] == (
        f"{spec.scene.robot}|{waypoint['instruction']}|{state}|0|world\n{options}"
    )
    motion = next(row for row in got if row["family"] == "motion")
    assert motion == next(
        {**row, "spec": motion["spec"]}
        for row in rows(without_pictures(), episodes(2))
        if row["family"] == "motion"
    )


def test_a_template_may_build_on_the_shipped_skeleton() -> None:
    own = '{% extends "skeleton.jinja" %}{% block question %}Whither?{% endblock %}'
    for row in rows(
        without_pictures(templates={"waypoint": own}, families=("waypoint",)), episodes(1)
    ):
        assert "Question: Whither?" in row["question"]
        assert len(option_lines(row["question"])) == 4


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{{ instruction }", 1),
        ("one\ntwo\n{{ instruction }\n", 3),
        ("one\n{% if state %}\n", 2),
        ("{% for a, b in options %}\n{% endif %}", 2),
    ],
)
def test_a_broken_template_is_named_with_its_line(template: str, line: int) -> None:
    with pytest.raises(TemplateError, match=f"template of 'motion', line {line}:") as caught:
        ItemMaker(Spec(templates={"motion": template}))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ options.__class__.__base__.__subclasses__() }}",
        "{{ scene.__init__.__globals__ }}",
        "{{ options.append(1) }}",
    ],
)
def test_the_sandbox_keeps_a_template_in(template: str) -> None:
    with pytest.raises(TemplateError, match="template of 'waypoint'"):
        made(without_pictures(templates={"waypoint": template}), episodes(1))


@pytest.mark.parametrize(
    "template",
    [
        "{{ nonsense }}",
        "{{ options | nonsense }}",
        "{{ instruction + 1 }}",
        '{% include "absent.jinja" %}',
        "{{ 1 / 0 }}",
        "{{ range(200_000) | list }}",
        "{% for a, b, c in options %}{{ a }}{% endfor %}",
        '{% extends "waypoint.jinja" %}',
    ],
)
def test_a_template_that_fails_is_the_templates_fault(template: str) -> None:
    """Whatever goes wrong while it is filled in, the user is told which template it was."""
    with pytest.raises(TemplateError, match="template of 'waypoint'"):
        made(without_pictures(templates={"waypoint": template}), episodes(1))


# The spec

OTHER: Mapping[str, Any] = {
    "families": ("waypoint",),
    "format": "open",
    "choices": 5,
    "distractors": "near",
    "state": "withheld",
    "motion_state": "shown",
    "min_displacement": 1,
    "separation": 51,
    "dead_band": 1,
    "stride": 11,
    "keyframes": "every-10",
    "cameras": ("wrist",),
    "seed": 1,
    "test_fraction": 0.2,
    "scene": scene_with("x", "ahead", "back"),
    "templates": {"motion": "own"},
}


@pytest.mark.parametrize("field", [field.name for field in fields(Spec)])
def test_any_change_of_the_spec_shows_in_its_digest(field: str) -> None:
    """Rows of different specs must never be taken for one data set."""
    changed = replace(Spec(), **{field: OTHER[field]})
    assert changed.document() != Spec().document()
    assert changed.digest() != Spec().digest()


def test_changes_of_the_spec_have_digests_of_their_own() -> None:
    changed = {replace(Spec(), **{field: value}).digest() for field, value in OTHER.items()}
    assert len(changed) == len(OTHER)
    one, two = Spec(templates={"motion": "one"}), Spec(templates={"motion": "two"})
    assert one.digest() != two.digest()


def test_equal_specs_have_equal_digests() -> None:
    """However their numbers and orders were written."""
    assert Spec(families=("motion", "waypoint")) == Spec(families=("waypoint", "motion"))
    one, other = Spec(test_fraction=0), Spec(test_fraction=0.0)
    assert one == other
    assert one.digest() == other.digest()


def test_every_row_carries_the_digest_of_its_spec() -> None:
    spec = without_pictures(seed=7)
    assert {row["spec"]["digest"] for row in rows(spec, episodes(2))} == {spec.digest()}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_way_to_single_fields(name: str) -> None:
    spec = preset(name, choices=3, state="shown", distractors="near")
    assert (spec.choices, spec.state, spec.distractors) == (3, "shown", "near")
    with pytest.raises(UsageError, match="no preset"):
        preset(name + "x")
