import os
import sys
from typing import Any

from pyrep.const import RenderMode

from rlbench.action_modes.action_mode import MoveArmThenGripper
from rlbench.action_modes.arm_action_modes import JointVelocity
from rlbench.action_modes.gripper_action_modes import Discrete
from rlbench.observation_config import ObservationConfig
from rlbench.task_environment import TaskEnvironment
from tests.fake_rlbench import control
from tests.fake_rlbench.names import CAMERAS

_launched = False


class Environment:
    def __init__(
        self, action_mode: MoveArmThenGripper, *, obs_config: ObservationConfig, headless: bool
    ) -> None:
        assert isinstance(action_mode.arm_action_mode, JointVelocity)
        assert isinstance(action_mode.gripper_action_mode, Discrete)
        assert headless
        self._config = obs_config
        self._running = False

    def launch(self) -> None:
        global _launched
        if _launched:
            os.abort()  # a process can have one simulator in its life
        _launched = self._running = True
        display = os.environ.get("DISPLAY")
        if not display:
            print("qt.qpa.xcb: could not connect to display", file=sys.stderr)
            os.abort()
        cameras = [name for name in CAMERAS if getattr(self._config, f"{name}_camera").rgb]
        if cameras and os.environ.get("QT_QPA_PLATFORM") == "offscreen":
            os.abort()
        modes = {getattr(self._config, f"{name}_camera").render_mode for name in cameras}
        drawn = ",".join(mode.name for mode in RenderMode if mode in modes)
        control.log("launch", display, ",".join(cameras) or "-", drawn or "-")

    def get_task(self, task_class: Any) -> TaskEnvironment:
        assert self._running
        return TaskEnvironment(task_class, self._config)

    def shutdown(self) -> None:
        self._running = False
        control.log("shutdown")
