"""Writes a data set with lerobot itself: ``PYTHON write_with_lerobot.py FOLDER``.

Run by an interpreter that has lerobot, which robotmcqa's own has not; tests/test_lerobot_itself.py
does so. Episodes come as ``FOLDER.npz`` (``states``, ``lengths``, ``tasks``), pictures carry the
number of their frame in blocks as those of tests/lerobot_writer.py do.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from inspect import signature
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np

SIZE = 64


def without_torchvision() -> None:
    """lerobot imports torchvision for its augmentations; writing needs none of it."""
    try:
        import_module("torchvision")
    except Exception:
        for name in [one for one in sys.modules if one.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("", ".io", ".transforms", ".transforms.v2", ".transforms.v2.functional"):
            module: ModuleType = MagicMock(name=f"torchvision{name}")
            module.__spec__ = ModuleSpec(f"torchvision{name}", None)
            sys.modules[f"torchvision{name}"] = module


def numbered(number: int) -> Any:
    bits = (number >> np.arange(16)) & 1
    blocks = np.repeat(np.repeat(bits.reshape(4, 4), SIZE // 4, axis=0), SIZE // 4, axis=1)
    return np.repeat((blocks * 205 + 25)[:, :, None], 3, axis=2).astype(np.uint8)


def main(folder: str) -> None:
    without_torchvision()
    written_by = import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    episodes = np.load(f"{folder}.npz")
    dataset = written_by.create(
        repo_id="lab/written",
        fps=20,
        root=folder,
        robot_type="panda",
        features={
            "observation.state": {
                "dtype": "float32",
                "shape": (8,),
                "names": ["x", "y", "z", "qx", "qy", "qz", "qw", "gripper"],
            },
            "observation.images.front": {
                "dtype": "video",
                "shape": (SIZE, SIZE, 3),
                "names": ["height", "width", "channels"],
            },
        },
        use_videos=True,
    )
    start = 0
    for number, length in enumerate(episodes["lengths"]):
        task = episodes["tasks"][number]
        for frame in range(length):
            values = {
                "observation.state": episodes["states"][start + frame].astype(np.float32),
                "observation.images.front": numbered(number * 1000 + frame),
            }
            if "task" in signature(dataset.add_frame).parameters:  # lerobot 0.3
                dataset.add_frame(values, task=str(task))
            else:
                dataset.add_frame({**values, "task": str(task)})
        dataset.save_episode()
        start += length
    if hasattr(dataset, "finalize"):
        dataset.finalize()
    packages = ("lerobot", "torch", "av", "datasets", "pyarrow")
    print(json.dumps({name: version(name) for name in packages}))


if __name__ == "__main__":
    main(sys.argv[1])
