"""PNG: is this a whole one, answered without decoding a pixel; and pictures written as it."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["png", "png_problem"]


def png_problem(data: bytes) -> str | None:
    """What is wrong with the signature, the chunk checksums or the end of a PNG; None if nothing.

    The pixels are decoded by ``robotmcqa validate`` only.
    """
    if not data:
        return "empty file"
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "broken PNG"
    return None


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
