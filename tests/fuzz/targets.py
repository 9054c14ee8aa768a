"""What is fuzzed: bytes in, and nothing but our own errors out.

A target takes any bytes and returns, or else a promise is broken. ``tests/test_fuzz.py`` runs each
of them on the seeds and on whatever once broke a promise; ``python -m tests.fuzz`` searches on.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from robotmcqa import Spec, extract, open_source
from robotmcqa.audit import audit
from robotmcqa.card.front_matter import front_matter_of
from robotmcqa.collection import parts_of
from robotmcqa.dataset import Dataset
from robotmcqa.demo import Demo
from robotmcqa.episode import Episode, episode_of
from robotmcqa.errors import DemoError, RobotMCQAError, SceneError
from robotmcqa.item import ItemMaker, Skip
from robotmcqa.page import Filter, render_page, sample, survey
from robotmcqa.pools import plan_task
from robotmcqa.scene import load_scene, scene_preset
from robotmcqa.scoring.completion import parse_completion
from robotmcqa.scoring.letters import LETTERS, letter_of
from robotmcqa.scoring.positions import l1_score, position_of
from robotmcqa.scoring.rewards import combined_reward, l1_reward
from robotmcqa.sources import Selection
from robotmcqa.sources.lerobot.choosing import cameras_of, choose_mapping
from robotmcqa.sources.lerobot.layout import Feature, Info
from robotmcqa.sources.lerobot.states import states_of
from robotmcqa.sources.rlbench import RLBenchSource
from robotmcqa.sources.rlbench_tree import DESCRIPTIONS, LOW_DIM, VARIATION_NUMBER
from robotmcqa.validation import validate
from tests.factory import make_demo, write_demos
from tests.lerobot_writer import JOINTS, MAPPING, of_demo

CORPUS = Path(__file__).with_name("corpus")


def parser(data: bytes) -> None:
    """A completion of a model: every reward is a number from 0 to 1, every letter one of ours."""
    text = data.decode("utf-8", "surrogateescape")
    parsed = parse_completion(text)
    if parsed.well_formed:
        assert parsed.answer is not None
        assert parsed.reasoning is not None
    for said in filter(None, (text, parsed.answer)):
        for options in (2, 8):
            letter = letter_of(said, options)
            assert letter is None or letter in LETTERS[:options]
        position = position_of(said)
        if position:
            assert 0 <= l1_score(position, (0.1, 0.2, 0.3)) <= 1
    for gated in (True, False):
        (reward,) = combined_reward([text], ["A"], gated=gated)
        (close,) = l1_reward([text], ["[0.1, 0.2, 0.3]"], gated=gated)
        assert 0 <= reward <= 1
        assert 0 <= close <= 1


def scene(data: bytes) -> None:
    """``--metadata FILE``: refused by name, or good for questions that can be written down."""
    path = _folder() / "scene.json"
    tape = Tape(data)
    if tape.byte() & 1:
        document = scene_preset().document
        for _ in range(1 + tape.byte() % 4):
            document = _changed(json.loads(json.dumps(document)), tape)
        path.write_text(json.dumps(document), "utf-8")
    else:
        path.write_bytes(tape.rest())
    try:
        read = load_scene(path)
    except SceneError:
        return
    spec = Spec(scene=read, cameras=())
    try:
        maker = ItemMaker(spec)
        for made in maker.items(_episode(), plan_task([_episode()], spec)):
            if not isinstance(made, Skip):
                json.dumps(made.document, allow_nan=False, ensure_ascii=False).encode()
    except RobotMCQAError:
        pass


def mapping(data: bytes) -> None:
    """``--mapping FILE`` and front matter: refused by name, or good for an episode's states."""
    path = _robot().with_name("mapping.yaml")
    tape = Tape(data)
    how = tape.byte()
    if how & 1:
        document = {**MAPPING, **JOINTS}
        if how & 2:
            document = {"version": "1", **KINEMATICS, **JOINTS, "gripper": MAPPING["gripper"]}
        for _ in range(1 + tape.byte() % 4):
            document = _changed(json.loads(json.dumps(document)), tape)
        path.write_text(json.dumps(document), "utf-8")
    else:
        path.write_bytes(tape.rest())
    front_matter_of(f"---\n{path.read_text('utf-8', 'replace')}\n---\n")
    rows, info = _recorded()
    said = ""
    try:
        chosen, _ = choose_mapping(str(path), info, "a data set")
        assert chosen.scene is None or chosen.scene.document
        cameras_of(chosen, info)
        json.dumps(chosen.document, allow_nan=False, ensure_ascii=False).encode()
        states = states_of(rows, chosen, info.fps)
        assert states["gripper_pose"].shape == (len(rows), 7)
        Demo(task="a", variation=0, instructions=("a",), images={}, **states)
    except RobotMCQAError as error:
        said = str(error)
    assert len(said) < 20_000, "a message grows with the lie"


def manifest(data: bytes) -> None:
    """A folder that claims to be a data set, for every command that reads one."""
    folder = _folder() / "dataset"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_dataset(), folder)
    _tampered(folder, Tape(data))
    for use in (_validated, _opened, _shown, _audited):
        try:
            use(folder)
        except RobotMCQAError:
            continue


def pickle(data: bytes) -> None:
    """The three pickles of a saved demo: it is read, or fails by the name of the file.

    First by the reader's own process, which is ended where it hangs or crashes; then, for the
    search to see which code the bytes reach, in this one, unless that would do the same here.
    """
    kind, body = data[:1], data[1:]
    name = {b"v": VARIATION_NUMBER, b"d": DESCRIPTIONS}.get(kind, LOW_DIM)
    folder = _demo_folder()
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(body)
    try:
        with patch("robotmcqa.sources.rlbench_pickle._SECONDS", 0.1):  # no time to lose
            said = _read_demo(folder)
        if " reading it " not in said:
            with patch("robotmcqa.sources.rlbench.read_safely", _read_here):
                assert _read_demo(folder) == said
    finally:
        (folder / name).write_bytes(before)


def _read_demo(folder: Path) -> str:
    """All that is asked of one demo; what was wrong with it, in the words for the user."""
    source = RLBenchSource(str(folder))
    (ref,) = source.refs(Selection())
    said = [str(source.broken_files(ref, ()))]
    for read in (partial(source.load, ref, ()), partial(source.camera_models, ref)):
        try:
            read()
        except DemoError as error:
            said.append(str(error))
    text = "\n".join(said)
    assert len(text) < 20_000, "a message grows with the lie"
    return text


def _read_here(function: Callable[..., Any], *arguments: Any, files: Any) -> Any:
    """In place of a process of its own."""
    try:
        return function(*arguments)
    except MemoryError:
        raise DemoError("reading it takes more memory") from None


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "parser": parser,
    "scene": scene,
    "mapping": mapping,
    "manifest": manifest,
    "pickle": pickle,
}
"""Name -> what is done with the bytes."""


# ------------------------------------------------------------------------- uses of a data set


def _validated(folder: Path) -> None:
    validate(folder).document()


def _opened(folder: Path) -> None:
    for part in parts_of(folder):
        list(part.dataset.failures())
        assert part.rows is not None


def _shown(folder: Path) -> None:
    dataset = Dataset.open(folder)
    statistics, total = survey(dataset, Filter())
    rows = sample(dataset, Filter(), total, 2, 0)
    render_page(dataset, statistics, rows, total).encode()


def _audited(folder: Path) -> None:
    audit(folder, quick=True).document()


# ------------------------------------------------------------------------------- tampering

DOCUMENTS = (
    *("meta/manifest.json", "meta/manifest.json", "meta/provenance.json", "meta/metadata.json"),
    *("meta/failures.jsonl", "README.md"),
)
"""What an input may change; the manifest twice as often."""


@dataclass
class Tape:
    """Bytes that are read from left to right; at the end come zeros."""

    data: bytes
    at: int = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def pick(self, count: int) -> int:
        """A number below ``count``."""
        return (self.byte() << 8 | self.byte()) % count if count > 256 else self.byte() % count

    def rest(self) -> bytes:
        taken = self.data[self.at :]
        self.at = len(self.data)
        return taken


def _tampered(folder: Path, tape: Tape) -> None:
    """Documents changed as ``tape`` says: whole, or value by value."""
    how = tape.byte()
    name = DOCUMENTS[how % len(DOCUMENTS)]
    path = folder / name
    if how & 0x80 or path.suffix != ".json":
        path.write_bytes(tape.rest())
    else:
        document = json.loads(path.read_text("utf-8"))
        for _ in range(1 + tape.byte() % 4):
            document = _changed(document, tape)
        path.write_text(json.dumps(document), "utf-8")
    if how & 0x40:  # the hashes are those of what lies there: what is read after them is reached
        _hashed_again(folder)


def _changed(document: Any, tape: Tape) -> Any:
    """One value somewhere in a document replaced or removed."""
    places = list(_places(document))
    if not places:
        return document
    holder, key = places[tape.pick(len(places))]
    kind = tape.byte() % 16
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, there = places[tape.pick(len(places))]
        holder[key] = json.loads(json.dumps(other[there]))
    elif kind == 2:
        holder[key] = tape.rest()[:40].decode("utf-8", "replace")
    else:
        holder[key] = json.loads(json.dumps(VALUES[tape.pick(len(VALUES))]))
    return document


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 4, 2**31, 2**63, 10**30, -(10**30), 0.5, 1e308, -1e308),
    *(float("inf"), float("nan"), "", "A", "..", "data/..", "meta/manifest.json", "\x00", "\ud800"),
    *([], {}, [[]], {"": {}}, [None], ["waypoint"], {"a": None}, "waypoint", "matched", "x" * 300),
)


def _places(document: Any) -> Any:
    """Every (container, key) in a document, in order."""
    if isinstance(document, dict):
        pairs: Any = list(document.items())
    elif isinstance(document, list):
        pairs = list(enumerate(document))
    else:
        return
    for key, value in pairs:
        yield document, key
        yield from _places(value)


def _hashed_again(folder: Path) -> None:
    path = folder / "meta/manifest.json"
    try:
        document = json.loads(path.read_text("utf-8"))
        for file in document["files"]:
            data = (folder / file["path"]).read_bytes()
            file["bytes"], file["sha256"] = len(data), sha256(data).hexdigest()
        path.write_text(json.dumps(document), "utf-8")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # so broken that there is nothing to hash


# ----------------------------------------------------------------------- made once a process


@cache
def _folder() -> Path:
    """In memory where there is such a place: a target writes thousands of files a second."""
    memory = Path("/dev/shm")
    keeper = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    _KEPT.append(keeper)
    return Path(keeper.name)


_KEPT: list[Any] = []


@cache
def _dataset() -> Path:
    """Two demos without pictures, six questions or so."""
    demos, out = _folder() / "demos", _folder() / "whole"
    write_demos(demos, {"reach_target": 2}, cameras=(), frames=60)
    extract(open_source(f"rlbench:{demos}"), Spec(cameras=(), stride=40), out)
    return out


@cache
def _episode() -> Episode:
    return episode_of(make_demo(cameras=(), frames=60), Spec(cameras=(), stride=40))


KINEMATICS: Mapping[str, Any] = {"kinematics": {"file": "arm.xml", "body": "tip"}}


@cache
def _robot() -> Path:
    """Seven hinges in a row."""
    path = _folder() / "arm.xml"
    bodies = "".join(
        f"<body name='b{number}' pos='0 0 .1'><joint name='j{number}' axis='0 {number % 2} 1'/>"
        "<geom size='.01'/>"
        for number in range(7)
    )
    tip = "<site name='tip' pos='0 0 .1'/>" + 7 * "</body>"
    path.write_text(f"<mujoco><worldbody>{bodies}{tip}</worldbody></mujoco>", "utf-8")
    return path


@cache
def _recorded() -> tuple[pa.Table, Info]:
    """An episode of 8 frames as LeRobot has it, and the columns that its data set declares."""
    demo = of_demo(make_demo(cameras=(), frames=60))
    columns = {name: values[:8] for name, values in demo.columns.items()}
    features = {
        name: Feature(name, "float64", values.shape[1:], ()) for name, values in columns.items()
    }
    camera = "observation.images.front"
    features[camera] = Feature(camera, "video", (64, 64, 3), ())
    rows = pa.table({name: values.tolist() for name, values in columns.items()})
    return rows, Info((3, 0), "v3.0", 20.0, "panda", features, "data", "videos", 1000)


@cache
def _demo_folder() -> Path:
    (folder,) = write_demos(
        _folder() / "one", {"reach_target": 1}, "all_variations", cameras=(), frames=60
    )
    return folder
