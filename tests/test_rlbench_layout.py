"""RLBench's layout: what is written is read again, by RLBench too; the factory writes with it."""

from __future__ import annotations

import dataclasses
import pickle
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, UsageError
from robotmcqa.keyframes import find_keyframes
from robotmcqa.rlbench_layout import (
    Layout,
    RLBenchPickler,
    dump_pickle,
    episode_folder,
    save_demo,
    write_demo,
)
from tests.factory import TASKS, make_demo
from tests.factory import main as factory
from tests.rlbench_helpers import SMALL, as_pickled, episode, load_all, load_one, names, refs, same


class Numpy2Pickler(RLBenchPickler):
    """Names numpy's functions as numpy 2 does."""

    numpy_core = "numpy._core"


# ------------------------------------------------------------------------- the writer, and back


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("layout", ["variations", "all_variations"])
def test_protocols(protocol: int, layout: Layout, tmp_path: Path) -> None:
    demo = make_demo(variation=3, **SMALL)
    save_demo(tmp_path, demo, 0, layout=layout, protocol=protocol)
    assert same(load_one(tmp_path), demo)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_numpy_1_and_2_in_one_set(protocol: int, tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    save_demo(tmp_path, demo, 0, cameras={}, protocol=protocol)
    new = dump_pickle(as_pickled(demo), protocol, Numpy2Pickler)
    old = dump_pickle(as_pickled(demo), protocol)
    assert b"numpy._core." in new
    assert b"numpy._core." not in old
    assert b"numpy.core." in old
    second = save_demo(tmp_path, demo, 1, cameras={}, protocol=protocol)
    (second / "low_dim_obs.pkl").write_bytes(new)
    first, other = load_all(tmp_path)
    assert same(first, demo)
    assert same(other, demo)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_in_any_memory_order(protocol: int, tmp_path: Path) -> None:
    """Newer numpy writes a permuted array, at protocol 5, with an argument more."""
    stored = as_pickled(make_demo(**SMALL))
    for observation in stored._observations:
        observation.gripper_matrix = np.asfortranarray(np.arange(16.0).reshape(4, 4))
        observation.misc = {"cloud": np.zeros((2, 3, 4)).transpose(1, 0, 2)}
        observation.gripper_pose = np.repeat(observation.gripper_pose, 2)[::2]
    episode(tmp_path, stored, protocol)
    assert load_one(tmp_path).digest() == make_demo(**SMALL).digest()


states = hnp.arrays(
    np.float64, (4, 7), elements=st.floats(-10, 10, allow_nan=False, allow_subnormal=False)
)


@settings(max_examples=60, deadline=None)
@given(
    pose=states,
    velocities=st.none() | states,
    positions=st.none() | states,
    is_open=hnp.arrays(np.float64, 4, elements=st.sampled_from([0.0, 1.0])),
    variation=st.integers(0, 10**6),
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool),
        min_size=1,
        max_size=3,
    ),
    protocol=st.integers(3, 5),
    layout=st.sampled_from(["variations", "all_variations"]),
)
def test_round_trip(
    pose: Any,
    velocities: Any,
    positions: Any,
    is_open: Any,
    variation: int,
    texts: list[str],
    protocol: int,
    layout: Layout,
) -> None:
    pose[:, 3:] = np.where(np.abs(pose[:, 3:]).max(axis=1, keepdims=True) < 1e-3, 1.0, pose[:, 3:])
    demo = Demo(
        "any_task", variation, tuple(texts), pose, is_open, velocities, positions, images={}
    )
    with tempfile.TemporaryDirectory() as folder:
        save_demo(Path(folder), demo, 0, layout=layout, protocol=protocol)
        back = load_one(Path(folder))
    assert same(demo, back)
    for name in ("joint_velocities", "joint_positions"):
        left, right = getattr(demo, name), getattr(back, name)
        assert (left is None and right is None) or np.array_equal(left, right)
    assert back.notes == ()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:numpy.core.numeric is deprecated")
def test_rlbench_reads_what_is_written(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes of RLBench's names, whose constructors are never called, get the fields."""

    class Observation:
        __module__ = "rlbench.backend.observation"
        __qualname__ = "Observation"

        def __init__(self, *needed: Any) -> None:
            raise AssertionError("unpickling does not construct")

    class RealDemo(Observation):
        __module__ = "rlbench.demo"
        __qualname__ = "Demo"

    for module, name, real in (
        ("rlbench.demo", "Demo", RealDemo),
        ("rlbench.backend.observation", "Observation", Observation),
    ):
        stand_in = types.ModuleType(module)
        setattr(stand_in, name, real)
        parts = module.split(".")
        for depth in range(1, len(parts)):
            parent = ".".join(parts[:depth])
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, module, stand_in)
    demo = make_demo(variation=2, **SMALL)
    folder = save_demo(
        tmp_path, demo, 0, cameras={}, protocol=protocol, misc={"front_camera_near": 0.01}
    )
    stored: Any = pickle.loads((folder / "low_dim_obs.pkl").read_bytes())
    assert type(stored).__qualname__ == "Demo"
    assert stored.variation_number == 2
    first = stored._observations[0]
    assert type(first).__qualname__ == "Observation"
    assert np.array_equal(first.gripper_pose, demo.gripper_pose[0])
    assert first.gripper_matrix == pytest.approx(
        np.array([[-1, 0, 0, 0.278], [0, 1, 0, -0.008], [0, 0, -1, 1.472], [0, 0, 0, 1]])
    )
    assert first.gripper_joint_positions.tolist() == [0.04, 0.04]
    assert first.misc == {"variation_index": 2, "front_camera_near": 0.01}
    assert first.front_rgb is first.wrist_point_cloud is first.overhead_depth is None


def test_an_episode_is_whole_or_not_there(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    with pytest.raises(DemoError, match="2 pictures for 60 frames"):
        save_demo(tmp_path, demo, 0, cameras={"front": [b"", b""]})
    assert names(tmp_path) == []
    assert list((tmp_path / "reach_target/variation0/episodes").iterdir()) == []
    folder = save_demo(tmp_path, demo, 0)
    assert not list(folder.parent.glob(".*"))
    with pytest.raises(UsageError, match="exists already"):
        save_demo(tmp_path, demo, 0)


def test_a_variation_keeps_its_descriptions(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    save_demo(tmp_path, demo, 0, cameras={})
    other = dataclasses.replace(demo, instructions=("something else",))
    with pytest.raises(UsageError, match="other descriptions"):
        save_demo(tmp_path, other, 1, cameras={})
    save_demo(tmp_path, other, 1, cameras={}, layout="all_variations")
    assert {d.instructions for d in load_all(tmp_path)} == {demo.instructions, other.instructions}


def test_the_writer_names_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no layout 'flat'") as caught:
        episode_folder(tmp_path, "reach_target", 0, 0, "flat")  # type: ignore[arg-type]
    assert "variations, all_variations" in caught.value.remedy


def test_a_quaternion_of_length_zero_is_not_written(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    demo.gripper_pose[5, 3:] = 0.0
    with pytest.raises(DemoError, match="quaternion"):
        write_demo(tmp_path / "episode0", demo)


# ------------------------------------------------------------------------------- the factory


def test_the_factory_repeats_itself() -> None:
    for task in TASKS:
        one, again = make_demo(task, 3, 1, size=32), make_demo(task, 3, 1, size=32)
        assert one.digest() == again.digest() != make_demo(task, 4, 1).digest()
        assert one.image("front", 20) == again.image("front", 20)
        assert one.image("front", 20) != one.image("front", 40)
        assert 2 <= len(find_keyframes(one)) <= 5
        x, y, z = one.gripper_pose[:, :3].T
        assert x.min() >= 0
        assert np.abs(y).max() <= 0.4
        assert 0.75 < z.min() < z.max() <= 1.472


def test_the_factory_is_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path), "--tasks", "push_button", "--episodes", "4", "--size", "16"]
    factory(arguments)
    assert "push_button: 4 episodes" in capsys.readouterr().out
    assert [ref.variation for ref in refs(tmp_path)] == [0, 0, 1, 2]
