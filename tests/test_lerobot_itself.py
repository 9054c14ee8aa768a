"""A data set that lerobot itself has written, where an interpreter that has it is named.

``ROBOTMCQA_LEROBOT_PYTHON=/path/to/python make test-slow``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from robotmcqa.sources import Selection, SourceOptions, open_source
from tests.factory import make_demo
from tests.lerobot_writer import MAPPING, number_in, write_mapping

SCRIPT = Path(__file__).with_name("write_with_lerobot.py")


@pytest.mark.slow
def test_what_lerobot_writes_is_read(tmp_path: Path) -> None:
    python = os.environ.get("ROBOTMCQA_LEROBOT_PYTHON")
    if not python:
        pytest.skip("ROBOTMCQA_LEROBOT_PYTHON does not name an interpreter that has lerobot")
    demos = [
        make_demo("reach_target", seed, seed % 2, 40 + 5 * seed, cameras=()) for seed in range(3)
    ]
    root = tmp_path / "written"
    np.savez(
        f"{root}.npz",
        states=np.concatenate([demo.states for demo in demos]),
        lengths=[len(demo) for demo in demos],
        tasks=[demo.instructions[0] for demo in demos],
    )
    done = subprocess.run(
        [python, str(SCRIPT), str(root)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(json.loads(done.stdout.splitlines()[-1]))
    mapping = write_mapping(tmp_path / "m.yaml", MAPPING)
    source = open_source(f"lerobot:{root}", SourceOptions(mapping=str(mapping)))
    refs = list(source.refs(Selection()))
    assert len(refs) == 3
    for ref in refs:
        number = int(ref.name.removeprefix("episode_"))
        demo = source.load(ref, ("front",))
        assert demo.instructions == demos[number].instructions[:1]
        assert np.abs(demo.states - demos[number].states).max() < 1e-6
        seen = [number_in(demo.image("front", frame)) for frame in range(len(demo))]
        assert seen == [number * 1000 + frame for frame in range(len(demo))]
