"""What a simulator adds to an extraction: references for ``matched``, settings, early refusals."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, open_source, preset, validate
from robotmcqa.distractors import LAWS
from robotmcqa.errors import SourceError, UsageError
from robotmcqa.pools import ENOUGH_OTHERS, plan_task, wants_references
from robotmcqa.references import REFERENCE_EPISODES
from robotmcqa.sources import (
    SCHEMES,
    SIMULATED_EPISODES,
    DemoSource,
    Selection,
    Simulated,
    SourceOptions,
    SuppliesReferences,
    choose_auto,
)
from robotmcqa.sources.rlbench import RLBenchSource
from tests.conftest import Row, Run, rows_of, tree
from tests.extractions import failures_of, manifest_of
from tests.fake_simulator import FakeSimulator, installed
from tests.items import episodes, right_text
from tests.runs import Counting, Enough, StopAfter, killed_at

GROUNDED = preset("grounded", cameras=())
FOUR = Selection(("reach_target",), None, 4)
"""Too few for ``matched``: three episodes for training, one for testing."""
BOTH = 2 * REFERENCE_EPISODES
"""Reference demos where both splits are short: each has its own."""


def made(
    out: Path,
    source: DemoSource | None = None,
    spec: Spec = GROUNDED,
    selection: Selection = FOUR,
    **options: Any,
) -> Path:
    extract(source or FakeSimulator(), spec, out, selection, **options)
    return out


def laws(folder: Path) -> dict[tuple[str, str], str]:
    return {(law["split"], law["family"]): law["law"] for law in manifest_of(folder)["laws"]}


def position_laws(folder: Path) -> set[str]:
    return {law for (_, family), law in laws(folder).items() if family != "motion"}


def provenance_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "meta/provenance.json").read_text("utf-8"))
    return document


# --------------------------------------------------------------------------- when and how many


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("count", [1, ENOUGH_OTHERS, ENOUGH_OTHERS + 1])
def test_references_are_for_matched_in_small_splits(law: str, count: int) -> None:
    wanted = law in ("auto", "matched") and count <= ENOUGH_OTHERS
    assert wants_references(episodes(count), Spec(distractors=law)) is wanted
    assert not wants_references(episodes(count), Spec(distractors=law, format="open"))
    assert not wants_references(episodes(count), Spec(distractors=law, families=("motion",)))


def test_auto_counts_references_among_the_others() -> None:
    spec = GROUNDED
    everyone = episodes(ENOUGH_OTHERS + 1)
    plan = plan_task(everyone[:3], spec, everyone[3:])
    assert plan.laws["waypoint"] == plan.laws["current_state"] == "matched"
    assert plan.references == len(everyone) - 3
    assert plan.pools == plan_task(everyone, replace(spec, distractors="matched")).pools
    short = plan_task(everyone[:3], spec, everyone[3:-1])
    assert (short.laws["waypoint"], short.pools, short.references) == ("swapped", {}, 0)


def test_a_small_set_of_a_simulator_is_matched(tmp_path: Path) -> None:
    """And its wrong options are true answers of demos that are not in it."""
    log = tmp_path / "log"
    out = made(tmp_path / "out", FakeSimulator(log=log))
    assert position_laws(out) == {"matched"}
    assert manifest_of(out)["references"] == {"reach_target": BOTH}
    told = provenance_of(out)["source"]
    assert told["episodes"] == told["demos"] == 4
    assert told["references"]["episodes"] == BOTH
    assert "48 of `reach_target`." in (out / "README.md").read_text("utf-8")
    assert validate(out).ok
    loaded = log.read_text().splitlines()
    assert len(loaded) == len(set(loaded)) == 4 + BOTH
    assert sum("/demo10" in line for line in loaded) == BOTH
    rows = rows_of(out)
    assert len({row["episode"] for row in rows}) == 4
    own = {tuple(round(one, 3) for one in row["target"][:3]) for row in rows}
    wrong = [
        tuple(point) for row in rows if row["family"] == "waypoint" for point in row["distractors"]
    ]
    assert len(wrong) > 30
    assert sum(point in own for point in wrong) < len(wrong) / 3


def test_no_reference_serves_both_splits(tmp_path: Path) -> None:
    """An option that is known from training never to be right must not come back in testing."""
    out = made(tmp_path / "out", selection=Selection(("reach_target", "push_button"), None, 6))
    assert position_laws(out) == {"matched"}
    for task, family in product(("reach_target", "push_button"), ("waypoint", "current_state")):

        def rows(split: str, task: str = task, family: str = family) -> list[Row]:
            named = (task, family)
            return [row for row in rows_of(out, split) if (row["task"], row["family"]) == named]

        right = {right_text(row) for row in rows("train")}
        wrong = {option for row in rows("train") for option in row["options"]} - right
        offered = {option for row in rows("test") for option in row["options"]}
        assert len(wrong) > 15
        assert offered
        assert not wrong & offered, (task, family)


def test_the_only_short_split_has_all_references(tmp_path: Path) -> None:
    out = made(tmp_path / "out", selection=Selection(("reach_target",), None, 12))
    assert manifest_of(out)["references"] == {"reach_target": REFERENCE_EPISODES}
    assert provenance_of(out)["source"]["references"]["episodes"] == REFERENCE_EPISODES


def test_references_are_made_without_pictures(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made(tmp_path / "out", FakeSimulator(log=log), preset("grounded"))
    lines = [line.split(" ") for line in log.read_text().splitlines()]
    cameras = dict(lines)
    assert {cameras[name] for name in cameras if name.endswith(("demo0", "demo3"))} == {"front"}
    assert {cameras[name] for name in cameras if "demo10" in name} == {""}


def test_only_the_split_that_is_short_draws_from_references(tmp_path: Path) -> None:
    """Twelve episodes: training has enough of its own, testing has not."""
    selection = Selection(("reach_target", "push_button"), None, 12)
    out = made(tmp_path / "out", selection=selection)
    assert laws(out)["train", "waypoint"] == "swapped"
    assert laws(out)["test", "waypoint"] == "matched"
    plain = made(tmp_path / "plain", Counting(FakeSimulator()), selection=selection)
    assert laws(plain)["test", "waypoint"] == "level"
    assert rows_of(out, "train") == rows_of(plain, "train")
    assert manifest_of(plain)["references"] == {}
    assert "references" not in provenance_of(plain)["source"]
    assert "reference demonstrations" not in (plain / "README.md").read_text("utf-8")


def test_no_references_where_none_are_needed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number, spec in enumerate((Spec(cameras=()), replace(GROUNDED, format="open"))):
        log.write_text("")
        out = made(tmp_path / str(number), FakeSimulator(log=log), spec)
        assert len(log.read_text().splitlines()) == 4
        assert manifest_of(out)["references"] == {}


def test_saved_demos_supply_no_references(demos: Path) -> None:
    source = open_source(f"rlbench:{demos}")
    assert not isinstance(source, Simulated)
    assert not isinstance(source, SuppliesReferences)


# ------------------------------------------------------------------------------ what goes wrong


def test_references_that_fail_only_make_the_pool_smaller(tmp_path: Path) -> None:
    out = made(tmp_path / "out", FakeSimulator(failing=("demo1001", "demo1005")), max_failures=0)
    assert manifest_of(out)["references"] == {"reach_target": BOTH - 2}
    assert manifest_of(out)["failures"] == 0
    notes = [line for line in failures_of(out) if line["kind"] == "note"]
    assert {line["where"].rpartition("/")[2] for line in notes} == {"demo1001", "demo1005"}
    assert {line["why"] for line in notes} == {
        "a reference demo was left out: no way to the target was found"
    }
    assert validate(out).ok


def test_too_few_references_leave_the_law_as_it_was(tmp_path: Path) -> None:
    failing = tuple(f"demo{1000 + number}" for number in range(BOTH - 4))
    out = made(tmp_path / "out", FakeSimulator(failing=failing))
    assert "matched" not in position_laws(out)
    assert manifest_of(out)["references"] == {}
    assert "references" not in provenance_of(out)["source"]
    assert validate(out).ok


def test_a_copy_of_an_episode_is_no_reference(tmp_path: Path) -> None:
    out = made(tmp_path / "out", FakeSimulator(copies=True))
    assert manifest_of(out)["references"] == {"reach_target": BOTH - 1}
    (line,) = [line for line in failures_of(out) if line["kind"] == "note"]
    assert line["where"].endswith("demo1000")
    assert line["why"] == "a reference demo was left out: the same recording as another"


# ---------------------------------------------------------------------------------- determinism


@pytest.mark.parametrize("replayable", [True, False])
def test_workers_change_no_byte(tmp_path: Path, replayable: bool) -> None:
    source = FakeSimulator(replayable=replayable, failing=("demo1003",))
    spec = preset("grounded")
    one = made(tmp_path / "one", source, spec)
    assert tree(made(tmp_path / "two", source, spec, workers=2)) == tree(one)
    other = FakeSimulator(replayable=not replayable, failing=("demo1003",))
    assert tree(made(tmp_path / "other", other, spec)) == tree(one)


@pytest.mark.parametrize(
    ("stage", "count"),
    [("Making demos", 2), ("Planning reference demos", 10), ("Writing questions", 0)],
)
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, stage: str, count: int
) -> None:
    """And nothing is made a second time."""
    whole = tree(made(tmp_path / "whole"))
    log, out = tmp_path / "log", tmp_path / "out"
    source = FakeSimulator(log=log)
    with pytest.raises(Enough):
        made(out, source, listener=StopAfter(stage, count))
    assert tree(made(out, source, resume=True)) == whole
    loaded = log.read_text().splitlines()
    assert len(set(loaded)) == 4 + BOTH
    assert len(loaded) - len(set(loaded)) <= 1  # the one at which it was stopped


def test_a_reference_that_fails_at_first_changes_the_resumed_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards of the interrupted run were drawn from other pools: none of them may stay."""
    whole = tree(made(tmp_path / "whole"))
    out, step, resumed = tmp_path / "out", 1, 0
    flaky = FakeSimulator(failing=("demo1002", "demo1003", "demo1004"))
    while killed_at(step, lambda: made(tmp_path / f"out{step}", flaky), monkeypatch):  # noqa: B023
        out = tmp_path / f"out{step}"
        if list(out.glob(".extract/shards/*.json")) and not (out / "meta/manifest.json").exists():
            published = (out / ".extract/publish/meta/manifest.json").exists()
            if not published:
                assert tree(made(out, FakeSimulator(), resume=True)) == whole
                resumed += 1
        step += 4
    assert resumed


def test_references_keep_to_the_variation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made(tmp_path / "out", FakeSimulator(log=log), selection=Selection(("push_button",), 2, 3))
    assert {name.split("/")[1] for name in log.read_text().splitlines()} == {"variation2"}


# ------------------------------------------------------------------ options, settings, provenance


def test_a_simulator_makes_ten_demos_where_no_number_is_asked(tmp_path: Path) -> None:
    out = made(tmp_path / "out", selection=Selection(("push_button",)), spec=Spec(cameras=()))
    assert provenance_of(out)["selection"]["episodes"] == SIMULATED_EPISODES == 10
    assert provenance_of(out)["source"]["demos"] == 10
    assert "--episodes 10" in provenance_of(out)["command"]


def test_settings_stand_in_the_provenance_and_on_the_card(tmp_path: Path) -> None:
    source = FakeSimulator(SourceOptions(seed=3, image_size=48, shadows=True))
    out = made(tmp_path / "out", source, preset("grounded", seed=3))
    told = provenance_of(out)
    assert told["source"]["settings"] == {"image_size": 48, "shadows": True, "seed": 3}
    for word in ("--source fake", "--image-size 48", "--shadows", "--seed 3", "--preset grounded"):
        assert word in told["command"]
    card = (out / "README.md").read_text("utf-8")
    assert "- image_size: 48\n- seed: 3\n- shadows: True\n" in card
    assert validate(out).ok


def test_saved_demos_have_no_settings(dataset: Path) -> None:
    assert "settings" not in provenance_of(dataset)["source"]
    assert "were simulated" not in (dataset / "README.md").read_text("utf-8")


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("options", "name"),
    [
        (SourceOptions(image_size=48), "settings.image_size"),
        (SourceOptions(shadows=True), "settings.shadows"),
        (SourceOptions(seed=1), "settings.seed"),
    ],
)
def test_other_settings_are_not_resumed(
    tmp_path: Path, options: SourceOptions, name: str, finished: bool
) -> None:
    out = tmp_path / "out"
    if finished:
        made(out)
    else:
        with pytest.raises(Enough):
            made(out, listener=StopAfter("Making demos", 1))
    before = tree(out)
    with pytest.raises(UsageError, match=re.escape(name)):
        made(out, FakeSimulator(options), resume=True)
    assert tree(out) == before


def test_another_source_is_not_resumed(tmp_path: Path) -> None:
    out = made(tmp_path / "out", spec=Spec(cameras=()))
    with pytest.raises(UsageError, match="scheme: 'fake' then, 'other' now"):
        made(out, Other(), Spec(cameras=()), resume=True)


class Other(FakeSimulator):
    scheme = "other"


def test_a_camera_that_a_simulator_lacks_is_known_before_any_demo(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(UsageError, match="no camera 'wrist' in fake") as caught:
        made(tmp_path / "out", FakeSimulator(log=log), Spec(cameras=("front", "wrist")))
    assert "front, overhead" in caught.value.remedy
    assert not log.exists()
    assert not (tmp_path / "out").exists()


def test_a_task_that_a_simulator_lacks(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no task 'fly'"):
        made(tmp_path / "out", selection=Selection(("fly",)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [SourceOptions(image_size=64), SourceOptions(shadows=True)])
def test_saved_pictures_keep_their_size(demos: Path, options: SourceOptions) -> None:
    with pytest.raises(UsageError, match="saved pictures stay as they are"):
        open_source(f"rlbench:{demos}", options)
    assert isinstance(open_source(f"rlbench:{demos}", SourceOptions(seed=5)), RLBenchSource)


# ------------------------------------------------------------------------------ the command line


def test_auto_is_the_embedded_simulator() -> None:
    assert choose_auto().source == "sim"
    assert choose_auto().why
    assert {"lerobot", "rlbench", "sim"} <= set(SCHEMES)


@pytest.mark.parametrize("verb", ["extract", "tasks", "record"])
def test_the_command_says_which_source_auto_is(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SCHEMES, "sim", "tests.fake_simulator:open_fake")
    words = [verb, "--json"]
    if verb != "tasks":
        words += ["--task", "reach_target", "--episodes", "2", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["robotmcqa", *words])
    with pytest.raises(SystemExit) as end:
        importlib.import_module("robotmcqa.cli.app").main()
    assert not end.value.code
    out, err = capfd.readouterr()
    assert err.startswith("source: sim (the embedded simulator")
    json.loads(out)
    if verb == "extract":
        assert provenance_of(tmp_path / "out")["source"]["scheme"] == "fake"


def test_a_plugin_gets_the_options(robotmcqa: Run, tmp_path: Path) -> None:
    env = installed(tmp_path / "site")
    words = ("--task", "reach_target", "--episodes", 3, "--image-size", 40, "--seed", 5)
    done = robotmcqa(
        *("extract", "--source", "fake", "--preset", "grounded", "--out", tmp_path / "out"),
        *words,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert "Reference demos that 'matched' also draws from: reach_target 48" in done.stdout
    spec = preset("grounded", seed=5)
    source = FakeSimulator(SourceOptions(5, 40))
    own = made(tmp_path / "own", source, spec, Selection(("reach_target",), None, 3))
    assert tree(tmp_path / "out") == tree(own)
    (size,) = {row["images"][0]["bytes"][16:24] for row in rows_of(own)}
    assert size == (40).to_bytes(4, "big") * 2


def test_tasks_of_a_simulator(robotmcqa: Run, tmp_path: Path) -> None:
    env = installed(tmp_path / "site")
    done = robotmcqa("tasks", "--source", "fake", env=env)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if " reach_target " in line]
    assert "0 to 2" in line
    assert "any number" in line
    listed = json.loads(robotmcqa("tasks", "--source", "fake", "--json", env=env).stdout)
    assert listed["push_button"] == {"0": None, "1": None, "2": None}


@pytest.mark.parametrize("flag", [("--image-size", 64), ("--shadows",)])
def test_options_of_a_simulator_with_saved_demos(
    robotmcqa: Run, demos: Path, tmp_path: Path, flag: tuple[object, ...]
) -> None:
    done = robotmcqa(*("extract", "--source", f"rlbench:{demos}", "--out", tmp_path / "out", *flag))
    assert done.returncode == 2
    assert f"{flag[0]} with rlbench:" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["15", "4097", "big"])
def test_sizes_that_no_picture_has(robotmcqa: Run, tmp_path: Path, size: str) -> None:
    done = robotmcqa("extract", "--image-size", size, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--image-size" in done.stderr
    assert not (tmp_path / "out").exists()
