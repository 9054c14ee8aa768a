"""Demos that RLBench itself recorded: all load, with the keyframes and the damage known of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from robotmcqa.errors import DemoError
from robotmcqa.keyframes import find_keyframes
from robotmcqa.sources.rlbench import RLBenchSource
from tests.rlbench_helpers import EVERYTHING, load_all

REAL = os.environ.get("ROBOTMCQA_RLBENCH_DATA", "")
real = pytest.mark.skipif(not REAL, reason="ROBOTMCQA_RLBENCH_DATA names no folder of real demos")


@real
@pytest.mark.parametrize(("part", "episodes"), [("paper", 7), ("lowdim", 120), ("upstream", 2)])
def test_real_demos_load(part: str, episodes: int) -> None:
    demos = load_all(Path(REAL) / part)
    assert len(demos) == episodes
    assert len({demo.digest() for demo in demos}) == episodes
    for demo in demos:
        assert demo.variation == 0
        assert demo.joint_velocities is not None


@real
def test_real_demos_of_peract() -> None:
    demos = load_all(Path(REAL) / "peract")
    assert len(demos) == 5
    assert {demo.task for demo in demos} == {"open_drawer"}
    assert len({demo.variation for demo in demos}) == 3
    assert all(demo.notes == () for demo in demos)


@real
def test_real_descriptions_that_are_an_observation() -> None:
    for demo in load_all(Path(REAL) / "upstream"):
        assert demo.instructions == ("reach target",)
        assert "variation_descriptions.pkl" in demo.notes[0]


@real
def test_real_keyframes() -> None:
    expected = json.loads((Path(REAL) / "expected_keyframes.json").read_text())
    seen = 0
    for part in ("paper", "lowdim", "upstream", "peract"):
        source = RLBenchSource(str(Path(REAL) / part))
        for ref in source.refs(EVERYTHING):
            demo = source.load(ref, ())
            told = expected[f"{part}/{ref.name}"]
            assert len(demo) == told["frames"]
            assert find_keyframes(demo) == told["keyframes"], ref.name
            seen += 1
    assert seen == 134


@real
def test_real_pictures_are_whole() -> None:
    source = RLBenchSource(str(Path(REAL) / "paper"))
    for ref in source.refs(EVERYTHING):
        demo = source.load(ref, ("front",))
        assert demo.image("front", len(demo) - 1).startswith(b"\x89PNG")
        assert source.broken_files(ref, ("front",)) == ()


@real
def test_real_damage_is_named() -> None:
    source = RLBenchSource(str(Path(REAL) / "damaged"))
    causes = {}
    for ref in source.refs(EVERYTHING):
        try:
            demo = source.load(ref, ("front",))
            for frame in range(len(demo)):
                demo.image("front", frame)
        except DemoError as error:
            short = ref.name.replace("reach_target/", "").replace("episodes/", "")
            causes[short] = (error.what, len(source.broken_files(ref, ("front",))))
    truncated = "low_dim_obs.pkl: damaged pickle (UnpicklingError: pickle data was truncated)"
    assert causes == {
        "variation1/episode0": ("front_rgb/0.png: empty file", 43),
        "variation1/episode9": (truncated, 82),
        "variation4/episode0": ("front_rgb/0.png: empty file", 44),
        "variation4/episode9": ("front_rgb/0.png: empty file", 62),
    }
