"""Keyframe rules against a plain transcription of the method, and against real demos."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from math import inf, nextafter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, UsageError
from robotmcqa.keyframes import ArmRule, EveryK, GripperOnly, find_keyframes, keyframe_rule
from robotmcqa.sources import Selection, open_source

DATA = "ROBOTMCQA_RLBENCH_DATA"

JOINTS = 7

# At the threshold, one float to either side of it, and clearly on either side.
VELOCITIES = (0.0, 0.1, -0.1, nextafter(0.1, inf), -nextafter(0.1, inf), 0.05, -0.05, 0.3, -0.3)


def make_demo(gripper: Sequence[float], fastest: Sequence[float], joint: int = 0) -> Demo:
    """A demo in which one joint moves at ``fastest`` and the others stand still."""
    frames = len(gripper)
    velocities = np.zeros((frames, JOINTS))
    velocities[:, joint] = fastest
    return Demo(
        task="reach_target",
        variation=0,
        instructions=("reach the target",),
        gripper_pose=np.zeros((frames, 7)),
        gripper_open=np.array(gripper, dtype=float),
        joint_velocities=velocities,
    )


@st.composite
def demos(draw: st.DrawFn) -> Demo:
    """2 to 400 frames in short runs: stops, gripper changes and ends of every length."""
    run = st.tuples(
        st.sampled_from((1, 1, 2, 3, 4, 5, 6, 11, 40)),
        st.sampled_from((0.0, 1.0)),
        st.sampled_from(VELOCITIES),
    )
    runs = draw(st.lists(run, min_size=2, max_size=40))
    gripper = [openness for length, openness, _ in runs for _ in range(length)][:400]
    fastest = [velocity for length, _, velocity in runs for _ in range(length)][:400]
    return make_demo(gripper, fastest, draw(st.integers(0, JOINTS - 1)))


def by_the_method(demo: Demo, threshold: float, cooldown: int, merge: bool) -> list[int]:
    """Section 2 of the method, frame by frame, with its counter ``b``."""
    assert demo.joint_velocities is not None
    velocities: list[list[float]] = demo.joint_velocities.tolist()
    gripper: list[float] = demo.gripper_open.tolist()
    n = len(gripper)
    b = 0
    keyframes = []
    for i in range(n):
        stopped = (
            b <= 0
            and all(abs(velocity) <= threshold for velocity in velocities[i])
            and i != n - 2
            and 2 <= i < n - 2
            and gripper[i - 2] == gripper[i - 1] == gripper[i] == gripper[i + 1]
        )
        b = cooldown if stopped else b - 1
        if i > 0 and (gripper[i] != gripper[i - 1] or i == n - 1 or stopped):
            keyframes.append(i)
    if merge and len(keyframes) > 1 and keyframes[-1] - keyframes[-2] == 1:
        del keyframes[-2]
    return keyframes


@settings(max_examples=400, deadline=None)
@given(demo=demos())
@example(demo=make_demo([1, 1], [0, 0]))
@example(demo=make_demo([1, 0], [0, 0]))
@example(demo=make_demo([1, 1, 1, 1, 0, 0], [0.3] * 6))  # change next to the end: merged
@example(demo=make_demo([1] * 5, [0] * 5))  # one frame may stop: the one in the middle
@example(demo=make_demo([1] * 40, [0] * 40))  # stands still: the cooldown spaces the stops
def test_arm_rule_is_the_rule_of_the_method(demo: Demo) -> None:
    assert ArmRule()(demo) == by_the_method(demo, 0.1, 4, merge=True)


@settings(max_examples=400, deadline=None)
@given(
    demo=demos(),
    threshold=st.sampled_from((0.0, 0.05, nextafter(0.1, 0), 0.1, 0.3, 1.0)),
    cooldown=st.integers(0, 12),
    merge=st.booleans(),
)
def test_arm_rule_parameters_mean_what_the_method_says(
    demo: Demo, threshold: float, cooldown: int, merge: bool
) -> None:
    rule = ArmRule(threshold=threshold, cooldown=cooldown, merge=merge)
    assert rule(demo) == by_the_method(demo, threshold, cooldown, merge)


@settings(max_examples=100, deadline=None)
@given(length=st.integers(2, 400), cooldown=st.integers(0, 6))
def test_the_first_two_frames_never_stop(length: int, cooldown: int) -> None:
    """A stop needs two real frames before it; nothing wraps round to the end."""
    still = make_demo([1] * length, [0] * length)
    found = ArmRule(cooldown=cooldown)(still)
    assert 0 not in found
    assert 1 not in found or length == 2  # frame 1 is the last frame of two


def test_a_stop_is_seen_again_only_after_the_cooldown() -> None:
    """Frames 2, 7, 12, ... of an arm that never moves, up to two before the end."""
    assert ArmRule()(make_demo([1] * 20, [0] * 20)) == [2, 7, 12, 17, 19]
    assert ArmRule(cooldown=0)(make_demo([1] * 7, [0] * 7)) == [2, 3, 4, 6]


def test_every_joint_has_to_stand_still() -> None:
    for joint in range(JOINTS):
        for velocity in (0.2, -0.2):
            assert ArmRule()(make_demo([1] * 20, [velocity] * 20, joint)) == [19]


def test_neighbours_at_the_end_are_merged_unless_asked_not_to() -> None:
    demo = make_demo([1, 1, 1, 1, 1, 1, 0, 0], [0.3] * 8)
    assert ArmRule()(demo) == [7]
    assert ArmRule(merge=False)(demo) == [6, 7]


def test_without_velocities_the_arm_rule_says_what_else_to_use() -> None:
    pose, gripper = np.zeros((5, 7)), np.ones(5)
    demo = Demo("task", 0, ("do it",), pose, gripper)
    with pytest.raises(DemoError, match="joint_velocities") as caught:
        find_keyframes(demo)
    assert "gripper-only" in caught.value.remedy
    assert find_keyframes(demo, GripperOnly()) == [4]


def test_a_demo_of_one_frame_is_refused() -> None:
    with pytest.raises(DemoError, match="1 frame"):
        make_demo([1], [0])


@settings(max_examples=200, deadline=None)
@given(demo=demos())
def test_gripper_only_lists_the_changes_and_the_last_frame(demo: Demo) -> None:
    found = GripperOnly()(demo)
    gripper = demo.gripper_open
    changes = [i for i in range(1, len(demo)) if gripper[i] != gripper[i - 1]]
    assert found == sorted({*changes, len(demo) - 1})
    assert find_keyframes(demo, GripperOnly()) == found


@settings(max_examples=200, deadline=None)
@given(demo=demos(), k=st.integers(1, 450))
def test_every_k_lists_the_multiples_and_the_last_frame(demo: Demo, k: int) -> None:
    found = EveryK(k)(demo)
    last = len(demo) - 1
    assert found == sorted({*(i for i in range(1, len(demo)) if i % k == 0), last})
    assert find_keyframes(demo, EveryK(k)) == found


@settings(max_examples=200, deadline=None)
@given(demo=demos())
def test_keyframes_ascend_to_the_last_frame(demo: Demo) -> None:
    found = find_keyframes(demo)
    assert found == sorted(set(found))
    assert found[0] >= 1
    assert found[-1] == len(demo) - 1


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("arm", ArmRule()),
        ("gripper-only", GripperOnly()),
        ("every-1", EveryK(1)),
        ("every-10", EveryK(10)),
        ("every-250", EveryK(250)),
    ],
)
def test_rules_have_names(name: str, rule: object) -> None:
    found = keyframe_rule(name)
    assert found == rule
    assert str(found) == name


def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that a user might have on their path."""
    module: Any = ModuleType("users_own_rules")
    module.halfway = lambda demo: [len(demo) // 2]
    module.number = 3
    monkeypatch.setitem(sys.modules, "users_own_rules", module)


def test_a_rule_of_ones_own_is_named_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    own_module(monkeypatch)
    rule = keyframe_rule("users_own_rules:halfway")
    assert find_keyframes(make_demo([1] * 10, [0] * 10), rule) == [5]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Arm",
        "arm ",
        "every-0",
        "every-",
        "every--3",
        "every-1.5",
        "nonsense",
        ":",
        ":function",
        "users_own_rules:",
        "users_own_rules:absent",
        "users_own_rules:number",
        "no_such_module_anywhere:function",
        ".relative:function",
    ],
)
def test_a_wrong_rule_name_is_wrong_usage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own_module(monkeypatch)
    with pytest.raises(UsageError) as caught:
        keyframe_rule(name)
    assert "keyframe" in str(caught.value)  # says which argument was wrong


@pytest.mark.parametrize(
    "returned",
    [[], [0, 5], [-1, 5], [5, 3], [3, 3], [10], [3, 10], None, [2.5, 4.0]],
    ids=repr,
)
def test_what_a_rule_of_ones_own_returns_is_checked(returned: Any) -> None:
    """Each of these would ask about a frame that is not there, or about none."""
    with pytest.raises(DemoError):
        find_keyframes(make_demo([1] * 10, [0] * 10), lambda demo: returned)


def test_a_rule_of_ones_own_may_count_with_numpy() -> None:
    """``np.flatnonzero(...)`` is what such a rule ends with: taken, or refused by name."""

    def rule(demo: Demo) -> Any:
        return np.array([3, 9])

    try:
        found = find_keyframes(make_demo([1] * 10, [0] * 10), rule)
    except DemoError:
        return
    assert list(found) == [3, 9]


def counted(demo: Demo) -> dict[str, Any]:
    return {"frames": len(demo), "keyframes": find_keyframes(demo)}


def test_real_demos_have_the_known_keyframes() -> None:
    """Frames and keyframes of recorded RLBench demos, found by two other implementations."""
    if DATA not in os.environ:
        pytest.skip(f"{DATA} names no folder of recorded RLBench demos")
    folder = Path(os.environ[DATA])
    expected = json.loads((folder / "expected_keyframes.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {}
    for subset in sorted({name.partition("/")[0] for name in expected}):
        source = open_source(f"rlbench:{folder / subset}")
        for ref in source.refs(Selection()):
            name = f"{subset}/{ref.name}"
            if "unreadable" in expected[name]:
                with pytest.raises(DemoError):
                    source.load(ref, ())
                found[name] = expected[name]
            else:
                found[name] = counted(source.load(ref, ()))
    assert found == expected
