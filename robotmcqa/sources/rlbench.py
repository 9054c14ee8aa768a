"""Saved RLBench demos, read from disk without RLBench and without a simulator.

:mod:`~robotmcqa.sources.rlbench_tree` finds them and :mod:`~robotmcqa.sources.rlbench_pickle` reads
their pickles; here a demo is put together, with every quirk that real sets have.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robotmcqa.arrays import FloatArray
from robotmcqa.camera import CameraModel
from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError, ForbiddenPickle, SourceError, UsageError
from robotmcqa.ground_truth import GROUND_TRUTH, GroundTruth, parse_ground_truth
from robotmcqa.licences import RLBENCH
from robotmcqa.png import png_problem
from robotmcqa.sources import DemoRef, Selection, SourceOptions
from robotmcqa.sources.rlbench_cameras import camera_models
from robotmcqa.sources.rlbench_pickle import (
    StoredObservation,
    read_pickle_file,
    read_safely,
    stack,
)
from robotmcqa.sources.rlbench_tree import (
    DESCRIPTIONS,
    LOW_DIM,
    VARIATION_NUMBER,
    find_episodes,
    find_variations,
    numbered,
    recorded_by,
)

__all__ = ["RLBenchSource", "open_rlbench"]

_PICTURE = re.compile(r"(\d+)\.png")

_OLD_NAMES = {
    "gripper_pose": ("gripper_pose", "end_effector_pose"),
    "gripper_open": ("gripper_open", "end_effector_open"),
    "joint_velocities": ("joint_velocities",),
    "joint_positions": ("joint_positions", "joint_angles"),
}


@dataclass(frozen=True, slots=True)
class RLBenchSource:
    """Saved demos below ``path``; the argument of ``--source rlbench:DIR``."""

    path: str

    def __post_init__(self) -> None:
        if not self.path:
            raise UsageError("no folder given", "--source rlbench:DIR")
        object.__setattr__(self, "path", os.path.abspath(os.path.expanduser(self.path)))
        if not os.path.isdir(self.path):
            what = "is a file" if Path(self.path).exists() else "no such folder"
            raise SourceError(f"{self.path}: {what}", "--source rlbench:DIR")

    @property
    def scheme(self) -> str:
        return "rlbench"

    @property
    def location(self) -> str:
        return self.path

    @property
    def licence(self) -> str:
        recorded = recorded_by(Path(self.path))
        return recorded[1] if recorded else RLBENCH

    @property
    def recorded_by(self) -> str | None:
        recorded = recorded_by(Path(self.path))
        return recorded[0] if recorded else None

    def tasks(self) -> list[str]:
        return sorted({task for task, _ in find_variations(Path(self.path))})

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        variations = find_variations(Path(self.path))
        known = sorted({task for task, _ in variations})
        for task in selection.tasks:
            if task not in known:
                raise SourceError(
                    f"{self.path}: no task '{task}'", f"tasks there: {', '.join(known)}"
                )
        for task in known:
            if selection.tasks and task not in selection.tasks:
                continue
            folders = [folder for name, folder in variations if name == task]
            refs = [
                ref for folder in folders for ref in find_episodes(Path(self.path), task, folder)
            ]
            # Unknown variations last; within one the numeric order of the episodes stays.
            refs.sort(key=lambda ref: (ref.variation is None, ref.variation or 0))
            if selection.variation is not None:
                # A demo that does not say its variation is kept: loading it will name the cause.
                refs = [ref for ref in refs if ref.variation in (None, selection.variation)]
            yield from refs[: selection.episodes]

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        return _load(ref)

    @property
    def replayable(self) -> bool:
        return True

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        return _picture(f"{ref.locator}/{camera}_rgb", frame)

    def camera_models(self, ref: DemoRef) -> dict[str, CameraModel]:
        """The cameras whose matrices stand in a demo's ``misc``.

        Apart from :meth:`load`, because questions need none of them.

        Raises:
            DemoError: the demo cannot be read, or a matrix is none.
        """
        path = Path(ref.locator) / LOW_DIM
        return read_safely(_camera_models, path, files=(path,))

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        folder = Path(ref.locator)
        broken = []
        frames = 0
        try:
            frames = read_safely(_frames, folder / LOW_DIM, files=(folder / LOW_DIM,))
        except DemoError as error:
            broken.append((f"{ref.name}/{LOW_DIM}", error.what.removeprefix(f"{LOW_DIM}: ")))
        try:
            _ground_truth(folder)
        except DemoError as error:
            cause = error.what.removeprefix(f"{GROUND_TRUTH}: ")
            broken.append((f"{ref.name}/{GROUND_TRUTH}", cause))
        for camera in cameras:
            pictures = folder / f"{camera}_rgb"
            try:
                broken += [
                    (f"{ref.name}/{camera}_rgb/{name}", problem)
                    for name, problem in _broken_pictures(pictures, frames)
                ]
            except SourceError:
                broken.append((f"{ref.name}/{camera}_rgb", "cannot be read"))
        return tuple(broken)


def open_rlbench(rest: str, options: SourceOptions) -> RLBenchSource:
    """``--source rlbench:DIR``.

    Raises:
        UsageError: no folder is given, or options that only pictures yet to be made can follow.
        SourceError: there is no such folder.
    """
    for flag, given in (
        ("--image-size", options.image_size is not None),
        ("--shadows", options.shadows),
    ):
        if given:
            raise UsageError(
                f"{flag} with rlbench:{rest}: saved pictures stay as they are",
                f"leave {flag} out, or make demos with --source sim",
            )
    return RLBenchSource(rest)


class _States(NamedTuple):
    """What the pickles of a demo say; ``columns`` are float64 with a row a frame, or None."""

    columns: dict[str, FloatArray | None]
    variation: int
    instructions: tuple[str, ...]
    notes: list[str]


def _load(ref: DemoRef) -> Demo:
    folder = Path(ref.locator)
    stamp = _stamp(ref.locator)  # first: what is read after it is checked against it
    pickles = [folder / LOW_DIM, _descriptions(folder)]
    if ref.variation is None:
        pickles.append(folder / VARIATION_NUMBER)
    states = read_safely(_states, folder, ref.task, ref.variation, files=pickles)
    columns = states.columns
    return Demo(
        task=ref.task,
        variation=states.variation,
        instructions=states.instructions,
        gripper_pose=_needed(columns, "gripper_pose"),
        gripper_open=_one_per_frame(_needed(columns, "gripper_open")),
        joint_velocities=columns["joint_velocities"],
        joint_positions=columns["joint_positions"],
        images=_images(folder, stamp),
        notes=tuple(states.notes),
        ground_truth=_ground_truth(folder),
    )


def _states(folder: Path, task: str, variation: int | None) -> _States:
    notes: list[str] = []
    with _collector_paused():
        observations = _observations(folder / LOW_DIM)
        columns = {name: _column(observations, name) for name in _OLD_NAMES}
    return _States(
        columns, _variation(folder, variation), _instructions(folder, task, notes), notes
    )


def _frames(path: Path) -> int:
    return len(_observations(path))


def _camera_models(path: Path) -> dict[str, CameraModel]:
    return camera_models(_observations(path))


def _ground_truth(folder: Path) -> GroundTruth | None:
    """What ``robotmcqa record`` has written beside the demo; RLBench itself writes none."""
    try:
        data = (folder / GROUND_TRUTH).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DemoError(f"{GROUND_TRUTH}: {error.strerror}", "check its permissions") from None
    try:
        return parse_ground_truth(data)
    except DemoError as error:
        raise DemoError(f"{GROUND_TRUTH}: {error.what}", error.remedy) from None


def _needed(columns: Mapping[str, FloatArray | None], name: str) -> FloatArray:
    column = columns[name]
    if column is None:
        raise DemoError(f"{LOW_DIM}: no {name}", "record the demo with all low-dim state")
    return column


def _one_per_frame(column: FloatArray) -> FloatArray:
    """``(N,)`` out of ``(N,)`` or ``(N, 1)``; another shape is the demo's to complain about."""
    return column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A demo is tens of thousands of objects without a cycle: collecting would only count them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _variation(folder: Path, named: int | None) -> int:
    """The folder's name or ``variation_number.pkl``; never the demo's own, which is often 0."""
    if named is not None:
        return named
    read_pickle_file(folder / VARIATION_NUMBER)  # names what is wrong with it
    raise DemoError(f"{VARIATION_NUMBER} holds no number", "write the variation number into it")


def _observations(path: Path) -> Sequence[StoredObservation]:
    """The frames in ``low_dim_obs.pkl``: of a Demo, or of a bare list as old sets have it."""
    stored = read_pickle_file(path)
    frames = getattr(stored, "_observations", stored)
    if not isinstance(frames, list) or not all(
        isinstance(frame, StoredObservation) for frame in frames
    ):
        raise DemoError(f"{path.name}: neither a Demo nor a list of Observations")
    if not frames:
        raise DemoError(f"{path.name}: no frames")
    return frames


def _column(observations: Sequence[StoredObservation], name: str) -> FloatArray | None:
    """One field over all frames as float64; None if no frame has it."""
    for field in _OLD_NAMES[name]:
        values = [frame.__dict__.get(field) for frame in observations]
        absent = values.count(None)
        if absent == len(values):
            continue
        if absent:
            raise DemoError(f"{LOW_DIM}: {field} is missing at frame {values.index(None)}")
        try:
            return stack(values).astype(np.float64, copy=False)
        except DemoError as error:
            raise DemoError(f"{LOW_DIM}: {field}: {error.what}", error.remedy) from None
    return None


def _descriptions(folder: Path) -> Path:
    """Where they lie: with the demo, or with its variation."""
    path = folder / DESCRIPTIONS
    return path if os.access(path, os.F_OK) else folder.parent.parent / DESCRIPTIONS


def _instructions(folder: Path, task: str, notes: list[str]) -> tuple[str, ...]:
    """The variation's descriptions; the task's name in words where they are unusable."""
    path = _descriptions(folder)
    stored, problem = None, "holds no descriptions"
    try:
        stored = read_pickle_file(path)
    except ForbiddenPickle:
        raise  # whoever booby-traps a file beside a demo is not to be trusted with the demo
    except DemoError as error:
        problem = error.what.removeprefix(DESCRIPTIONS).lstrip(": ")
    if isinstance(stored, tuple) and stored and isinstance(stored[0], list):
        stored = stored[0]  # some sets save (descriptions, count)
    if isinstance(stored, str):
        stored = [stored]
    if isinstance(stored, list):
        texts = tuple(text.strip() for text in stored if _is_text(text))
        if texts:
            return texts
    words = task.replace("_", " ").strip()
    notes.append(f"{DESCRIPTIONS}: {problem}; the task's name stands in: '{words}'")
    return (words,)


def _is_text(value: Any) -> bool:
    """A string with something in it that can be written down: a lone surrogate cannot."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _broken_pictures(folder: Path, frames: int) -> Iterator[tuple[str, str]]:
    """Name and cause of each broken or missing picture of ``frames``, and of any beyond them."""
    if not os.path.isdir(folder):
        return
    there = {path.name: path for path in numbered(folder, _PICTURE)}
    wanted = [f"{frame}.png" for frame in range(frames)]
    for name in [*wanted, *(name for name in there if name not in set(wanted))]:
        if name not in there:
            yield name, "missing"
            continue
        try:
            problem = png_problem(there[name].read_bytes())
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        if problem:
            yield name, problem


def _images(folder: Path, stamp: _Stamp) -> Mapping[str, Any]:
    return {
        entry.name.removesuffix("_rgb"): partial(_whole_picture, entry.path, stamp)
        for entry in os.scandir(folder)
        if entry.name.endswith("_rgb") and entry.is_dir()
    }


def _whole_picture(folder: str, stamp: _Stamp, frame: int) -> bytes:
    data = _picture(folder, frame)
    problem = png_problem(data)
    name = f"{os.path.basename(folder)}/{frame}.png"
    if problem:
        raise DemoError(f"{name}: {problem}", "copy or record this demo again")
    if _stamp(folder.rpartition("/")[0]) != stamp:
        raise DemoError(
            f"{name}: {LOW_DIM} beside it changed while the demo was read",
            "run again when nobody writes to the demos any more",
        )
    return data


_Stamp = tuple[int, int, int] | None


def _stamp(folder: str) -> _Stamp:
    """Tells a demo's states from those of another recording in the same place."""
    try:
        about = os.stat(f"{folder}/{LOW_DIM}")  # noqa: PTH116
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


def _picture(folder: str, frame: int) -> bytes:
    """PNG bytes as they lie on disk."""
    try:
        with open(f"{folder}/{frame}.png", "rb") as file:
            return file.read()
    except FileNotFoundError:
        what = "is missing"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    name = f"{os.path.basename(folder)}/{frame}.png"
    raise DemoError(f"{name} {what}", "copy or record this demo again")
