"""Episodes built by hand, the items that come of them, and what their right answers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from robotmcqa.coordinates import coordinate_text, to_millimetres
from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, State
from robotmcqa.item import Item, ItemMaker, Skip
from robotmcqa.motion import motion_label
from robotmcqa.pools import plan_task
from robotmcqa.scene import SceneMetadata, scene_from_document, scene_preset
from robotmcqa.spec import Spec

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
