"""Episodes on disk between reading demos and writing questions.

So every demo is read and checked once, an interrupted run goes on where it was, and memory does not
grow with the demos: of an episode that lies here a run remembers an :class:`Entry`. The
low-dimensional part is a small JSON file. Pictures are kept beside it only for a source that
cannot play a demo twice (a live simulator); saved demos are simply opened again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

import pyarrow as pa

from robotmcqa.episode import Episode
from robotmcqa.errors import SourceError
from robotmcqa.places import is_remote, move, temporary_beside
from robotmcqa.sources import DemoRef

__all__ = ["Entry", "entry_of", "load_pictures", "names", "path_of", "read", "read_all", "save"]

_PICTURES = pa.schema([("png", pa.large_binary())])


@dataclass(frozen=True, slots=True)
class Entry:
    """What a run remembers of an episode on the spool: enough to put shards together.

    Attributes:
        id, task, variation, notes, image_bytes: as in :class:`~robotmcqa.episode.Episode`.
        frames: how many of them become questions.
    """

    id: str
    task: str
    variation: int
    notes: tuple[str, ...]
    frames: int
    image_bytes: int


def entry_of(episode: Episode) -> Entry:
    """What is remembered of an episode."""
    return Entry(
        id=episode.id,
        task=intern(episode.task),
        variation=episode.variation,
        notes=episode.notes,
        frames=len(episode.frames),
        image_bytes=episode.image_bytes,
    )


def path_of(folder: Path, ref: DemoRef) -> Path:
    """Tied to the demo's name and revision: a demo that has changed since is read again."""
    key = f"{ref.name}\0{ref.revision}".encode()
    return folder / f"{hashlib.blake2b(key, digest_size=12).hexdigest()}.json"


def save(path: Path, episode: Episode, *, pictures: bool) -> None:
    """Write an episode to ``path``, a JSON file; it appears there only when it is whole.

    Args:
        path: of the JSON file.
        episode: with its pictures.
        pictures: keep them too.
    """
    if pictures:
        flat = [png for frame in episode.images for png in frame]
        temporary = temporary_beside(path.with_suffix(".arrow"))
        with pa.ipc.new_file(str(temporary), _PICTURES) as writer:
            writer.write_batch(pa.record_batch([pa.array(flat, pa.large_binary())], _PICTURES))
        move(temporary, path.with_suffix(".arrow"))
    temporary = temporary_beside(path)
    temporary.write_text(json.dumps({name: getattr(episode, name) for name in _FIELDS}), "utf-8")
    move(temporary, path)


def names(folder: Path) -> set[str]:
    """Names of the files in ``folder``: asking a store for each of them would take long."""
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def read(path: Path) -> Episode | None:
    """The episode at ``path`` without pictures; None where there is no whole one."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        return Episode(**{name: _frozen(document[name]) for name in _FIELDS})
    except (OSError, ValueError, KeyError):
        return None


def read_all(folder: Path, refs: Iterable[DemoRef]) -> Iterator[Episode]:
    """The episodes of demos that a run has read before, one after the other.

    Raises:
        SourceError: one has gone.
    """
    for ref in refs:
        episode = read(path_of(folder, ref))
        if episode is None:
            raise SourceError(
                f"{path_of(folder, ref)}: the episode of {ref.name} that was kept here has gone",
                "--resume reads that demo again",
            )
        yield episode


def load_pictures(path: Path, cameras: int) -> tuple[tuple[bytes, ...], ...]:
    """The pictures kept beside ``path``, per question frame one for each camera."""
    kept = path.with_suffix(".arrow")
    remote = is_remote(kept)
    with pa.BufferReader(kept.read_bytes()) if remote else pa.memory_map(str(kept)) as file:
        flat = pa.ipc.open_file(file).get_batch(0).column(0).to_pylist()
    return tuple(tuple(flat[at : at + cameras]) for at in range(0, len(flat), cameras))


_FIELDS = tuple(name for name in Episode.__dataclass_fields__ if name != "images")


def _frozen(value: Any) -> Any:
    """JSON's lists back to tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
