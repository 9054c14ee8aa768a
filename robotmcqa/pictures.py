"""Depth and segmentation as RLBench saves them: numbers in the three channels of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["depth_image", "mask_image"]

_DEPTH_STEPS = 2**24 - 1


def depth_image(depth: NDArray[np.floating[Any]], near: float, far: float) -> NDArray[np.uint8]:
    """Metres (height, width) as RLBench saves depth: 24 bits, red the highest byte.

    The number is (metres - near) / (far - near) times 2^24 - 1, within 0 and 1.
    """
    share = np.clip((depth.astype(np.float64) - near) / (far - near), 0, 1)
    number = np.rint(share * _DEPTH_STEPS).astype(np.uint32)
    return np.stack([number >> 16, number >> 8, number], axis=-1).astype(np.uint8)


def mask_image(ids: NDArray[np.signedinteger[Any]]) -> NDArray[np.uint8]:
    """Object numbers (height, width) as RLBench saves masks: R + 256 G + 65536 B.

    A negative number (nothing) is stored as 0.
    """
    number = np.maximum(ids, 0).astype(np.uint32)
    return np.stack([number, number >> 8, number >> 16], axis=-1).astype(np.uint8)
