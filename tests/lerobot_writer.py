"""Data sets in LeRobot's layouts, written with pyarrow and PyAV alone.

The layouts are those that lerobot itself writes: v2.1 with a parquet file and a video for each
episode, v3.0 with files that many episodes share. Pictures carry their number in blocks of black
and white, which survive any codec: :func:`numbered` draws it and :func:`number_in` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from robotmcqa.demo import Demo

SIZE = 64
"""Pixels along a side: four blocks of 16."""

Picture = Callable[[int], NDArray[np.uint8]]


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture of 16 bits, one a block."""
    bits = (number >> np.arange(16)) & 1
    blocks = np.repeat(np.repeat(bits.reshape(4, 4), SIZE // 4, axis=0), SIZE // 4, axis=1)
    return np.repeat((blocks * 205 + 25)[:, :, None], 3, axis=2).astype(np.uint8)


def number_in(png: bytes) -> int:
    """The number that a picture carries."""
    with Image.open(BytesIO(png)) as image:
        grey = np.asarray(image.convert("L"))
    block = SIZE // 4
    centres = grey[block // 2 :: block, block // 2 :: block].ravel()
    assert ((centres > 180) | (centres < 80)).all(), centres
    return int(((centres > 128) << np.arange(16)).sum())


@dataclass(frozen=True)
class Recorded:
    """An episode to write: columns ``(N, K)``, a task, and cameras that give a frame's picture."""

    columns: Mapping[str, NDArray[Any]]
    tasks: tuple[str, ...] = ("pick up the cube",)
    pictures: Mapping[str, Picture] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def of_demo(demo: Demo, pictures: Mapping[str, Picture] | None = None) -> Recorded:
    """A demo as columns: pose and opening in ``observation.state``, joints in columns of theirs."""
    columns: dict[str, NDArray[Any]] = {"observation.state": demo.states}
    if demo.joint_positions is not None:
        columns["observation.joint_positions"] = demo.joint_positions
    if demo.joint_velocities is not None:
        columns["observation.joint_velocities"] = demo.joint_velocities
    return Recorded(columns, demo.instructions, pictures or {})


MAPPING: Mapping[str, Any] = {
    "version": "1",
    "position": {"column": "observation.state", "index": [0, 1, 2]},
    "rotation": {
        "column": "observation.state",
        "index": [3, 4, 5, 6],
        "format": "quaternion_xyzw",
    },
    "gripper": {"column": "observation.state", "index": 7},
    "scene": "rlbench",
}
"""What :func:`of_demo` writes, without its joints."""

JOINTS: Mapping[str, Any] = {
    "joint_positions": {"column": "observation.joint_positions"},
    "joint_velocities": {"column": "observation.joint_velocities"},
}


def write_mapping(path: Path, *parts: Mapping[str, Any], **fields: Any) -> Path:
    """A mapping file of these parts; JSON is YAML."""
    document: dict[str, Any] = {}
    for part in (*parts, fields):
        document |= part
    path.write_text(json.dumps(document))
    return path


@dataclass(frozen=True)
class Style:
    """How a data set is written.

    Attributes:
        version: ``v2.0``, ``v2.1`` or ``v3.0``.
        fps: frames per second.
        stored: pictures as videos, or as PNGs or JPEGs in the tables.
        codec: of videos.
        gop: frames from one key frame to the next.
        per_file: episodes in a file (v3.0).
        group: episodes in a row group (v3.0).
        dtype: of the columns of numbers.
        names: column -> names of its numbers.
        robot_type: in ``info.json``.
        card: text of the README, or None.
    """

    version: str = "v3.0"
    fps: int = 20
    stored: str = "video"
    codec: str = "libx264"
    gop: int = 12
    per_file: int = 100
    group: int = 1
    dtype: str = "float64"
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    robot_type: str = "panda"
    card: str | None = None


def write_lerobot(root: Path, episodes: Sequence[Recorded], style: Style = Style()) -> Path:
    """Write a data set below ``root``."""
    (root / "meta").mkdir(parents=True)
    tasks = list(dict.fromkeys(task for one in episodes for task in one.tasks))
    chunked = style.version >= "v3"
    _write_info(root, episodes, style, len(tasks), chunked)
    if chunked:
        _write_shared(root, episodes, style, tasks)
    else:
        _write_apart(root, episodes, style, tasks)
    if style.card is not None:
        (root / "README.md").write_text(style.card)
    return root


def _write_info(
    root: Path, episodes: Sequence[Recorded], style: Style, tasks: int, chunked: bool
) -> None:
    first = episodes[0]
    features: dict[str, Any] = {
        name: {
            "dtype": style.dtype,
            "shape": list(values.shape[1:]) or [1],
            "names": {"motors": list(style.names[name])} if name in style.names else None,
        }
        for name, values in first.columns.items()
    }
    for name in first.pictures:
        kind = "video" if style.stored == "video" else "image"
        features[name] = {
            "dtype": kind,
            "shape": [SIZE, SIZE, 3],
            "names": ["height", "width", "channels"],
        }
    for name, dtype in (("timestamp", "float32"), *((one, "int64") for one in _OWN)):
        features[name] = {"dtype": dtype, "shape": [1], "names": None}
    shared = "chunk-{chunk_index:03d}/file-{file_index:03d}"
    apart = "episode_{episode_index:06d}"
    info = {
        "codebase_version": style.version,
        "robot_type": style.robot_type,
        "total_episodes": len(episodes),
        "total_frames": sum(map(len, episodes)),
        "total_tasks": tasks,
        "chunks_size": 1000,
        "fps": style.fps,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": f"data/{shared}.parquet"
        if chunked
        else f"data/chunk-{{episode_chunk:03d}}/{apart}.parquet",
        "video_path": f"videos/{{video_key}}/{shared}.mp4"
        if chunked
        else f"videos/chunk-{{episode_chunk:03d}}/{{video_key}}/{apart}.mp4",
        "features": features,
    }
    (root / "meta/info.json").write_text(json.dumps(info, indent=4))


_OWN = ("frame_index", "episode_index", "index", "task_index")


def _table(episodes: Sequence[tuple[int, int, Recorded]], style: Style, tasks: list[str]) -> Any:
    """Rows of (number, first global index, episode)."""
    columns: dict[str, list[Any]] = {}
    for number, start, one in episodes:
        frames = np.arange(len(one))
        added: dict[str, Any] = {
            name: _lists(np.asarray(values, dtype=style.dtype))
            for name, values in one.columns.items()
        }
        if style.stored != "video":
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            for name, picture in one.pictures.items():
                added[name] = pa.array(
                    [
                        {"bytes": _encoded(picture(frame), style.stored), "path": f"{frame}.png"}
                        for frame in frames.tolist()
                    ],
                    kind,
                )
        added["timestamp"] = pa.array((frames / style.fps).astype(np.float32))
        added["frame_index"] = pa.array(frames)
        added["episode_index"] = pa.array(np.full(len(one), number))
        added["index"] = pa.array(frames + start)
        told = tasks.index(one.tasks[0]) if one.tasks else 0
        added["task_index"] = pa.array(np.full(len(one), told))
        for name, values in added.items():
            columns.setdefault(name, []).append(values)
    return pa.table({name: pa.chunked_array(parts) for name, parts in columns.items()})


def _lists(values: NDArray[Any]) -> Any:
    if values.ndim == 1:
        return pa.array(values)
    flat = pa.array(values.reshape(-1))
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values[0].size)
    return pa.ListArray.from_arrays(offsets, flat)


def _encoded(picture: NDArray[np.uint8], kind: str) -> bytes:
    data = BytesIO()
    Image.fromarray(picture).save(data, kind, **({"quality": 90} if kind == "jpeg" else {}))
    return data.getvalue()


def write_video(
    path: Path, pictures: Iterator[NDArray[np.uint8]], style: Style = Style(), size: int = SIZE
) -> None:
    """A video of these pictures, a frame after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(style.codec, rate=style.fps)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        stream.codec_context.gop_size = style.gop
        stream.codec_context.thread_count = 1
        if style.codec == "libx264":
            stream.options = {"crf": "23", "preset": "ultrafast", "bf": "2"}
        stream.codec_context.time_base = Fraction(1, style.fps)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_apart(root: Path, episodes: Sequence[Recorded], style: Style, tasks: list[str]) -> None:
    start, lines = 0, []
    for number, one in enumerate(episodes):
        chunk = f"chunk-{number // 1000:03d}"
        data = root / "data" / chunk / f"episode_{number:06d}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_table([(number, start, one)], style, tasks), data)
        if style.stored == "video":
            for name, picture in one.pictures.items():
                path = root / "videos" / chunk / name / f"episode_{number:06d}.mp4"
                write_video(path, map(picture, range(len(one))), style)
        lines.append({"episode_index": number, "tasks": list(one.tasks), "length": len(one)})
        start += len(one)
    _write_lines(root / "meta/episodes.jsonl", lines)
    named = [{"task_index": number, "task": task} for number, task in enumerate(tasks)]
    _write_lines(root / "meta/tasks.jsonl", named)


def _write_lines(path: Path, lines: Sequence[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _write_shared(root: Path, episodes: Sequence[Recorded], style: Style, tasks: list[str]) -> None:
    rows: list[dict[str, Any]] = []
    start = 0
    for file, first in enumerate(range(0, len(episodes), style.per_file)):
        group = [
            (first + place, one) for place, one in enumerate(episodes[first:][: style.per_file])
        ]
        data = root / f"data/chunk-000/file-{file:03d}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        placed, seconds, begun = [], 0.0, start
        for number, one in group:
            placed.append((number, start, one))
            row: dict[str, Any] = {
                "episode_index": number,
                "tasks": list(one.tasks),
                "length": len(one),
                "data/chunk_index": 0,
                "data/file_index": file,
                "dataset_from_index": start,
                "dataset_to_index": start + len(one),
                "stats/observation.state/mean": [0.0] * 8,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
            for name in one.pictures if style.stored == "video" else ():
                row |= {
                    f"videos/{name}/chunk_index": 0,
                    f"videos/{name}/file_index": file,
                    f"videos/{name}/from_timestamp": seconds,
                    f"videos/{name}/to_timestamp": seconds + len(one) / style.fps,
                }
            rows.append(row)
            start += len(one)
            seconds += len(one) / style.fps
        table = _table(placed, style, tasks)
        with pq.ParquetWriter(data, table.schema) as writer:
            for place in range(0, len(placed), style.group):
                some = placed[place : place + style.group]
                length = sum(len(one) for *_, one in some)
                writer.write_table(table.slice(some[0][1] - begun, length), row_group_size=length)
        for name in group[0][1].pictures if style.stored == "video" else ():
            frames = (one.pictures[name](frame) for _, one in group for frame in range(len(one)))
            write_video(root / f"videos/{name}/chunk-000/file-{file:03d}.mp4", frames, style)
    meta = root / "meta/episodes/chunk-000/file-000.parquet"
    meta.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), meta)
    named = {"task_index": list(range(len(tasks))), "__index_level_0__": tasks}
    pq.write_table(pa.table(named), root / "meta/tasks.parquet")
