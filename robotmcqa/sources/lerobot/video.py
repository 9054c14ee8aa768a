"""Single frames out of videos, found by their time. PyAV decodes.

A video stays open, and at the frame that was decoded last: frames that are asked for in order cost
one pass over the groups of pictures they lie in, and the rest is jumped over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from robotmcqa.errors import DemoError, UsageError
from robotmcqa.png import png

__all__ = ["decoder", "png_of", "video_frame", "video_seconds"]

KEPT_VIDEOS = 8

TOLERANCE = 0.25
"""Of the time between two frames: what is further from the asked time is another frame."""

_AGAIN = "fetch or record it again"


def decoder() -> Any:
    """PyAV.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise UsageError(
            "pictures of this data set are videos, and PyAV is not installed",
            "pip install 'robotmcqa[lerobot]', or --no-images",
        ) from None
    return av


class _Video:
    """An open video, with the last two frames that were decoded."""

    def __init__(self, path: str) -> None:
        self.container: Any = decoder().open(path)
        self.stream: Any = self.container.streams.video[0]
        # One thread: processes share the machine's cores already, and frames come without delay.
        self.stream.codec_context.thread_count = 1
        self._base = float(self.stream.time_base)
        self._frames: Iterator[Any] = iter(())
        self._before: Any = None
        self._last: Any = None

    def near(self, seconds: float) -> tuple[Any, float]:
        """The frame that is nearest in time, and how many seconds it is off."""
        target = seconds / self._base
        if self._has_to_jump(target):
            self._jump(target)
        while self._last is None or self._last.pts < target:
            following = next(self._frames, None)
            if following is None:
                break
            if following.pts is not None:
                self._before, self._last = self._last, following
        found = [frame for frame in (self._before, self._last) if frame is not None]
        if not found:
            return None, float("inf")
        best = min(found, key=lambda frame: abs(frame.pts - target))
        return best, abs(best.pts - target) * self._base

    def _has_to_jump(self, target: float) -> bool:
        """Whether what was decoded lies after the target, or a whole group of pictures before."""
        if self._last is None:
            return True
        if self._last.pts >= target:
            return self._before is None or self._before.pts > target
        entries = self.stream.index_entries
        place = entries.search_timestamp(int(target))
        return bool(place >= 0 and entries[place].timestamp > self._last.pts)

    def _jump(self, target: float) -> None:
        """To the last key frame at or before the target.

        Where frames are stored in another order than shown, a jump can land after it: then one
        from a second earlier, or from the start.
        """
        for goal in (target, target - 1 / self._base, 0):
            self.container.seek(max(int(goal), 0), stream=self.stream)
            self._frames = iter(self.container.decode(self.stream))
            self._before, self._last = None, next(self._frames, None)
            if self._last is not None and self._last.pts <= target + 0.5:
                return

    def seconds(self) -> float:
        """How long it is."""
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        return float((self.container.duration or 0) / decoder().time_base)


_videos: OrderedDict[tuple[Any, ...], _Video] = OrderedDict()


def _opened(path: str) -> _Video:
    found = Path(path).stat()
    key = (path, found.st_size, found.st_mtime_ns)
    if key not in _videos:
        _videos[key] = _Video(path)
        if len(_videos) > KEPT_VIDEOS:
            _videos.popitem(last=False)[1].container.close()
    _videos.move_to_end(key)
    return _videos[key]


def video_frame(path: str, name: str, seconds: float, fps: float) -> bytes:
    """One frame as PNG.

    Args:
        path: of the video.
        name: of it in messages.
        seconds: into the video.
        fps: frames per second of the recording.

    Raises:
        DemoError: the video is missing or broken, or has no frame at that time.
        UsageError: PyAV is not installed.
    """
    av = decoder()
    if not 0 <= seconds < 1e7:
        raise DemoError(f"{name}: no frame at {seconds:g} s", "look at the timestamps")
    try:
        frame, off = _opened(path).near(seconds)
        if off > TOLERANCE / fps:
            nearest = "none" if frame is None else f"the nearest is {off:.3f} s away"
            raise DemoError(f"{name}: no frame at {seconds:.3f} s ({nearest})", _AGAIN)
        return png(frame.to_ndarray(format="rgb24"))
    except FileNotFoundError:
        raise DemoError(f"{name}: missing", _AGAIN) from None
    except (av.FFmpegError, OSError, IndexError) as error:
        _videos.clear()  # what is open may stand anywhere now
        raise DemoError(f"{name}: broken video ({error})", _AGAIN) from None


def video_seconds(path: str, name: str) -> float:
    """How long a video is.

    Raises:
        DemoError: it is missing or broken.
    """
    av = decoder()
    try:
        return _opened(path).seconds()
    except FileNotFoundError:
        raise DemoError(f"{name}: missing", _AGAIN) from None
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DemoError(f"{name}: broken video ({error})", _AGAIN) from None


def png_of(data: bytes, name: str) -> bytes:
    """A stored picture as PNG: untouched where it is one, else decoded and stored anew.

    Raises:
        DemoError: it is broken.
    """
    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            if image.format == "PNG":
                image.verify()
                return data
            return png(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DemoError(f"{name}: broken picture ({error})", _AGAIN) from None
