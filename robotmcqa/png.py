"""Is this a whole PNG? Answered without decoding a pixel."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

__all__ = ["png_problem"]


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
