"""``inspect``: what is in a source is told as it is, and what ``extract`` would make of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, open_source
from robotmcqa.cli import output
from robotmcqa.inspection import inspect, spread
from robotmcqa.sources import Selection
from tests.conftest import Run
from tests.extractions import broken, episode, failures_of, manifest_of
from tests.factory import make_demo, write_demos
from tests.fake_simulator import installed
from tests.lerobot_writer import MAPPING, of_demo, write_lerobot, write_mapping


def seen(robotmcqa: Run, *words: object) -> dict[str, Any]:
    done = robotmcqa("inspect", *words, "--json")
    assert done.returncode in (0, 3), done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == (document["usable"] > 0)
    return document


def test_it_says_what_an_extraction_then_finds(robotmcqa: Run, demos: Path, dataset: Path) -> None:
    found = seen(robotmcqa, f"rlbench:{demos}")
    manifest = manifest_of(dataset)
    asked = {task: sum(families.values()) for task, families in manifest["items"].items()}
    skipped = sum(manifest["skipped"].values())
    assert sum(task["questions"] for task in found["tasks"].values()) == (
        sum(asked.values()) + skipped
    )
    assert found["failures"] == found["problems"] == found["oddities"] == []
    for name, task in found["tasks"].items():
        assert (task["demos"], task["looked_at"], task["usable"]) == (4, 4, 4)
        assert task["variations"] == [0, 1]
        assert task["questions"] >= asked[name]
        assert task["cameras"] == {
            camera: {"demos": 4, "size": [64, 64]} for camera in ("front", "overhead")
        }
        assert task["recorded"]["joint_velocities (7)"] == 4
        assert task["instruction"]


def test_frames_and_keyframes_are_those_of_the_demos(robotmcqa: Run, demos: Path) -> None:
    source = open_source(f"rlbench:{demos}")
    lengths = sorted(len(source.load(ref, ())) for ref in source.refs(Selection(("reach_target",))))
    found = seen(robotmcqa, demos, "--task", "reach_target", "--no-images")
    (task,) = found["tasks"].values()
    assert task["frames"] == {"min": lengths[0], "median": lengths[1], "max": lengths[-1]}
    assert task["keyframes"]["min"] >= 1
    assert task["cameras"]["front"]["size"] is None  # no picture was read


def test_spread_of_counted_values() -> None:
    assert spread({}) is None
    assert spread({7: 3}) == {"min": 7, "median": 7, "max": 7}
    assert spread({9: 1, 1: 2, 3: 2}) == {"min": 1, "median": 3, "max": 9}
    assert spread({1: 2, 9: 2}) == {"min": 1, "median": 1, "max": 9}


def test_broken_demos_are_named_as_extract_names_them(
    robotmcqa: Run, small: Path, tmp_path: Path
) -> None:
    broken(small)
    found = seen(robotmcqa, small)
    done = robotmcqa("extract", "--source", f"rlbench:{small}", "--out", tmp_path / "out")
    assert done.returncode == 0
    told = [line for line in failures_of(tmp_path / "out") if line["kind"] != "item"]
    assert found["failures"] == told
    assert found["usable"] == 3
    plain = robotmcqa("inspect", small)
    assert plain.returncode == 0
    assert "Demos that cannot be used: 2 of 5" in plain.stdout
    assert "front_rgb/10.png ... 11.png (2 files): empty file" in plain.stdout


def test_nothing_usable_is_exit_code_3(robotmcqa: Run, small: Path) -> None:
    for number in range(5):
        (episode(small, number) / "low_dim_obs.pkl").write_bytes(b"")
    done = robotmcqa("inspect", small)
    assert done.returncode == 3
    assert "Demos that cannot be used: 5 of 5" in done.stdout
    assert "Next:" not in done.stderr


def test_the_same_recording_twice_is_named(robotmcqa: Run, small: Path) -> None:
    shutil.copytree(episode(small, 0), episode(small, 7))
    found = seen(robotmcqa, small)
    (failure,) = found["failures"]
    assert failure["where"].endswith("episode7")
    assert "the same recording as reach_target/variation0/episodes/episode0" in failure["why"]
    assert found["usable"] == 5


def test_cameras_that_are_missing(robotmcqa: Run, small: Path) -> None:
    shutil.rmtree(episode(small, 2) / "front_rgb")
    (problem,) = seen(robotmcqa, small)["problems"]
    assert problem["where"] == "camera front"
    assert "1 of 5 demos have no pictures of it" in problem["what"]
    (problem,) = seen(robotmcqa, small, "--camera", "wrist")["problems"]
    assert "extract with --camera (there: front) or --no-images" in problem["what"]
    assert seen(robotmcqa, small, "--no-images")["problems"] == []


def test_a_few_of_many_are_looked_at_and_a_line_says_so(robotmcqa: Run, many_demos: Path) -> None:
    done = robotmcqa("inspect", many_demos, "--episodes", 5)
    assert "Looked at 5 of 14 demos; --episodes 14 looks at all." in done.stdout
    found = inspect(open_source(f"rlbench:{many_demos}"), Spec(cameras=()), Selection(episodes=5))
    (task,) = found.tasks.values()
    assert (task.demos, task.looked_at) == (14, 5)
    assert "Looked at" not in robotmcqa("inspect", many_demos).stdout


def test_workers_change_nothing(robotmcqa: Run, small: Path) -> None:
    broken(small)
    shutil.copytree(episode(small, 0), episode(small, 7))
    assert seen(robotmcqa, small, "--workers", 2) == seen(robotmcqa, small, "--workers", 1)


def test_states_that_cannot_be_are_told(robotmcqa: Run, tmp_path: Path) -> None:
    """By a source of which robotmcqa knows nothing: the fake simulator, as a plugin."""
    env = installed(tmp_path / "site")
    done = robotmcqa("inspect", "fake", "--task", "reach_target", "--episodes", 6, env=env)
    assert done.returncode == 0, done.stderr
    assert "odd: state[7]: the gripper is open all the time in all 6 episodes" in done.stdout
    assert "any number" in done.stdout


def test_a_simulator_makes_three_demos_and_draws_nothing(robotmcqa: Run) -> None:
    found = seen(robotmcqa, "sim", "--task", "reach_target")
    task = found["tasks"]["reach_target"]
    assert (task["demos"], task["looked_at"], task["usable"]) == (None, 3, 3)
    assert task["variations"] == list(range(20))
    assert task["cameras"]["wrist"] == {"demos": 3, "size": [224, 224]}


# ------------------------------------------------------------------------------- kinds of folders


@pytest.mark.parametrize(
    ("named", "said", "code"),
    [
        ("nothere", "nothere: no such folder", 3),
        ("s3://bucket/demos", "demos are inspected where they lie on disk", 2),
        ("nothing:nothere", "no source 'nothing:nothere'", 2),
    ],
)
def test_what_is_no_folder_is_called_that(
    robotmcqa: Run, named: str, said: str, code: int, tmp_path: Path
) -> None:
    done = robotmcqa("inspect", named, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr


def test_a_folder_of_demos_is_recognised_at_any_depth(robotmcqa: Run, demos: Path) -> None:
    for place in (demos, demos / "reach_target", demos / "reach_target/variation0"):
        done = robotmcqa("inspect", place, "--no-images")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"rlbench:{place} ")
        assert f"robotmcqa extract --source rlbench:{place}" in done.stderr


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_data_set_of_ours_is_sent_elsewhere(
    robotmcqa: Run, dataset: Path, tmp_path: Path, interrupted: bool
) -> None:
    folder = dataset
    if interrupted:
        folder = tmp_path / "out"
        (folder / ".extract").mkdir(parents=True)
    for place in (folder, folder.parent):  # and a folder of several configs
        done = robotmcqa("inspect", place)
        assert done.returncode == 2
        assert "is a data set of questions" in done.stderr
        assert re.search(r"remedy: robotmcqa show \S+ or robotmcqa validate", done.stderr)


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda place: None, 3, "no such folder"),
        (lambda place: place.mkdir(), 3, "neither RLBench's nor LeRobot's (meta/info.json)"),
        (lambda place: place.write_text(""), 3, "is a file"),
        (lambda place: write_demos(place / "deeper", {"reach_target": 1}, size=16), 3, "rlbench:"),
    ],
    ids=["nothing", "empty", "file", "one level down"],
)
def test_what_is_no_source(
    robotmcqa: Run, tmp_path: Path, make: Any, code: int, words: str
) -> None:
    make(tmp_path / "place")
    done = robotmcqa("inspect", tmp_path / "place")
    assert done.returncode == code
    assert words in done.stderr
    assert "remedy:" in done.stderr
    assert not done.stdout


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with two LeRobot data sets below it."""
    episode = of_demo(make_demo("reach_target", 1, frames=40, cameras=()))
    for name in ("one", "two"):
        write_lerobot(tmp_path / "shelf" / name, [episode])
    return tmp_path / "shelf"


@pytest.mark.parametrize("scheme", ["", "lerobot:"])
def test_lerobot_data_sets_a_level_below_are_named(
    robotmcqa: Run, shelf: Path, scheme: str
) -> None:
    for place in (shelf, shelf.parent):
        done = robotmcqa("inspect", f"{scheme}{place}")
        assert done.returncode == 3
        assert f"lerobot:{shelf}/one, lerobot:{shelf}/two" in done.stderr


@pytest.mark.parametrize("scheme", ["", "lerobot:"])
@pytest.mark.parametrize("part", ["meta", "data/chunk-000"])
def test_a_part_of_a_lerobot_data_set_leads_to_the_whole(
    robotmcqa: Run, shelf: Path, scheme: str, part: str
) -> None:
    """``meta/episodes`` of version 3 has the name that RLBench gives its episodes."""
    done = robotmcqa("inspect", f"{scheme}{shelf / 'one' / part}")
    assert done.returncode == 3
    assert f"it is a part of lerobot:{shelf / 'one'}\n" in done.stderr


def test_the_scheme_of_the_other_kind(robotmcqa: Run, shelf: Path, demos: Path) -> None:
    done = robotmcqa("inspect", f"rlbench:{shelf / 'one'}")
    assert done.returncode == 3
    assert f"remedy: it is a LeRobot data set: lerobot:{shelf / 'one'}\n" in done.stderr
    done = robotmcqa("inspect", f"lerobot:{demos}")
    assert done.returncode == 3
    assert f"remedy: it holds saved RLBench demos: rlbench:{demos}\n" in done.stderr


def test_the_command_to_go_on_with_has_the_same_options(
    robotmcqa: Run, shelf: Path, tmp_path: Path
) -> None:
    mapping = write_mapping(tmp_path / "m.yaml", MAPPING)
    done = robotmcqa("inspect", shelf / "one", "--mapping", mapping, "--keyframes", "rest")
    assert done.returncode == 0, done.stderr
    assert f"--no-images --keyframes rest --mapping {mapping}\n" in done.stderr


def test_a_camera_that_a_table_has_no_column_of(
    robotmcqa: Run, shelf: Path, tmp_path: Path
) -> None:
    """``extract`` would refuse, so nothing is usable under the same option."""
    mapping = write_mapping(tmp_path / "m.yaml", MAPPING)
    done = robotmcqa("inspect", shelf / "one", "--mapping", mapping, "--camera", "wrist")
    assert done.returncode == 2
    assert "there are no pictures in lerobot" in done.stderr


def test_names_wider_than_the_table_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """What an ellipsis stands for may be all that tells two tasks apart."""
    output.table("Tasks", ["task", "instruction"], [["x" * 100, "y" * 60]])
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 120
    assert (printed.count("x"), printed.count("y")) == (100, 60)


def test_real_demos(robotmcqa: Run, rlbench_data: Path) -> None:
    found = seen(robotmcqa, rlbench_data / "paper")
    assert len(found["tasks"]) == 5
    assert found["problems"] == found["failures"] == []
    damaged = seen(robotmcqa, rlbench_data / "damaged")
    assert damaged["usable"] == 0
    assert any("truncated" in line["why"] for line in damaged["failures"])
