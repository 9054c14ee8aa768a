"""States that cannot be are found, with what to change; right ones are left in peace."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.demo import Demo, FloatArray
from robotmcqa.episode import episode_of
from robotmcqa.errors import DatasetError, DemoError
from robotmcqa.orientations import OrientationCheck
from robotmcqa.plausibility import Finding, Origin, Plausibility, RowStates, in_time
from robotmcqa.scene import scene_preset
from robotmcqa.sources import Selection
from tests.conftest import Row, Run
from tests.misdeclared import (
    MISTAKES,
    Mistake,
    mapping,
    w_first_read_as_last,
    w_last_read_as_first,
)
from tests.tampering import rewrite, sign

BOX = scene_preset().valid_box
TRUE: Mapping[str, Mapping[str, Any] | None] = {
    "a source of one's own": None,
    "xyzw": mapping(),
    "wxyz": mapping(rotation={"format": "quaternion_wxyz"}),
    "Euler, radians": mapping(rotation={"format": "euler_xyz", "unit": "radians"}),
    "Euler, degrees": mapping(rotation={"format": "euler_xyz", "unit": "degrees"}),
    "kinematics": {"version": "1", "kinematics": {"file": "arm.urdf"}, "gripper": {}},
}
"""Declarations of which each can be true of any states."""


class Recorded(NamedTuple):
    """An episode: ``(N,)`` frames and ``(N, 8)`` states."""

    task: str
    frames: Sequence[int]
    states: FloatArray

    def read(self, reader: Callable[[FloatArray], FloatArray]) -> Recorded:
        """As somebody reads it who has declared the columns wrongly."""
        return self._replace(states=reader(self.states))


Episodes = list[Recorded]


def findings(
    episodes: Episodes,
    declared: Mapping[str, Any] | None,
    *,
    fixed: bool = False,
    fps: float | None = None,
) -> list[Finding]:
    check = Plausibility(Origin(declared, declared=not fixed, fps=fps), BOX)
    for number, (task, frames, states) in enumerate(episodes):
        check.add(f"episode {number}", task, dict(zip(frames, states.tolist(), strict=True)))
    return check.findings()


def said(found: list[Finding], *, sure: bool) -> str:
    return "\n".join(one.what for one in found if one.sure is sure)


# ---------------------------------------------------------------------------- plausible episodes

HOME = Rotation.from_quat([0.0, 0.993, 0.0, 0.12])


@st.composite
def episode(draw: st.DrawFn, home: Rotation = HOME, widest: float = 90.0) -> FloatArray:
    """Over a table: from home down to a thing that lies turned, and away with it."""
    real = st.floats(-1, 1)
    yaw, tilt = draw(real) * widest, draw(real) * 15
    thing = (0.25 + 0.2 * draw(real), 0.3 * draw(real), 0.80 + 0.05 * draw(real))
    goal = (0.25 + 0.2 * draw(real), 0.3 * draw(real), 1.0 + 0.1 * draw(real))
    there = Rotation.from_euler("zx", [yaw, tilt], degrees=True) * home
    steps = draw(st.integers(4, 12))
    states = []
    for step in range(2 * steps):
        share = min(1.0, step / steps)
        towards = (there * home.inv()).as_rotvec() * share
        way = np.array([0.28, 0.0, 1.47]), np.array(thing), np.array(goal)
        part = max(0.0, step / steps - 1)
        xyz = way[0] + (way[1] - way[0]) * share + (way[2] - way[1]) * part
        rotation = Rotation.from_rotvec(towards) * home
        states.append([*xyz, *rotation.as_quat(), float(step < steps)])
    return np.array(states)


def several(**options: Any) -> st.SearchStrategy[Episodes]:
    return st.lists(episode(**options), min_size=5, max_size=8).map(
        lambda some: [Recorded("pick", range(0, 10 * len(one), 10), one) for one in some]
    )


homes = st.floats(0, 360).map(lambda yaw: HOME * Rotation.from_euler("z", yaw, degrees=True))


@settings(max_examples=40)
@given(homes.flatmap(lambda home: several(home=home)), st.sampled_from(sorted(TRUE)))
def test_plausible_episodes_are_never_called_wrong(episodes: Episodes, declared: str) -> None:
    for count in (1, 3, len(episodes)):
        assert said(findings(episodes[:count], TRUE[declared]), sure=True) == ""
    assert findings(episodes, None, fixed=True) == []


@settings(max_examples=40)
@given(several())
def test_w_first_is_found_where_the_gripper_then_points_up(episodes: Episodes) -> None:
    found = findings([one.read(w_first_read_as_last) for one in episodes], mapping())
    assert MISTAKES["w first read as w last"].remedy in said(found, sure=True)


@settings(max_examples=40)
@given(several(home=Rotation.from_quat([1.0, 0.0, 0.0, 0.0]), widest=10))
def test_what_cannot_be_told_apart_is_not_called_wrong(episodes: Episodes) -> None:
    """Straight down and hardly turned: either order says that the gripper points down."""
    for read in (w_first_read_as_last, w_last_read_as_first):
        found = findings([one.read(read) for one in episodes], mapping())
        assert said(found, sure=True) == ""


@settings(max_examples=40)
@given(several())
def test_permuted_quaternions_are_as_smooth_as_right_ones(episodes: Episodes) -> None:
    """So that steps can say nothing about the order."""
    for one in episodes:
        read, right = w_first_read_as_last(one.states)[:, 3:7], one.states[:, 3:7]
        assert np.allclose((right[1:] * right[:-1]).sum(axis=1), (read[1:] * read[:-1]).sum(axis=1))


frames_and_tools = st.tuples(*[st.tuples(*[st.floats(-1, 1)] * 3)] * 2)


@settings(max_examples=40)
@given(several(), frames_and_tools)
def test_the_order_is_looked_for_in_the_recorded_frame(
    episodes: Episodes, around: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    """Whatever stands between the recorded pose and the gripper in the world."""
    frame, tool = (Rotation.from_rotvec(np.array(one)) for one in around)
    declared = mapping(
        frame={"quaternion_xyzw": frame.as_quat().tolist()},
        tool={"quaternion_xyzw": tool.as_quat().tolist()},
    )
    check = OrientationCheck(declared, None)
    for one in episodes:
        world = Rotation.from_quat(one.states[:, 3:7])
        recorded = (frame.inv() * world * tool.inv()).as_quat()
        wrong = frame * Rotation.from_quat(recorded[:, [3, 0, 1, 2]]) * tool
        check.add(np.array(one.frames), wrong.as_quat())
    assert check._other.down == pytest.approx(1.0)
    assert said(findings(episodes, declared), sure=True) == ""


# ------------------------------------------------------------------------------- of every source


@settings(max_examples=40)
@given(several(), st.floats(0, 3).filter(lambda norm: abs(norm - 1) > 0.011))
def test_a_quaternion_of_another_length_is_found_in_every_source(
    episodes: Episodes, norm: float
) -> None:
    states = episodes[2].states
    states[3, 3:7] *= norm
    for declared, fixed in ((None, True), (None, False), (mapping(), False)):
        found = [one for one in findings(episodes, declared, fixed=fixed) if one.sure]
        assert [one.where for one in found] == ["episode 2"]
        assert "state[3:7] is no rotation in 1 of" in found[0].what
        assert ("rotation.format" in found[0].what) == (declared is not None)


@settings(max_examples=40)
@given(several(), st.floats(-100, 100).filter(lambda value: value not in (0, 1)))
def test_a_gripper_of_other_values_is_found_in_every_source(
    episodes: Episodes, value: float
) -> None:
    episodes[1].states[2, 7] = value
    for declared, fixed in ((None, True), (None, False), (mapping(), False)):
        sure = [one for one in findings(episodes, declared, fixed=fixed) if one.sure]
        assert [one.where for one in sure] == ["episode 1"]
        assert f"{value:.3g}" in sure[0].what


def still(task: str, states: FloatArray) -> Recorded:
    return Recorded(task, range(len(states)), states)


def test_positions_metres_away_are_found_in_every_source() -> None:
    states = np.tile([400.0, 0.0, 1000.0, 0.0, 1.0, 0.0, 0.0, 1.0], (6, 1))
    (found,) = findings([still("reach", states)], None, fixed=True)
    assert found.sure
    assert found.where == "state[0:3]"
    assert "positions are metres" in found.what


def test_a_frame_that_was_forgotten_is_odd() -> None:
    """Robots stand at their own origin: half a metre below the table of RLBench's scene."""
    states = np.tile([0.4, 0.0, 0.1, 0.0, 1.0, 0.0, 0.0, 1.0], (30, 1))
    states[:, 0] += np.linspace(0, 0.1, 30)
    (found,) = findings([still("reach", states)], mapping())
    assert not found.sure
    assert "set frame in the mapping" in found.what


# ---------------------------------------------------------------------------------- the gripper


def picked(gripper: str, heights: str) -> FloatArray:
    """An episode out of two words: gripper (1 open, 0 closed) and height in decimetres."""
    states = np.tile([0.25, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0], (len(gripper), 1))
    states[:, 2] = 0.75 + np.array([int(one) for one in heights]) / 10
    states[:, 7] = [int(one) for one in gripper]
    return states


@pytest.mark.parametrize(
    ("gripper", "heights", "sure", "odd"),
    [
        ("1110001", "7412343", "", ""),  # takes and puts down
        ("1110000", "7412345", "", ""),  # takes and lifts
        ("0001110", "7411343", "gripper.inverted: true", ""),  # the first, inverted
        ("0001111", "7411345", "", "something in hand"),  # the second: or it puts something down
        ("0110001", "7765111", "", ""),  # starts closed, opens on its way down
        ("1111111", "7412343", "", "unless the task needs no gripper"),
        ("0000000", "7412343", "", "unless the task needs no gripper"),
    ],
)
def test_what_a_gripper_does_over_an_episode(
    gripper: str, heights: str, sure: str, odd: str
) -> None:
    episodes = [still("task", picked(gripper, heights)) for _ in range(6)]
    found = findings(episodes, mapping())
    for words, certain in ((sure, True), (odd, False)):
        assert words in said(found, sure=certain)
        assert bool(words) == bool(said(found, sure=certain))
    assert findings(episodes[:4], mapping()) == []  # too few to say
    assert findings(episodes, None, fixed=True) == []  # nobody has declared anything


def test_three_tasks_that_all_open_down_at_things_are_inverted() -> None:
    states = picked("0001111", "7411345")
    episodes = [still(f"task {number % 3}", states) for number in range(6)]
    assert "gripper.inverted: true" in said(findings(episodes, mapping()), sure=True)
    reaching = [still("reach", picked("0000000", "7654321"))] * 20  # says neither yes nor no
    assert "gripper.inverted: true" in said(findings(episodes + reaching, mapping()), sure=True)
    open_at_first = [still("push", picked("1111100", "7654321"))] * 5
    assert findings(episodes + open_at_first, mapping()) == []
    turned = mapping(gripper={"inverted": True})
    assert "gripper.inverted: false" in said(findings(episodes, turned), sure=True)


# ----------------------------------------------------------------------- mappings from strangers


@pytest.mark.parametrize(
    "mapping",
    [
        "droid",
        {"rotation": "quaternion_xyzw"},
        {"rotation": {"column": "state"}},
        {"rotation": {"format": "euler_xxy"}},
        {"frame": {"quaternion_xyzw": [0, 0, 0, 0]}},
        {"tool": {"quaternion_xyzw": [0, 0, 1]}},
        {"tool": {"quaternion_xyzw": ["x", 0, 0, 1]}},
        {"gripper": [7]},
    ],
)
def test_what_is_no_mapping_is_refused(mapping: Any) -> None:
    with pytest.raises(DatasetError, match=r"source\.settings\.mapping is no mapping"):
        Origin.of({"scheme": "lerobot", "settings": {"mapping": mapping}})


# --------------------------------------------------------------------------------------- memory


def test_memory_does_not_grow_with_the_episodes() -> None:
    check = Plausibility(Origin(mapping(), declared=True), BOX)
    states = dict(enumerate(picked("1110001", "7412343").tolist()))
    sizes = []
    for count in (10, 1000):
        for number in range(count):
            check.add(f"episode {number}", "task", states)
        sizes.append(len(pickle.dumps(check)))
    assert sizes[1] <= sizes[0] + 64  # larger counts take a few bytes more


def test_rows_are_put_together_in_the_order_of_time() -> None:
    check = Plausibility(Origin(), BOX)
    taken: list[Any] = []
    check.add = lambda *some: taken.append(some)  # type: ignore[method-assign]
    rows = RowStates(check)
    one, other = [float(n) for n in range(8)], [float(n) for n in range(8, 16)]
    for frame in (0, 10):
        row = {"episode": "e", "task": "t", "frame": frame, "keyframe": 14}
        rows.add(row | {"state": one, "target": other})
    rows.end()
    rows.end()
    ((where, task, states),) = taken
    assert (where, task) == ("episode e", "t")
    assert states == {0: one, 10: one, 14: other}


# ------------------------------------------------------------------------ demos known to be right


def recorded(demo: Demo, every: int = 1) -> Recorded:
    """As rows tell it: question frames and keyframes; of a recording of every so many frames."""
    assert demo.joint_velocities is not None
    slower = Demo(
        demo.task,
        demo.variation,
        demo.instructions,
        demo.gripper_pose[::every],
        demo.gripper_open[::every],
        demo.joint_velocities[::every],
    )
    one = episode_of(slower, Spec(cameras=()))
    keyframes = zip(one.keyframes, one.targets, strict=True)
    frames, states = in_time(dict(zip(one.frames, one.states, strict=True)) | dict(keyframes))
    return Recorded(demo.task, frames.tolist(), states)


def simulated(tasks: tuple[str, ...], episodes: int) -> Iterator[tuple[str, Episodes]]:
    source = open_source("sim")
    for task in tasks or tuple(source.tasks()):
        refs = source.refs(Selection((task,), episodes=episodes))
        yield task, [recorded(source.load(ref, ())) for ref in refs]


def assert_left_in_peace(task: str, episodes: Episodes) -> None:
    for count in (1, 2, 5, len(episodes)):
        for name, declared in TRUE.items():
            found = findings(episodes[:count], declared)
            assert said(found, sure=True) == "", (task, count, name)
            odd = [one for one in found if "needs no gripper" not in one.what]
            assert odd == [], (task, count, name)


def assert_found(task: str, name: str, mistake: Mistake, episodes: Episodes) -> None:
    found = findings([one.read(mistake.read) for one in episodes], mistake.mapping, fps=20)
    sure, odd = said(found, sure=True), said(found, sure=False)
    if name.startswith("w first"):
        assert (mistake.remedy in sure) == (task not in HARD_TO_TELL), (task, name)
    elif name.startswith("open read"):
        never = "needs no gripper" in odd
        assert mistake.remedy in sure + odd or never == (task == "reach_target"), (task, name)
    elif not name.startswith("w last"):
        assert mistake.remedy in sure, (task, name, sure)


HARD_TO_TELL = {"open_drawer", "close_drawer", "put_item_in_drawer"}
"""Their gripper points forward as much as down, so that no order makes much sense of it."""


def test_simulated_demos_are_left_in_peace_and_mistakes_are_found() -> None:
    for task, episodes in simulated(("reach_target", "meat_off_grill", "open_drawer"), 5):
        assert_left_in_peace(task, episodes)
        for name, mistake in MISTAKES.items():
            assert_found(task, name, mistake, episodes)


def test_slow_recordings_are_not_taken_for_degrees() -> None:
    """Five frames a second: from one question to the next an arm has time for any turn."""
    source = open_source("sim")
    refs = source.refs(Selection(("close_drawer",), episodes=6))
    demos = [source.load(ref, ()) for ref in refs]
    unknown = findings([recorded(demo, every=4) for demo in demos], TRUE["Euler, radians"])
    assert said(unknown, sure=True) == ""
    assert "unless seconds lie between them" in said(unknown, sure=False)
    known = findings([recorded(demo, every=4) for demo in demos], TRUE["Euler, radians"], fps=5)
    assert known == []


@pytest.mark.slow
def test_so_are_all_simulated_tasks() -> None:
    everything: Episodes = []
    for task, episodes in simulated((), 10):
        assert_left_in_peace(task, episodes)
        for name, mistake in MISTAKES.items():
            assert_found(task, name, mistake, episodes)
        everything += episodes
    for name, mistake in MISTAKES.items():
        read = [one.read(mistake.read) for one in everything]
        found = said(findings(read, mistake.mapping), sure=True)
        assert (mistake.remedy in found) == (not name.startswith("w last")), name


def test_real_demos_are_left_in_peace(rlbench_data: Path) -> None:
    for folder in ("paper", "lowdim", "peract", "upstream"):
        source = open_source(f"rlbench:{rlbench_data / folder}")
        for task in source.tasks():
            episodes: Episodes = []
            for ref in source.refs(Selection((task,), episodes=12)):
                try:
                    episodes.append(recorded(source.load(ref, ())))
                except DemoError:
                    continue
            assert_left_in_peace(task, episodes)


# ------------------------------------------------------------------------------------- data sets


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks in which a thing is taken and put down. Read only."""
    out = tmp_path_factory.mktemp("plausible") / "questions"
    tasks = ("meat_off_grill", "put_rubbish_in_bin")
    extract(open_source("sim"), Spec(cameras=()), out, Selection(tasks, episodes=4))
    return out


def redeclared(folder: Path, mistake: Mistake) -> None:
    """As if extracted by ``mistake.mapping`` from columns that are something else."""

    def change(rows: list[Row]) -> None:
        for name in ("state", "target"):
            read = mistake.read(np.array([row[name] for row in rows]))
            for row, state in zip(rows, read.tolist(), strict=True):
                row[name] = state

    path = folder / "meta/provenance.json"
    provenance = json.loads(path.read_text("utf-8"))
    provenance["source"] |= {
        "scheme": "lerobot",
        "licence": "MIT",
        "settings": {"mapping": mistake.mapping},
    }
    path.write_text(json.dumps(provenance), "utf-8")
    for split in ("train", "test"):
        rewrite(folder, change, split)
    sign(folder)


@pytest.mark.parametrize(
    "name", ["w first read as w last", "degrees read as radians, Euler xyz", "open read as closed"]
)
def test_validate_names_the_field_and_the_value(
    robotmcqa: Run, handed_over: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(handed_over, folder)
    redeclared(folder, MISTAKES[name])
    done = robotmcqa("validate", folder, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 3
    (problem,) = report["problems"]
    assert problem["where"] in ("state[3:7]", "state[7]")
    assert f"set {MISTAKES[name].remedy} in the mapping" in problem["what"]


def test_validate_names_the_column_before_all_that_follows_from_it(
    handed_over: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(handed_over, folder)
    redeclared(folder, MISTAKES["millimetres read as metres"])
    first, *others = validate(folder).problems
    assert "set position.unit: millimetres in the mapping" in first.what
    assert others  # positions that were moved are no longer those of the options


def test_validate_passes_what_was_declared_rightly_and_says_what_is_odd(
    robotmcqa: Run, handed_over: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(handed_over, folder)
    redeclared(folder, Mistake(lambda states: states, mapping(), ""))
    done = robotmcqa("validate", folder)
    assert done.returncode == 0, done.stdout
    assert "odd" not in done.stdout
    redeclared(folder, Mistake(always_closed, mapping(), ""))
    done = robotmcqa("validate", folder)
    assert done.returncode == 0, done.stdout
    assert "odd: state[7]: the gripper is closed all the time in all 8 episodes" in done.stdout


def always_closed(states: FloatArray) -> FloatArray:
    return states * [1, 1, 1, 1, 1, 1, 1, 0]
