"""Where the end effector is, from joint positions: MuJoCo works it out of a URDF or MJCF."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from robotmcqa.arrays import FloatArray
from robotmcqa.errors import MappingError

__all__ = ["Arm", "arm_of"]


class Arm:
    """A robot's kinematics, compiled once per process.

    Geometry is left out, so that no mesh needs to be there; fixed bodies are kept, so that a tip
    which hangs on a fixed joint has a name.
    """

    def __init__(self, file: str, body: str, joints: tuple[str, ...], columns: int) -> None:
        import mujoco

        self._mujoco: Any = mujoco
        self._model: Any = _compiled(mujoco, file)
        self._data: Any = mujoco.MjData(self._model)
        moving = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
        names = {
            self._model.joint(number).name: number
            for number in range(self._model.njnt)
            if int(self._model.jnt_type[number]) in moving
        }
        chosen = joints or tuple(names)
        if len(chosen) != columns or any(name not in names for name in chosen):
            raise MappingError(
                f"kinematics: {columns} joint positions for {len(chosen)} joints of {file} "
                f"({', '.join(names)})",
                "name the joints of the columns in order: kinematics.joints: [...]",
            )
        self._addresses = np.array([self._model.jnt_qposadr[names[name]] for name in chosen])
        self._poses = self._found(body, file)

    def _found(self, body: str, file: str) -> Any:
        """Position and rotation matrix of the body or site, as views that MuJoCo fills."""
        for kind, data in (
            (self._model.body, self._data.body),
            (self._model.site, self._data.site),
        ):
            try:
                kind(body)
            except KeyError:
                continue
            return data(body)
        known = [self._model.body(number).name for number in range(1, self._model.nbody)]
        known += [self._model.site(number).name for number in range(self._model.nsite)]
        raise MappingError(
            f"kinematics.body: no body or site '{body}' in {file}",
            f"it has: {', '.join(name for name in known if name)}",
        )

    def forward(self, joints: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pose in the robot's base frame at each frame.

        Args:
            joints: ``(N, K)`` radians, or metres of a slide.

        Returns:
            ``(N, 3)`` metres and ``(N, 9)`` rotation matrices, row by row.
        """
        position, matrix = np.empty((len(joints), 3)), np.empty((len(joints), 9))
        for frame, angles in enumerate(joints):
            self._data.qpos[self._addresses] = angles
            self._mujoco.mj_kinematics(self._model, self._data)
            position[frame], matrix[frame] = self._poses.xpos, self._poses.xmat
        return position, matrix


def _compiled(mujoco: Any, file: str) -> Any:
    try:
        spec = mujoco.MjSpec.from_file(file)
        spec.compiler.fusestatic = False
        spec.compiler.boundmass = spec.compiler.boundinertia = 1e-6  # a URDF may leave them out
        for part in (*spec.geoms, *spec.sensors, *spec.pairs, *spec.excludes, *spec.skins):
            spec.delete(part)
        for part in (*spec.meshes, *spec.hfields, *spec.materials, *spec.textures):
            spec.delete(part)
        return spec.compile()
    except (ValueError, OSError, mujoco.FatalError) as error:
        text = str(error).strip().splitlines()
        raise MappingError(
            f"kinematics.file: {file}: {text[0] if text else error}",
            "name a URDF or MJCF file that MuJoCo reads",
        ) from None


@lru_cache(maxsize=2)
def arm_of(file: str, body: str, joints: tuple[str, ...], columns: int) -> Arm:
    """The arm in ``file``, whose ``body`` (or site) is asked for.

    Args:
        file: URDF or MJCF.
        body: name of a body or site.
        joints: names of the joints in the order of the columns; all hinges and slides if empty.
        columns: how many joint positions there are.

    Raises:
        MappingError: MuJoCo cannot read the file, or it has no such body or joints.
    """
    return Arm(file, body, joints, columns)
