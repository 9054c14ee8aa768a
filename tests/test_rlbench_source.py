"""Saved RLBench demos: every depth, both layouts, and every quirk of the sets out there."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import shutil
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
from robotmcqa.errors import DemoError, SourceError, UsageError
from robotmcqa.keyframes import find_keyframes
from robotmcqa.rlbench_layout import (
    Layout,
    PickledDemo,
    PickledObservation,
    RLBenchPickler,
    dump_pickle,
    episode_folder,
    save_demo,
    write_demo,
)
from robotmcqa.sources import DemoRef, Selection, open_source
from robotmcqa.sources.rlbench import RLBenchSource
from tests.factory import TASKS, make_demo, write_demos
from tests.factory import main as factory

EVERYTHING = Selection()
SMALL: dict[str, Any] = {"frames": 60, "size": 16}


class Numpy2Pickler(RLBenchPickler):
    """Names numpy's functions as numpy 2 does."""

    numpy_core = "numpy._core"


def refs(folder: Path, selection: Selection = EVERYTHING) -> list[DemoRef]:
    return list(RLBenchSource(str(folder)).refs(selection))


def names(folder: Path, selection: Selection = EVERYTHING) -> list[str]:
    return [ref.name for ref in refs(folder, selection)]


def load_all(folder: Path) -> list[Demo]:
    source = RLBenchSource(str(folder))
    return [source.load(ref, ()) for ref in source.refs(EVERYTHING)]


def load_one(folder: Path) -> Demo:
    (demo,) = load_all(folder)
    return demo


def same(left: Demo, right: Demo) -> bool:
    return (
        left.digest() == right.digest()
        and (left.task, left.variation, left.instructions)
        == (right.task, right.variation, right.instructions)
        and np.array_equal(left.gripper_pose, right.gripper_pose)
        and np.array_equal(left.gripper_open, right.gripper_open)
    )


def as_pickled(demo: Demo) -> Any:
    """A PickledDemo: what ``low_dim_obs.pkl`` holds, to be damaged by a test."""
    observations = [
        PickledObservation(
            front_rgb=None,
            joint_velocities=np.array(demo.joint_velocities)[frame].copy(),
            joint_positions=np.array(demo.joint_positions)[frame].copy(),
            gripper_open=float(demo.gripper_open[frame]),
            gripper_pose=demo.gripper_pose[frame].copy(),
            misc={},
        )
        for frame in range(len(demo))
    ]
    return PickledDemo(observations, random_seed=None)


def episode(root: Path, stored: Any, protocol: int = 4, **options: Any) -> Path:
    """A data set of one episode that holds ``stored``; the episode's folder."""
    folder = root / "reach_target/variation0/episodes/episode0"
    folder.mkdir(parents=True)
    (folder / "low_dim_obs.pkl").write_bytes(dump_pickle(stored, protocol, **options))
    descriptions = dump_pickle(["reach the red target"], protocol)
    (folder.parent.parent / "variation_descriptions.pkl").write_bytes(descriptions)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, variations 0 and 1, two episodes each."""
    root = tmp_path_factory.mktemp("demos")
    write_demos(root, {"reach_target": 4, "push_button": 4}, variations=2, **SMALL)
    return root


@pytest.fixture(scope="module")
def all_variations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same demos in the other layout."""
    root = tmp_path_factory.mktemp("all_variations")
    tasks = {"reach_target": 4, "push_button": 4}
    write_demos(root, tasks, "all_variations", variations=2, **SMALL)
    return root


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The folder of the only episode of a data set."""
    return save_demo(tmp_path, make_demo(cameras=("front", "overhead"), **SMALL), 0)


# ---------------------------------------------------------------------- depths, layouts, selection


def test_the_root_gives_every_demo_in_order(tree: Path) -> None:
    assert names(tree) == [
        f"{task}/variation{variation}/episodes/episode{number}"
        for task in ("push_button", "reach_target")
        for variation in (0, 1)
        for number in (0, 1)
    ]
    assert RLBenchSource(str(tree)).tasks() == ["push_button", "reach_target"]


@pytest.mark.parametrize("layout", ["tree", "all_variations"])
def test_every_depth_gives_the_same_demos(layout: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(layout)
    whole = {ref.name: RLBenchSource(str(root)).load(ref, ()) for ref in refs(root)}
    for name, demo in whole.items():
        task, variation, _, _ = name.split("/")
        for depth in (root / task, root / task / variation, root / name):
            source = RLBenchSource(str(depth))
            (ref,) = [ref for ref in source.refs(EVERYTHING) if ref.name == name]
            assert same(source.load(ref, ()), demo)
        assert names(root / name) == [name]


def test_both_layouts_hold_the_same_demos(tree: Path, all_variations: Path) -> None:
    left, right = load_all(tree), load_all(all_variations)
    assert len(left) == len(right) == 8
    assert all(map(same, left, right))
    assert [ref.variation for ref in refs(tree)] == [ref.variation for ref in refs(all_variations)]


def test_names_and_digests_survive_a_copy(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "a copy, elsewhere — ünïcödé 机器人"
    shutil.copytree(tree, other)
    assert names(other) == names(tree)
    assert [d.digest() for d in load_all(other)] == [d.digest() for d in load_all(tree)]
    assert len({d.digest() for d in load_all(tree)}) == 8


def test_relative_and_home_paths(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert names(Path()) == names(tree)
    assert names(Path("reach_target/")) == names(tree / "reach_target")
    monkeypatch.setenv("HOME", str(tree))
    assert RLBenchSource("~").path == str(tree)


def test_the_scheme_opens_it(tree: Path) -> None:
    source = open_source(f"rlbench:{tree}")
    assert source.scheme == "rlbench"
    assert source.location == str(tree)
    assert "non-commercial" in source.licence
    assert source.replayable


def test_selection(tree: Path, all_variations: Path) -> None:
    assert all(n.startswith("push") for n in names(tree, Selection(tasks=("push_button",))))
    assert all("/variation1/" in n for n in names(tree, Selection(variation=1)))
    assert names(tree, Selection(variation=7)) == []
    first = names(tree, Selection(episodes=1))
    assert first == [
        f"{task}/variation0/episodes/episode0" for task in RLBenchSource(str(tree)).tasks()
    ]
    second = names(all_variations, Selection(tasks=("reach_target",), variation=1, episodes=1))
    assert second == ["reach_target/all_variations/episodes/episode1"]


def test_an_unknown_task_lists_the_known(tree: Path) -> None:
    with pytest.raises(SourceError, match="open_drawer") as caught:
        names(tree, Selection(tasks=("open_drawer",)))
    assert "push_button, reach_target" in caught.value.remedy


@pytest.mark.parametrize("path", ["nowhere", ""])
def test_a_folder_that_is_not_there(path: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        RLBenchSource(str(tmp_path / path) if path else "")
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="no such folder"):
        RLBenchSource(str(tmp_path / "file"))


def test_an_empty_folder_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no demos there") as caught:
        names(tmp_path)
    assert "variation<N>/episodes/episode<K>" in caught.value.remedy


def test_a_folder_above_the_root_says_which_one_is_meant(tmp_path: Path) -> None:
    save_demo(tmp_path / "set", make_demo(**SMALL), 0, cameras={})
    with pytest.raises(SourceError, match="no demos there") as caught:
        names(tmp_path)
    assert str(tmp_path / "set") in caught.value.remedy


def test_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    for number in (10, 2, 0):
        save_demo(tmp_path, demo, number, cameras={})
    assert [name.rsplit("/", 1)[1] for name in names(tmp_path)] == [
        "episode0",
        "episode2",
        "episode10",
    ]
    for variation in (10, 9):
        save_demo(tmp_path, make_demo(variation=variation, **SMALL), 0, cameras={})
    assert [ref.variation for ref in refs(tmp_path)] == [0, 0, 0, 9, 10]


def test_other_files_and_folders_are_no_demos(one: Path) -> None:
    for stranger in ("episode", "episode1.bak", "xepisode1", ".episode7.123.tmp", "episode-1"):
        (one.parent / stranger).mkdir()
    (one.parents[3] / "README.txt").touch()
    assert len(names(one.parents[3])) == 1


def test_the_revision_follows_the_pickle(one: Path) -> None:
    (before,) = refs(one)
    (one / "low_dim_obs.pkl").write_bytes(b"changed")
    (after,) = refs(one)
    assert before.revision != after.revision
    (one / "low_dim_obs.pkl").unlink()
    (gone,) = refs(one)
    assert gone.revision == "missing"


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
    crashed = folder.with_name(f".episode1.{os.getpid()}.tmp")
    crashed.mkdir()
    save_demo(tmp_path, demo, 1)
    assert not crashed.exists()


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


# ------------------------------------------------------------------------------- quirks, by number


def test_1_the_file_knows_the_variation_better_than_the_demo(tmp_path: Path) -> None:
    folder = save_demo(tmp_path, make_demo(variation=5, **SMALL), 0, layout="all_variations")
    stored = as_pickled(make_demo(variation=5, **SMALL))
    stored.variation_number = 0
    (folder / "low_dim_obs.pkl").write_bytes(dump_pickle(stored))
    assert load_one(tmp_path).variation == 5
    assert names(tmp_path, Selection(variation=5)) == names(tmp_path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "missing"),
        (b"", "empty"),
        (dump_pickle("three"), "no number"),
        (b"\x80\x04", "damaged"),
    ],
)
def test_1_an_unknown_variation_is_a_named_failure(
    content: bytes | None, cause: str, tmp_path: Path
) -> None:
    folder = save_demo(tmp_path, make_demo(**SMALL), 0, layout="all_variations", cameras={})
    number = folder / "variation_number.pkl"
    number.unlink() if content is None else number.write_bytes(content)
    (ref,) = refs(tmp_path, Selection(variation=0))
    assert ref.variation is None
    with pytest.raises(DemoError, match=cause) as caught:
        RLBenchSource(str(tmp_path)).load(ref, ())
    assert "variation_number.pkl" in caught.value.what


BROKEN_DESCRIPTIONS: dict[str, Any] = {
    "an Observation": dump_pickle(PickledObservation(gripper_open=1.0)),
    "empty text": dump_pickle([""]),
    "blank text": dump_pickle(["  ", "\n"]),
    "no text": dump_pickle([]),
    "numbers": dump_pickle([1, 2]),
    "a dict": dump_pickle({"a": 1}),
    "a tuple of none": dump_pickle(([""], 1)),
    "an empty tuple": dump_pickle(()),
    "None": dump_pickle(None),
    "missing": None,
    "empty file": b"",
    "truncated": dump_pickle(["reach the red target"])[:-6],
    "no pickle": b"reach the red target",
}


@pytest.mark.parametrize("kind", BROKEN_DESCRIPTIONS)
@pytest.mark.parametrize("layout", ["variations", "all_variations"])
def test_2_broken_descriptions_fall_back_and_say_so(
    kind: str, layout: Layout, tmp_path: Path
) -> None:
    folder = save_demo(tmp_path, make_demo(**SMALL), 0, layout=layout, cameras={})
    inside = folder if layout == "all_variations" else folder.parents[1]
    content = BROKEN_DESCRIPTIONS[kind]
    path = inside / "variation_descriptions.pkl"
    path.unlink() if content is None else path.write_bytes(content)
    demo = load_one(tmp_path)
    assert demo.instructions == ("reach target",)
    (note,) = demo.notes
    assert note.startswith("variation_descriptions.pkl: ")
    assert "'reach target'" in note


@pytest.mark.parametrize(
    "stored",
    [(["push it", "press it"], 2), ["push it", " press it\n", "", 3]],
    ids=["tuple", "list"],
)
def test_2_descriptions_that_can_be_used_are(stored: Any, one: Path) -> None:
    (one.parents[1] / "variation_descriptions.pkl").write_bytes(dump_pickle(stored))
    demo = load_one(one)
    assert demo.instructions == ("push it", "press it")


def test_2_one_string_is_one_instruction(one: Path) -> None:
    (one.parents[1] / "variation_descriptions.pkl").write_bytes(dump_pickle("push it"))
    assert load_one(one).instructions == ("push it",)


def test_4_a_bare_list_of_observations(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    episode(tmp_path, as_pickled(demo)._observations)
    assert load_one(tmp_path).digest() == demo.digest()


def test_4_old_field_names(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    stored = as_pickled(demo)
    renamed = {
        "gripper_pose": "end_effector_pose",
        "gripper_open": "end_effector_open",
        "joint_positions": "joint_angles",
    }
    for frame in stored._observations:
        for new, old in renamed.items():
            frame.__dict__[old] = frame.__dict__.pop(new)
        frame.low_dim_state = np.zeros(3)
    episode(tmp_path, stored)
    assert load_one(tmp_path).digest() == demo.digest()


def test_4_other_number_types_mean_the_same(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    stored = as_pickled(demo)
    for frame, observation in enumerate(stored._observations):
        kind = (">f8", "<f8")[frame % 2]
        observation.gripper_pose = observation.gripper_pose.astype(kind)
        observation.gripper_open = (np.float64, np.float32, int, bool)[frame % 4](
            observation.gripper_open
        )
        observation.joint_positions = observation.joint_positions.tolist()
    episode(tmp_path, stored)
    assert load_one(tmp_path).digest() == demo.digest()


def test_4_a_missing_camera_names_the_others(one: Path) -> None:
    demo = load_one(one)
    assert sorted(demo.images) == ["front", "overhead"]
    with pytest.raises(DemoError, match="'wrist'") as caught:
        demo.image("wrist", 0)
    assert "front, overhead" in caught.value.remedy
    shutil.rmtree(one / "front_rgb")
    with pytest.raises(DemoError, match="'front'"):
        load_one(one).image("front", 0)


def test_5_pictures_pass_through_untouched(one: Path) -> None:
    demo = load_one(one)
    (ref,) = refs(one)
    for frame in (0, 9, 10, 59):
        data = (one / f"front_rgb/{frame}.png").read_bytes()
        assert demo.image("front", frame) == data
        assert RLBenchSource(str(one)).picture(ref, "front", frame) == data


def test_5_every_broken_picture_is_named_in_order(one: Path) -> None:
    pictures = one / "front_rgb"
    whole = (pictures / "0.png").read_bytes()
    damage = {9: b"", 10: whole[:-20], 11: b"\x89PNG", 2: whole.replace(b"IDAT", b"IDAX")}
    for frame, data in damage.items():
        (pictures / f"{frame}.png").write_bytes(data)
    demo = load_one(one)
    for frame in damage:
        with pytest.raises(DemoError, match=rf"front_rgb/{frame}\.png"):
            demo.image("front", frame)
    (ref,) = refs(one)
    broken = RLBenchSource(str(one)).broken_files(ref, ("front", "overhead"))
    assert [name for name, _ in broken] == [
        f"{ref.name}/front_rgb/{frame}.png" for frame in sorted(damage)
    ]
    assert dict(broken)[f"{ref.name}/front_rgb/9.png"] == "empty file"


def test_5_a_missing_picture_is_named(one: Path) -> None:
    (one / "front_rgb/7.png").unlink()
    with pytest.raises(DemoError, match=r"front_rgb/7\.png is missing"):
        load_one(one).image("front", 7)
    (ref,) = refs(one)
    with pytest.raises(DemoError, match=r"front_rgb/7\.png is missing"):
        RLBenchSource(str(one)).picture(ref, "front", 7)


def test_5_missing_pictures_are_among_the_broken_files(one: Path) -> None:
    for frame in (7, 59):
        (one / f"front_rgb/{frame}.png").unlink()
    (ref,) = refs(one)
    broken = RLBenchSource(str(one)).broken_files(ref, ("front",))
    assert [name for name, _ in broken] == [
        f"{ref.name}/front_rgb/7.png",
        f"{ref.name}/front_rgb/59.png",
    ]


def test_5_a_folder_in_place_of_a_picture_is_named(one: Path) -> None:
    (one / "front_rgb/7.png").unlink()
    (one / "front_rgb/7.png").mkdir()
    with pytest.raises(DemoError, match=r"front_rgb/7\.png"):
        load_one(one).image("front", 7)
    (ref,) = refs(one)
    assert len(RLBenchSource(str(one)).broken_files(ref, ("front",))) == 1


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "missing"),
        (b"", "empty"),
        (dump_pickle(as_pickled(make_demo(**SMALL)))[:5000], "damaged"),
        (dump_pickle({"a": 1}), "neither a Demo nor a list"),
        (dump_pickle([1, 2]), "neither a Demo nor a list"),
        (dump_pickle(None), "neither a Demo nor a list"),
        (dump_pickle([]), "no frames"),
        (dump_pickle(PickledDemo([])), "no frames"),
    ],
)
def test_5_a_broken_pickle_is_named(content: bytes | None, cause: str, one: Path) -> None:
    low_dim = one / "low_dim_obs.pkl"
    low_dim.unlink() if content is None else low_dim.write_bytes(content)
    (ref,) = refs(one)
    source = RLBenchSource(str(one))
    with pytest.raises(DemoError, match=cause) as caught:
        source.load(ref, ())
    assert "low_dim_obs.pkl" in caught.value.what
    if cause in ("missing", "empty", "damaged"):
        ((name, why),) = source.broken_files(ref, ("front",))
        assert name == f"{ref.name}/low_dim_obs.pkl"
        assert cause in why


def test_6_misc_and_other_fields_may_differ_between_frames(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    stored = as_pickled(demo)
    for frame, observation in enumerate(stored._observations):
        observation.misc = {f"key{frame}": np.eye(3)} if frame % 3 else {}
        observation.task_low_dim_state = np.zeros(frame % 4) if frame % 2 else None
        if frame % 5 == 0:
            del observation.misc
    episode(tmp_path, stored)
    assert load_one(tmp_path).digest() == demo.digest()


@pytest.mark.parametrize("field", ["gripper_pose", "gripper_open", "joint_velocities"])
@pytest.mark.parametrize("absent", [True, False])
def test_6_a_field_missing_at_one_frame_is_named(field: str, absent: bool, tmp_path: Path) -> None:
    stored = as_pickled(make_demo(**SMALL))
    if absent:
        delattr(stored._observations[7], field)
    else:
        setattr(stored._observations[7], field, None)
    episode(tmp_path, stored)
    with pytest.raises(DemoError, match=f"{field} is missing at frame 7"):
        load_one(tmp_path)


def test_6_a_field_missing_everywhere(tmp_path: Path) -> None:
    stored = as_pickled(make_demo(**SMALL))
    for observation in stored._observations:
        observation.joint_velocities = None
    folder = episode(tmp_path, stored)
    demo = load_one(tmp_path)
    assert demo.joint_velocities is None
    with pytest.raises(DemoError, match="joint_velocities"):
        find_keyframes(demo)
    for observation in stored._observations:
        observation.gripper_pose = None
    (folder / "low_dim_obs.pkl").write_bytes(dump_pickle(stored))
    with pytest.raises(DemoError, match="no gripper_pose"):
        load_one(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("gripper_pose", np.full(7, np.nan), "not a finite number at frame 7"),
        ("gripper_pose", np.zeros(6), "different shapes"),
        ("gripper_pose", "here", "array of numbers"),
        ("joint_velocities", np.full(7, np.inf), "not a finite number at frame 7"),
        ("gripper_open", float("nan"), "not a finite number at frame 7"),
        ("gripper_open", np.zeros(2), "different shapes"),
    ],
)
def test_6_values_that_are_no_state_are_named(
    field: str, value: Any, cause: str, tmp_path: Path
) -> None:
    stored = as_pickled(make_demo(**SMALL))
    setattr(stored._observations[7], field, value)
    episode(tmp_path, stored)
    with pytest.raises(DemoError, match=cause) as caught:
        load_one(tmp_path)
    assert field in caught.value.what


@pytest.mark.parametrize("width", [1, 2])
def test_6_a_gripper_column_of_any_width(width: int, tmp_path: Path) -> None:
    """One number in an array is still a number; two are not."""
    stored = as_pickled(make_demo(**SMALL))
    for observation in stored._observations:
        observation.gripper_open = np.full(width, observation.gripper_open)
    episode(tmp_path, stored)
    if width == 1:
        assert load_one(tmp_path).gripper_open.shape == (60,)
    else:
        with pytest.raises(DemoError, match="gripper_open"):
            load_one(tmp_path)


def test_7_the_start_is_no_stop(tree: Path) -> None:
    for demo in load_all(tree):
        assert demo.joint_velocities is not None
        assert np.abs(demo.joint_velocities[:2]).max() <= 0.1
        keyframes = find_keyframes(demo)
        assert keyframes[0] > 5
        assert 2 <= len(keyframes) <= 5


def test_8_either_sign_of_a_quaternion(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    stored = as_pickled(demo)
    for observation in stored._observations[::2]:
        observation.gripper_pose[3:] *= -1
    episode(tmp_path, stored)
    back = load_one(tmp_path)
    assert np.array_equal(np.abs(back.gripper_pose[:, 3:]), np.abs(demo.gripper_pose[:, 3:]))
    assert find_keyframes(back) == find_keyframes(demo)


def test_the_source_goes_to_workers(tree: Path) -> None:
    source = pickle.loads(pickle.dumps(RLBenchSource(str(tree))))
    assert list(source.refs(EVERYTHING)) == refs(tree)
    assert copy.copy(source) == source


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


# ------------------------------------------------------------------------------- real demos

REAL = os.environ.get("ROBOTMCQA_RLBENCH_DATA", "")
real = pytest.mark.skipif(not REAL, reason="ROBOTMCQA_RLBENCH_DATA names no folder of real demos")


@real
@pytest.mark.parametrize(("part", "episodes"), [("paper", 7), ("lowdim", 120), ("upstream", 2)])
def test_real_demos_load(part: str, episodes: int) -> None:
    demos = load_all(Path(REAL) / part)
    assert len(demos) == episodes
    assert len({demo.digest() for demo in demos}) == episodes
    for demo in demos:
        assert demo.variation == 0
        assert demo.joint_velocities is not None


@real
def test_real_demos_of_peract() -> None:
    demos = load_all(Path(REAL) / "peract")
    assert len(demos) == 5
    assert {demo.task for demo in demos} == {"open_drawer"}
    assert len({demo.variation for demo in demos}) == 3
    assert all(demo.notes == () for demo in demos)


@real
def test_real_descriptions_that_are_an_observation() -> None:
    for demo in load_all(Path(REAL) / "upstream"):
        assert demo.instructions == ("reach target",)
        assert "variation_descriptions.pkl" in demo.notes[0]


@real
def test_real_keyframes() -> None:
    expected = json.loads((Path(REAL) / "expected_keyframes.json").read_text())
    seen = 0
    for part in ("paper", "lowdim", "upstream", "peract"):
        source = RLBenchSource(str(Path(REAL) / part))
        for ref in source.refs(EVERYTHING):
            demo = source.load(ref, ())
            told = expected[f"{part}/{ref.name}"]
            assert len(demo) == told["frames"]
            assert find_keyframes(demo) == told["keyframes"], ref.name
            seen += 1
    assert seen == 134


@real
def test_real_pictures_are_whole() -> None:
    source = RLBenchSource(str(Path(REAL) / "paper"))
    for ref in source.refs(EVERYTHING):
        demo = source.load(ref, ("front",))
        assert demo.image("front", len(demo) - 1).startswith(b"\x89PNG")
        assert source.broken_files(ref, ("front",)) == ()


@real
def test_real_damage_is_named() -> None:
    source = RLBenchSource(str(Path(REAL) / "damaged"))
    causes = {}
    for ref in source.refs(EVERYTHING):
        try:
            demo = source.load(ref, ("front",))
            for frame in range(len(demo)):
                demo.image("front", frame)
        except DemoError as error:
            short = ref.name.replace("reach_target/", "").replace("episodes/", "")
            causes[short] = (error.what, len(source.broken_files(ref, ("front",))))
    truncated = "low_dim_obs.pkl: damaged pickle (UnpicklingError: pickle data was truncated)"
    assert causes == {
        "variation1/episode0": ("front_rgb/0.png: empty file", 43),
        "variation1/episode9": (truncated, 82),
        "variation4/episode0": ("front_rgb/0.png: empty file", 44),
        "variation4/episode9": ("front_rgb/0.png: empty file", 62),
    }
