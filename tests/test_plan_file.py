"""A plan read from its file gives the same questions as the one it was saved from."""

from __future__ import annotations

from pathlib import Path

import pytest

from robotmcqa.episode import episode_of
from robotmcqa.failures import in_order, merged
from robotmcqa.files import write_jsonl
from robotmcqa.item import Item, ItemMaker
from robotmcqa.plan_file import load_plan, save_plan
from robotmcqa.pools import plan_task
from robotmcqa.spec import Spec
from tests.factory import make_demo


@pytest.mark.parametrize("law", ["uniform", "matched", "swapped", "auto"])
def test_a_plan_survives_its_file(tmp_path: Path, law: str) -> None:
    spec = Spec(cameras=(), distractors=law, state="withheld")
    episodes = [episode_of(make_demo(seed=seed, cameras=()), spec) for seed in range(12)]
    plan = plan_task(episodes, spec)
    save_plan(tmp_path / "plan.npz", plan)
    again = load_plan(tmp_path / "plan.npz")
    assert again.laws == plan.laws
    assert list(again.laws) == list(plan.laws)
    assert again.references == plan.references
    assert {key: list(pool) for key, pool in again.pools.items()} == plan.pools
    assert dict(again.sets) == plan.sets
    maker = ItemMaker(spec)
    made = [one for episode in episodes for one in maker.items(episode, plan)]
    assert made == [one for episode in episodes for one in maker.items(episode, again)]
    assert any(isinstance(one, Item) for one in made)


def test_lines_of_many_files_are_merged_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robotmcqa.failures._OPEN", 3)
    lines = [
        {"kind": "item", "where": f"{number * 7919 % 50:02d}", "why": "x"} for number in range(50)
    ]
    paths = []
    for start in range(0, 50, 5):
        paths.append(tmp_path / f"{start}.jsonl")
        write_jsonl(paths[-1], in_order(lines[start : start + 5]))
    assert list(merged(paths, tmp_path)) == in_order(lines)
