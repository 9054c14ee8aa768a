"""The same demos and arguments give the same bytes: whoever works, wherever, whatever happens."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, open_source, preset, validate
from robotmcqa.demo import Demo
from robotmcqa.sources import DemoRef, DemoSource, Selection
from robotmcqa.workplace import open_workplace
from tests.conftest import SCRIPT, TASKS, Run, environment, rows_of, tree
from tests.factory import write_demos

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


def command(source: Path, out: Path, *options: object) -> list[str]:
    arguments = ("extract", "--source", f"rlbench:{source}", "--out", out, *options)
    return [str(SCRIPT), *map(str, arguments)]


def made(demos: Path, out: Path, spec: Spec, **options: Any) -> Path:
    """By the library in this process, where nothing hangs on the command."""
    extract(open_source(f"rlbench:{demos}"), spec, out, workers=1, **options)
    return out


def started(arguments: list[str], **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Poll; a test that waits for ever is no test."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


# --------------------------------------------------------------------- workers, folders, orders


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_byte(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", out, "--workers", workers)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)


def test_a_copy_of_the_demos_elsewhere_changes_no_byte(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    """Another folder, other times of modification, written in another order."""
    copy = tmp_path / "somewhere" / "else"
    for task in reversed(TASKS):
        shutil.copytree(demos / task, copy / task, copy_function=shutil.copyfile)
    for path in copy.rglob("*.pkl"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    out = tmp_path / "out"
    assert robotmcqa("extract", "--source", f"rlbench:{copy}", "--out", out).returncode == 0
    assert tree(out) == tree(dataset)


def test_linked_folders_change_no_byte(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for task in TASKS:
        (linked / task).symlink_to(demos / task)
    (tmp_path / "root").symlink_to(linked)
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", "rlbench:root", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)


def test_the_order_of_tasks_changes_no_byte(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    for order in (TASKS[:2], TASKS[1::-1]):
        options = [word for task in order for word in ("--task", task)]
        done = robotmcqa(
            *("extract", "--source", f"rlbench:{demos}", "--no-images"),
            *("--out", tmp_path / order[0], *options),
        )
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / TASKS[0]) == tree(tmp_path / TASKS[1])


def test_episodes_in_another_order_change_no_row(many_demos: Path, tmp_path: Path) -> None:
    """Not even where distractors are drawn from the other episodes."""
    turned = tmp_path / "turned"
    shutil.copytree(many_demos, turned)
    episodes = turned / "reach_target/variation0/episodes"
    for number in range(14):
        (episodes / f"episode{number}").rename(episodes / f"episode{130 - number}")
    spec = preset("grounded", cameras=())
    one, two = tmp_path / "one", tmp_path / "two"
    assert tree(made(many_demos, one, spec)) == tree(made(turned, two, spec))


def test_another_seed_asks_otherwise_about_the_same_split(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", out, "--seed", 1)
    assert done.returncode == 0
    for split in ("train", "test"):
        before, now = rows_of(dataset, split), rows_of(out, split)
        assert [row["id"] for row in before] == [row["id"] for row in now]
        changed = [one["options"] != two["options"] for one, two in zip(before, now, strict=True)]
        assert sum(changed) > 0.9 * len(changed)


# -------------------------------------------------------------------------------- sudden death


def family_of(driver: int) -> dict[int, str]:
    """Children of a process -> their start time, which tells them from a later namesake."""
    found = {}
    for entry in Path("/proc").iterdir():
        stat = _stat(entry.name) if entry.name.isdecimal() else None
        if stat and stat[1] == str(driver):
            found[int(entry.name)] = stat[19]
    return found


def _stat(pid: str) -> list[str] | None:
    """Fields of ``/proc/PID/stat`` from the state on; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def alive(pid: int, start: str) -> bool:
    stat = _stat(str(pid))
    return stat is not None and stat[19] == start and stat[0] != "Z"


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_resumed_gives_the_same_bytes(
    robotmcqa: Run, demos: Path, dataset: Path, tmp_path: Path, workers: int
) -> None:
    """Ten kills at moments spread over the whole run; whenever one run is through, the next."""
    options = ("--workers", workers)
    began = time.monotonic()
    assert started(command(demos, tmp_path / "measured", *options)).wait() == 0
    whole = time.monotonic() - began
    rng = random.Random(workers)
    moments = [whole * (number + rng.random()) / 10 for number in range(10)]
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


SLOW_RULE = """
import os, time
from robotmcqa.keyframes import ArmRule

def rule(demo):
    time.sleep(float(os.environ.get("SLOW_RULE", "0")))
    return ArmRule()(demo)
"""
"""Keyframes as usual, found slowly: time enough to interrupt a run in the middle."""


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, str]:
    """Environment in which ``--keyframes slow_rule:rule`` takes a third of a second a demo."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "slow_rule.py").write_text(SLOW_RULE)
    return {"PYTHONPATH": str(folder), "SLOW_RULE": "0.3"}


RULE = ("--keyframes", "slow_rule:rule", "--no-images")


def spooled(out: Path) -> int:
    return len(list(out.glob(".extract/episodes/*.json")))


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


class Enough(Exception):
    """Ends an extraction at a chosen moment."""


@dataclass
class StopAfter:
    """A listener that ends the run after so many demos of a stage."""

    stage_name: str
    count: int
    heard: list[str] = field(default_factory=list)

    def stage(self, name: str, episodes: int) -> None:
        self.heard.append(name)
        self.left = self.count
        if name == self.stage_name and not self.left:
            raise Enough

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
        if self.heard[-1] == self.stage_name:
            self.left -= episodes
            if self.left <= 0:
                raise Enough


@dataclass
class Counting:
    """A source that remembers what was loaded from it."""

    inner: DemoSource
    loaded: list[str] = field(default_factory=list)

    scheme = property(lambda self: self.inner.scheme)
    location = property(lambda self: self.inner.location)
    licence = property(lambda self: self.inner.licence)
    replayable = property(lambda self: self.inner.replayable)

    def tasks(self) -> list[str]:
        return self.inner.tasks()

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        return self.inner.refs(selection)

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        self.loaded.append(ref.name)
        return self.inner.load(ref, cameras)

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        return self.inner.picture(ref, camera, frame)

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return self.inner.broken_files(ref, cameras)


def interrupted(demos: Path, out: Path, stage: str, count: int, **options: Any) -> None:
    source = open_source(f"rlbench:{demos}")
    with pytest.raises(Enough):
        extract(source, Spec(), out, workers=1, listener=StopAfter(stage, count), **options)


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


class Killed(BaseException):
    """Stands for the end of the process; no ``except Exception`` stops it."""


def killed_at(step: int, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do ``run`` until its ``step``-th rename or removal; whether it got that far."""
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps >= step:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: 1)  # the one that resumes is another process
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        try:
            run()
        except Killed:
            return True
    return False


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
