"""An extraction may end at any moment: nothing is lost, and resumed it gives the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.sources import Selection
from robotmcqa.workplace import open_workplace
from tests.conftest import Run, tree
from tests.factory import write_demos
from tests.runs import (
    SLOW_RULE,
    Counting,
    Enough,
    StopAfter,
    alive,
    command,
    family_of,
    interrupted,
    killed_at,
    made,
    spooled,
    started,
    wait_until,
)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


# -------------------------------------------------------------------------------- sudden death


@pytest.mark.parametrize(
    ("workers", "kills"),
    [(1, 10), (2, 4), pytest.param(2, 10, marks=pytest.mark.slow)],
)
def test_killed_at_any_moment_and_resumed_gives_the_same_bytes(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path, workers: int, kills: int
) -> None:
    """Kills at moments spread over the whole run; whenever one run is through, the next."""
    options = ("--workers", workers)
    began = time.monotonic()
    assert started(command(demos, tmp_path / "measured", *options)).wait() == 0
    whole = time.monotonic() - began
    rng = random.Random(workers)
    moments = [whole * (number + rng.random()) / kills for number in range(kills)]
    rng.shuffle(moments)
    killed = 0
    folder = 0
    for moment in moments:
        out = tmp_path / f"out{folder}"
        driver = started(command(demos, out, *options, "--resume"))
        try:
            code = driver.wait(moment)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.communicate()
            killed += 1
            continue
        driver.communicate()
        assert code == 0
        assert tree(out) == tree(dataset)
        folder += 1
    out = tmp_path / f"out{folder}"
    done = robotmcqa(*command(demos, out, *options, "--resume")[1:])
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)
    assert killed


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, str]:
    """Environment in which ``--keyframes slow_rule:rule`` takes a third of a second a demo."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "slow_rule.py").write_text(SLOW_RULE)
    return {"PYTHONPATH": str(folder), "SLOW_RULE": "0.3"}


RULE = ("--keyframes", "slow_rule:rule", "--no-images")


@needs_proc
def test_no_worker_outlives_a_killed_driver(
    demos: Path, tmp_path: Path, slow: dict[str, str]
) -> None:
    out = tmp_path / "out"
    driver = started(command(demos, out, *RULE, "--workers", 2), **slow)
    wait_until(lambda: spooled(out) > 1)
    children = family_of(driver.pid)
    assert len(children) >= 2
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(alive(pid, start) for pid, start in children.items()), 20)
    driver.communicate()


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_with_130_and_can_be_resumed(
    robotmcqa: Run, demos: Path, tmp_path: Path, slow: dict[str, str], workers: int
) -> None:
    out = tmp_path / "out"
    driver = started(command(demos, out, *RULE, "--workers", workers), **slow)
    wait_until(lambda: spooled(out) > 0)
    driver.send_signal(signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 130, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert not stdout
    kept = spooled(out)
    assert 0 < kept < 12
    quick = slow | {"SLOW_RULE": "0"}
    options = (*RULE, "--workers", workers)
    done = robotmcqa(*command(demos, out, *options, "--resume")[1:], env=quick)
    assert done.returncode == 0, done.stderr
    done = robotmcqa(*command(demos, tmp_path / "whole", *options)[1:], env=quick)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(tmp_path / "whole")


def test_a_killed_worker_is_an_error_that_says_what_to_do(
    robotmcqa: Run, demos: Path, tmp_path: Path, slow: dict[str, str]
) -> None:
    """The system kills a worker when memory runs out."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc")
    out = tmp_path / "out"
    driver = started(command(demos, out, *RULE, "--workers", 2), **slow)
    wait_until(lambda: spooled(out) > 0)
    workers = [
        pid
        for pid in family_of(driver.pid)
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(workers[0], signal.SIGKILL)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    quick = slow | {"SLOW_RULE": "0"}
    done = robotmcqa(*command(demos, out, *RULE, "--resume")[1:], env=quick)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("count", [1, 7, 12])
def test_no_demo_is_read_twice(demos: Path, dataset: Path, tmp_path: Path, count: int) -> None:
    out = tmp_path / "out"
    interrupted(demos, out, "Reading demos", count)
    source = Counting(open_source(f"rlbench:{demos}"))
    names = [ref.name for ref in source.refs(Selection())]
    extract(source, Spec(), out, workers=1, resume=True)
    assert source.loaded == names[count:]
    assert tree(out) == tree(dataset)


@pytest.mark.parametrize("count", [0, 1, 12])
def test_stopped_while_writing_it_goes_on_from_the_spool(
    demos: Path, dataset: Path, tmp_path: Path, count: int
) -> None:
    out = tmp_path / "out"
    interrupted(demos, out, "Writing questions", count)
    source = Counting(open_source(f"rlbench:{demos}"))
    extract(source, Spec(), out, workers=1, resume=True)
    assert not source.loaded
    assert tree(out) == tree(dataset)


def test_a_demo_that_has_changed_since_is_read_again(tmp_path: Path) -> None:
    source = tmp_path / "demos"
    write_demos(source, {"reach_target": 3}, frames=60, size=16)
    other = tmp_path / "other"
    write_demos(other, {"reach_target": 3}, frames=70, size=16, seed=50)
    interrupted(source, tmp_path / "out", "Reading demos", 2)
    episode = "reach_target/variation0/episodes/episode0"
    shutil.rmtree(source / episode)
    shutil.copytree(other / episode, source / episode)
    for name, resume in (("out", True), ("fresh", False)):
        extract(open_source(f"rlbench:{source}"), Spec(), tmp_path / name, resume=resume)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seed", "5"], "seed"),
        (["--camera", "overhead"], "cameras"),
        (["--task", "push_button"], "tasks"),
        (["--family", "motion"], "families"),
    ],
)
def test_resuming_with_other_arguments_is_refused(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    out = tmp_path / "out"
    interrupted(demos, out, "Reading demos", 5)
    before = tree(out)
    done = robotmcqa(*command(demos, out, "--resume", *options)[1:])
    assert done.returncode == 2
    assert named in done.stderr
    assert tree(out) == before
    made(demos, out, Spec(), resume=True)
    assert tree(out) == tree(dataset)


def test_resuming_with_another_source_is_refused(
    robotmcqa: Run, demos: Path, many_demos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(demos, out, "Reading demos", 5)
    done = robotmcqa(*command(many_demos, out, "--resume")[1:])
    assert done.returncode == 2
    assert str(many_demos) in done.stderr


def test_a_plain_rerun_of_an_interrupted_run_is_refused(
    robotmcqa: Run, demos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupted(demos, out, "Reading demos", 5)
    before = tree(out)
    done = robotmcqa(*command(demos, out)[1:])
    assert done.returncode == 2
    assert "--resume" in done.stderr
    assert tree(out) == before


def test_overwrite_starts_an_interrupted_run_anew(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    source = open_source(f"rlbench:{demos}")
    with pytest.raises(Enough):
        extract(source, Spec(seed=8), out, listener=StopAfter("Reading demos", 5))
    assert robotmcqa(*command(demos, out, "--overwrite")[1:]).returncode == 0
    assert tree(out) == tree(dataset)


def test_resuming_what_is_complete_says_so(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    done = robotmcqa(*command(demos, out, "--resume")[1:])
    assert done.returncode == 0
    assert "already complete" in done.stderr
    assert tree(out) == tree(dataset)
    assert not (out / ".extract").exists()
    told = robotmcqa(*command(demos, out, "--resume", "--json")[1:])
    assert json.loads(told.stdout)["already_complete"] is True


def test_resuming_what_is_complete_with_other_arguments_is_refused(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    done = robotmcqa(*command(demos, out, "--resume", "--seed", 3)[1:])
    assert done.returncode == 2
    assert "seed" in done.stderr
    assert tree(out) == tree(dataset)


# ---------------------------------------------------------------------------------- overwriting


@pytest.mark.parametrize("stage", ["Reading demos", "Writing questions"])
def test_overwrite_keeps_the_old_data_set_until_the_new_one_is_whole(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path, stage: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    source = open_source(f"rlbench:{demos}")
    with pytest.raises(Enough):
        extract(source, Spec(seed=8), out, overwrite=True, listener=StopAfter(stage, 1))
    kept = {name: digest for name, digest in tree(out).items() if not name.startswith(".extract")}
    assert kept == tree(dataset)
    assert validate(out).ok
    done = robotmcqa(*command(demos, out, "--resume", "--seed", 8)[1:])
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(made(demos, tmp_path / "new", Spec(seed=8)))


def test_overwrite_leaves_nothing_of_the_old_data_set(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    """Not even a split that the new one does not have: readers load whatever lies in data/."""
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    options = ("--overwrite", "--no-images", "--test-fraction", 0)
    assert robotmcqa(*command(demos, out, *options)[1:]).returncode == 0
    spec = Spec(cameras=(), test_fraction=0.0)
    assert tree(out) == tree(made(demos, tmp_path / "new", spec))
    assert not (out / "data/test-00000.parquet").exists()


def test_an_overwrite_without_usable_demos_keeps_the_old_data_set(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    done = robotmcqa(*command(demos, out, "--overwrite", "--camera", "wrist")[1:])
    assert done.returncode == 3
    assert tree(out) == tree(dataset)


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
def test_stopped_at_any_rename_there_is_the_old_data_set_or_none_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """Never a mixture that passes for a data set; and ``--resume`` goes on from each of them."""
    demos = tmp_path / "demos"
    write_demos(demos, {"reach_target": 3}, frames=60, size=16)
    old = made(demos, tmp_path / "old", Spec(seed=1))
    new = made(demos, tmp_path / "new", Spec())
    before, after = tree(old), tree(new)
    seen = set()
    step = 1
    while True:
        out = tmp_path / f"out{step}"
        if overwrite:
            shutil.copytree(old, out)
        run = partial(made, demos, out, Spec(), overwrite=overwrite)
        if not killed_at(step, run, monkeypatch):
            break
        there = {name: one for name, one in tree(out).items() if not name.startswith(".extract")}
        if (out / "meta/manifest.json").exists():
            assert validate(out).ok
            assert there in (before, after)
            seen.add("old" if there == before else "new")
        else:
            seen.add("none")
        begun = (out / ".extract/plan.json").exists()
        again = {"resume": True} if begun or not overwrite else {"overwrite": True}
        assert tree(made(demos, out, Spec(), **again)) == after, f"stopped at step {step}"
        step += 1
    assert step > 12
    assert tree(out) == after
    assert seen == ({"old", "none", "new"} if overwrite else {"none", "new"})


@pytest.mark.parametrize("option", [(), ("--resume",), ("--overwrite",)])
def test_only_one_extraction_works_in_a_folder(
    robotmcqa: Run, demos: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    plan = {"overwrite": False}
    with open_workplace(out, plan, resume=False, overwrite=False) as place:
        (place.episodes / "work.json").write_text("{}")
        before = tree(out)
        done = robotmcqa(*command(demos, out, *option)[1:])
        assert done.returncode == 2
        assert "another extraction is working in" in done.stderr
        assert tree(out) == before
