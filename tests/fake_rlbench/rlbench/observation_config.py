from pyrep.const import RenderMode

from tests.fake_rlbench.names import CAMERAS

LOW_DIM = (
    *("joint_velocities", "joint_positions", "joint_forces", "gripper_open", "gripper_pose"),
    *("gripper_matrix", "gripper_joint_positions", "gripper_touch_forces", "task_low_dim_state"),
)


class CameraConfig:
    """Everything on, slow and small: RLBench's defaults."""

    def __init__(self) -> None:
        self.rgb = self.depth = self.mask = self.point_cloud = True
        self.image_size = (128, 128)
        self.render_mode = RenderMode.OPENGL3
        self.masks_as_one_channel = True
        self.depth_in_meters = False

    def set_all(self, value: bool) -> None:
        self.rgb = self.depth = self.mask = self.point_cloud = value


class ObservationConfig:
    def __init__(self) -> None:
        for name in CAMERAS:
            setattr(self, f"{name}_camera", CameraConfig())
        self.set_all(True)

    def set_all(self, value: bool) -> None:
        for name in CAMERAS:
            getattr(self, f"{name}_camera").set_all(value)
        for name in LOW_DIM:
            setattr(self, name, value)
