"""LeRobot's layouts, old and new: every number and every picture where it was put."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.demo import Demo
from robotmcqa.errors import SourceError, UsageError
from robotmcqa.extraction import extract
from robotmcqa.sources import DemoRef, Selection, SourceOptions, open_source
from robotmcqa.sources.lerobot import LeRobotSource, columns
from robotmcqa.sources.lerobot import video as videos
from robotmcqa.spec import Spec
from tests.conftest import tree
from tests.factory import make_demo
from tests.lerobot_writer import (
    JOINTS,
    MAPPING,
    Recorded,
    Style,
    number_in,
    numbered,
    of_demo,
    write_lerobot,
    write_mapping,
)

STYLES = {
    "v2.0": Style("v2.0"),
    "v2.1": Style("v2.1"),
    "v3.0": Style("v3.0"),
    "v3.0 in three files": Style("v3.0", per_file=2),
    "v3.0, one row group": Style("v3.0", group=100),
    "v2.1, long groups of pictures": Style("v2.1", gop=250),
    "v3.0, long groups of pictures": Style("v3.0", gop=250),
    "v3.0, AV1": Style("v3.0", codec="libsvtav1", gop=2),
    "v2.1, PNG in tables": Style("v2.1", stored="png"),
    "v3.0, PNG in tables": Style("v3.0", stored="png", group=2),
    "v3.0, JPEG in tables": Style("v3.0", stored="jpeg"),
}


def opened(root: Path, mapping: Path | None = None) -> LeRobotSource:
    """A data set that :func:`of_demo` wrote, joints included."""
    file = mapping or write_mapping(root.parent / f"{root.name}.yaml", MAPPING, JOINTS)
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(file)))
    assert isinstance(source, LeRobotSource)
    return source


def demos_of(count: int, frames: int = 31) -> list[Demo]:
    return [
        make_demo("reach_target", seed, seed % 2, frames + 3 * seed, cameras=())
        for seed in range(count)
    ]


def with_pictures(demos: list[Demo]) -> list[Recorded]:
    """Two cameras; a picture's number is that of its episode, camera and frame."""
    return [
        of_demo(
            demo,
            {
                "observation.images.front": partial(numbered_from, k * 1000),
                "observation.images.wrist": partial(numbered_from, k * 1000 + 500),
            },
        )
        for k, demo in enumerate(demos)
    ]


def numbered_from(first: int, frame: int) -> Any:
    return numbered(first + frame)


def number_of(ref: DemoRef) -> int:
    return int(ref.name.removeprefix("episode_"))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())
def test_every_frame_is_where_it_was_put(tmp_path: Path, style: Style) -> None:
    demos = demos_of(5)
    source = opened(write_lerobot(tmp_path / "set", with_pictures(demos), style))
    refs = list(source.refs(Selection()))
    assert sorted(map(number_of, refs)) == list(range(5))
    for ref in refs:
        k = number_of(ref)
        demo = source.load(ref, ("front",))
        assert demo.digest() == demos[k].digest()
        assert demo.instructions == demos[k].instructions
        assert np.array_equal(demo.states, demos[k].states)
        every = [number_in(demo.image("front", frame)) for frame in range(len(demo))]
        assert every == [k * 1000 + frame for frame in range(len(demo))]
        # In any order, and of both cameras by turns.
        for frame in [*range(0, len(demo), 10), *range(len(demo) - 1, -1, -7), 3, 3, 4]:
            assert number_in(source.picture(ref, "wrist", frame)) == k * 1000 + 500 + frame
            assert number_in(source.picture(ref, "front", frame)) == k * 1000 + frame


def test_float32_is_read_to_a_millionth(tmp_path: Path) -> None:
    demos = demos_of(3)
    for version in ("v2.1", "v3.0"):
        style = Style(version, dtype="float32")
        root = write_lerobot(tmp_path / version, [of_demo(demo) for demo in demos], style)
        source = opened(root)
        for ref in source.refs(Selection()):
            loaded = source.load(ref, ())
            assert np.abs(loaded.states - demos[number_of(ref)].states).max() < 1e-6


def test_what_a_png_in_a_table_holds_is_not_stored_anew(tmp_path: Path) -> None:
    demos = demos_of(1)
    root = write_lerobot(tmp_path / "set", with_pictures(demos), Style(stored="png"))
    source = opened(root)
    (ref,) = source.refs(Selection())
    rows = columns.episode_rows(
        f"{root}/data/chunk-000/file-000.parquet", "", 0, ["observation.images.front"]
    )
    stored = rows.column("observation.images.front")[7].as_py()["bytes"]
    assert source.picture(ref, "front", 7) == stored


def test_frames_asked_for_in_order_are_decoded_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One jump for the first frame; then on, and over groups of pictures that nobody asked for."""
    jumps: list[float] = []
    jump = videos._Video._jump

    def counted(video: videos._Video, target: float) -> None:
        jumps.append(target)
        jump(video, target)

    monkeypatch.setattr(videos._Video, "_jump", counted)
    demos = demos_of(1, 60)
    for gop, expected in ((250, 1), (5, 6)):
        jumps.clear()
        style = Style("v2.1", gop=gop)
        source = opened(write_lerobot(tmp_path / f"{gop}", with_pictures(demos), style))
        (ref,) = source.refs(Selection())
        for frame in range(0, 60, 10):
            assert number_in(source.picture(ref, "front", frame)) == frame
        assert len(jumps) == expected


def test_open_videos_and_tables_are_bounded(tmp_path: Path) -> None:
    demos = [make_demo("reach_target", seed, frames=30, cameras=()) for seed in range(20)]
    source = opened(write_lerobot(tmp_path / "set", with_pictures(demos), Style("v2.1")))
    for ref in source.refs(Selection()):
        assert number_in(source.picture(ref, "front", 9)) == number_of(ref) * 1000 + 9
    assert len(videos._videos) <= videos.KEPT_VIDEOS
    assert columns._opened.cache_info().currsize <= columns.KEPT_FILES
    assert sum(table.nbytes for table in columns._groups.values()) <= columns.KEPT_BYTES


def test_a_ref_has_another_revision_once_a_file_has_changed(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", with_pictures(demos_of(3)), Style("v2.1"))
    source = opened(root)
    before = {ref.name: ref.revision for ref in source.refs(Selection())}
    assert before == {ref.name: ref.revision for ref in source.refs(Selection())}
    os.utime(root / "data/chunk-000/episode_000001.parquet", (1, 1))
    os.utime(root / "videos/chunk-000/observation.images.wrist/episode_000002.mp4", (1, 1))
    after = {ref.name: ref.revision for ref in source.refs(Selection())}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"episode_000001", "episode_000002"}


def test_a_file_that_changes_in_place_is_read_anew(tmp_path: Path) -> None:
    first, second = demos_of(2)
    root = write_lerobot(tmp_path / "set", with_pictures([first]), Style("v2.1"))
    source = opened(root)
    (ref,) = source.refs(Selection())
    assert source.load(ref, ()).digest() == first.digest()
    other = write_lerobot(tmp_path / "other", [of_demo(second)], Style("v2.1"))
    data = "data/chunk-000/episode_000000.parquet"
    (root / data).write_bytes((other / data).read_bytes())
    (root / "meta/episodes.jsonl").write_bytes((other / "meta/episodes.jsonl").read_bytes())
    (ref,) = source.refs(Selection())
    assert source.load(ref, ()).digest() == second.digest()


def test_the_source_travels_to_workers(tmp_path: Path) -> None:
    source = opened(write_lerobot(tmp_path / "set", with_pictures(demos_of(2))))
    there = pickle.loads(pickle.dumps(source))
    ref = next(source.refs(Selection()))
    assert there.load(ref, ("front",)).digest() == source.load(ref, ("front",)).digest()
    assert there.settings() == source.settings()


def test_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    """Wherever the data set lies, too."""
    root = write_lerobot(tmp_path / "set", with_pictures(demos_of(4)), Style("v3.0", per_file=2))
    moved = shutil.copytree(root, tmp_path / "elsewhere" / "moved")
    spec = Spec(cameras=("front", "wrist"))
    for folder, workers in ((root, 1), (moved, 2)):
        mapping = write_mapping(folder.parent / "m.yaml", MAPPING, JOINTS)
        source = opened(folder, mapping=mapping)
        extract(source, spec, tmp_path / f"out-{workers}", workers=workers)
    assert tree(tmp_path / "out-1") == tree(tmp_path / "out-2")


# ---------------------------------------------------------------------------------- tasks, episodes


def test_each_instruction_is_a_task(tmp_path: Path) -> None:
    texts = ["Pick up the cube.", "open the drawer", "Pick up  the cube."]
    states = make_demo("any", 0, frames=30, cameras=()).states
    episodes = [
        Recorded({"observation.state": states + 0.01 * k}, (t,)) for k, t in enumerate(texts)
    ]
    root = write_lerobot(tmp_path / "set", episodes)
    source = opened(root, mapping=write_mapping(tmp_path / "m.yaml", MAPPING))
    assert source.tasks() == ["open_the_drawer", "pick_up_the_cube"]
    assert [(ref.task, ref.name) for ref in source.refs(Selection())] == [
        ("open_the_drawer", "episode_000001"),
        ("pick_up_the_cube", "episode_000000"),
        ("pick_up_the_cube", "episode_000002"),
    ]
    (one,) = source.refs(Selection(("pick_up_the_cube",), episodes=1))
    assert source.load(one, ()).instructions == ("Pick up the cube.",)
    with pytest.raises(SourceError, match="tasks there: open_the_drawer, pick_up_the_cube"):
        list(source.refs(Selection(("nothing",))))


def test_a_long_instruction_makes_a_short_name(tmp_path: Path) -> None:
    states = make_demo("any", 0, frames=30, cameras=()).states
    texts = ["put " + "the cube on " * 30 + end for end in ("a", "b")]
    episodes = [Recorded({"observation.state": states}, (text,)) for text in texts]
    source = opened(
        write_lerobot(tmp_path / "set", episodes),
        mapping=write_mapping(tmp_path / "m.yaml", MAPPING),
    )
    tasks = source.tasks()
    assert len(set(tasks)) == 2
    assert all(len(task) <= 80 for task in tasks)


def test_a_set_of_very_many_instructions_is_one_task(tmp_path: Path) -> None:
    """Wrong options come from demos of the same task: one each would leave none."""
    states = make_demo("any", 0, frames=40, cameras=()).states[:6]
    episodes = [
        Recorded({"observation.state": states}, (f"tidy up thing {k % 101:03d}",))
        for k in range(102)
    ]
    root = write_lerobot(tmp_path / "My Droid-1.0", episodes)
    file = write_mapping(tmp_path / "m.yaml", MAPPING)
    source = opened(root, mapping=file)
    assert source.tasks() == ["my_droid_1_0"]
    refs = list(source.refs(Selection()))
    assert [ref.variation for ref in refs[:4]] == [0, 0, 1, 2]
    assert [number_of(ref) for ref in refs[:3]] == [0, 101, 1]
    (only,) = source.refs(Selection(variation=7))
    assert source.load(only, ()).instructions == ("tidy up thing 007",)
    named = opened(root, mapping=write_mapping(tmp_path / "n.yaml", MAPPING, task="tidy_up"))
    assert named.tasks() == ["tidy_up"]


def test_an_episode_without_a_task_says_so(tmp_path: Path) -> None:
    states = make_demo("any", 0, frames=30, cameras=()).states
    root = write_lerobot(tmp_path / "Tidy Up", [Recorded({"observation.state": states}, ())])
    source = opened(root, mapping=write_mapping(tmp_path / "m.yaml", MAPPING))
    (ref,) = source.refs(Selection())
    demo = source.load(ref, ())
    assert (demo.task, demo.instructions) == ("tidy_up", ("tidy up",))
    assert "has no task" in demo.notes[0]


# ------------------------------------------------------------------------------ what it says of it


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags:\n- LeRobot\n---\n# A set\n", "Apache-2.0"),
        ("---\nlicense: cc-by-4.0\n---\n", "CC-BY-4.0"),
        ("---\nlicense: other\nlicense_name: lab-only\n---\n", "lab-only"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "MIT, Apache-2.0"),
        ("---\r\nlicense: mit\r\n---\r\n", "MIT"),
        (f"---\nlicense: {'[' * 3000}{']' * 3000}\n---\n", "unknown: see the data set"),
        ("---\nlicense: mit\nday: 2024-05-32\n---\n", "unknown: see the data set"),
        ("---\ntags: [LeRobot]\n---\n", "unknown: see the data set"),
        ("---\n{ broken\n---\n", "unknown: see the data set"),
        ("no front matter\n", "unknown: see the data set"),
        (None, "unknown: see the data set"),
    ],
)
def test_the_licence_is_that_of_the_card(tmp_path: Path, card: str | None, licence: str) -> None:
    style = dataclasses.replace(Style(), card=card)
    source = opened(write_lerobot(tmp_path / "set", [of_demo(demos_of(1)[0])], style))
    assert source.licence == licence


def test_settings_hold_the_whole_mapping_and_no_path(tmp_path: Path) -> None:
    source = opened(write_lerobot(tmp_path / "set", [of_demo(demos_of(1)[0])]))
    settings = source.settings()
    assert settings["mapping"]["gripper"] == {
        **MAPPING["gripper"],
        "range": [0.0, 1.0],
        "threshold": 0.5,
        "inverted": False,
    }
    assert settings["mapping"]["position"]["unit"] == "metres"
    assert (settings["codebase_version"], settings["fps"]) == ("v3.0", 20.0)
    assert str(tmp_path) not in repr(settings)


@pytest.fixture
def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)


def test_videos_without_pyav_are_an_error_with_a_remedy(tmp_path: Path, without_av: None) -> None:
    source = opened(write_lerobot(tmp_path / "set", with_pictures(demos_of(1)), Style()))
    (ref,) = source.refs(Selection())
    assert source.load(ref, ()).digest()  # states need none
    with pytest.raises(UsageError, match=r"pip install 'robotmcqa\[lerobot\]'"):
        source.load(ref, ("front",))


def test_missing_pyav_is_known_before_anything_is_written(tmp_path: Path, without_av: None) -> None:
    source = opened(write_lerobot(tmp_path / "set", with_pictures(demos_of(1)), Style()))
    with pytest.raises(UsageError, match="PyAV is not installed"):
        extract(source, Spec(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
