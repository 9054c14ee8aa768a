"""Episodes on disk between reading demos and writing questions.

One Arrow file per episode: its low-dimensional part as JSON in the schema, its pictures as a
column. So every demo is read exactly once (a live simulator could not play it twice), and an
interrupted run goes on where it was. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from robotmcqa.episode import Episode

__all__ = ["Spooled", "load", "peek", "save"]

_FIELD = b"episode"


@dataclass(frozen=True, slots=True)
class Spooled:
    """An episode without its pictures, and how many bytes those have."""

    episode: Episode
    image_bytes: int


def save(path: Path, episode: Episode) -> Spooled:
    """Write an episode with its pictures."""
    pictures = [png for frame in episode.images for png in frame]
    document: dict[str, Any] = {
        "id": episode.id,
        "task": episode.task,
        "variation": episode.variation,
        "instructions": episode.instructions,
        "notes": episode.notes,
        "length": episode.length,
        "keyframes": episode.keyframes,
        "targets": episode.targets,
        "frames": episode.frames,
        "states": episode.states,
        "image_bytes": sum(map(len, pictures)),
    }
    schema = pa.schema([("png", pa.large_binary())], metadata={_FIELD: json.dumps(document)})
    batch = pa.record_batch([pa.array(pictures, pa.large_binary())], schema=schema)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_batch(batch)
    os.replace(temporary, path)
    return Spooled(replace(episode, images=()), document["image_bytes"])


def peek(path: Path) -> Spooled | None:
    """The episode in a file, without pictures; None where there is no whole one."""
    try:
        with pa.memory_map(str(path)) as file:
            document = _document(pa.ipc.open_file(file).schema)
    except (OSError, pa.ArrowInvalid):
        return None
    return Spooled(_episode(document, ()), document["image_bytes"])


def load(path: Path) -> Episode:
    """The episode in a file, with its pictures."""
    with pa.memory_map(str(path)) as file:
        reader = pa.ipc.open_file(file)
        document = _document(reader.schema)
        pictures = reader.get_batch(0).column(0).to_pylist()
    frames = len(document["frames"])
    cameras = len(pictures) // frames if frames else 0
    images = tuple(
        tuple(pictures[frame * cameras : (frame + 1) * cameras]) for frame in range(frames)
    )
    return _episode(document, images if cameras else ())


def _document(schema: pa.Schema) -> dict[str, Any]:
    metadata = schema.metadata or {}
    document: dict[str, Any] = json.loads(metadata[_FIELD])
    return document


def _episode(document: dict[str, Any], images: tuple[tuple[bytes, ...], ...]) -> Episode:
    return Episode(
        id=document["id"],
        task=document["task"],
        variation=document["variation"],
        instructions=tuple(document["instructions"]),
        notes=tuple(document["notes"]),
        length=document["length"],
        keyframes=tuple(document["keyframes"]),
        targets=tuple(map(tuple, document["targets"])),
        frames=tuple(document["frames"]),
        states=tuple(map(tuple, document["states"])),
        images=images,
    )
