"""Pictures as RLBench saves them: colour, depth and segmentation as PNGs of three channels."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["depth_image", "mask_image", "png"]

_DEPTH_STEPS = 2**24 - 1


def png(rgb: NDArray[np.uint8]) -> bytes:
    """A picture (height, width, 3) as PNG; the same picture gives the same bytes.

    Every row is stored as differences to the row above (PNG filter 2), compressed with zlib's
    level 1. Level 6 saves a seventh and takes six times longer; trying all filters on each row, as
    Pillow does, takes twice as long and saves nothing.
    """
    height, width, _ = rgb.shape
    rows = rgb.reshape(height, 3 * width)
    filtered = np.empty((height, 1 + 3 * width), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # modulo 256, as PNG wants it
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, colour
    pixels = zlib.compress(filtered.tobytes(), 1)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


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
