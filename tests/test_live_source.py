"""The source behind ``rlbench-live``, asked in this process; its simulators are others."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa import open_source
from robotmcqa.diagnosis import diagnose
from robotmcqa.display import PrivateDisplay, display
from robotmcqa.errors import DemoError, SourceError, UsageError
from robotmcqa.sources import (
    Releasable,
    Selection,
    Simulated,
    SourceOptions,
    SuppliesReferences,
    choose_auto,
    release,
    reproducible,
)
from robotmcqa.sources.live_options import LiveOptions
from robotmcqa.sources.rlbench_install import missing, task_names
from robotmcqa.sources.rlbench_live import RLBenchLiveSource
from robotmcqa.sources.rlbench_observations import Packed, demo_of, packed
from tests.factory import make_demo
from tests.live import Machine
from tests.runs import wait_until


@pytest.fixture
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLBenchLiveSource]:
    """The source as this process opens it."""
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    for folder in reversed(machine.env["PYTHONPATH"].split(os.pathsep)):
        monkeypatch.syspath_prepend(folder)
    source = open_source("rlbench-live", SourceOptions(image_size=16))
    assert isinstance(source, RLBenchLiveSource)
    yield source
    release(source)


def opened(**live: Any) -> RLBenchLiveSource:
    source = open_source("rlbench-live", SourceOptions(live=LiveOptions(**live)))
    assert isinstance(source, RLBenchLiveSource)
    return source


def test_what_it_is(here: RLBenchLiveSource) -> None:
    assert isinstance(here, Simulated)
    assert isinstance(here, Releasable)
    assert not isinstance(here, SuppliesReferences)
    assert pickle.loads(pickle.dumps(here)) == here
    assert not reproducible(here)
    assert not here.replayable
    assert choose_auto().source == "rlbench-live"
    assert here.tasks() == ["pick_up_cup", "push_button", "reach_target", "unloadable_task"]
    plain = opened()
    assert (plain.image_size, plain.episode_timeout, plain.retries) == (224, 300, 2)


def test_variations_take_turns_as_in_sim(here: RLBenchLiveSource, machine: Machine) -> None:
    """The simulator that counts draws nothing, and is gone when the refs are there."""
    refs = list(here.refs(Selection(("reach_target", "push_button"), None, 7)))
    assert [(ref.task, ref.variation) for ref in refs] == [
        *(("push_button", variation) for variation in (0, 0, 0, 0, 1, 1, 1)),
        *(("reach_target", variation) for variation in (0, 0, 1, 2, 3, 3, 4)),
    ]
    assert refs[1].name == "push_button/variation0/episodes/episode1"
    assert machine.events("launch") == [[":0", "-", "-"]]
    assert machine.events("shutdown") == [[]]
    machine.wait_for_the_end()
    with pytest.raises(SourceError, match="no variation 5"):
        list(here.refs(Selection(("reach_target",), 5, 1)))
    with pytest.raises(SourceError, match="no task 'reach_targets'"):
        list(here.refs(Selection(("reach_targets",), None, 1)))


def test_one_simulator_for_demos_that_see_the_same(
    here: RLBenchLiveSource, machine: Machine
) -> None:
    (ref,) = here.refs(Selection(("push_button",), 1, 1))
    for cameras in (("front",), ("front",), (), ()):
        demo = here.load(ref, cameras)
        assert set(demo.images) == set(demo.cameras) == set(cameras)
        assert (demo.depths, demo.masks) == ({}, {})
        assert demo.notes == ()
    drawn = opened(renderer="opengl3", depth=True, mask=True).load(ref, ("wrist", "overhead"))
    assert set(drawn.depths) == set(drawn.masks) == {"wrist", "overhead"}
    assert machine.events("launch")[1:] == [
        [":0", "front", "OPENGL"],
        [":0", "-", "-"],
        [":0", "overhead,wrist", "OPENGL3"],
    ]
    made = make_demo("push_button", 0, 1, 60, cameras=())
    first = here.load(ref, ())
    assert first.instructions == made.instructions
    assert first.gripper_pose.shape == made.gripper_pose.shape
    assert first.finger_positions is not None
    assert set(first.finger_positions.ravel()) <= {0.0, 0.04}


def test_what_fails_is_tried_again_and_told(here: RLBenchLiveSource, machine: Machine) -> None:
    (ref,) = here.refs(Selection(("push_button",), 1, 1))
    machine.fault("push_button", 1, "placement", times=1)
    machine.fault("push_button", 1, "runtime", times=1)
    noted = (
        "attempt 1: TaskEnvironmentError: no place for the task in 40 attempts",
        "attempt 2: RuntimeError: no demo in 10 attempts; it last said: "
        "Bad demo. No way to waypoint 0. | Bad demo. No way to waypoint 1.",
    )
    assert here.load(ref, ()).notes == noted
    # One to count the variations; after each failure a new one.
    assert len(machine.events("launch")) == 4
    machine.fault("push_button", 1, "placement", times=1)
    machine.fault("push_button", 1, "exit")
    with pytest.raises(DemoError) as error:
        opened(retries=1).load(ref, ())
    assert error.value.what == (
        "2 attempts failed: 1: TaskEnvironmentError: no place for the task in 40 attempts; "
        "2: the simulator died: its process ended with exit code 3"
    )
    machine.wait_for_the_end()


def test_a_hung_simulator_takes_its_display_with_it(
    here: RLBenchLiveSource, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ref,) = here.refs(Selection(("push_button",), 1, 1))
    machine.without_display(xvfb=True)
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("PATH", str(machine.folder / "bin"))
    machine.fault("push_button", 1, "hang")
    source = opened(episode_timeout=2, retries=0)
    assert source.drawn_by() == "CoppeliaSim (opengl, on a private Xvfb)"
    with pytest.raises(DemoError, match="the simulator hung: no answer within 2 s"):
        source.load(ref, ("front",))
    assert machine.events("launch")[-1] == [":4711", "front", "OPENGL"]
    assert len(machine.events("xvfb")) == 1
    machine.wait_for_the_end()
    machine.mend()
    assert len(source.load(ref, ("front",))) == 60
    assert len(machine.events("xvfb")) == 2
    release(source)
    assert machine.events("shutdown")[-1] == []
    machine.wait_for_the_end()


def test_a_simulator_that_does_not_start_says_why(
    here: RLBenchLiveSource, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The display that DISPLAY names may be gone."""
    server = machine.folder / "bin" / "Xvfb"
    server.write_text("#!/bin/sh\nexit 1\n")
    server.chmod(0o755)
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("PATH", f"{server.parent}:/bin:/usr/bin")
    with pytest.raises(SourceError, match=r"does not start: .*Xvfb does not start"):
        here.variations("push_button")


def test_what_it_does_not_take(here: RLBenchLiveSource, machine: Machine) -> None:
    with pytest.raises(UsageError, match="rlbench-live:/data"):
        open_source("rlbench-live:/data")
    with pytest.raises(UsageError, match="--shadows") as error:
        open_source("rlbench-live", SourceOptions(shadows=True))
    assert "--renderer opengl3" in error.value.remedy
    for seconds in (float("inf"), float("nan"), 0.0):
        with pytest.raises(UsageError, match="--episode-timeout"):
            opened(episode_timeout=seconds)
    live = LiveOptions(renderer="opengl3")
    assert open_source("rlbench-live", SourceOptions(shadows=True, live=live))


@pytest.mark.parametrize(
    ("live", "flag"),
    [
        (LiveOptions(renderer="opengl"), "--renderer"),
        (LiveOptions(episode_timeout=5), "--episode-timeout"),
        (LiveOptions(retries=0), "--retries"),
    ],
)
def test_other_sources_refuse_its_options(live: LiveOptions, flag: str, demos: Path) -> None:
    for source in ("sim", f"rlbench:{demos}"):
        with pytest.raises(UsageError, match=f"{flag} with {source}"):
            open_source(source, SourceOptions(live=live))
        assert open_source(source, SourceOptions(live=LiveOptions(depth=True, mask=True)))


# ----------------------------------------------------------------------------- what is missing


def test_each_missing_piece_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COPPELIASIM_ROOT", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {piece.what: piece for piece in missing()}
    assert list(found) == ["CoppeliaSim 4.1", "PyRep", "RLBench", "a display"]
    assert "export COPPELIASIM_ROOT=" in found["CoppeliaSim 4.1"].remedy
    assert "git+https://github.com/stepjam/PyRep.git" in found["PyRep"].remedy
    assert "LD_LIBRARY_PATH" in found["PyRep"].remedy
    assert "git+https://github.com/stepjam/RLBench.git" in found["RLBench"].remedy
    assert found["a display"].remedy == "sudo apt install xvfb"
    assert task_names() == []
    findings = {one.what: one for one in diagnose()}
    for what, piece in found.items():
        finding = findings[f"{what} (live RLBench)"]
        assert (finding.state, finding.remedy) == ("optional", piece.remedy)
    assert findings["source rlbench-live:"].state == "optional"
    with pytest.raises(UsageError, match="COPPELIASIM_ROOT is not set; PyRep: not installed"):
        open_source("rlbench-live")
    source, why = choose_auto()
    assert source == "sim"
    assert why.endswith("live RLBench lacks CoppeliaSim 4.1, PyRep, RLBench, a display")

    monkeypatch.setenv("COPPELIASIM_ROOT", str(tmp_path))
    assert missing()[0].found == f"{tmp_path} holds no libcoppeliaSim.so"


def test_pypis_pyrep_is_told_from_the_right_one(
    here: RLBenchLiveSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing() == []
    assert {one.state for one in diagnose() if "live" in one.what} == {"ok"}
    other = tmp_path / "other"
    (other / "pyrep").mkdir(parents=True)
    (other / "pyrep/__init__.py").write_text("from .Repository import Repository\n")
    info = other / "pyrep-3.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pyrep\nVersion: 3.2.0\n")
    monkeypatch.syspath_prepend(str(other))
    (piece,) = missing()
    assert piece.found == "another package is installed under its name: PyPI's pyrep 3.2.0"
    assert piece.remedy.startswith("pip uninstall -y pyrep && ")
    with pytest.raises(UsageError, match="PyPI's pyrep") as error:
        open_source("rlbench-live")
    assert error.value.remedy == piece.remedy


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="Xvfb is not installed")
def test_a_private_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert display() == "a private Xvfb"
    one, other = PrivateDisplay(), PrivateDisplay()
    assert one.name != other.name
    sockets = [Path(f"/tmp/.X11-unix/X{made.name[1:]}") for made in (one, other)]
    assert all(socket.exists() for socket in sockets)
    one.close()
    other.close()
    wait_until(lambda: not any(socket.exists() for socket in sockets))
    assert not subprocess.run(["pgrep", "-P", str(os.getpid()), "Xvfb"], check=False).stdout


# ---------------------------------------------------------------------------- observations


class Frame:
    """An observation: attributes, no more."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def frames(**changes: Any) -> list[Frame]:
    made = make_demo(cameras=())
    matrices = {
        "front_camera_extrinsics": np.eye(4),
        "front_camera_intrinsics": np.eye(3),
        "front_camera_near": 0.01,
        "front_camera_far": 4.5,
    }
    shown = {"gripper_open": 1.0, "misc": matrices, "front_rgb": np.zeros((4, 4, 3), np.uint8)}
    return [Frame(gripper_pose=pose, **(shown | changes)) for pose in made.gripper_pose]


def sent(observations: list[Frame], *channels: str) -> Packed:
    return packed(observations, ["reach it", " "], ("front",), ("rgb", *channels))


def test_least_that_makes_a_demo() -> None:
    demo = demo_of(sent(frames()), "reach_target", 3, ["attempt 1: it hung"])
    assert demo.instructions == ("reach it",)
    assert (demo.variation, demo.notes) == (3, ("attempt 1: it hung",))
    assert demo.joint_velocities is demo.joint_positions is demo.finger_positions is None
    assert demo.image("front", 0).startswith(b"\x89PNG")


def test_colours_and_masks_in_shares_of_one() -> None:
    """As RLBench gives masks of three channels, and gave colours before 1.2."""
    handle = np.array([112, 17, 1]) / np.float32(255)
    shares = np.broadcast_to(handle.astype(np.float32), (2, 2, 3))
    made = sent(frames(front_rgb=shares, front_mask=shares), "mask")
    for channel in ("rgb", "mask"):
        picture = made["pictures"]["front", channel][0]
        assert picture is not None
        assert picture.dtype == np.uint8
        assert picture[1, 1].tolist() == [112, 17, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gripper_pose": None}, "the simulator gave no gripper_pose at frame 1"),
        ({"gripper_open": None}, "the simulator gave no gripper_open at frame 1"),
        ({"gripper_pose": [0.0]}, "gripper_pose: "),
        ({"misc": {}}, "the simulator gave no front_camera_extrinsics at frame 1"),
        ({"front_rgb": None}, "the simulator gave no front_rgb at frame 1"),
        ({"front_rgb": np.zeros((4, 4), np.uint8)}, r"front_rgb has shape \(4, 4\)"),
    ],
)
def test_what_a_frame_lacks_is_named(change: dict[str, Any], says: str) -> None:
    observations = frames()
    observations[1].__dict__.update(change)
    with pytest.raises(DemoError, match=says):
        demo_of(sent(observations), "reach_target", 0).image("front", 1)


def test_what_all_frames_lack_is_named() -> None:
    made = sent(frames())
    made["low_dim"]["gripper_pose"] = [None] * 3
    with pytest.raises(DemoError, match="the simulator gave no gripper_pose"):
        demo_of(made, "reach_target", 0)
