from dataclasses import dataclass

from rlbench.action_modes.arm_action_modes import JointVelocity
from rlbench.action_modes.gripper_action_modes import Discrete


@dataclass
class MoveArmThenGripper:
    arm_action_mode: JointVelocity
    gripper_action_mode: Discrete
