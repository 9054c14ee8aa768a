"""What is in a source, before anything is extracted: counts, keyframes, cameras, problems.

Every demo that is looked at is loaded and counted, and dropped again: memory does not grow with
them. What would become of it in an extraction is found by the extraction's own functions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from PIL import Image

from robotmcqa.demo import Demo
from robotmcqa.episode import Episode, episode_of
from robotmcqa.errors import DemoError, RobotMCQAError, SourceError
from robotmcqa.failures import Failure, demo_failure, in_order, note
from robotmcqa.listener import Listener, Silence
from robotmcqa.plausibility import Finding, Origin, Plausibility
from robotmcqa.png import png_problem
from robotmcqa.sources import (
    DemoRef,
    DemoSource,
    Recorded,
    Selection,
    Simulated,
    settings_of,
)
from robotmcqa.spec import Spec
from robotmcqa.workers import available_cores, run_jobs

__all__ = ["Inspection", "TaskView", "inspect", "spread"]

MOST_EPISODES = 100
"""Demos of each task that are looked at where no number is asked for."""

SIMULATED = 3
"""The same of a simulator, which has to make them."""

PER_WORKER = 64
SIMULATED_PER_WORKER = 16
"""Starting a process takes as long as looking at about so many saved demos, or making so many."""


@dataclass
class TaskView:
    """What was found of one task.

    Attributes:
        demos: how many there are, or None where they are made as they are asked for.
        looked_at: how many were loaded.
        usable: how many of those would be in a data set.
        variations: that there are, as far as is known without loading every demo.
        frames, keyframes: value -> number of demos that have so many.
        questions: that those looked at would give, at most: a few may find no wrong options.
        recorded: column -> number of demos that have it.
        cameras: name -> number of demos that have pictures of it.
        sizes: camera -> width and height of its pictures in pixels, from one picture.
        instruction: of the first demo.
    """

    demos: int | None
    looked_at: int = 0
    usable: int = 0
    variations: set[int] = field(default_factory=set)
    frames: Counter[int] = field(default_factory=Counter)
    keyframes: Counter[int] = field(default_factory=Counter)
    questions: int = 0
    recorded: Counter[str] = field(default_factory=Counter)
    cameras: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    instruction: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "demos": self.demos,
            "looked_at": self.looked_at,
            "usable": self.usable,
            "variations": sorted(self.variations),
            "frames": spread(self.frames),
            "keyframes": spread(self.keyframes),
            "questions": self.questions,
            "recorded": dict(sorted(self.recorded.items())),
            "cameras": {
                name: {"demos": count, "size": list(self.sizes.get(name, ())) or None}
                for name, count in sorted(self.cameras.items())
            },
            "instruction": self.instruction,
        }


@dataclass
class Inspection:
    """What ``inspect`` found.

    Attributes:
        source: as ``--source`` takes it.
        licence: what may be done with data made from these demos.
        recorded_by: scheme of the simulator that made saved demos, where one did.
        tasks: name -> what was found of it.
        findings: what is wrong or odd about the states, and about what is missing.
        failures: demos that an extraction would leave out, and what it would repair.
    """

    source: str
    licence: str
    recorded_by: str | None
    tasks: dict[str, TaskView]
    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def usable(self) -> int:
        """Demos that would be in a data set."""
        return sum(task.usable for task in self.tasks.values())

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "source": self.source,
            "licence": self.licence,
            "recorded_by": self.recorded_by,
            "usable": self.usable,
            "tasks": {name: task.document() for name, task in sorted(self.tasks.items())},
            "problems": [_told(one) for one in self.findings if one.sure],
            "oddities": [_told(one) for one in self.findings if not one.sure],
            "failures": self.failures,
        }


def spread(counts: Mapping[int, int]) -> dict[str, int] | None:
    """Least, median (the lower of two) and most of values with their counts."""
    if not counts:
        return None
    values = sorted(counts)
    half, seen, median = (sum(counts.values()) + 1) // 2, 0, values[0]
    for value in values:
        seen += counts[value]
        if seen >= half:
            median = value
            break
    return {"min": values[0], "median": median, "max": values[-1]}


def inspect(
    source: DemoSource,
    spec: Spec,
    selection: Selection | None = None,
    *,
    workers: int | None = 1,
    listener: Listener | None = None,
) -> Inspection:
    """Look at a source.

    Args:
        source: where the demos are.
        spec: what would be asked about them. Where it names no cameras no picture is read.
        selection: which demos; ``episodes`` is how many to look at of each task, by default a
            hundred saved ones or three simulated ones. Of more, some are taken at equal distances.
        workers: processes; None for as many as there are cores and work for them.
        listener: hears about progress.

    Raises:
        SourceError: the source cannot be read, or has no such demos.
    """
    listener = listener or Silence()
    chosen, tasks = _chosen(source, selection or Selection())
    if not chosen:
        raise SourceError(
            f"{source.scheme}:{source.location}: no demos with this selection",
            "robotmcqa tasks lists what is there; check --task and --variation",
        )
    settings = settings_of(source)
    recorded_by = source.recorded_by if isinstance(source, Recorded) else None
    where = f"{source.scheme}:{source.location}" if source.location else source.scheme
    found = Inspection(where, source.licence, recorded_by, tasks)
    origin = {"scheme": source.scheme, "recorded_by": recorded_by, "settings": settings}
    tally = _Tally(found, spec, Plausibility(Origin.of(origin), spec.scene.valid_box))
    making = "Making demos" if isinstance(source, Simulated) else "Looking at demos"
    listener.stage(making, len(chosen))
    if workers is None:
        each = SIMULATED_PER_WORKER if isinstance(source, Simulated) else PER_WORKER
        workers = min(available_cores(), 1 + len(chosen) // each)
    look = LookAt(source, spec)
    for sight in _in_turn(run_jobs(look, enumerate(chosen), min(workers, len(chosen)))):
        tally.add(sight)
        listener.advance(1, failures=sight.failure is not None)
    if isinstance(source, Simulated) and "image_size" in settings:
        size = settings["image_size"]
        for task in tasks.values():  # of pictures that would be drawn
            task.sizes = dict.fromkeys(source.cameras, (size, size))
            task.cameras.update(dict.fromkeys(source.cameras, task.looked_at))
    tally.end()
    return found


def _chosen(source: DemoSource, selection: Selection) -> tuple[list[DemoRef], dict[str, TaskView]]:
    """Which demos are looked at, and how many there are of each task."""
    endless = isinstance(source, Simulated)
    most = selection.episodes or (SIMULATED if endless else MOST_EPISODES)
    refs: defaultdict[str, list[DemoRef]] = defaultdict(list)
    for ref in source.refs(replace(selection, episodes=most if endless else None)):
        refs[ref.task].append(ref)
    tasks = {}
    for task, some in refs.items():
        tasks[task] = TaskView(None if endless else len(some))
        tasks[task].variations = {ref.variation for ref in some if ref.variation is not None}
        if isinstance(source, Simulated) and selection.variation is None:
            tasks[task].variations = set(range(source.variations(task)))
    chosen = [ref for some in refs.values() for ref in _spread_out(some, most)]
    return chosen, tasks


def _spread_out(refs: Sequence[DemoRef], most: int) -> Iterator[DemoRef]:
    """All, or so many at equal distances."""
    count = min(most, len(refs))
    return (refs[number * len(refs) // count] for number in range(count))


def _in_turn(sights: Iterable[tuple[int, Sight]]) -> Iterator[Sight]:
    """Sights by number, so that what is said does not hang on which worker was faster."""
    waiting: dict[int, Sight] = {}
    turn = 0
    for number, sight in sights:
        waiting[number] = sight
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


@dataclass(frozen=True, slots=True)
class Sight:
    """What is kept of a demo that was looked at.

    Attributes:
        ref: the demo.
        variation, frames, instruction: of it; no frames where it cannot be loaded.
        episode: what would become questions, without pictures, or None if nothing.
        recorded: columns that it has.
        sizes: camera -> size of its pictures; None where they were not looked at, or are broken.
        failure: why nothing would become of it.
    """

    ref: DemoRef
    variation: int = 0
    frames: int = 0
    instruction: str = ""
    episode: Episode | None = None
    recorded: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[int, int] | None] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class LookAt:
    """Looks at one demo of a source. Simulators draw nothing for it."""

    source: DemoSource
    spec: Spec

    def __call__(self, job: tuple[int, DemoRef]) -> tuple[int, Sight]:
        number, ref = job
        return number, self._sight(ref)

    def _sight(self, ref: DemoRef) -> Sight:
        cameras = () if isinstance(self.source, Simulated) else self.spec.cameras
        sight = Sight(ref)
        try:
            demo = self.source.load(ref, cameras)
            sight = Sight(
                ref,
                variation=demo.variation,
                frames=len(demo),
                instruction=demo.instructions[0],
                recorded=tuple(_columns(demo)),
                sizes={name: _size(demo, name) if cameras else None for name in demo.images},
            )
            # A camera that no demo has is a finding about the source, not about each demo.
            there = tuple(name for name in cameras if name in demo.images)
            episode = episode_of(demo, replace(self.spec, cameras=there))
            return replace(sight, episode=replace(episode, images=()))
        except DemoError as error:
            return replace(
                sight, failure=demo_failure(ref, error, self.source.broken_files(ref, cameras))
            )
        except (RobotMCQAError, MemoryError):
            raise
        except Exception as error:  # a source of the user's own may fail in any way
            wrapped = DemoError(f"{type(error).__name__}: {error}")
            return replace(sight, failure=demo_failure(ref, wrapped))


def _columns(demo: Demo) -> Iterator[str]:
    """What was recorded beside the pictures, with the shape of a frame where it differs."""
    yield "gripper_pose"
    yield "gripper_open"
    for name in ("joint_velocities", "joint_positions"):
        column = getattr(demo, name)
        if column is not None:
            yield f"{name} ({column.shape[1]})"
    for name in ("finger_positions", "ground_truth"):
        if getattr(demo, name) is not None:
            yield name
    for name in ("depths", "masks", "cameras"):
        if getattr(demo, name):
            yield "camera matrices" if name == "cameras" else name


def _size(demo: Demo, camera: str) -> tuple[int, int] | None:
    """Of the first picture, None where that is broken: whoever needs it will complain."""
    with suppress(DemoError):
        data = demo.image(camera, 0)
        if not png_problem(data):
            with Image.open(BytesIO(data), formats=("PNG",)) as image:
                return image.size
    return None


class _Tally:
    """Takes in demos one by one, in any order."""

    def __init__(self, found: Inspection, spec: Spec, plausibility: Plausibility) -> None:
        self.found, self._spec, self._plausibility = found, spec, plausibility
        self._first: dict[str, str] = {}  # id -> the demo it was first met in

    def add(self, sight: Sight) -> None:
        ref = sight.ref
        task = self.found.tasks[ref.task]
        task.looked_at += 1
        if sight.frames:
            task.variations.add(sight.variation)
            task.frames[sight.frames] += 1
            task.instruction = task.instruction or sight.instruction
            task.recorded.update(sight.recorded)
            task.cameras.update(sight.sizes.keys())
            task.sizes.update({name: size for name, size in sight.sizes.items() if size})
        if sight.failure:
            self.found.failures.append(sight.failure)
        if sight.episode:
            self._usable(ref, task, sight.episode)

    def _usable(self, ref: DemoRef, task: TaskView, episode: Episode) -> None:
        original = self._first.setdefault(episode.id, ref.name)
        if original != ref.name:
            copy = DemoError(f"the same recording as {original}", "keep one of the two")
            self.found.failures.append(demo_failure(ref, copy))
            return
        task.usable += 1
        task.keyframes[len(episode.keyframes)] += 1
        task.questions += len(episode.frames) * len(self._spec.families)
        self.found.failures.extend(note(ref, text) for text in episode.notes)
        states = dict(zip(episode.frames, episode.states, strict=True))
        states |= dict(zip(episode.keyframes, episode.targets, strict=True))
        self._plausibility.add(ref.name, ref.task, states)

    def end(self) -> None:
        self.found.findings = [*self._cameras(), *self._plausibility.findings()]
        self.found.failures = in_order(self.found.failures)

    def _cameras(self) -> Iterator[Finding]:
        """Cameras that questions would be asked with, and that demos lack."""
        seen = self.found.tasks.values()
        loaded = sum(task.frames.total() for task in seen)
        there = sorted({name for task in seen for name in task.cameras})
        for camera in self._spec.cameras:
            lacking = loaded - sum(task.cameras[camera] for task in seen)
            if not lacking:
                continue
            change = "extract with --no-images"
            if set(there) - {camera}:
                change = f"extract with --camera (there: {', '.join(there)}) or --no-images"
            what = f"{lacking} of {loaded} demos have no pictures of it: {change}"
            yield Finding(f"camera {camera}", what)


def _told(finding: Finding) -> dict[str, str]:
    return {"where": finding.where, "what": finding.what}
