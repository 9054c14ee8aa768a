"""Frames of a MuJoCo scene on any machine: colour, depth and segmentation, and their PNGs.

What draws is decided by `robotmcqa.sim.gl`. With OpenGL, MuJoCo's renderer is driven directly: no
multisampling, no shadows (unless asked for), no reflections, no sky. That is what RLBench's frames
look like, and forty times faster than MuJoCo's defaults.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from robotmcqa.errors import UsageError
from robotmcqa.png import png
from robotmcqa.sim.gl import Backend, GLContext, choose_renderer, shared_context

__all__ = ["Renderer", "View", "depth_image", "mask_image", "png"]

_SHADOW_MAP = 2048  # texels along a side: 30 ms a frame; MuJoCo's 4096 take 70
_FLAG = mujoco.mjtRndFlag
_DEPTH_STEPS = 2**24 - 1


class View:
    """What a camera of a model sees, as MuJoCo's abstract scene: geoms, lights, frustum.

    Geom groups 0, 1 and 2 only (3 holds collision shapes), no decoration. Needs no OpenGL.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self.scene = mujoco.MjvScene(model, model.ngeom + model.nflex + model.nskin + 8)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = (1, 1, 1, 0, 0, 0)
        self._option.sitegroup[:] = 0
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        # The tuples are built anew at each access, over the same memory.
        self._geoms = self.scene.geoms

    def update(self, data: mujoco.MjData, camera: str) -> mujoco.MjvScene:
        """Read the model and the state as they are now.

        Raises:
            UsageError: the model has no camera of this name.
        """
        number = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if number < 0:
            names = [self._model.camera(i).name for i in range(self._model.ncam)]
            raise UsageError(f"no camera {camera!r}", f"one of {', '.join(names)}")
        self._camera.fixedcamid = number
        shown = mujoco.mjtCatBit.mjCAT_STATIC | mujoco.mjtCatBit.mjCAT_DYNAMIC
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, shown, self.scene
        )
        return self.scene

    def geoms(self) -> tuple[mujoco.MjvGeom, ...]:
        """The visible geoms; entry i is drawn with segmentation number i."""
        geoms: tuple[mujoco.MjvGeom, ...] = self._geoms[: self.scene.ngeom]
        return geoms

    def bodies(self) -> NDArray[np.int32]:
        """Body of each visible geom; -1 for what is not a geom."""
        geom, body = mujoco.mjtObj.mjOBJ_GEOM, self._model.geom_bodyid
        return np.array(
            [body[g.objid] if g.objtype == geom else -1 for g in self.geoms()], np.int32
        )


class _Pictures(Protocol):
    """What draws behind a renderer."""

    def rgb(self, data: mujoco.MjData, camera: str) -> NDArray[np.uint8]: ...
    def depth(self, data: mujoco.MjData, camera: str) -> NDArray[np.float32]: ...
    def segmentation(self, data: mujoco.MjData, camera: str) -> NDArray[np.int32]: ...
    def close(self) -> None: ...


class Renderer:
    """Draws square frames of one model; use it in a ``with`` block, or call `close`.

    Args:
        model: its colours, sizes and positions are read anew for every frame; meshes and textures
            only now.
        size: pixels along a side.
        shadows: draw the shadows of lights that cast any. OpenGL only.
        backend: what draws; by default what `robotmcqa.sim.gl.choose_renderer` says.

    The state given to the methods must be up to date (``mj_forward``, or ``mj_kinematics`` and
    ``mj_camlight``). The same model and state give the same bytes, whatever was drawn before.

    Raises:
        UsageError: the backend cannot be used, or shadows are asked of rays.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        size: int,
        *,
        shadows: bool = False,
        backend: Backend | None = None,
    ) -> None:
        self.size = size
        self.backend = backend or choose_renderer()
        self._pictures: _Pictures | None
        if self.backend.kind == "rays":
            if shadows:
                raise UsageError(
                    f"shadows need OpenGL, and rays draw here ({self.backend.reason})",
                    "leave shadows out, or see `robotmcqa doctor`",
                )
            from robotmcqa.sim.rays import RayPictures

            self._pictures = RayPictures(View(model), model, size)
        else:
            context = shared_context(self.backend.kind)
            self._pictures = _GLPictures(View(model), model, size, shadows, context)

    def rgb(self, data: mujoco.MjData, camera: str) -> NDArray[np.uint8]:
        """Colours, (size, size, 3)."""
        return self._open().rgb(data, camera)

    def depth(self, data: mujoco.MjData, camera: str) -> NDArray[np.float32]:
        """Metres along the optical axis, (size, size); the model's far plane where nothing is."""
        return self._open().depth(data, camera)

    def segmentation(self, data: mujoco.MjData, camera: str) -> NDArray[np.int32]:
        """Number of the body that each pixel shows, (size, size); -1 for nothing."""
        return self._open().segmentation(data, camera)

    def close(self) -> None:
        """Free what the renderer holds; a second call does nothing."""
        if self._pictures is not None:
            self._pictures.close()
        self._pictures = None

    def _open(self) -> _Pictures:
        if self._pictures is None:
            raise UsageError("this renderer is closed", "make another one")
        return self._pictures

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _GLPictures:
    """MuJoCo's OpenGL renderer over the process's one context."""

    def __init__(
        self, view: View, model: mujoco.MjModel, size: int, shadows: bool, context: GLContext
    ) -> None:
        self._view, self._size, self._context = view, size, context
        self._rectangle = mujoco.MjrRect(0, 0, size, size)
        with context, _appearance(model, size, shadows), _entry_points(context.kind):
            try:
                self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
            except mujoco.FatalError as error:
                raise UsageError(
                    f"MuJoCo cannot draw with {context.kind} ({context.renderer}): {error}",
                    "ROBOTMCQA_RENDERER=rays draws without OpenGL",
                ) from error
        # Depth is kept as drawn, 1 at the near plane and 0 at the far one: turning it round, as
        # mujoco does by default, loses digits.
        self._mjr.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        flags = view.scene.flags
        flags[:] = 0
        flags[_FLAG.mjRND_CULL_FACE] = 1
        flags[_FLAG.mjRND_SHADOW] = shadows
        # Runs once: when asked to, or with the last reference, or before the interpreter goes.
        self._finalizer = weakref.finalize(self, _free, context, self._mjr)

    def close(self) -> None:
        self._finalizer()

    def rgb(self, data: mujoco.MjData, camera: str) -> NDArray[np.uint8]:
        self._view.update(data, camera)
        return self._colours(ids=False)

    def depth(self, data: mujoco.MjData, camera: str) -> NDArray[np.float32]:
        scene = self._view.update(data, camera)
        raw = np.empty((self._size, self._size), np.float32)
        self._draw(True, None, raw)
        near, far = scene.camera[0].frustum_near, scene.camera[0].frustum_far
        # Inverse of the perspective projection with the far plane at 0, see OpenGL's glFrustum.
        metres = near * far / (near + raw[::-1].astype(np.float64) * (far - near))
        result: NDArray[np.float32] = metres.astype(np.float32)
        return result

    def segmentation(self, data: mujoco.MjData, camera: str) -> NDArray[np.int32]:
        self._view.update(data, camera)
        red, green, blue = np.moveaxis(self._colours(ids=True).astype(np.int32), -1, 0)
        numbers = red + (green << 8) + (blue << 16)
        bodies: NDArray[np.int32] = np.append(np.int32(-1), self._view.bodies())[numbers]
        return bodies

    def _colours(self, ids: bool) -> NDArray[np.uint8]:
        picture = np.empty((self._size, self._size, 3), np.uint8)
        self._draw(ids, picture, None)
        return np.ascontiguousarray(picture[::-1])  # OpenGL's first row is the lowest

    def _draw(
        self, ids: bool, rgb: NDArray[np.uint8] | None, depth: NDArray[np.float32] | None
    ) -> None:
        scene = self._view.scene
        scene.flags[_FLAG.mjRND_SEGMENT] = scene.flags[_FLAG.mjRND_IDCOLOR] = ids
        with self._context:
            # Another renderer's buffer may be bound.
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
            mujoco.mjr_render(self._rectangle, scene, self._mjr)
            mujoco.mjr_readPixels(rgb, depth, self._rectangle, self._mjr)


def _free(context: GLContext, mjr: mujoco.MjrContext) -> None:
    if context.usable:
        with context:
            mjr.free()


@contextmanager
def _appearance(model: mujoco.MjModel, size: int, shadows: bool) -> Iterator[None]:
    """Lend the model our buffer sizes while MuJoCo allocates by them."""
    quality, screen, reach = model.vis.quality, model.vis.global_, model.vis.map
    before = quality.shadowsize, quality.offsamples, screen.offwidth, screen.offheight
    clip = reach.shadowclip
    # Without a shadow map the context is there in 4 ms; with MuJoCo's default one, in 40.
    quality.shadowsize = _SHADOW_MAP if shadows else 0
    # MuJoCo looks shadows up where it drew them only in the middle of the map: towards the corners
    # it is off by up to a texel, and lit surfaces get dotted. So the middle has to hold the scene.
    reach.shadowclip = 6 * clip
    quality.offsamples, screen.offwidth, screen.offheight = 0, size, size
    try:
        yield
    finally:
        quality.shadowsize, quality.offsamples, screen.offwidth, screen.offheight = before
        reach.shadowclip = clip


@contextmanager
def _entry_points(kind: str) -> Iterator[None]:
    """Name the OpenGL library to mujoco >= 4, which reads this variable at its first context."""
    before = os.environ.get("MUJOCO_GL")
    os.environ["MUJOCO_GL"] = kind
    try:
        yield
    finally:
        if before is None:
            del os.environ["MUJOCO_GL"]
        else:
            os.environ["MUJOCO_GL"] = before


def depth_image(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """Metres (height, width) as RLBench saves depth: 24 bits, red the highest byte.

    The number is (metres - near) / (far - near) times 2^24 - 1, within 0 and 1.
    """
    share = np.clip((depth.astype(np.float64) - near) / (far - near), 0, 1)
    number = np.rint(share * _DEPTH_STEPS).astype(np.uint32)
    return np.stack([number >> 16, number >> 8, number], axis=-1).astype(np.uint8)


def mask_image(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Object numbers (height, width) as RLBench saves masks: R + 256 G + 65536 B.

    A negative number (nothing) is stored as 0.
    """
    number = np.maximum(ids, 0).astype(np.uint32)
    return np.stack([number, number >> 8, number >> 16], axis=-1).astype(np.uint8)
