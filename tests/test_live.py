"""``--source rlbench-live`` by the real command line, against stand-ins for RLBench and PyRep."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robotmcqa.sources import Selection
from robotmcqa.sources.rlbench import RLBenchSource
from tests.conftest import SCRIPT, Row, Run, rows_of
from tests.fake_rlbench.names import CAMERAS
from tests.live import Machine
from tests.rlbench_helpers import refs
from tests.runs import started, wait_until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="there is no /proc, and PyRep works on Linux only"
)

LIVE = ("--source", "rlbench-live", "--task", "reach_target", "--image-size", 16)


Extracted = Callable[..., tuple["subprocess.CompletedProcess[str]", Any]]


@pytest.fixture
def extracted(robotmcqa: Run, machine: Machine, tmp_path: Path) -> Extracted:
    """``extract`` by RLBench into ``tmp_path/out``: the finished command, and its summary."""

    def run(*options: object, env: dict[str, str] | None = None) -> Any:
        words = ("extract", *LIVE, "--out", tmp_path / "out", "--json", *options)
        done = robotmcqa(*words, env=env or machine.env)
        return done, json.loads(done.stdout) if done.stdout else None

    return run


def failed(summary: Any) -> dict[str, str]:
    return {line["where"]: line["why"] for line in summary["failures"] if line["kind"] == "demo"}


def episode(variation: int, number: int = 0) -> str:
    return f"reach_target/variation{variation}/episodes/episode{number}"


# ------------------------------------------------------------------------- hangs, crashes, gaps


def test_a_hang_and_a_crash_cost_two_demos_and_resume_fills_the_gaps(
    script: Run, robotmcqa: Run, machine: Machine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--episodes", 7, "--workers", 2, "--episode-timeout", 4, "--retries", 0)
    command = ("extract", *LIVE, "--out", out, "--json", *options)
    machine.fault("reach_target", 0, "hang", times=1)
    machine.fault("reach_target", 1, "crash")

    first = script(*command, env=machine.env)
    assert first.returncode == 0, first.stderr
    machine.wait_for_the_end()
    summary = json.loads(first.stdout)
    died = "the simulator died: its process crashed (SIGABRT); it last said: "
    hung, crashed = sorted(failed(summary).items())
    assert hung[0] in (episode(0, 0), episode(0, 1)), "whichever worker was first"
    assert hung[1] == "the simulator hung: no answer within 4 s"
    assert crashed == (episode(1), died + "lib.so: signal 11")
    assert set(summary["gaps"]) == {hung[0], crashed[0]}
    assert sum(split["episodes"] for split in summary["splits"].values()) == 5
    assert "2 demos failed; the same command with --resume makes them again" in first.stderr
    before = {row["id"]: row["state"] for row in rows_of(out)}
    made = machine.made()

    refused = robotmcqa(*command, env=machine.env)
    assert refused.returncode == 2
    assert "lacks 2 of its demos" in refused.stderr
    assert "--resume makes them again" in refused.stderr

    machine.mend()
    second = script(*command, "--resume", env=machine.env)
    assert second.returncode == 0, second.stderr
    machine.wait_for_the_end()
    summary = json.loads(second.stdout)
    assert failed(summary) == {}
    assert summary["gaps"] == []
    assert machine.made() - made == Counter({("reach_target", "0"): 1, ("reach_target", "1"): 1})
    after = {row["id"]: row["state"] for row in rows_of(out)}
    assert before.items() < after.items(), "what was there is there as it was"
    assert robotmcqa("validate", out).returncode == 0
    assert not (out / ".extract").exists()


@pytest.mark.slow
def test_gaps_that_stay_are_named_again(extracted: Extracted, machine: Machine) -> None:
    machine.fault("reach_target", 1, "exit")
    options = ("--episodes", 3, "--retries", 1)
    _, first = extracted(*options)
    happened = "2 attempts failed alike: the simulator died: its process ended with exit code 3"
    assert failed(first) == {episode(1): happened}
    done, second = extracted(*options, "--resume")
    assert done.returncode == 0
    assert failed(second) == failed(first)
    assert second["gaps"] == [episode(1)]
    assert second["splits"] == first["splits"]
    assert sum(machine.made().values()) == 2
    assert machine.events("begin").count(["reach_target", "1"]) == 4


@pytest.mark.slow
def test_too_many_failures_can_be_made_up_for(extracted: Extracted, machine: Machine) -> None:
    machine.fault("reach_target", 0, "runtime")
    options = ("--episodes", 3, "--retries", 0)
    done, summary = extracted(*options, "--max-failures", 0)
    assert done.returncode == 3
    (failure,) = summary["failures"]
    assert failure["why"].startswith(
        "RuntimeError: no demo in 10 attempts; it last said: Bad demo."
    )
    machine.mend()
    done, summary = extracted(*options, "--resume")
    assert done.returncode == 0
    assert failed(summary) == {}
    assert sum(machine.made().values()) == 3


# ------------------------------------------------------------------------------ sudden ends


def begun(machine: Machine, tmp_path: Path, *options: object, env: dict[str, str]) -> Any:
    words = ("extract", *LIVE, "--episodes", 6, "--out", tmp_path / "out", *options)
    return started([str(SCRIPT), *map(str, words)], **env)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_no_simulator_outlives_a_killed_driver(
    extracted: Extracted, machine: Machine, tmp_path: Path, workers: int
) -> None:
    """In the middle of the run; the next one makes only what is missing."""
    env = machine.without_display(xvfb=True)
    machine.fault("reach_target", 3, "hang")
    driver = begun(machine, tmp_path, "--workers", workers, env=env)
    wait_until(lambda: ["reach_target", "3"] in machine.events("begin"))
    wait_until(lambda: bool(list(tmp_path.glob("out/.extract/episodes/*.json"))))
    driver.kill()
    driver.communicate()
    machine.wait_for_the_end()
    assert machine.events("launch")[-1][0] == ":4711", "a display of its own, which is gone too"
    machine.mend()
    spooled = len(list(tmp_path.glob("out/.extract/episodes/*.json")))
    made = sum(machine.made().values())
    done, summary = extracted("--episodes", 6, "--resume", env=env)
    assert done.returncode == 0, done.stderr
    assert failed(summary) == {}
    assert sum(machine.made().values()) == made + 6 - spooled
    machine.wait_for_the_end()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nothing_is_left_after_ctrl_c(machine: Machine, tmp_path: Path, workers: int) -> None:
    machine.fault("reach_target", 0, "hang")
    env = machine.without_display(xvfb=True)
    driver = begun(machine, tmp_path, "--workers", workers, env=env)
    wait_until(lambda: ["reach_target", "0"] in machine.events("begin"))
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=20)
    assert driver.returncode == 130, said
    assert "--resume" in said
    machine.wait_for_the_end()


# --------------------------------------------------------------------------------- what is asked


def test_rows_are_what_the_simulator_gave(robotmcqa: Run, machine: Machine, tmp_path: Path) -> None:
    cameras = ("--camera", "front", "--camera", "overhead", "--renderer", "opengl3")
    words = ("extract", *LIVE, "--episodes", 7, *cameras, "--out", tmp_path / "out")
    done = robotmcqa(*words, env=machine.env)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "out")
    spread = Counter(row["variation"] for row in rows if row["frame"] == 0)
    assert len(spread) == 5
    assert "Live demos: recorded, not reproducible;" in done.stdout
    assert "drawn by CoppeliaSim (opengl3, on display :0)" in done.stderr
    for row in rows:
        for image, camera in zip(row["images"], row["cameras"], strict=True):
            picture = np.array(Image.open(BytesIO(image["bytes"])))
            assert picture.shape == (16, 16, 3)
            assert set(map(tuple, picture.reshape(-1, 3))) == {
                (row["frame"], 50 * CAMERAS.index(camera), 255)
            }
    made = json.loads((tmp_path / "out/meta/provenance.json").read_text())
    assert made["source"]["settings"] == {
        "image_size": 16,
        "renderer": "opengl3",
        "reproducible": False,
        "packages": {"coppeliasim": "4.1.0", "pyrep": "4.1.0.3", "rlbench": "1.2.0"},
    }
    assert "--source rlbench-live" in made["command"]
    assert "--renderer opengl3" in made["command"]
    assert made["source"]["licence"] == "RLBench: for non-commercial research only"
    card = (tmp_path / "out/README.md").read_text()
    assert "made by RLBench in CoppeliaSim" in card
    assert "recorded as they were made and cannot be made again" in card


def test_a_task_that_does_not_load_is_one_failure_among_the_demos_of_the_others(
    robotmcqa: Run, machine: Machine, tmp_path: Path
) -> None:
    words = ("extract", "--task", "all", "--episodes", 1, "--no-images", "--retries", 0, "--json")
    done = robotmcqa(*words, "--out", tmp_path / "out", env=machine.env)
    assert done.returncode == 0, done.stderr
    assert "source: rlbench-live (" in done.stderr  # auto takes it, and says so
    summary = json.loads(done.stdout)
    (why,) = failed(summary).values()
    assert "cannot be loaded" in why
    assert "FileNotFoundError: unloadable_task.ttm is not there" in why
    assert set(summary["items"]) == {"pick_up_cup", "push_button", "reach_target"}


def test_tasks_of_the_installed_rlbench(robotmcqa: Run, machine: Machine) -> None:
    done = robotmcqa("tasks", "--source", "rlbench-live", "--json", env=machine.env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    counts = {task: len(variations) for task, variations in found.items()}
    assert counts == {"pick_up_cup": 3, "push_button": 2, "reach_target": 5}
    assert "unloadable_task: 2 attempts failed alike: FileNotFoundError" in done.stderr
    machine.wait_for_the_end()


# --------------------------------------------------------------------------------------- record


def test_record_writes_rlbenchs_own_layout(
    robotmcqa: Run, machine: Machine, tmp_path: Path
) -> None:
    out = tmp_path / "demos"
    kinds = ("--depth", "--mask", "--camera", "front", "--camera", "wrist")
    words = ("record", *LIVE, "--episodes", 3, "--out", out, "--json", "--retries", 0, *kinds)
    machine.fault("reach_target", 1, "runtime")
    first = robotmcqa(*words, env=machine.env)
    assert first.returncode == 0, first.stderr
    assert list(failed(json.loads(first.stdout))) == [episode(1)]
    machine.mend()
    second = robotmcqa(*words, env=machine.env)
    summary = json.loads(second.stdout)
    assert (summary["written"], summary["kept"]) == ({"reach_target": 1}, {"reach_target": 2})
    assert summary["reproducible"] is False
    assert sum(machine.made().values()) == 3
    machine.wait_for_the_end()

    source = RLBenchSource(str(out))
    assert source.recorded_by == "rlbench-live"
    assert len(refs(out)) == 3
    for ref in source.refs(Selection()):
        demo = source.load(ref, ("front", "wrist"))
        assert source.broken_files(ref, ("front", "wrist")) == ()
        models = source.camera_models(ref)
        assert set(models) == {"front", "wrist"}
        assert (models["front"].near, models["front"].far) == (0.01, 4.5)
        for frame in (0, len(demo) - 1):
            beside = {
                kind: np.array(Image.open(Path(ref.locator, f"wrist_{kind}", f"{frame}.png")))
                for kind in ("rgb", "depth", "mask")
            }
            red, green, blue = beside["depth"][0, 0].astype(float)
            share = (red * 65536 + green * 256 + blue) / (2**24 - 1)
            assert share == pytest.approx(frame / 100, abs=1e-7)
            red, green, blue = beside["mask"][0, 0].astype(int)
            assert red + 256 * green + 65536 * blue == 70_000 + frame
            assert tuple(beside["rgb"][0, 0]) == (frame, 150, 255)


# ------------------------------------------------------------------------------- the real ones


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("ROBOTMCQA_COPPELIASIM"),
    reason="ROBOTMCQA_COPPELIASIM names no CoppeliaSim for which RLBench is installed here",
)
def test_rlbench_itself(script: Run, tmp_path: Path) -> None:
    env = {"COPPELIASIM_ROOT": os.environ["ROBOTMCQA_COPPELIASIM"]}
    words = ("--source", "rlbench-live", "--task", "reach_target", "--episodes", 4)
    done = script("extract", *words, "--workers", 2, "--out", tmp_path / "questions", env=env)
    assert done.returncode == 0, done.stderr
    assert script("validate", tmp_path / "questions").returncode == 0
    kinds = ("--camera", "all", "--depth", "--mask", "--image-size", 128)
    done = script("record", *words, *kinds, "--out", tmp_path / "demos", env=env)
    assert done.returncode == 0, done.stderr
    source = RLBenchSource(str(tmp_path / "demos"))
    for ref in source.refs(Selection()):
        demo = source.load(ref, CAMERAS)
        assert source.broken_files(ref, CAMERAS) == ()
        tip = source.camera_models(ref)["front"].project(demo.gripper_pose[-1, :3])
        assert np.all((tip > 0) & (tip < 128)), "the front camera sees where the gripper ends"


@pytest.mark.parametrize(
    "task", ["push_button", pytest.param("pick_up_cup", marks=pytest.mark.slow)]
)
def test_real_demos_replayed_give_the_rows_that_their_files_give(
    extracted: Extracted,
    robotmcqa: Run,
    machine: Machine,
    rlbench_data: Path,
    tmp_path: Path,
    task: str,
) -> None:
    """RLBench's own pickles, read by pickle into the stand-in's classes, and played as if live."""
    demos = tmp_path / "demos"
    shutil.copytree(rlbench_data / "paper" / task, demos / task)
    folder = demos / task / "variation0" / "episodes"
    count = len(list(folder.glob("episode*")))
    saved, live = tmp_path / "saved", tmp_path / "live"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", saved)
    assert done.returncode == 0, done.stderr
    words = ("extract", "--source", "rlbench-live", "--task", task, "--episodes", count)
    env = {**machine.env, "FAKE_RLBENCH_REPLAY": str(demos)}
    done = robotmcqa(*words, "--variation", 0, "--out", live, env=env)
    assert done.returncode == 0, done.stderr

    def known(folder: Path) -> dict[str, Row]:
        return {row["id"]: row for row in rows_of(folder)}

    ours, theirs = known(live), known(saved)
    assert ours.keys() == theirs.keys()
    for name, row in ours.items():
        other = theirs[name]
        pictures, others = row.pop("images"), other.pop("images")
        assert row == other, name
        for one, another in zip(pictures, others, strict=True):
            mine, saved_one = (Image.open(BytesIO(image["bytes"])) for image in (one, another))
            assert np.array_equal(np.array(mine), np.array(saved_one)[..., :3])
