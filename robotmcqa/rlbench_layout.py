"""Write demos in RLBench's own saved layout, without RLBench.

Two layouts exist, and both are written as :mod:`robotmcqa.sources.rlbench` reads them::

    variations      ROOT/<task>/variation<N>/variation_descriptions.pkl
                    ROOT/<task>/variation<N>/episodes/episode<K>/low_dim_obs.pkl, front_rgb/0.png,
                    and where the demo has them front_depth/0.png, front_mask/0.png
    all_variations  ROOT/<task>/all_variations/episodes/episode<K>/ the same, with
                    variation_number.pkl and variation_descriptions.pkl inside

The pickles name RLBench's classes, so that RLBench itself reads them back as its own
``rlbench.demo.Demo``. What a :class:`~robotmcqa.demo.Demo` does not know (forces, for example) is
None there, which is how RLBench writes what it was told not to record. One file more than RLBench
writes lies in the folder of a demo with ground truth: ``ground_truth.json``.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any, Literal, get_args

import numpy as np
from scipy.spatial.transform import Rotation

from robotmcqa.arrays import FloatArray
from robotmcqa.demo import Demo, ImageReader
from robotmcqa.errors import DemoError, UsageError
from robotmcqa.files import write_bytes
from robotmcqa.ground_truth import GROUND_TRUTH
from robotmcqa.places import move_into_place, temporary_beside

__all__ = [
    "Layout",
    "PickledDemo",
    "PickledObservation",
    "RLBenchPickler",
    "dump_pickle",
    "episode_folder",
    "save_demo",
    "write_demo",
]

Layout = Literal["variations", "all_variations"]

PROTOCOL = 4
"""What RLBench's users have: Python 3.8 and later write it by default."""

FINGER_TRAVEL = 0.04
"""Metres that each finger of the Panda gripper moves from closed to open."""

_CAMERAS = ("left_shoulder", "right_shoulder", "overhead", "wrist", "front")
_CHANNELS = ("rgb", "depth", "mask", "point_cloud")


class PickledObservation:
    """Becomes ``rlbench.backend.observation.Observation``: one frame, fields as attributes."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class PickledDemo:
    """Becomes ``rlbench.demo.Demo``: a list of frames and what else the recorder wrote."""

    def __init__(self, observations: list[PickledObservation], **fields: Any) -> None:
        self._observations = observations
        self.__dict__.update(fields)


# The type stubs know the class, but not the methods that make it extensible.
_PythonPickler: Any = pickle._Pickler


class RLBenchPickler(_PythonPickler):  # type: ignore[misc]
    """The standard pickler; it writes other names for a few classes and functions.

    The pure-Python pickler is used because the C one insists on importing what it names.
    """

    numpy_core = "numpy.core"
    """Written in place of ``numpy._core``: numpy 1 knows only the former, numpy 2 reads both."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Save one object; a class or function that goes by another name in RLBench, by that."""
        named = isinstance(obj, (type, FunctionType, BuiltinFunctionType))
        if named and id(obj) not in self.memo and (name := self._foreign_name(obj)):
            self._write_global(obj, *name)
        else:
            super().save(obj, save_persistent_id)

    def _foreign_name(self, obj: Any) -> tuple[str, str] | None:
        if obj is PickledDemo:
            return "rlbench.demo", "Demo"
        if obj is PickledObservation:
            return "rlbench.backend.observation", "Observation"
        module = getattr(obj, "__module__", None) or ""
        if module.startswith(("numpy.core.", "numpy._core.")):
            return f"{self.numpy_core}.{module.split('.', 2)[2]}", obj.__name__
        return None

    def _write_global(self, obj: Any, module: str, name: str) -> None:
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode("ascii"))
        self.memoize(obj)


def dump_pickle(
    value: Any, protocol: int = PROTOCOL, pickler: type[RLBenchPickler] = RLBenchPickler
) -> bytes:
    """``value`` as a pickle that RLBench reads, stand-ins under RLBench's names."""
    buffer = io.BytesIO()
    pickler(buffer, protocol).dump(value)
    return buffer.getvalue()


def episode_folder(
    root: Path, task: str, variation: int, episode: int, layout: Layout = "variations"
) -> Path:
    """Where RLBench looks for an episode; in ``all_variations`` the variation is not in the path.

    Raises:
        UsageError: there is no such layout.
    """
    if layout not in get_args(Layout):
        raise UsageError(f"no layout '{layout}'", f"layouts: {', '.join(get_args(Layout))}")
    folder = f"variation{variation}" if layout == "variations" else layout
    return root / task / folder / "episodes" / f"episode{episode}"


def save_demo(
    root: Path,
    demo: Demo,
    episode: int,
    *,
    layout: Layout = "variations",
    cameras: Mapping[str, Sequence[bytes]] | None = None,
    misc: Mapping[str, Any] | None = None,
    protocol: int = PROTOCOL,
) -> Path:
    """Write a demo below ``root`` at its place in the layout, with its descriptions.

    Args:
        root: the data set; made if it does not exist.
        demo: what to write; names its task and variation.
        episode: number of the episode within its variation, or within the task in
            ``all_variations``.
        layout: which of RLBench's two.
        cameras: as in :func:`write_demo`.
        misc: as in :func:`write_demo`.
        protocol: of the pickles, 2 to 5.

    Returns:
        The episode's folder.

    Raises:
        UsageError: the episode exists, or the variation has other descriptions already.
        DemoError: as in :func:`write_demo`.
    """
    folder = episode_folder(root, demo.task, demo.variation, episode, layout)
    beside = layout == "variations"
    if beside:
        path = folder.parent.parent / "variation_descriptions.pkl"
        _write_descriptions(path, dump_pickle(list(demo.instructions), protocol))
    return write_demo(
        folder, demo, cameras=cameras, misc=misc, protocol=protocol, self_contained=not beside
    )


def write_demo(
    folder: Path,
    demo: Demo,
    *,
    cameras: Mapping[str, Sequence[bytes]] | None = None,
    misc: Mapping[str, Any] | None = None,
    protocol: int = PROTOCOL,
    self_contained: bool = False,
) -> Path:
    """Write one episode folder, which appears under its name only when it is whole.

    Args:
        folder: the folder to make, e.g. ``.../episodes/episode0``.
        demo: what to write.
        cameras: PNG bytes of every frame, by camera; None takes the demo's own pictures, and
            an empty mapping writes none.
        misc: goes into every frame's ``misc``, over the matrices of the demo's cameras.
        protocol: of the pickles, 2 to 5.
        self_contained: put the variation's number and descriptions inside the folder, as
            ``all_variations`` has them.

    Returns:
        ``folder``.

    Raises:
        UsageError: the folder exists already.
        DemoError: a camera has not one picture a frame, a picture cannot be read, or a
            quaternion is no rotation.
    """
    if folder.exists():
        raise UsageError(f"{folder}: exists already", "choose another folder, or remove this one")
    files = {"low_dim_obs.pkl": dump_pickle(_pickled(demo, misc or {}), protocol)}
    if self_contained:
        files["variation_number.pkl"] = dump_pickle(demo.variation, protocol)
        files["variation_descriptions.pkl"] = dump_pickle(list(demo.instructions), protocol)
    if demo.ground_truth:
        document = demo.ground_truth.document()
        files[GROUND_TRUTH] = (json.dumps(document, separators=(",", ":")) + "\n").encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir()
        for name, data in files.items():
            (temporary / name).write_bytes(data)
        _write_pictures(temporary, demo, cameras)
        move_into_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def _write_pictures(
    folder: Path, demo: Demo, cameras: Mapping[str, Sequence[bytes]] | None
) -> None:
    """``<camera>_rgb/<frame>.png``, unpadded, and likewise depths and masks; one at a time."""
    given = {
        camera: _one_a_frame(camera, pictures, len(demo))
        for camera, pictures in (cameras or {}).items()
    }
    channels = {
        "rgb": demo.images if cameras is None else given,
        "depth": demo.depths,
        "mask": demo.masks,
    }
    for channel, by_camera in channels.items():
        for camera, picture in by_camera.items():
            inside = folder / f"{camera}_{channel}"
            inside.mkdir()
            for frame in range(len(demo)):
                (inside / f"{frame}.png").write_bytes(picture(frame))


def _one_a_frame(camera: str, pictures: Sequence[bytes], frames: int) -> ImageReader:
    if len(pictures) != frames:
        raise DemoError(
            f"camera '{camera}' has {len(pictures)} pictures for {frames} frames",
            "give one picture for every frame",
        )
    return pictures.__getitem__


def _write_descriptions(path: Path, data: bytes) -> None:
    """All episodes of a variation share this file: it may be written twice, not changed."""
    if path.exists():
        if path.read_bytes() != data:
            raise UsageError(
                f"{path}: this variation has other descriptions already",
                "write to an empty folder, or use the layout all_variations",
            )
        return
    write_bytes(path, data)


def _pickled(demo: Demo, misc: Mapping[str, Any]) -> PickledDemo:
    matrices = _matrices(demo.gripper_pose)
    observations = [_observation(demo, frame, matrices[frame], misc) for frame in range(len(demo))]
    return PickledDemo(
        observations,
        random_seed=None,  # RLBench keeps numpy's global state here; there is none to keep
        num_reset_attempts=None,
        variation_number=demo.variation,
    )


def _observation(
    demo: Demo, frame: int, matrix: FloatArray, misc: Mapping[str, Any]
) -> PickledObservation:
    """One frame with every field that RLBench's Observation has; arrays are copies."""
    is_open = float(demo.gripper_open[frame])
    fingers = _row(demo.finger_positions, frame)
    matrices = {}
    for name, camera in demo.cameras.items():
        matrices.update(camera.misc(name, frame))
    return PickledObservation(
        **{f"{camera}_{channel}": None for camera in _CAMERAS for channel in _CHANNELS},
        joint_velocities=_row(demo.joint_velocities, frame),
        joint_positions=_row(demo.joint_positions, frame),
        joint_forces=None,
        gripper_open=is_open,
        gripper_pose=_row(demo.gripper_pose, frame),
        gripper_matrix=matrix.copy(),
        gripper_joint_positions=np.full(2, FINGER_TRAVEL * is_open) if fingers is None else fingers,
        gripper_touch_forces=None,
        task_low_dim_state=_object_poses(demo, frame),
        misc={"variation_index": demo.variation, **matrices, **misc},
    )


def _object_poses(demo: Demo, frame: int) -> FloatArray | None:
    """The poses of all objects one after another, as RLBench describes the state of a task."""
    if demo.ground_truth is None or not demo.ground_truth.objects:
        return None
    return np.concatenate([poses[frame] for poses in demo.ground_truth.objects.values()])


def _row(column: FloatArray | None, frame: int) -> FloatArray | None:
    return None if column is None else np.array(column[frame], dtype=np.float64)


def _matrices(poses: FloatArray) -> FloatArray:
    """``(N, 7)`` position and quaternion xyzw -> ``(N, 4, 4)`` homogeneous matrices."""
    matrices = np.tile(np.eye(4), (len(poses), 1, 1))
    matrices[:, :3, 3] = poses[:, :3]
    try:
        matrices[:, :3, :3] = Rotation.from_quat(poses[:, 3:]).as_matrix()
    except ValueError as error:  # a quaternion of length zero
        raise DemoError(f"gripper_pose holds a quaternion that is no rotation: {error}") from None
    return matrices
