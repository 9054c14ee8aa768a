"""Where things are in a LeRobot data set: its metadata, and the files of each episode.

Versions 2.0 and 2.1 have a parquet file and a video of each camera for each episode; from 3.0 on
many episodes share them, and tables in ``meta/episodes`` say where each begins. The templates of
paths in ``meta/info.json`` are followed, but never out of the data set's folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robotmcqa.errors import SourceError
from robotmcqa.sources.lerobot.folder import nearby

__all__ = ["INFO", "Feature", "Info", "Place", "Shot", "episodes_of", "read_info", "slug"]

INFO = "meta/info.json"

_FIELD = re.compile(r"\{(\w+)(?::0?(\d{1,2})d)?\}")
_REMEDY = "look at the data set's meta folder; fetch or convert it again"


@dataclass(frozen=True, slots=True)
class Feature:
    """A column, as ``meta/info.json`` describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many numbers a frame has of it."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def is_picture(self) -> bool:
        return self.dtype in ("video", "image")

    def __str__(self) -> str:
        names = f": {', '.join(self.names)}" if self.names else ""
        return f"{self.name}  {self.dtype} {list(self.shape)}{names}"


@dataclass(frozen=True, slots=True)
class Info:
    """``meta/info.json``.

    Attributes:
        version: of the format, e.g. ``(2, 1)``.
        codebase_version: the same as it is written, ``"v2.1"``.
        fps: frames per second.
        robot_type: in the words of whoever recorded it, or "".
        features: name -> column.
        data_path, video_path: templates of paths; the second is "" where there are no videos.
        chunks_size: episodes in a folder, before 3.0.
    """

    version: tuple[int, int]
    codebase_version: str
    fps: float
    robot_type: str
    features: Mapping[str, Feature]
    data_path: str
    video_path: str
    chunks_size: int

    @property
    def chunked(self) -> bool:
        """Whether many episodes share a file."""
        return self.version >= (3, 0)


@dataclass(frozen=True, slots=True)
class Shot:
    """Where the video of one camera is: its path in the data set, and the second it begins at."""

    path: str
    start: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where an episode is.

    Attributes:
        episode: its number.
        length: frames, as the metadata says.
        tasks: what it was told to do; may be empty.
        data: path of its parquet file in the data set.
        videos: column -> its video.
    """

    episode: int
    length: int
    tasks: tuple[str, ...]
    data: str
    videos: Mapping[str, Shot]

    def text(self) -> str:
        """As JSON, which :meth:`parse` reads."""
        videos = {key: [shot.path, shot.start] for key, shot in self.videos.items()}
        return json.dumps([self.episode, self.length, self.tasks, self.data, videos])

    @classmethod
    def parse(cls, text: str) -> Place:
        episode, length, tasks, data, videos = json.loads(text)
        shots = {key: Shot(path, start) for key, (path, start) in videos.items()}
        return cls(episode, length, tuple(tasks), data, shots)


def read_info(path: Path, where: str) -> Info:
    """``meta/info.json`` of a data set.

    Raises:
        SourceError: there is none, or it is not one of a version that is read here.
    """
    try:
        document = json.loads(path.read_bytes())
        version = re.fullmatch(r"v(\d+)\.(\d+).*", str(document["codebase_version"]))
        if not version or int(version[1]) < 2:
            raise SourceError(
                f"{where}: LeRobot's format {document['codebase_version']} is not read",
                "v2.0 and later are: convert it with lerobot",
            )
        info = Info(
            version=(int(version[1]), int(version[2])),
            codebase_version=str(document["codebase_version"]),
            fps=float(document["fps"]),
            robot_type=str(document.get("robot_type") or ""),
            features={
                name: _feature(name, one) for name, one in sorted(document["features"].items())
            },
            data_path=str(document["data_path"]),
            video_path=str(document.get("video_path") or ""),
            chunks_size=int(document.get("chunks_size") or 1000),
        )
    except FileNotFoundError:
        raise SourceError(
            f"{where}: no LeRobot data set ({INFO} is missing)",
            nearby(path.parents[1]) or "--source lerobot:DIR takes the folder that holds it",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{where}: {INFO}: {what}", _REMEDY) from None
    if not 0 < info.fps < 10_000 or info.chunks_size < 1:
        raise SourceError(f"{where}: {INFO}: {info.fps:g} frames per second", _REMEDY)
    return info


def _feature(name: str, document: Mapping[str, Any]) -> Feature:
    names = document.get("names")
    if isinstance(names, Mapping):  # {"motors": ["x", "y", ...]}
        groups = [one if isinstance(one, list) else [one] for one in names.values()]
        names = [one for group in groups for one in group]
    shape = tuple(int(length) for length in document.get("shape") or (1,))
    listed = tuple(map(str, names)) if isinstance(names, Sequence) and names else ()
    return Feature(name, str(document["dtype"]), shape, listed)


def inside(template: str, values: Mapping[str, Any]) -> str:
    """A template of ``meta/info.json``, filled in: a path in the data set.

    Raises:
        ValueError: it asks for something else than it may, or leads out of the folder.
    """

    def filled(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"the path {template} has a field '{match[1]}'")
        return f"{values[match[1]]:0{match[2]}d}" if match[2] else str(values[match[1]])

    path = _FIELD.sub(filled, template)
    parts = PurePosixPath(path).parts
    wrong = "{" in path or "\\" in path or "\0" in path or ".." in parts
    if wrong or not parts or PurePosixPath(path).is_absolute() or ":" in parts[0]:
        raise ValueError(f"the path {template} leads out of the data set")
    return path


def episodes_of(
    info: Info, files: Sequence[tuple[str, Path]], pictures: Sequence[str], where: str
) -> list[Place]:
    """Where each episode is, by number.

    Args:
        info: of the data set.
        files: name and place of ``meta/episodes.jsonl``, or of the tables in ``meta/episodes``.
        pictures: columns of videos.
        where: the data set, in messages.

    Raises:
        SourceError: the metadata cannot be read, or does not hold together.
    """
    found: dict[int, Place] = {}
    for name, file in files:
        try:
            for row in _rows(info, file, pictures):
                place = _place(info, row, pictures)
                if place.episode in found:
                    raise ValueError(f"episode {place.episode} is there twice")
                found[place.episode] = place
        except KeyError as error:
            raise SourceError(f"{where}: {name}: no field {error}", _REMEDY) from None
        except OSError as error:
            raise SourceError(f"{where}: {name}: {error.strerror or error}", _REMEDY) from None
        except (ValueError, TypeError, AttributeError, pa.ArrowException) as error:
            raise SourceError(f"{where}: {name}: {error}", _REMEDY) from None
    return [found[number] for number in sorted(found)]


def _rows(info: Info, file: Path, pictures: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    if not info.chunked:
        for line in file.read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)
        return
    table = pq.ParquetFile(file)
    fields = ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index"]
    for key in pictures:
        fields += [f"videos/{key}/{one}" for one in ("chunk_index", "file_index", "from_timestamp")]
    there = [name for name in fields if name in table.schema_arrow.names]  # not the statistics
    for batch in table.iter_batches(4096, columns=there):
        yield from batch.select(there).to_pylist()


def _place(info: Info, row: Mapping[str, Any], pictures: Sequence[str]) -> Place:
    episode, tasks = int(row["episode_index"]), row.get("tasks") or []
    told = [tasks] if isinstance(tasks, str) else [str(task) for task in tasks]
    common = {"episode_index": episode, "episode_chunk": episode // info.chunks_size}
    data = dict(common)
    if info.chunked:
        data |= {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
    shots = {}
    for key in pictures:
        video, start = {**common, "video_key": key}, 0.0
        if info.chunked:
            if row.get(f"videos/{key}/file_index") is None:
                continue  # an episode that this camera has not seen
            video |= {
                "chunk_index": row[f"videos/{key}/chunk_index"],
                "file_index": row[f"videos/{key}/file_index"],
            }
            start = float(row[f"videos/{key}/from_timestamp"])
        shots[key] = Shot(inside(info.video_path, video), start)
    texts = tuple(dict.fromkeys(" ".join(task.split()) for task in told if task.strip()))
    return Place(episode, int(row["length"]), texts, inside(info.data_path, data), shots)


def slug(text: str) -> str:
    """A text as the name of a task: small letters, digits and underscores, at most 80 of them.

    A longer one is cut, and ends in a digest of the whole.
    """
    name = "_".join(re.findall(r"[a-z0-9]+", text.lower()))
    digest = blake2b(text.encode(), digest_size=4, person=b"robotmcqa.task").hexdigest()
    if not name:
        return f"task_{digest}"
    return name if len(name) <= 80 else f"{name[:71].rstrip('_')}_{digest}"
