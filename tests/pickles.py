"""Pickles opcode by opcode, a demo to damage, and the two ways of reading them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError
from robotmcqa.rlbench_layout import PickledDemo, PickledObservation
from robotmcqa.sources import Selection
from robotmcqa.sources.rlbench import RLBenchSource
from robotmcqa.sources.rlbench_pickle import read_pickle
from tests.factory import make_demo

FRAMES = 40


def text(value: str) -> bytes:
    """A string on the stack."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    """A global on the stack, protocol 4 style, which also takes dotted attributes."""
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    """The result of a call on the stack."""
    return function + b"(" + b"".join(arguments) + b"tR"


def whole(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


DEMO = make_demo(frames=FRAMES, size=16)


def demo_to_damage() -> Any:
    observations = [
        PickledObservation(
            gripper_pose=DEMO.gripper_pose[frame].copy(),
            gripper_open=float(DEMO.gripper_open[frame]),
            joint_velocities=np.array(DEMO.joint_velocities)[frame].copy(),
            misc={},
        )
        for frame in range(FRAMES)
    ]
    return PickledDemo(observations, random_seed=None)


def harmless(data: bytes) -> Any:
    """What the pickle holds, or None if it was refused; anything else raises."""
    try:
        return read_pickle(data)
    except DemoError:
        return None


def load(folder: Path) -> Demo:
    source = RLBenchSource(str(folder))
    (ref,) = source.refs(Selection())
    return source.load(ref, ())
