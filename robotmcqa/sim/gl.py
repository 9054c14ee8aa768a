"""What draws the frames on this machine: OSMesa, EGL, or rays where there is no OpenGL.

MuJoCo draws with whatever OpenGL context is current, so contexts are made here, with ctypes on the
system's own libraries. MuJoCo's Python wrappers go through PyOpenGL, which needs libraries that a
bare machine lacks (``import mujoco`` itself then fails), takes the first GPU it meets (whose
rounding differs from the software renderer's, so the same episode would have other bytes there),
and raises at interpreter exit.

Nothing here imports mujoco; call `choose_renderer` before importing it where that is possible.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from robotmcqa.errors import RobotMCQAError, UsageError

__all__ = ["GL_PACKAGES", "Backend", "GLContext", "Kind", "choose_renderer", "shared_context"]

Kind = Literal["osmesa", "egl", "rays"]

_KINDS: tuple[Kind, ...] = ("osmesa", "egl", "rays")
_LIBRARIES = {
    "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),
    "egl": ("libEGL.so.1",),
}
_PACKAGES = {
    "osmesa": "apt-get install libosmesa6",
    "egl": "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri",
}
GL_PACKAGES = f"{_PACKAGES['osmesa']} (or, where that package is gone: {_PACKAGES['egl']})"
# The spellings mujoco itself accepts in MUJOCO_GL; those of the second set ask for a window.
_OFF = {"disable", "disabled", "off", "false", "0"}
_WINDOW = {"", "glfw", "glx", "wgl", "cgl", "enable", "enabled", "on", "true", "1"}
_PROBE_SECONDS = 60
_PROBES = 3
"""Processes that try one renderer out, where somebody kills them."""
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that are no crash: a driver does not send them to itself."""


@dataclass(frozen=True)
class Backend:
    """What draws, and why it was chosen (a sentence for people)."""

    kind: Kind
    reason: str


@cache
def choose_renderer() -> Backend:
    """What draws in this process; decided once.

    In this order: ``ROBOTMCQA_RENDERER`` (osmesa, egl, rays); ``MUJOCO_GL`` where it names a
    headless renderer (osmesa, egl) or switches OpenGL off (rays); else the first of OSMesa and EGL
    that draws here, tried out in a process of its own since a broken driver can crash it; else
    rays. The choice is left in ``ROBOTMCQA_RENDERER`` for worker processes, which need not try.

    Raises:
        UsageError: one of the two variables asks for something that is not there.
        RobotMCQAError: the process that tries was killed, and again: nothing can be told.
    """
    backend = _asked_for(os.environ) or _found()
    os.environ["ROBOTMCQA_RENDERER"] = backend.kind
    if sys.platform == "linux" and "mujoco" not in sys.modules and not _has_display():
        # Without a display, all that mujoco could set up at import is a window library that is of
        # no use here and costs more than the rest of that import.
        os.environ.setdefault("MUJOCO_GL", "disable")
    return backend


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _asked_for(environ: Mapping[str, str]) -> Backend | None:
    """The backend that the user's environment names; None where it leaves the choice to us."""
    forced = environ.get("ROBOTMCQA_RENDERER", "").strip().lower()
    if forced:
        for kind in _KINDS:
            if forced == kind:
                return _required(kind, f"ROBOTMCQA_RENDERER={forced}")
        raise UsageError(
            f"ROBOTMCQA_RENDERER={forced!r} is not a renderer", f"set it to {', '.join(_KINDS)}"
        )
    wish = environ.get("MUJOCO_GL", "").strip().lower()
    if wish in _OFF:
        return Backend("rays", f"MUJOCO_GL={wish} switches OpenGL off")
    if wish in _WINDOW:
        return None
    for kind in ("osmesa", "egl"):
        if wish == kind:
            return _required(kind, f"MUJOCO_GL={wish}")
    raise UsageError(f"MUJOCO_GL={wish!r} is not a renderer", "unset it, or set osmesa or egl")


def _required(kind: Kind, setting: str) -> Backend:
    if kind != "rays" and _library(kind) is None:
        raise UsageError(
            f"{setting}, but {_LIBRARIES[kind][0]} cannot be loaded",
            f"{_PACKAGES[kind]}, or unset the variable to use what is there",
        )
    return Backend(kind, f"{setting} is set")


def _found() -> Backend:
    """The first renderer that draws. OSMesa starts faster and never meets a GPU."""
    # mujoco binds to one OpenGL library per process. Where it may have opened a window, that is
    # the one EGL shares.
    order: tuple[Kind, ...] = ("egl", "osmesa") if "mujoco.viewer" in sys.modules else _KINDS[:2]
    troubles = []
    for kind in order:
        works, text = _try_out(kind)
        if works:
            return Backend(kind, text)
        troubles.append(f"{kind}: {text}")
    return Backend("rays", f"no OpenGL was found ({'; '.join(troubles)})")


@cache
def _try_out(kind: Kind) -> tuple[bool, str]:
    """Whether a context of this kind can be made, tried in a child; what draws it, or why not."""
    if _library(kind) is None:
        return False, f"{_LIBRARIES[kind][0]} cannot be loaded"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); "
        f"from robotmcqa.sim import gl; print(gl.shared_context({kind!r}).renderer)"
    )
    try:
        child = _unless_killed(kind, [sys.executable, "-c", code])
    except (OSError, subprocess.TimeoutExpired) as cause:
        return False, f"trying it failed ({type(cause).__name__})"
    if child.returncode == 0:
        return True, child.stdout.strip()
    if child.returncode < 0:
        return False, f"its driver crashes (signal {-child.returncode})"
    said = [line for line in child.stderr.splitlines() if "Error: " in line]
    return False, said[-1].partition("Error: ")[2] if said else "it says nothing"


def _unless_killed(kind: Kind, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command, and again where it was killed or lacked memory: neither is the driver's.

    Rays in its place would make other pictures, and ``--resume`` could not go on with them.
    """
    for _ in range(_PROBES):
        try:
            child = subprocess.run(words, capture_output=True, text=True, timeout=_PROBE_SECONDS)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM):
                raise
            why = f"cannot be started ({error.strerror})"
            continue
        if -child.returncode not in _FROM_OUTSIDE:
            return child
        why = "was killed (out of memory?)"
    raise RobotMCQAError(
        f"the process that tries {kind} out {why}, {_PROBES} times",
        "run again, or choose what draws: ROBOTMCQA_RENDERER=osmesa, egl or rays",
    )


def _library(kind: Kind, mode: int = ctypes.RTLD_LOCAL) -> ctypes.CDLL | None:
    for name in _LIBRARIES[kind]:
        try:
            return ctypes.CDLL(name, mode=mode)
        except OSError:
            continue
    return None


class GLContext:
    """An off-screen OpenGL context; ``with context:`` makes it current in this thread.

    One thread at a time; none is current afterwards, so that another thread can be next.
    ``renderer`` is OpenGL's own name for what draws and its version.

    Raises:
        UsageError: the context cannot be made, or not be made current.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._lock = threading.RLock()
        self._depth = 0
        self._process = os.getpid()
        # Threads of the software renderer cost processor time that the work does not need: up to a
        # fifth more for a frame of 224 x 224. Without them a forked child can draw, too.
        os.environ.setdefault("LP_NUM_THREADS", "0")
        # mujoco looks for OpenGL's entry points among the global symbols, EGL's before OSMesa's: so
        # the one library that is used is loaded globally, and those that are tried out are not.
        library = _library(kind, ctypes.RTLD_GLOBAL)
        if library is None:
            raise UsageError(f"{_LIBRARIES[kind][0]} cannot be loaded", _PACKAGES[kind])
        self._api: _OSMesa | _EGL = _OSMesa(library) if kind == "osmesa" else _EGL(library)
        with self:
            self.renderer = _gl_name(self._api.lookup(b"glGetString"))

    @property
    def usable(self) -> bool:
        """False in a forked child: the context belongs to the parent."""
        return self._process == os.getpid()

    def __enter__(self) -> GLContext:
        self._lock.acquire()
        if not self._depth and not self._api.make_current():
            self._lock.release()
            raise UsageError(
                f"the {self.kind} context cannot be used in this thread",
                "ROBOTMCQA_RENDERER=rays draws without OpenGL",
            )
        self._depth += 1  # a renderer may be freed while another one draws, wherever Python tidies
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._api.release()
        self._lock.release()


_contexts: dict[tuple[Kind, int], GLContext] = {}
_contexts_lock = threading.Lock()


def shared_context(kind: Kind) -> GLContext:
    """The one context of this kind in this process (making one takes 10 to 30 ms)."""
    with _contexts_lock:
        key = (kind, os.getpid())
        if key not in _contexts:
            _contexts[key] = GLContext(kind)
        return _contexts[key]


_pointer, _int, _uint, _text = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p


def _declare(function: Any, result: Any, *arguments: Any) -> Any:
    function.restype, function.argtypes = result, arguments
    return function


def _gl_name(get_string: int | None) -> str:
    if not get_string:
        return "unknown"
    gl_get_string = ctypes.CFUNCTYPE(_text, _uint)(get_string)
    renderer, version = (gl_get_string(name) or b"?" for name in (0x1F01, 0x1F02))
    return f"{renderer.decode()}, OpenGL {version.decode()}"


class _OSMesa:
    """OSMesa: draws into plain memory. mujoco draws into its own buffers, so ours is tiny.

    Numbers are those of OpenGL's headers.
    """

    _RGBA, _BYTES, _SIDE = 0x1908, 0x1401, 16

    def __init__(self, library: ctypes.CDLL) -> None:
        create = _declare(
            library.OSMesaCreateContextExt, _pointer, _uint, _int, _int, _int, _pointer
        )
        self._current = _declare(
            library.OSMesaMakeCurrent, ctypes.c_ubyte, _pointer, _pointer, _uint, _int, _int
        )
        self.lookup = _declare(library.OSMesaGetProcAddress, _pointer, _text)
        self._buffer = (ctypes.c_ubyte * (4 * self._SIDE**2))()
        self._context = create(self._RGBA, 0, 0, 0, None)
        if not self._context:
            raise UsageError("OSMesa makes no context", "ROBOTMCQA_RENDERER=rays needs none")

    def make_current(self) -> bool:
        return bool(self._current(self._context, self._buffer, self._BYTES, self._SIDE, self._SIDE))

    def release(self) -> None:
        self._current(None, None, self._BYTES, 0, 0)


class _EGL:
    """EGL without a window: a context on a device, the software device first, for the same bytes.

    Numbers are those of the EGL 1.5 headers and of EXT_device_base and EXT_platform_device.
    """

    _DEVICE, _EXTENSIONS, _OPENGL = 0x313F, 0x3055, 0x30A2
    # 8 bits of red, green, blue; off-screen surfaces; OpenGL; end of list
    _CONFIG = (0x3024, 8, 0x3023, 8, 0x3022, 8, 0x3033, 0x0001, 0x3040, 0x0008, 0x3038)

    def __init__(self, library: ctypes.CDLL) -> None:
        self._egl = library
        self.lookup = _declare(library.eglGetProcAddress, _pointer, _text)
        self._make = _declare(library.eglMakeCurrent, _uint, *4 * [_pointer])
        _declare(library.eglInitialize, _uint, *3 * [_pointer])
        _declare(library.eglBindAPI, _uint, _uint)
        _declare(library.eglChooseConfig, _uint, _pointer, _pointer, _pointer, _int, _pointer)
        _declare(library.eglCreateContext, _pointer, *4 * [_pointer])
        if not any(self._open(device) for device in self._devices()):
            raise UsageError("EGL finds no device that draws without a window", _PACKAGES["egl"])

    def _extension(self, name: bytes, result: Any, *arguments: Any) -> Any:
        address = self.lookup(name)
        if not address:
            raise UsageError(f"EGL lacks {name.decode()}", _PACKAGES["egl"])
        return ctypes.CFUNCTYPE(result, *arguments)(address)

    def _devices(self) -> list[int]:
        query = self._extension(b"eglQueryDevicesEXT", _uint, _int, _pointer, _pointer)
        text = self._extension(b"eglQueryDeviceStringEXT", _text, _pointer, _int)
        devices, count = (_pointer * 32)(), _int()
        query(32, devices, ctypes.byref(count))
        software = b"EGL_MESA_device_software"
        return sorted(
            (device or 0 for device in devices[: count.value]),
            key=lambda device: software not in (text(device, self._EXTENSIONS) or b""),
        )

    def _open(self, device: int) -> bool:
        get = self._extension(b"eglGetPlatformDisplayEXT", _pointer, _uint, _pointer, _pointer)
        self._display = get(self._DEVICE, device, None)
        if not self._display or not self._egl.eglInitialize(self._display, None, None):
            return False
        wanted, config, count = (_int * len(self._CONFIG))(*self._CONFIG), _pointer(), _int()
        self._egl.eglChooseConfig(
            self._display, wanted, ctypes.byref(config), 1, ctypes.byref(count)
        )
        if not count.value or not self._egl.eglBindAPI(self._OPENGL):
            return False
        self._context = self._egl.eglCreateContext(self._display, config, None, None)
        if not self._context or not self.make_current():
            return False
        self.release()
        return True

    def make_current(self) -> bool:
        return bool(self._make(self._display, None, None, self._context))

    def release(self) -> None:
        self._make(self._display, None, None, None)
