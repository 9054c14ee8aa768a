"""What a run decides once: which episodes are for testing, which law, which pools."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robotmcqa.draws import Draws
from robotmcqa.episode import Episode, State
from robotmcqa.pools import ENOUGH_OTHERS, assign_splits, plan_task
from robotmcqa.spec import Spec, preset

Pairs = list[tuple[str, str]]

episode_ids = st.integers(0, 2**64 - 1).map("{:016x}".format)
fractions = st.one_of(st.just(0.0), st.floats(0.0, 0.9))


@st.composite
def pairs(draw: st.DrawFn, least: int = 0) -> Pairs:
    """(task, episode id) of a few tasks, each episode once."""
    ids = draw(st.lists(episode_ids, min_size=least, max_size=40, unique=True))
    return [(f"task{draw(st.integers(0, 3))}", episode) for episode in ids]


def numbered(count: int, task: str = "task", prefix: str = "episode") -> Pairs:
    return [(task, f"{prefix}{number}") for number in range(count)]


@settings(max_examples=300)
@given(episodes=pairs(), fraction=fractions)
def test_every_episode_is_in_exactly_one_split(episodes: Pairs, fraction: float) -> None:
    splits = assign_splits(episodes, fraction)
    assert set(splits) == {episode for _, episode in episodes}
    assert set(splits.values()) <= {"train", "test"}


@settings(max_examples=300)
@given(episodes=pairs(least=2), fraction=st.floats(1e-9, 0.9))
def test_neither_split_is_empty(episodes: Pairs, fraction: float) -> None:
    assert set(assign_splits(episodes, fraction).values()) == {"train", "test"}


@given(episodes=pairs())
def test_without_a_test_fraction_all_is_for_training(episodes: Pairs) -> None:
    assert set(assign_splits(episodes, 0).values()) <= {"train"}


@settings(max_examples=200)
@given(episodes=pairs(), fraction=fractions, data=st.data())
def test_order_does_not_matter(episodes: Pairs, fraction: float, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(episodes))
    assert assign_splits(shuffled, fraction) == assign_splits(episodes, fraction)


@settings(max_examples=200)
@given(added=pairs(), fraction=st.sampled_from((0.1, 0.3, 0.5, 0.9)))
def test_episodes_keep_their_split_when_others_are_added(added: Pairs, fraction: float) -> None:
    """Of the same task or of another, even of one so small that it gets a test episode by force."""
    before = [pair for task in range(3) for pair in numbered(60, f"task{task}", f"{task}-")]
    splits = assign_splits(before, fraction)
    grown = assign_splits([*added, *before], fraction)
    assert {episode: grown[episode] for episode in splits} == splits


@settings(max_examples=200)
@given(episodes=pairs(least=1), fraction=st.sampled_from((0.1, 0.3, 0.5)))
def test_what_hash_chose_for_testing_is_never_trained_on(episodes: Pairs, fraction: float) -> None:
    """Adding moves no episode from test to train, but for one where all of them are test."""
    alone = {episode: assign_splits([(task, episode)], fraction) for task, episode in episodes}
    by_hash = {episode for episode, split in alone.items() if split[episode] == "test"}
    together = assign_splits(episodes, fraction)
    moved = {episode for episode in by_hash if together[episode] == "train"}
    assert len(moved) <= (len(by_hash) == len(episodes) > 1)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_the_test_split_has_about_its_fraction(fraction: float) -> None:
    """Within five standard deviations of 4000 fair coins."""
    count = 4000
    test = list(assign_splits(numbered(count), fraction).values()).count("test")
    assert abs(test - fraction * count) < 5 * (count * fraction * (1 - fraction)) ** 0.5


def test_a_task_large_enough_gets_a_test_episode() -> None:
    """Ten episodes at 0.1 ought to have one, also when the hash would give them none."""
    for task in range(60):
        many = [*numbered(10, f"task{task}", f"{task}-"), *numbered(400, "large")]
        splits = assign_splits(many, 0.1)
        own = [splits[f"{task}-{number}"] for number in range(10)]
        assert "test" in own
        assert "train" in own


def test_one_episode_has_one_split() -> None:
    assert set(assign_splits([("task", "0")], 0)) == {"0"}
    assert len(assign_splits([("task", "0")], 0.5)) == 1
    assert assign_splits([], 0.5) == {}


# Laws and pools


def make_episode(number: int, task: str = "reach_target") -> Episode:
    """Four question frames and three keyframes at places that depend on ``number``."""

    def state(slot: str, index: int) -> State:
        draws = Draws("place", number, slot, index)
        x, y, z = draws.between(-300, 700), draws.between(-500, 500), draws.between(752, 1600)
        return (x / 1000, y / 1000, z / 1000, 0.0, 0.0, 0.0, 1.0, 1.0)

    return Episode(
        id=f"{Draws('id', number).word():016x}",
        task=task,
        variation=0,
        instructions=("reach the target",),
        notes=(),
        length=40,
        keyframes=(12, 25, 39),
        targets=tuple(state("target", index) for index in range(3)),
        frames=(0, 10, 20, 30),
        states=tuple(state("state", index) for index in range(4)),
    )


def episodes(count: int) -> list[Episode]:
    return [make_episode(number) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "law"), [(1, "level"), (2, "swapped"), (8, "swapped"), (10, "swapped")]
)
def test_auto_takes_swapped_where_it_leaves_out_little(count: int, law: str) -> None:
    laws = plan_task(episodes(count), preset("grounded")).laws
    assert laws["waypoint"] == law
    assert laws["current_state"] == "swapped"  # four places of one demo can be told apart
    assert ENOUGH_OTHERS == 8


def test_auto_takes_level_where_the_position_is_stated() -> None:
    plan = plan_task(episodes(10), preset("grounded", state="shown", motion_state="shown"))
    assert plan.laws == {"waypoint": "level", "current_state": "swapped", "motion": "swapped"}
    assert {family for family, _, _ in plan.sets} == {"current_state", "motion"}


@pytest.mark.parametrize("chosen", ["uniform", "near", "level", "matched"])
@pytest.mark.parametrize("count", [1, 20])
def test_a_law_asked_for_by_name_is_kept(chosen: str, count: int) -> None:
    laws = plan_task(episodes(count), Spec(distractors=chosen)).laws
    assert laws == {"waypoint": chosen, "current_state": chosen, "motion": "neighbours"}


def test_there_is_one_law_for_each_family_asked() -> None:
    laws = plan_task(episodes(9), Spec(families=("current_state",), distractors="auto")).laws
    assert laws == {"current_state": "swapped"}


def test_open_questions_have_no_law() -> None:
    plan = plan_task(episodes(9), Spec(format="open", distractors="auto"))
    assert set(plan.laws.values()) == {"none"}
    assert not plan.pools


def test_presets_differ_in_law() -> None:
    assert plan_task(episodes(9), preset("paper")).laws["waypoint"] == "uniform"
    assert plan_task(episodes(9), preset("grounded")).laws["waypoint"] == "swapped"
    assert plan_task(episodes(1), preset("grounded")).laws["waypoint"] == "level"


ORDERS: list[Callable[[list[Episode]], list[Episode]]] = [
    lambda some: some[::-1],
    lambda some: sorted(some, key=lambda episode: episode.positions),
    lambda some: [*some[5:], *some[:5]],
]


@pytest.mark.parametrize("order", ORDERS)
def test_pools_do_not_depend_on_the_order_of_episodes(
    order: Callable[[list[Episode]], list[Episode]],
) -> None:
    """Workers finish in any order; the draws count through the pool in its own."""
    spec = Spec(distractors="matched")
    plan = plan_task(episodes(12), spec)
    assert plan_task(order(episodes(12)), spec) == plan
    assert plan_task(iter(order(episodes(12))), spec) == plan


def test_pools_hold_the_true_answers() -> None:
    """Waypoints by the number of their keyframe, current positions all together."""
    everyone = episodes(12)
    pools = plan_task(everyone, Spec(distractors="matched")).pools
    expected: dict[tuple[str, Hashable], set[tuple[str, tuple[int, int, int]]]] = {
        ("waypoint", ordinal): {(one.id, one.target_positions[ordinal]) for one in everyone}
        for ordinal in range(3)
    }
    expected["current_state", None] = {
        (one.id, position) for one in everyone for position in one.positions
    }
    assert {key: set(pool) for key, pool in pools.items()} == expected


@pytest.mark.parametrize("chosen", ["uniform", "near", "level", "swapped"])
def test_no_pools_where_nothing_is_drawn_from_them(chosen: str) -> None:
    assert not plan_task(episodes(12), Spec(distractors=chosen)).pools
