"""An episode: what of a demo becomes questions, and nothing else.

A demo is read once. What questions need of it (a dozen frames out of a hundred) is kept; the rest
is forgotten, so that memory does not grow with the demos.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from robotmcqa.coordinates import Millimetres, to_millimetres
from robotmcqa.demo import Demo
from robotmcqa.ground_truth import GroundTruth
from robotmcqa.keyframes import find_keyframes, keyframe_rule
from robotmcqa.spec import Spec

__all__ = ["Episode", "Moment", "digest_of", "episode_of", "pictures", "question_frames"]

State = tuple[float, ...]
"""8 numbers: xyz in metres, quaternion xyzw, gripper open."""


@dataclass(frozen=True)
class Episode:
    """The part of a demo that questions are made of.

    Attributes:
        id: hash of the demo's low-dimensional content.
        task, variation, instructions, notes: as in :class:`~robotmcqa.demo.Demo`.
        length: frames of the demo.
        keyframes: indices, ascending.
        targets: state at each keyframe.
        frames: the frames that become questions.
        states: state at each of them.
        image_bytes: size of all its pictures.
        image_digest: of all its pictures, where a source is asked for them a second time.
        images: per frame of ``frames``, the PNG bytes of each camera in the spec's order. Empty
            while the pictures are not needed.
        plan: the demo's subtasks in order, where its source knows them.
        subtasks: per keyframe the index in ``plan`` of the subtask that it belongs to; empty
            where there is no plan.
    """

    id: str
    task: str
    variation: int
    instructions: tuple[str, ...]
    notes: tuple[str, ...]
    length: int
    keyframes: tuple[int, ...]
    targets: tuple[State, ...]
    frames: tuple[int, ...]
    states: tuple[State, ...]
    image_bytes: int = 0
    image_digest: str = ""
    images: tuple[tuple[bytes, ...], ...] = ()
    plan: tuple[str, ...] = ()
    subtasks: tuple[int, ...] = ()

    @cached_property
    def target_positions(self) -> tuple[Millimetres, ...]:
        """Position of each keyframe, mm."""
        return tuple(map(to_millimetres, self.targets))

    @cached_property
    def positions(self) -> tuple[Millimetres, ...]:
        """Position at each question frame, mm."""
        return tuple(map(to_millimetres, self.states))

    def moments(self) -> Iterator[Moment]:
        """The question frames, each with the keyframe that comes next."""
        for index, frame in enumerate(self.frames):
            ordinal = bisect_right(self.keyframes, frame)
            yield Moment(
                episode=self.id,
                frame=frame,
                ordinal=ordinal,
                keyframe=self.keyframes[ordinal],
                state=self.states[index],
                target=self.targets[ordinal],
                position=self.positions[index],
                target_position=self.target_positions[ordinal],
                images=self.images[index] if self.images else (),
                subtask=self.subtasks[ordinal] if self.plan else None,
            )


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame to ask about: where the gripper is, and where it goes next.

    ``ordinal`` numbers the keyframes of the episode from 0; ``subtask`` is the index in the
    episode's plan of what the next keyframe belongs to, if there is a plan.
    """

    episode: str
    frame: int
    ordinal: int
    keyframe: int
    state: State
    target: State
    position: Millimetres
    target_position: Millimetres
    images: tuple[bytes, ...]
    subtask: int | None = None


def question_frames(keyframes: list[int], stride: int) -> range:
    """Frames 0, stride, 2 stride, ... that have a keyframe after them."""
    return range(0, keyframes[-1], stride)


def episode_of(demo: Demo, spec: Spec) -> Episode:
    """Reduce a demo to what the spec's questions need; reads the pictures.

    Raises:
        DemoError: the demo lacks something that the spec needs.
    """
    keyframes = find_keyframes(demo, keyframe_rule(spec.keyframes))
    frames = question_frames(keyframes, spec.stride)
    states = demo.states
    images = pictures(demo.image, spec.cameras, frames)
    known = demo.ground_truth or GroundTruth()
    return Episode(
        id=demo.digest(),
        task=demo.task,
        variation=demo.variation,
        instructions=demo.instructions,
        notes=demo.notes,
        length=len(demo),
        keyframes=tuple(keyframes),
        targets=tuple(map(tuple, states[keyframes].tolist())),
        frames=tuple(frames),
        states=tuple(map(tuple, states[:: spec.stride][: len(frames)].tolist())),
        image_bytes=sum(len(png) for frame in images for png in frame),
        image_digest=digest_of(images),
        images=images,
        plan=known.plan,
        subtasks=tuple(known.subtasks[frame] for frame in keyframes) if known.plan else (),
    )


def digest_of(images: Iterable[Iterable[bytes]]) -> str:
    """16 hex digits for pictures in their order."""
    digest = hashlib.blake2b(digest_size=8)
    for frame in images:
        for png in frame:
            digest.update(b"%d " % len(png))
            digest.update(png)
    return digest.hexdigest()


def pictures(
    image: Callable[[str, int], bytes], cameras: Sequence[str], frames: Iterable[int]
) -> tuple[tuple[bytes, ...], ...]:
    """Per frame, the PNG bytes of each camera; nothing where there are no cameras."""
    if not cameras:
        return ()
    return tuple(tuple(image(camera, frame) for camera in cameras) for frame in frames)
