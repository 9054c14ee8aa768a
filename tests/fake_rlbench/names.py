"""Names that the stand-in and its tests share."""

CAMERAS = ("left_shoulder", "right_shoulder", "overhead", "wrist", "front")
