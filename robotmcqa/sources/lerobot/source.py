"""A LeRobot data set as a source: its episodes become demos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robotmcqa.bounded_yaml import LONGEST
from robotmcqa.card.front_matter import front_matter_of
from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, SourceError, UsageError
from robotmcqa.licences import as_spdx
from robotmcqa.scene import SceneMetadata
from robotmcqa.sources import DemoRef, Selection, SourceOptions
from robotmcqa.sources.lerobot.choosing import cameras_of, choose_mapping
from robotmcqa.sources.lerobot.columns import episode_rows, numbers
from robotmcqa.sources.lerobot.folder import Folder, open_folder
from robotmcqa.sources.lerobot.layout import INFO, Info, Place, episodes_of, read_info, slug
from robotmcqa.sources.lerobot.mapping import ColumnMapping
from robotmcqa.sources.lerobot.states import states_of
from robotmcqa.sources.lerobot.video import decoder, png_of, video_frame, video_seconds

__all__ = ["MANY_TASKS", "LeRobotSource", "open_lerobot"]

MANY_TASKS = 100
"""With more different instructions than this, a data set counts as one task: wrong options are
drawn among the demos of a task, and each would have hardly any."""

UNKNOWN_LICENCE = "unknown: see the data set"

_AGAIN = "fetch or record it again"


@dataclass(frozen=True, slots=True)
class LeRobotSource:
    """A data set; the argument of ``--source lerobot:DIR``.

    Attributes:
        folder: where its files are.
        info: its ``meta/info.json``.
        mapping: which columns are what.
        why: it is this mapping, in words.
        pictures: camera -> column.
    """

    folder: Folder
    info: Info
    mapping: ColumnMapping
    why: str
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        return "lerobot"

    @property
    def location(self) -> str:
        return self.folder.location

    @property
    def licence(self) -> str:
        return _licence(self.folder)

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self.pictures)

    @property
    def scene(self) -> SceneMetadata | None:
        return self.mapping.scene

    @property
    def replayable(self) -> bool:
        return True

    def mapped_by(self) -> str:
        if self.mapping.joint_positions is None and self.mapping.joint_velocities is None:
            return f"{self.why}; no joints, so the keyframe rule 'arm' becomes 'rest'"
        return self.why

    def check_readable(self, cameras: tuple[str, ...]) -> None:
        if any(self._is_video(camera) for camera in cameras if camera in self.pictures):
            decoder()

    def settings(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = {
            "mapping": self.mapping.document,
            "codebase_version": self.info.codebase_version,
            "fps": self.info.fps,
        }
        if self.mapping.preset:
            settings["mapping_preset"] = self.mapping.name
        if self.folder.revision:
            settings["repo"] = self.folder.location.removeprefix("hf://").partition("@")[0]
            settings["revision"] = self.folder.revision
        return settings

    def tasks(self) -> list[str]:
        return sorted({task for task, _, _ in self._named()})

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        of_task: dict[str, list[DemoRef]] = {}
        stamps: dict[str, str] = {}
        for task, variation, place in self._named():
            refs = of_task.setdefault(task, [])
            if selection.variation in (None, variation):
                refs.append(self._ref(task, variation, place, stamps))
        for task in selection.tasks:
            if task not in of_task:
                known = ", ".join(sorted(of_task)[:20]) + (" ..." if len(of_task) > 20 else "")
                raise SourceError(f"{self.location}: no task '{task}'", f"tasks there: {known}")
        for task in sorted(of_task):
            if not selection.tasks or task in selection.tasks:
                refs = sorted(of_task[task], key=lambda ref: (ref.variation or 0, ref.name))
                yield from refs[: selection.episodes]

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        place = Place.parse(ref.locator)
        self.check_readable(cameras)  # what is missing is missed by other episodes too
        rows = self._rows(place)
        notes: list[str] = []
        instructions = place.tasks
        if not instructions:
            words = ref.task.replace("_", " ")
            notes.append(f"the episode has no task; the name of the data set stands in: '{words}'")
            instructions = (words,)
        return Demo(
            task=ref.task,
            variation=ref.variation or 0,
            instructions=instructions,
            images={camera: partial(self.picture, ref, camera) for camera in self.pictures},
            notes=tuple(notes),
            **states_of(rows, self.mapping, self.info.fps),
        )

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        place, column = Place.parse(ref.locator), self.pictures[camera]
        if not self._is_video(camera):
            return self._stored_picture(place, column, frame)
        if column not in place.videos:
            raise DemoError(f"the episode has no video of camera '{camera}'", "leave it out")
        shot = place.videos[column]
        seconds = shot.start + self._time(place, frame)
        return video_frame(self.folder.file(shot.path), shot.path, seconds, self.info.fps)

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        place = Place.parse(ref.locator)
        broken: list[tuple[str, str]] = []
        try:
            states_of(self._rows(place), self.mapping, self.info.fps)
        except DemoError as error:
            broken.append((place.data, error.what.removeprefix(f"{place.data}: ")))
        for camera in cameras:
            if self._is_video(camera):
                broken += self._broken_video(place, self.pictures[camera])
            elif camera in self.pictures and not broken:
                broken += self._broken_pictures(place, self.pictures[camera])
        return tuple(broken)

    # ------------------------------------------------------------------------------------- inside

    def _named(self) -> Iterator[tuple[str, int, Place]]:
        """Task and variation of each episode: the same instruction is the same variation."""
        places = self._places()
        texts = sorted({place.tasks[0] for place in places if place.tasks})
        numbers = {text: number for number, text in enumerate(texts)}
        whole = self.mapping.task or slug(self.folder.name)
        for place in places:
            text = place.tasks[0] if place.tasks else None
            if text is None:
                yield whole, 0, place
            elif self.mapping.task or len(texts) > MANY_TASKS:
                yield whole, numbers[text], place
            else:
                yield slug(text), 0, place

    def _places(self) -> list[Place]:
        names = ["meta/episodes.jsonl"]
        if self.info.chunked:
            names = [name for name in self.folder.below("meta/episodes") if _is_table(name)]
            if not names:
                raise SourceError(
                    f"{self.location}: no tables in meta/episodes", "fetch or convert it again"
                )
        videos = [column for camera, column in self.pictures.items() if self._is_video(camera)]
        try:
            files = [(name, Path(self.folder.file(name))) for name in names]
        except DemoError as error:
            raise SourceError(f"{self.location}: {error.what}", error.remedy) from None
        return episodes_of(self.info, files, videos, self.location)

    def _ref(self, task: str, variation: int, place: Place, stamps: dict[str, str]) -> DemoRef:
        locator = place.text()
        revision = hashlib.blake2b(locator.encode(), digest_size=12)
        for path in (place.data, *(shot.path for shot in place.videos.values())):
            if path not in stamps:
                stamps[path] = self.folder.stamp(path)
            revision.update(f"\n{path} {stamps[path]}".encode())
        return DemoRef(
            task=task,
            variation=variation,
            name=f"episode_{place.episode:06d}",
            locator=locator,
            revision=revision.hexdigest(),
        )

    def _is_video(self, camera: str) -> bool:
        column = self.pictures.get(camera)
        return column is not None and self.info.features[column].dtype == "video"

    def _rows(self, place: Place, *pictures: str) -> pa.Table:
        """An episode's numbers, or its stored pictures; as many rows as it has frames."""
        own = [name for name in ("timestamp", "frame_index") if name in self.info.features]
        columns = list(pictures) or [*self.mapping.columns, *own]
        rows = episode_rows(self.folder.file(place.data), place.data, place.episode, columns)
        if len(rows) != place.length:
            raise DemoError(
                f"{place.data}: {len(rows)} frames of episode {place.episode}, the metadata says "
                f"{place.length}",
                _AGAIN,
            )
        if "frame_index" in rows.column_names:
            order = np.diff(numbers(rows, "frame_index")[:, 0])
            if (order != 1).any():
                frame = int((order != 1).argmax()) + 1
                raise DemoError(
                    f"{place.data}: out of order at frame {frame} (frame_index)", _AGAIN
                )
        return rows

    def _time(self, place: Place, frame: int) -> float:
        """Seconds from the start of the episode."""
        if "timestamp" not in self.info.features:
            return frame / self.info.fps
        return float(numbers(self._rows(place), "timestamp")[frame, 0])

    def _stored_picture(self, place: Place, column: str, frame: int) -> bytes:
        value = self._rows(place, column).column(column)[frame].as_py()
        name = f"{place.data}: {column} at frame {frame}"
        data, path = value, None
        if isinstance(value, Mapping):
            data, path = value.get("bytes"), value.get("path")
        if data is None and isinstance(path, str):
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise DemoError(f"{name}: the path {path} leads out of the data set", _AGAIN)
            try:
                data = Path(self.folder.file(path)).read_bytes()
            except OSError as error:
                raise DemoError(f"{path}: {error.strerror}", _AGAIN) from None
        if not isinstance(data, bytes):
            raise DemoError(f"{name}: no picture", _AGAIN)
        return png_of(data, name)

    def _broken_video(self, place: Place, column: str) -> Iterator[tuple[str, str]]:
        shot = place.videos.get(column)
        if shot is None:
            return
        last = shot.start + (place.length - 1) / self.info.fps
        try:
            length = video_seconds(self.folder.file(shot.path), shot.path)
            if length < last:
                yield shot.path, f"{length:.3f} s long, the episode ends at {last:.3f} s"
            else:
                video_frame(self.folder.file(shot.path), shot.path, last, self.info.fps)
        except DemoError as error:
            yield shot.path, error.what.removeprefix(f"{shot.path}: ")

    def _broken_pictures(self, place: Place, column: str) -> Iterator[tuple[str, str]]:
        for frame in range(place.length):
            try:
                self._stored_picture(place, column, frame)
            except DemoError as error:
                where = f"{place.data}: {column} at frame {frame}"
                yield where, error.what.removeprefix(f"{where}: ")


def open_lerobot(rest: str, options: SourceOptions) -> LeRobotSource:
    """``--source lerobot:DIR``, or ``lerobot:hf://org/name@revision``.

    Raises:
        UsageError: nothing is named, or options that only pictures yet to be made can follow.
        SourceError: there is no such data set, or one that cannot be read.
        MappingError: the mapping is wrong, or there is none for these columns.
        HubError: the Hub refuses, fails or cannot be reached.
    """
    for flag, given in (
        ("--image-size", options.image_size is not None),
        ("--shadows", options.shadows),
    ):
        if given:
            raise UsageError(
                f"{flag} with lerobot:{rest}: saved pictures stay as they are", f"leave {flag} out"
            )
    folder = open_folder(rest)
    info = read_info(Path(folder.file(INFO)), folder.location)
    mapping, why = choose_mapping(options.mapping, info, folder.location)
    return LeRobotSource(folder, info, mapping, why, cameras_of(mapping, info))


def _is_table(name: str) -> bool:
    return name.endswith(".parquet")


def _licence(folder: Folder) -> str:
    """What the card's front matter says; people have to look where it says nothing."""
    try:
        with Path(folder.file("README.md")).open("rb") as file:
            front = front_matter_of(file.read(LONGEST).decode("utf-8", "replace")) or {}
    except (OSError, ValueError, DemoError):
        return UNKNOWN_LICENCE
    said = front.get("license_name") or front.get("license")
    names: Sequence[Any] = said if isinstance(said, list) else [said]
    return ", ".join(as_spdx(str(name)) for name in names if name) or UNKNOWN_LICENCE
