"""Episodes on disk between reading demos and writing questions.

So every demo is read and checked once, and an interrupted run goes on where it was. The
low-dimensional part is a small JSON file. Pictures are kept beside it only for a source that
cannot play a demo twice (a live simulator); saved demos are simply opened again.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from robotmcqa.episode import Episode
from robotmcqa.files import temporary_beside

__all__ = ["load_pictures", "read", "save"]

_PICTURES = pa.schema([("png", pa.large_binary())])


def save(path: Path, episode: Episode, *, pictures: bool) -> Episode:
    """Write an episode to ``path``, a JSON file; it appears there only when it is whole.

    Args:
        path: of the JSON file.
        episode: with its pictures.
        pictures: keep them too.

    Returns:
        The episode without its pictures.
    """
    if pictures:
        flat = [png for frame in episode.images for png in frame]
        temporary = temporary_beside(path.with_suffix(".arrow"))
        with pa.ipc.new_file(str(temporary), _PICTURES) as writer:
            writer.write_batch(pa.record_batch([pa.array(flat, pa.large_binary())], _PICTURES))
        os.replace(temporary, path.with_suffix(".arrow"))
    bare = replace(episode, images=())
    temporary = temporary_beside(path)
    temporary.write_text(json.dumps({name: getattr(bare, name) for name in _FIELDS}), "utf-8")
    os.replace(temporary, path)
    return bare


def read(path: Path) -> Episode | None:
    """The episode at ``path`` without pictures; None where there is no whole one."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        return Episode(**{name: _frozen(document[name]) for name in _FIELDS})
    except (OSError, ValueError, KeyError):
        return None


def load_pictures(path: Path, cameras: int) -> tuple[tuple[bytes, ...], ...]:
    """The pictures kept beside ``path``, per question frame one for each camera."""
    with pa.memory_map(str(path.with_suffix(".arrow"))) as file:
        flat = pa.ipc.open_file(file).get_batch(0).column(0).to_pylist()
    return tuple(tuple(flat[at : at + cameras]) for at in range(0, len(flat), cameras))


_FIELDS = tuple(name for name in Episode.__dataclass_fields__ if name != "images")


def _frozen(value: Any) -> Any:
    """JSON's lists back to tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
