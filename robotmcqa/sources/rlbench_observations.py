"""From the observations that RLBench returns to a :class:`~robotmcqa.demo.Demo`.

:func:`packed` runs beside the simulator and needs nothing of RLBench's but the attributes of its
observations; :func:`demo_of` runs where the demo is used, and checks what came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from robotmcqa.arrays import FloatArray
from robotmcqa.camera import CameraModel
from robotmcqa.demo import Demo, ImageReader
from robotmcqa.errors import DemoError
from robotmcqa.pictures import depth_image, mask_image
from robotmcqa.png import png

__all__ = ["LOW_DIM", "Packed", "demo_of", "packed"]

LOW_DIM = (
    "gripper_pose",
    "gripper_open",
    "joint_velocities",
    "joint_positions",
    "gripper_joint_positions",
)
"""Fields of an observation that a demo keeps."""

_MATRICES = ("extrinsics", "intrinsics", "near", "far")

Picture = NDArray[np.uint8] | None


class Packed(TypedDict):
    """A demo on its way between two processes; a value of a frame is None where there is none.

    ``low_dim`` has for each of :data:`LOW_DIM` the values of all frames; ``cameras`` for each
    camera the matrices of all frames by their name; ``pictures`` for each camera and channel
    (``rgb``, ``depth``, ``mask``) what RLBench saves, ``(height, width, 3)`` for each frame.
    """

    descriptions: list[str]
    low_dim: dict[str, list[Any]]
    cameras: dict[str, dict[str, list[Any]]]
    pictures: dict[tuple[str, str], list[Picture]]


def packed(
    observations: Iterable[Any],
    descriptions: Iterable[str],
    cameras: Sequence[str],
    channels: Sequence[str],
) -> Packed:
    """What is kept of RLBench's observations.

    Args:
        observations: of all frames.
        descriptions: of the task's variation.
        cameras: that were switched on.
        channels: of them, beside ``rgb`` perhaps ``depth`` and ``mask``.
    """
    frames = list(observations)
    return {
        "descriptions": [str(text) for text in descriptions],
        "low_dim": {name: [getattr(frame, name, None) for frame in frames] for name in LOW_DIM},
        "cameras": {
            camera: {
                name: [(frame.misc or {}).get(f"{camera}_camera_{name}") for frame in frames]
                for name in _MATRICES
            }
            for camera in cameras
        },
        "pictures": {
            (camera, channel): [
                _picture(channel, getattr(frame, f"{camera}_{channel}", None)) for frame in frames
            ]
            for camera in cameras
            for channel in channels
        },
    }


def _picture(channel: str, values: Any) -> Picture:
    """As RLBench saves it, from what RLBench returns.

    Colours are bytes. Depth is a share of the way from the near to the far plane. A mask holds the
    number of an object, or that number in three channels between 0 and 1.
    """
    if values is None:
        return None
    array = np.asarray(values)
    if channel == "depth":
        return depth_image(array, 0.0, 1.0)
    if channel == "mask" and array.ndim == 2:
        return mask_image(array.astype(np.int64))
    if np.issubdtype(array.dtype, np.floating):
        array = np.rint(np.clip(array, 0.0, 1.0) * 255.0)
    return np.ascontiguousarray(array, dtype=np.uint8)


def demo_of(made: Packed, task: str, variation: int, notes: Sequence[str] = ()) -> Demo:
    """The demo; its pictures become PNGs as they are asked for.

    Raises:
        DemoError: a frame lacks something, or what is there makes no demo.
    """
    columns = {name: _column(name, values) for name, values in made["low_dim"].items()}
    fingers = columns["gripper_joint_positions"]
    return Demo(
        task=task,
        variation=variation,
        instructions=tuple(text for text in map(str.strip, made["descriptions"]) if text),
        gripper_pose=_needed("gripper_pose", columns),
        gripper_open=_needed("gripper_open", columns),
        joint_velocities=columns["joint_velocities"],
        joint_positions=columns["joint_positions"],
        finger_positions=fingers,
        images=_readers(made, "rgb"),
        depths=_readers(made, "depth"),
        masks=_readers(made, "mask"),
        cameras=_models(made["cameras"]),
        notes=tuple(notes),
    )


def _needed(name: str, columns: Mapping[str, FloatArray | None]) -> FloatArray:
    column = columns[name]
    if column is None:
        raise DemoError(f"the simulator gave no {name}")
    return column


def _column(name: str, values: Sequence[Any]) -> FloatArray | None:
    """``(N, ...)``; None if no frame has a value."""
    absent = [frame for frame, value in enumerate(values) if value is None]
    if len(absent) == len(values):
        return None
    if absent:
        raise DemoError(f"the simulator gave no {name} at frame {absent[0]}")
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DemoError(f"{name}: {error}") from None


def _models(cameras: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, CameraModel]:
    models = {}
    for camera, matrices in cameras.items():
        columns = {
            name: _needed(f"{camera}_camera_{name}", {f"{camera}_camera_{name}": column})
            for name, values in matrices.items()
            for column in [_column(f"{camera}_camera_{name}", values)]
        }
        models[camera] = CameraModel(
            intrinsics=columns["intrinsics"][0],
            extrinsics=columns["extrinsics"],
            near=float(columns["near"][0]),
            far=float(columns["far"][0]),
        )
    return models


def _readers(made: Packed, channel: str) -> dict[str, ImageReader]:
    return {
        camera: partial(_encoded, f"{camera}_{channel}", pictures)
        for (camera, which), pictures in made["pictures"].items()
        if which == channel
    }


def _encoded(name: str, pictures: Sequence[Picture], frame: int) -> bytes:
    picture = pictures[frame]
    if picture is None:
        raise DemoError(f"the simulator gave no {name} at frame {frame}")
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise DemoError(f"{name} has shape {picture.shape}, expected (height, width, 3)")
    return png(picture)
