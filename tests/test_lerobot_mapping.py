"""The mapping: presets, one's own, and what is said when it is wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from robotmcqa.errors import DataError, MappingError, UsageError
from robotmcqa.schema import schema_document
from robotmcqa.sources import Selection, SourceOptions, open_source
from robotmcqa.sources.lerobot import LeRobotSource
from robotmcqa.sources.lerobot.choosing import cameras_of, choose_mapping, fitting_presets
from robotmcqa.sources.lerobot.layout import Feature, Info
from robotmcqa.sources.lerobot.mapping import load_mapping, preset_names
from tests.conftest import Run, rows_of
from tests.factory import make_demo
from tests.lerobot_writer import (
    MAPPING,
    Recorded,
    Style,
    numbered,
    of_demo,
    write_lerobot,
    write_mapping,
)

CARTESIAN = ["x", "y", "z", "roll", "pitch", "yaw"]


def info_of(robot: str, columns: dict[str, list[str] | int], pictures: list[str]) -> Info:
    features = {}
    for name, names in columns.items():
        listed = () if isinstance(names, int) else tuple(names)
        size = names if isinstance(names, int) else len(names)
        features[name] = Feature(name, "float32", (size,), listed)
    for name in pictures:
        features[name] = Feature(name, "video", (64, 64, 3), ())
    return Info((3, 0), "v3.0", 15.0, robot, features, "data", "videos", 1000)


# Columns as the info.json of the data sets has them that each preset is made for.
PUBLISHED = {
    "droid": info_of(
        "Franka",
        {
            "observation.state.gripper_position": ["gripper"],
            "observation.state.cartesian_position": CARTESIAN,
            "observation.state.joint_position": 7,
            "observation.state": 8,
            "action": 8,
        },
        [
            "observation.images.wrist_left",
            "observation.images.exterior_1_left",
            "observation.images.exterior_2_left",
        ],
    ),
    "bridge": info_of(
        "widowx",
        {"observation.state": [*CARTESIAN, "gripper"], "action": 7},
        [f"observation.images.image_{number}" for number in range(4)],
    ),
    "bridge_openx": info_of(
        "widowx",
        {"observation.state": [*CARTESIAN, "pad", "gripper"], "action": 7},
        [f"observation.images.image_{number}" for number in range(4)],
    ),
    "libero": info_of(
        "panda",
        {"observation.state": [*CARTESIAN, "gripper", "gripper"], "action": 7},
        ["observation.images.image", "observation.images.wrist_image"],
    ),
    "libero_vla": info_of(
        "panda",
        {"observation.state": 8, "action": 7},
        ["observation.images.image", "observation.images.image2"],
    ),
    "libero_pi": info_of("panda", {"state": 8, "actions": 7}, ["image", "wrist_image"]),
    "fr3_crisp": info_of(
        "franka",
        {
            "observation.state.cartesian": CARTESIAN,
            "observation.state.gripper": ["gripper"],
            "observation.state.joints": 7,
        },
        ["observation.images.primary", "observation.images.wrist"],
    ),
    "rlbench_lerobot": info_of(
        "panda",
        {
            "observation.state": 8,
            "observation.state.ee": ["x", "y", "z", "qx", "qy", "qz", "qw", "gripper"],
            "observation.state.joint_velocities": 7,
        },
        ["observation.images.front", "observation.images.wrist"],
    ),
    "cartesian": info_of(
        "franka",
        {"observation.state": [*CARTESIAN, "gripper"], "action": 7},
        ["observation.images.front"],
    ),
}


def test_every_preset_is_tried_here() -> None:
    assert set(PUBLISHED) == set(preset_names())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_fits_what_it_is_made_for_and_nothing_else_does(name: str) -> None:
    info = PUBLISHED[name]
    unsure = name in ("libero_vla", "libero_pi")
    assert fitting_presets(info, unsure) == [name]
    assert fitting_presets(info, not unsure) == []
    if unsure:
        with pytest.raises(MappingError, match=f"--mapping {name} if that is what"):
            choose_mapping(None, info, "there")
    mapping, why = choose_mapping(name if unsure else None, info, "there")
    assert name in why
    assert mapping.preset
    mapping.check(info)
    if name != "cartesian":  # whose frame nobody can tell
        assert mapping.scene is not None
        described = set(mapping.scene.cameras)
        assert described & set(cameras_of(mapping, info)), "no camera of it is described"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_says_in_words_what_it_follows(name: str) -> None:
    text = Path(f"robotmcqa/sources/lerobot/presets/{name}.yaml")
    text = Path(__file__).parents[1] / text
    comment = [line for line in text.read_text().splitlines() if line.startswith("#")]
    assert "/" in " ".join(comment), "names no published data set"


def test_cameras_that_no_mapping_names_go_by_the_end_of_their_column() -> None:
    info = info_of("", {"s": 8}, ["observation.images.top", "observation.images.side", "other.top"])
    mapping = load_mapping("droid")
    cameras = cameras_of(mapping, info)
    assert cameras["side"] == "observation.images.side"
    assert set(cameras.values()) >= {"observation.images.top", "other.top"}


# ------------------------------------------------------------------------------------ one's own


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    demos = [make_demo("reach_target", seed, frames=40, cameras=()) for seed in range(4)]
    episodes = [
        of_demo(demo, {"observation.images.side": lambda frame: numbered(frame)}) for demo in demos
    ]
    return write_lerobot(tmp_path_factory.mktemp("lerobot") / "mine", episodes, Style("v2.1"))


def test_without_a_mapping_the_columns_are_listed(root: Path, robotmcqa: Run) -> None:
    done = robotmcqa("extract", "--source", f"lerobot:{root}")
    assert done.returncode == 3
    for words in (
        "observation.state  float64 [8]",
        "observation.images.side  video [64, 64, 3]",
        "--mapping FILE",
        "rotation: {column: observation.state, index: [3, 4, 5, 6], format: quaternion_xyzw}",
    ):
        assert words in done.stderr
    assert "timestamp" not in done.stderr


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no pose": ({"position": None, "rotation": None}, "no position.*give position and rotation"),
    "no rotation": ({"rotation": None}, "no rotation"),
    "no gripper": ({"gripper": None}, ".*gripper.*required"),
    "version": ({"version": "2"}, "version: "),
    "another field": ({"wrist": {}}, ".*wrist"),
    "column": ({"position": {"column": "state"}}, "position.column: .*'state'.*observation.state"),
    "beyond": (
        {"position": {"column": "observation.state", "index": [0, 1, 8]}},
        "position.index: 8 is beyond the 8 numbers",
    ),
    "too few": (
        {"position": {"column": "observation.state", "index": [0, 1]}},
        "position: 2 numbers, where a position has 3",
    ),
    "format": (
        {"rotation": {"column": "observation.state", "format": "euler_xxy"}},
        "rotation.format: .*euler_<order>",
    ),
    "numbers of a format": (
        {"rotation": {"column": "observation.state", "index": [3, 4, 5], "format": "matrix"}},
        "rotation: 3 numbers, where a matrix has 9",
    ),
    "unit of a quaternion": (
        {"rotation": {**MAPPING["rotation"], "unit": "degrees"}},
        "rotation.unit: a quaternion_xyzw has no unit",
    ),
    "unit": ({"position": {"column": "observation.state", "unit": "inches"}}, "position.unit"),
    "range": (
        {"gripper": {"column": "observation.state", "index": 7, "range": [1, 0]}},
        r"gripper.range: 1 is not below 0",
    ),
    "a field misspelt": ({"gripper": None, "griper": MAPPING["gripper"]}, ".*'griper'"),
    "number for a text": ({"version": 1}, 'version: "1" was expected.*in quotes'),
    "scene": ({"scene": "rlbnch"}, "scene: no scene 'rlbnch'.*one of bridge, .*rlbench"),
    "camera": ({"cameras": {"front": "observation.state"}}, "cameras.front: no column of pictures"),
    "turned": ({"frame": {"quaternion_xyzw": [0, 0, 0, 2]}}, "frame.quaternion_xyzw: of length 2"),
    "kinematics too": (
        {"kinematics": {"file": "a.urdf", "body": "tip"}},
        "kinematics and position and rotation",
    ),
    "no joints": (
        {"position": None, "rotation": None, "kinematics": {"file": "a.urdf", "body": "tip"}},
        "kinematics without joint_positions",
    ),
}


@pytest.mark.parametrize(("changes", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_with_its_field(
    root: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    document = {name: one for name, one in {**MAPPING, **changes}.items() if one is not None}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(MappingError, match=f"(?s)mine.yaml: {words}"):
        open_source(f"lerobot:{root}", SourceOptions(mapping=str(path)))


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(30))
"""A thousand million values in 31 lines."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not YAML"),
        ("2020-01-01: 3", "line 1: a key that is no text"),
        ("gripper: {null: a}", "line 1: a key that is no text"),
        ("version:\n  true: 1", "line 2: a key that is no text"),
        ("version: 2020-01-01", "JSON cannot say it"),
        ("version: .nan", "JSON cannot say it"),
        (BOMB, "longer than 65,536 characters with its aliases written out"),
        ("version: !!int", "cannot be read"),
        ("x" * 70_000, "longer than 65,536 characters"),
        ("[" * 30_000, "not YAML"),
        ("- 1", "document: "),
        ("", "document: "),
        ("!!python/object/apply:os.system [id]", "not YAML"),
    ],
)
def test_what_is_no_mapping_at_all(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(MappingError, match=words):
        load_mapping(str(path))


def test_a_file_without_an_end(root: Path) -> None:
    with pytest.raises(MappingError, match="longer than"):
        open_source(f"lerobot:{root}", SourceOptions(mapping="/dev/zero"))


def test_aliases_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "version: '1'\n"
        "position: {<<: &state {column: observation.state}, index: [0, 1, 2]}\n"
        "rotation: {<<: *state, index: [3, 4, 5, 6], format: quaternion_xyzw}\n"
        "gripper: {<<: *state, index: 7}\n"
    )
    assert load_mapping(str(path)).columns == ["observation.state"]


def test_a_name_that_is_no_file_and_no_preset(root: Path) -> None:
    with pytest.raises(MappingError, match=r"one of: bridge, .*droid"):
        open_source(f"lerobot:{root}", SourceOptions(mapping="dorid"))
    with pytest.raises(MappingError, match=r"droid: position\.column"):
        open_source(f"lerobot:{root}", SourceOptions(mapping="droid"))


def test_units_ranges_and_frames_are_applied(tmp_path: Path) -> None:
    """The same demo, written as somebody else would, is the same demo."""
    demo = make_demo("reach_target", 1, frames=40, cameras=())
    position, quaternion = demo.gripper_pose[:, :3], demo.gripper_pose[:, 3:]
    columns = {
        "pose": np.column_stack(
            [(position - [0.5, 0, 0.2]) * 1000, np.roll(quaternion, 1, axis=1)]
        ),
        "grip": 80 - 80 * demo.gripper_open,
    }
    root = write_lerobot(tmp_path / "set", [Recorded(columns)])
    path = write_mapping(
        tmp_path / "mine.yaml",
        version="1",
        position={"column": "pose", "index": [0, 1, 2], "unit": "millimetres"},
        rotation={"column": "pose", "index": [3, 4, 5, 6], "format": "quaternion_wxyz"},
        gripper={"column": "grip", "range": [0, 80], "inverted": True},
        frame={"position": [0.5, 0, 0.2]},
    )
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(path)))
    (ref,) = source.refs(Selection())
    assert np.allclose(source.load(ref, ()).states, demo.states, atol=1e-9)


def test_a_data_set_from_the_command_line(root: Path, tmp_path: Path, robotmcqa: Run) -> None:
    """No camera is called front, so the only one is taken, and said; so is the mapping."""
    mapping = write_mapping(tmp_path / "mine.yaml", MAPPING)
    out = tmp_path / "questions"
    words = ("--source", f"lerobot:{root}", "--mapping", mapping)
    done = robotmcqa("extract", *words, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"mapping: {mapping}" in done.stderr
    assert "camera: side" in done.stderr
    assert "no joints, so the keyframe rule 'arm' becomes 'rest'" in done.stderr
    rows = rows_of(out)
    assert {tuple(row["cameras"]) for row in rows} == {("side",)}
    made = json.loads((out / "meta/provenance.json").read_text())
    assert made["source"]["settings"]["mapping"]["rotation"] == MAPPING["rotation"]
    assert "--source lerobot:DIR --mapping mapping.yaml" in made["command"]
    assert str(tmp_path) not in (out / "meta/provenance.json").read_text()
    assert robotmcqa("validate", out).returncode == 0
    card = (out / "README.md").read_text()
    assert "read from `lerobot`" in card
    assert "They were read with these settings" in card
    assert "drawn by a simulator" not in card
    listed = json.loads(robotmcqa("tasks", *words, "--json").stdout)
    assert listed == {"reach_the_red_target": {"0": 4}}
    again = robotmcqa("extract", *words, "--out", out, "--resume")
    assert again.returncode == 0, again.stderr
    other = write_mapping(tmp_path / "other.yaml", MAPPING, frame={"position": [0, 0, 0.1]})
    refused = robotmcqa(
        "extract", "--source", f"lerobot:{root}", "--mapping", other, "--out", out, "--resume"
    )
    assert refused.returncode == 2
    assert "settings.mapping.frame.position" in refused.stderr


def test_a_known_data_set_needs_no_option(tmp_path: Path, robotmcqa: Run) -> None:
    """Columns as DROID has them: mapping, scene and camera are chosen, and said."""
    demos = [make_demo("reach_target", seed, frames=40, cameras=()) for seed in range(3)]
    episodes = []
    for demo in demos:
        euler = Rotation.from_quat(demo.gripper_pose[:, 3:]).as_euler("xyz")
        columns = {
            "observation.state.cartesian_position": np.column_stack(
                [demo.gripper_pose[:, :3] - [0, 0, 0.75], euler]
            ),
            "observation.state.gripper_position": 1 - demo.gripper_open[:, None],
            "observation.state.joint_position": of_demo(demo).columns[
                "observation.joint_positions"
            ],
        }
        pictures = {"observation.images.exterior_1_left": numbered}
        episodes.append(Recorded(columns, demo.instructions, pictures))
    names = {
        "observation.state.cartesian_position": CARTESIAN,
        "observation.state.gripper_position": ["gripper"],
    }
    style = Style("v3.0", fps=15, names=names, robot_type="Franka")
    root, out = write_lerobot(tmp_path / "droid", episodes, style), tmp_path / "out"
    done = robotmcqa("extract", "--source", f"lerobot:{root}", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "mapping: droid, whose columns these are" in done.stderr
    assert "camera: exterior_1 (--camera takes exterior_1)" in done.stderr
    assert json.loads((out / "meta/metadata.json").read_text())["name"] == "droid"
    made = json.loads((out / "meta/provenance.json").read_text())
    assert "--source lerobot:DIR --mapping droid" in made["command"]
    assert "cameras" in made["source"]["settings"]["mapping"]
    source = open_source(f"lerobot:{root}")
    for ref in source.refs(Selection()):
        demo, read = demos[int(ref.name[-6:])], source.load(ref, ())
        assert np.allclose(read.gripper_pose[:, :3], demo.gripper_pose[:, :3] - [0, 0, 0.75])
        assert np.array_equal(read.gripper_open, demo.gripper_open)
        turned = Rotation.from_quat(read.gripper_pose[:, 3:])
        right = Rotation.from_quat(demo.gripper_pose[:, 3:])
        assert (turned * right.inv()).magnitude().max() < 1e-6
        assert read.joint_velocities is not None


def test_a_scene_has_to_be_known(root: Path, tmp_path: Path, robotmcqa: Run) -> None:
    """RLBench's table is not where everybody's robot stands."""
    document = {name: one for name, one in MAPPING.items() if name != "scene"}
    mapping = write_mapping(tmp_path / "mine.yaml", document)
    done = robotmcqa("extract", "--source", f"lerobot:{root}", "--mapping", mapping)
    assert done.returncode == 2
    assert "--metadata FILE" in done.stderr


def test_arguments_that_do_not_fit(root: Path, demos: Path, tmp_path: Path) -> None:
    mapping = str(write_mapping(tmp_path / "mine.yaml", MAPPING))
    with pytest.raises(UsageError, match="--mapping with rlbench"):
        open_source(f"rlbench:{demos}", SourceOptions(mapping=mapping))
    with pytest.raises(UsageError, match="--image-size"):
        open_source(f"lerobot:{root}", SourceOptions(image_size=64, mapping=mapping))
    with pytest.raises(UsageError, match="for a LeRobot data set: --source lerobot:"):
        open_source(str(root))
    with pytest.raises(DataError, match="no LeRobot data set"):
        open_source(f"lerobot:{demos}")
    with pytest.raises(DataError, match="no such folder"):
        open_source("lerobot:/no/where")
    with pytest.raises(UsageError, match="no folder given"):
        open_source("lerobot:")


def test_the_mapping_in_the_docs_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/sources.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    (tmp_path / "mine.yaml").write_text(block)
    mapping = load_mapping(str(tmp_path / "mine.yaml"))
    assert mapping.scale == 0.001
    assert mapping.degrees
    for name in preset_names():
        assert f"| `{name}` |" in page
    for field in schema_document("mapping")["properties"]:
        assert f"`{field}`" in page or field in ("version", "fits")


def test_the_folder_may_be_called_anything(root: Path, tmp_path: Path) -> None:
    """The same demos wherever they lie: names, revisions aside."""
    mapping = str(write_mapping(tmp_path / "mine.yaml", MAPPING))
    elsewhere = shutil.copytree(root, tmp_path / "another name")
    ids = []
    for folder in (root, elsewhere):
        source = open_source(f"lerobot:{folder}", SourceOptions(mapping=mapping))
        assert isinstance(source, LeRobotSource)
        ids.append(
            [(r.task, r.name, source.load(r, ()).digest()) for r in source.refs(Selection())]
        )
    assert ids[0] == ids[1]
