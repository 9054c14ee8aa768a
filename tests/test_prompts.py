"""Prompts: what they tell and withhold, templates of one's own, and the shipped ones to the letter.

``ROBOTMCQA_UPDATE_GOLDEN=1`` writes the prompts in ``tests/golden`` anew; look at what git says
has changed.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from robotmcqa.coordinates import coordinate_text, to_millimetres
from robotmcqa.errors import TemplateError
from robotmcqa.item import ItemMaker
from robotmcqa.spec import FAMILY_NAMES, Spec
from tests.items import episodes, made, make_episode, option_lines, place, rows, without_pictures

GOLDEN = Path(__file__).parent / "golden"


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
