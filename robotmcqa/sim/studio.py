"""Pictures of a recording: any frame, any camera, drawn when it is asked for."""

from __future__ import annotations

from functools import cached_property, lru_cache

import mujoco

from robotmcqa.pictures import depth_image, mask_image
from robotmcqa.png import png
from robotmcqa.sim.cameras import CAMERAS
from robotmcqa.sim.recorder import Recording
from robotmcqa.sim.render import Renderer

__all__ = ["Studio"]


class Studio:
    """Draws the frames of one recording."""

    def __init__(
        self, model: mujoco.MjModel, recording: Recording, size: int, shadows: bool
    ) -> None:
        self._model, self._recording = model, recording
        self._size, self._shadows = size, shadows
        self._shown = -1

    def picture(self, camera: str, frame: int) -> bytes:
        """What a camera sees, as PNG."""
        return png(self._renderer(frame).rgb(self._data, camera))

    def depth(self, camera: str, frame: int) -> bytes:
        """How far away it is, as RLBench saves it, as PNG."""
        mount = CAMERAS[camera]
        metres = self._renderer(frame).depth(self._data, camera)
        return png(depth_image(metres, mount.near, mount.far))

    def mask(self, camera: str, frame: int) -> bytes:
        """Which body it is, as RLBench saves it, as PNG."""
        return png(mask_image(self._renderer(frame).segmentation(self._data, camera)))

    @cached_property
    def _data(self) -> mujoco.MjData:
        return mujoco.MjData(self._model)

    def _renderer(self, frame: int) -> Renderer:
        """The renderer, with the scene set to ``frame``.

        The model is shared by all episodes of its task, so this one's colours are put back.
        """
        self._model.geom_rgba[:] = self._recording.rgba[frame]
        if frame != self._shown:
            self._data.qpos[:] = self._recording.qpos[frame]
            self._data.mocap_pos[:] = self._recording.mocap_pos[frame]
            self._data.mocap_quat[:] = self._recording.mocap_quat[frame]
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
            self._shown = frame
        return _renderer(self._model, self._size, self._shadows)


@lru_cache(maxsize=4)
def _renderer(model: mujoco.MjModel, size: int, shadows: bool) -> Renderer:
    return Renderer(model, size, shadows=shadows)
