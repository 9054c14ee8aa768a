"""The camera matrices in the ``misc`` of saved RLBench demos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robotmcqa.camera import CameraModel
from robotmcqa.errors import DemoError
from robotmcqa.sources.rlbench_pickle import StoredObservation, array, stack

__all__ = ["camera_models"]

_INTRINSICS = "_camera_intrinsics"


def camera_models(observations: Sequence[StoredObservation]) -> dict[str, CameraModel]:
    """Camera name -> its matrices, for every camera that was there while the demo was recorded.

    Args:
        observations: all frames of the demo.

    Raises:
        DemoError: a camera is described in part only, or its matrices are none.
    """
    frames = [_misc(frame) for frame in observations]
    names = sorted(
        name for name in frames[0] if isinstance(name, str) and name.endswith(_INTRINSICS)
    )
    return {
        camera: _model(camera, frames) for camera in (name[: -len(_INTRINSICS)] for name in names)
    }


def _misc(frame: StoredObservation) -> Mapping[str, Any]:
    misc = frame.__dict__.get("misc")
    return misc if isinstance(misc, dict) else {}


def _model(camera: str, frames: Sequence[Mapping[str, Any]]) -> CameraModel:
    first = frames[0]
    try:
        return CameraModel(
            intrinsics=array(first[f"{camera}{_INTRINSICS}"]).astype(np.float64),
            extrinsics=stack([misc[f"{camera}_camera_extrinsics"] for misc in frames]).astype(
                np.float64
            ),
            near=float(array(first[f"{camera}_camera_near"])),
            far=float(array(first[f"{camera}_camera_far"])),
        )
    except KeyError as error:
        raise DemoError(f"camera '{camera}': no {error.args[0]} in misc") from None
    except (DemoError, TypeError) as error:
        what = error.what if isinstance(error, DemoError) else str(error)
        raise DemoError(f"camera '{camera}': {what}") from None
