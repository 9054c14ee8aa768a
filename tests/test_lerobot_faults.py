"""Broken LeRobot data sets: each fault is named, nothing else is lost, nothing leads outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robotmcqa.errors import DemoError, RobotMCQAError, SourceError
from robotmcqa.files import iterate_jsonl
from robotmcqa.sources import DemoRef, Selection, SourceOptions, open_source
from robotmcqa.sources.lerobot import LeRobotSource
from robotmcqa.sources.lerobot.layout import inside
from tests.conftest import Run
from tests.factory import make_demo
from tests.lerobot_writer import (
    MAPPING,
    Style,
    numbered,
    of_demo,
    write_lerobot,
    write_mapping,
    write_video,
)

CAMERA = "observation.images.front"
DATA = "data/chunk-000/episode_000001.parquet"
VIDEO = f"videos/chunk-000/{CAMERA}/episode_000001.mp4"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three episodes with videos, in v2.1; to be copied."""
    demos = [make_demo("reach_target", seed, 0, 40, cameras=()) for seed in range(3)]
    episodes = [of_demo(demo, {CAMERA: numbered}) for demo in demos]
    folder = tmp_path_factory.mktemp("pristine")
    write_mapping(folder / "m.yaml", MAPPING)
    return write_lerobot(folder / "set", episodes, Style("v2.1"))


@pytest.fixture
def broken(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "set"))


def opened(root: Path, pristine: Path) -> LeRobotSource:
    options = SourceOptions(mapping=str(pristine.parent / "m.yaml"))
    source = open_source(f"lerobot:{root}", options)
    assert isinstance(source, LeRobotSource)
    return source


def rewritten(root: Path, change: Callable[[Any], Any]) -> None:
    path = root / DATA
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def with_state(table: Any, values: Any) -> Any:
    place = table.schema.get_field_index("observation.state")
    return table.set_column(place, "observation.state", values)


def states_of(table: Any) -> list[Any]:
    return [list(row) for row in table.column("observation.state").to_pylist()]


def one_state(frame: int, number: int, value: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        rows = states_of(table)
        rows[frame][number] = value
        return with_state(table, pa.array(rows))

    return change


def ragged(table: Any) -> Any:
    rows = states_of(table)
    rows[3] = rows[3][:5]
    return with_state(table, pa.array(rows))


def other_video(root: Path, frames: int) -> None:
    write_video(root / VIDEO, map(numbered, range(frames)), Style("v2.1"))


def every_tenth(source: LeRobotSource, ref: DemoRef) -> list[bytes]:
    demo = source.load(ref, ("front",))
    return [demo.image("front", frame) for frame in range(0, 40, 10)]


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no table": (lambda root: (root / DATA).unlink(), DATA, "missing"),
    "half a table": (
        lambda root: (root / DATA).write_bytes((root / DATA).read_bytes()[:2000]),
        DATA,
        "broken parquet file",
    ),
    "an empty table": (lambda root: (root / DATA).write_bytes(b""), DATA, "broken parquet file"),
    "too few rows": (
        lambda root: rewritten(root, lambda table: table.slice(0, 30)),
        DATA,
        "30 frames of episode 1, the metadata says 40",
    ),
    "another episode's rows": (
        lambda root: rewritten(
            root,
            lambda table: table.set_column(
                table.schema.get_field_index("episode_index"), "episode_index", [[0] * 40]
            ),
        ),
        DATA,
        "episode 1 is not in it",
    ),
    "rows in two orders": (
        lambda root: rewritten(root, lambda table: table.take([*range(20), *range(39, 19, -1)])),
        DATA,
        "out of order at frame 20",
    ),
    "no such column": (
        lambda root: rewritten(root, lambda table: table.drop_columns("observation.state")),
        DATA,
        "no column 'observation.state'",
    ),
    "text for numbers": (
        lambda root: rewritten(root, lambda table: with_state(table, pa.array(["a"] * 40))),
        DATA,
        "column 'observation.state' holds string, not numbers",
    ),
    "a gap": (
        lambda root: rewritten(root, one_state(4, 2, None)),
        DATA,
        "column 'observation.state' has gaps",
    ),
    "rows of different lengths": (
        lambda root: rewritten(root, ragged),
        DATA,
        "rows of different lengths",
    ),
    "no number": (
        lambda root: rewritten(root, one_state(4, 2, float("nan"))),
        DATA,
        "position is not a finite number at frame 4",
    ),
    "an endless gripper": (
        lambda root: rewritten(root, one_state(9, 7, float("inf"))),
        DATA,
        "gripper is not a finite number at frame 9",
    ),
    "no video": (lambda root: (root / VIDEO).unlink(), VIDEO, "missing"),
    "half a video": (
        lambda root: (root / VIDEO).write_bytes((root / VIDEO).read_bytes()[:900]),
        VIDEO,
        "broken video",
    ),
    "an empty video": (lambda root: (root / VIDEO).write_bytes(b""), VIDEO, "broken video"),
    "no video at all": (lambda root: (root / VIDEO).write_bytes(b"text"), VIDEO, "broken video"),
    "a short video": (lambda root: other_video(root, 15), VIDEO, "s long, the episode ends at"),
}


@pytest.mark.parametrize(("fault", "file", "cause"), FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_episode_is_named_and_the_others_go_on(
    broken: Path, pristine: Path, fault: Callable[[Path], object], file: str, cause: str
) -> None:
    fault(broken)
    source = opened(broken, pristine)
    for ref in source.refs(Selection()):
        if ref.name != "episode_000001":
            demo = source.load(ref, ("front",))
            assert [demo.image("front", frame)[:4] for frame in (0, 39)] == [b"\x89PNG"] * 2
            continue
        with pytest.raises(DemoError):
            every_tenth(source, ref)
        found = source.broken_files(ref, ("front",))
        assert [name for name, _ in found] == [file]
        assert cause in found[0][1]


def test_in_a_run_broken_episodes_are_failures(
    broken: Path, pristine: Path, tmp_path: Path, robotmcqa: Run
) -> None:
    (broken / VIDEO).write_bytes(b"")
    out = tmp_path / "out"
    mapping = pristine.parent / "m.yaml"
    words = ("--source", f"lerobot:{broken}", "--mapping", mapping, "--out", out)
    done = robotmcqa("extract", *words)
    assert done.returncode == 0, done.stderr
    assert f"{VIDEO}: broken video" in done.stderr
    (line,) = [one for one in iterate_jsonl(out / "meta/failures.jsonl") if one["kind"] == "demo"]
    assert line["where"] == "episode_000001"
    assert line["files"][0]["path"] == VIDEO
    shutil.copy(pristine / VIDEO, broken / VIDEO)
    assert robotmcqa("extract", *words, "--overwrite").returncode == 0
    assert list(iterate_jsonl(out / "meta/failures.jsonl")) == []


# ------------------------------------------------------------------------------ the metadata


def changed_info(root: Path, **fields: Any) -> None:
    path = root / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


INFO_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda root: (root / "meta/info.json").unlink(), "info.json is missing"),
    "no JSON": (lambda root: (root / "meta/info.json").write_text("{"), "meta/info.json: "),
    "a list": (lambda root: (root / "meta/info.json").write_text("[]"), "meta/info.json: "),
    "old": (lambda root: changed_info(root, codebase_version="v1.6"), "v1.6 is not read"),
    "no version": (lambda root: changed_info(root, codebase_version="new"), "new is not read"),
    "no rate": (lambda root: changed_info(root, fps=0), "0 frames per second"),
    "no features": (lambda root: changed_info(root, features=None), "meta/info.json: "),
    "episodes": (lambda root: (root / "meta/episodes.jsonl").unlink(), "No such file"),
    "episodes, broken": (
        lambda root: (root / "meta/episodes.jsonl").write_text("{"),
        "meta/episodes.jsonl: ",
    ),
    "episodes, a field": (
        lambda root: (root / "meta/episodes.jsonl").write_text('{"episode_index": 0}\n'),
        "meta/episodes.jsonl: no field 'length'",
    ),
    "episodes, twice": (
        lambda root: (root / "meta/episodes.jsonl").write_text(
            '{"episode_index": 0, "tasks": [], "length": 40}\n' * 2
        ),
        "episode 0 is there twice",
    ),
    "data outside": (
        lambda root: changed_info(root, data_path="../{episode_index:06d}.parquet"),
        "leads out of the data set",
    ),
    "videos outside": (
        lambda root: changed_info(root, video_path="/etc/{video_key}"),
        "leads out of the data set",
    ),
    "a field of a path": (
        lambda root: changed_info(root, data_path="data/{episode_index.__class__}.parquet"),
        "leads out of the data set",
    ),
    "another field of a path": (
        lambda root: changed_info(root, data_path="data/{robot}.parquet"),
        "has a field 'robot'",
    ),
}


@pytest.mark.parametrize(("fault", "words"), INFO_FAULTS.values(), ids=INFO_FAULTS.keys())
def test_broken_metadata_is_named(
    broken: Path, pristine: Path, fault: Callable[[Path], object], words: str
) -> None:
    fault(broken)
    with pytest.raises(SourceError, match=words):
        list(opened(broken, pristine).refs(Selection()))


def test_v3_without_tables_of_episodes(pristine: Path, tmp_path: Path) -> None:
    demo = make_demo("reach_target", 0, 0, 40, cameras=())
    root = write_lerobot(tmp_path / "set", [of_demo(demo)], Style("v3.0"))
    shutil.rmtree(root / "meta/episodes")
    with pytest.raises(SourceError, match="no tables in meta/episodes"):
        list(opened(root, pristine).refs(Selection()))


@pytest.mark.parametrize(
    "template",
    [
        *("", ".", "/", "/a", "..", "../a", "a/../../b", "a/..", "C:/a", "a\\..\\b", "a\0b"),
        *(
            "{",
            "}{",
            "{}",
            "{0}",
            "{key!r}",
            "{key:9999999d}",
            "{key:>10}",
            "{key.real}",
            "{other}",
        ),
    ],
)
def test_a_path_never_leads_out_of_the_data_set(template: str) -> None:
    with pytest.raises(ValueError, match="the path"):
        inside(template, {"key": 3})


def test_a_key_never_leads_out_of_the_data_set() -> None:
    with pytest.raises(ValueError, match="leads out"):
        inside("videos/{video_key}/a.mp4", {"video_key": "../../.."})
    assert inside("{a:03d}/{b}-{a}.x", {"a": 7, "b": "k"}) == "007/k-7.x"


def test_a_stored_picture_never_leads_out_of_the_data_set(tmp_path: Path, pristine: Path) -> None:
    demo = make_demo("reach_target", 0, 0, 40, cameras=())
    root = write_lerobot(tmp_path / "set", [of_demo(demo, {CAMERA: numbered})], Style(stored="png"))
    (root / "images").mkdir()
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.ParquetFile(path).read()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (tmp_path / "secret.png").write_bytes(b"secret")
    outside = ["../secret.png", str(tmp_path / "secret.png"), "images/../../secret.png"]
    paths = [*outside, "images/3.png", *["images/4.png"] * 36]
    stored = table.column(CAMERA)[3].as_py()["bytes"]
    (root / "images/3.png").write_bytes(stored)
    (root / "images/4.png").write_bytes(b"no picture")
    column = pa.array([{"bytes": None, "path": one} for one in paths], kind)
    pq.write_table(table.set_column(table.schema.get_field_index(CAMERA), CAMERA, column), path)
    source = opened(root, pristine)
    (ref,) = source.refs(Selection())
    for frame in range(3):
        with pytest.raises(DemoError, match="leads out of the data set"):
            source.picture(ref, "front", frame)
    assert source.picture(ref, "front", 3) == stored
    with pytest.raises(DemoError, match="broken picture"):
        source.picture(ref, "front", 4)
    assert len(source.broken_files(ref, ("front",))) == 39


def leaves(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(document, (dict, list)):
        items = document.items() if isinstance(document, dict) else enumerate(document)
        for key, inner in items:
            yield (*place, key)
            yield from leaves(inner, (*place, key))


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 2**40, 1e300, float("nan"), "", "v2.1", "..", "{x}", [], [[]], {}, {"a": 1}]
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), junk=JUNK)
def test_metadata_of_strangers_never_crashes(
    pristine: Path, tmp_path: Path, data: st.DataObject, junk: Any
) -> None:
    """Whatever stands in one field: an error of ours, or demos."""
    name = data.draw(st.sampled_from(["meta/info.json", "meta/episodes.jsonl"]))
    root = tmp_path / "fuzzed"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(pristine, root)
    text = (root / name).read_text()
    lines = [text] if name.endswith("json") else text.splitlines()
    document = json.loads(lines[0])
    *path, last = data.draw(st.sampled_from(list(leaves(document))))
    inner = document
    for key in path:
        inner = inner[key]
    inner[last] = junk
    (root / name).write_text("\n".join([json.dumps(document), *lines[1:]]))
    with suppress(RobotMCQAError):
        source = opened(root, pristine)
        for ref in source.refs(Selection()):
            try:
                every_tenth(source, ref)
            except DemoError:
                source.broken_files(ref, ("front",))
