"""One recorded episode, as columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from robotmcqa.arrays import FloatArray
from robotmcqa.camera import CameraModel
from robotmcqa.errors import DemoError
from robotmcqa.ground_truth import GroundTruth

__all__ = ["Demo", "FloatArray", "ImageReader"]

FARTHEST = 1000.0
"""A position further from the origin than this (m) is taken for a mistake."""

ImageReader = Callable[[int], bytes]
"""From the number of a frame to the bytes of a PNG."""


def _none() -> Mapping[str, ImageReader]:
    return {}


def _no_cameras() -> Mapping[str, CameraModel]:
    return {}


@dataclass(frozen=True, slots=True)
class Demo:
    """A demonstration of ``N`` frames.

    Low-dimensional columns are arrays; images are lazy: nothing is read or rendered before
    :meth:`image` asks for that one frame of that one camera.

    Attributes:
        task: name of the task, e.g. ``"reach_target"``.
        variation: variation number of the task.
        instructions: the demo's own wordings of what to do, at least one.
        gripper_pose: ``(N, 7)`` position of the gripper tip in metres and its orientation as
            a quaternion ``xyzw``, both in the world frame of the scene.
        gripper_open: ``(N,)`` 1.0 open, 0.0 closed.
        joint_velocities: ``(N, 7)`` rad/s, or None where the source has none.
        joint_positions: ``(N, 7)`` rad, or None.
        images: camera name -> function from a frame number to that frame's PNG bytes.
        notes: what had to be repaired or guessed while reading, in words.
        ground_truth: what only a simulator knows, or None.
        cameras: camera name -> its matrices, where they are known.
        finger_positions: ``(N, 2)`` metres that each finger is open, or None.
        depths: camera name -> function like those in ``images``: depth from the camera's near to
            its far plane as 24 bits, red the highest byte, as RLBench saves it.
        masks: camera name -> function like those in ``images``: a number for each object as
            24 bits, red the lowest byte, as RLBench saves it.
        gripper_speed: ``(N, 2)`` m/s and rad/s of the gripper tip, or None where the time between
            two frames is not known.

    Raises:
        DemoError: the columns do not fit together, or hold what cannot be.
    """

    task: str
    variation: int
    instructions: tuple[str, ...]
    gripper_pose: FloatArray
    gripper_open: FloatArray
    joint_velocities: FloatArray | None = None
    joint_positions: FloatArray | None = None
    images: Mapping[str, ImageReader] = field(default_factory=_none)
    notes: tuple[str, ...] = ()
    ground_truth: GroundTruth | None = None
    cameras: Mapping[str, CameraModel] = field(default_factory=_no_cameras)
    finger_positions: FloatArray | None = None
    depths: Mapping[str, ImageReader] = field(default_factory=_none)
    masks: Mapping[str, ImageReader] = field(default_factory=_none)
    gripper_speed: FloatArray | None = None

    def __post_init__(self) -> None:
        frames = len(self.gripper_open)
        columns = {
            "gripper_pose": (self.gripper_pose, (frames, 7)),
            "gripper_open": (self.gripper_open, (frames,)),
            "joint_velocities": (self.joint_velocities, (frames, 7)),
            "joint_positions": (self.joint_positions, (frames, 7)),
            "finger_positions": (self.finger_positions, (frames, 2)),
            "gripper_speed": (self.gripper_speed, (frames, 2)),
        }
        if not 0 <= self.variation < 2**31:
            raise DemoError(f"variation {self.variation}: not a number from 0 to 2**31 - 1")
        if not self.instructions:
            raise DemoError("the demo has no instruction")
        if frames < 2:
            raise DemoError(f"the demo has {frames} frame(s); a movement needs at least 2")
        for name, (column, shape) in columns.items():
            if column is None:
                continue
            # The arms of the field have 6 or 7 joints: only the number of frames is fixed.
            fits = column.shape == shape or (
                name.startswith("joint") and column.ndim == 2 and len(column) == frames
            )
            if not fits:
                raise DemoError(f"{name} has shape {column.shape}, expected {shape}")
            if not np.isfinite(column).all():
                first = int(np.argwhere(~np.isfinite(column).reshape(frames, -1).all(axis=1))[0, 0])
                raise DemoError(f"{name} is not a finite number at frame {first}")
        farthest = np.abs(self.gripper_pose[:, :3]).max(axis=1)
        if farthest.max() > FARTHEST:
            raise DemoError(
                f"gripper_pose is {farthest.max():.3g} m from the origin at frame "
                f"{int(farthest.argmax())}",
                "positions are metres",
            )
        if self.ground_truth and not self.ground_truth.fits(frames):
            raise DemoError(f"the ground truth is not that of a demo of {frames} frames")
        for name, camera in self.cameras.items():
            if not camera.fits(frames):
                raise DemoError(
                    f"camera '{name}' has {len(camera.extrinsics)} poses for {frames} frames"
                )

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.gripper_open)

    @property
    def states(self) -> FloatArray:
        """``(N, 8)``: xyz in metres, quaternion xyzw, gripper open."""
        return np.column_stack([self.gripper_pose, self.gripper_open])

    def image(self, camera: str, frame: int) -> bytes:
        """PNG bytes of one frame of one camera.

        Raises:
            DemoError: the demo has no such camera, or that picture is missing or broken.
        """
        if camera not in self.images:
            known = ", ".join(sorted(self.images))
            remedy = f"cameras of this demo: {known} (--camera)" if known else "--no-images"
            raise DemoError(f"no images of camera '{camera}'", remedy)
        return self.images[camera](frame)

    def digest(self) -> str:
        """Episode id: 16 hex digits of BLAKE2b over the low-dimensional content.

        The same demo has the same id wherever its folder lies and whatever it is called.
        """
        content = hashlib.blake2b(digest_size=8, person=b"robotmcqa.demo")
        columns = (
            self.gripper_pose,
            self.gripper_open,
            self.joint_velocities,
            self.joint_positions,
        )
        for column in columns:
            if column is None:
                content.update(b"none")
            else:
                content.update(repr(column.shape).encode())
                content.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return content.hexdigest()
