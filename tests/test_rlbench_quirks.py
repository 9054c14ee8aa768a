"""Every quirk of the sets out there, by its number: read rightly, or a failure that names it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.errors import DemoError
from robotmcqa.keyframes import find_keyframes
from robotmcqa.rlbench_layout import Layout, PickledDemo, PickledObservation, dump_pickle, save_demo
from robotmcqa.sources import Selection
from robotmcqa.sources.rlbench import RLBenchSource
from tests.factory import make_demo
from tests.rlbench_helpers import SMALL, as_pickled, episode, load_all, load_one, names, refs


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
