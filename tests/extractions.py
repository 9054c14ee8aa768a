"""Data sets as they lie on disk, the demos they came from, and demos that a test breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robotmcqa import open_source
from robotmcqa.demo import Demo
from robotmcqa.sources import Selection

FAMILIES = ("waypoint", "current_state", "motion")


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "meta/manifest.json").read_text("utf-8"))
    return document


def failures_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "meta/failures.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def loaded(folder: Path) -> dict[str, tuple[Demo, Path]]:
    """Episode id -> the demo and its folder."""
    source = open_source(f"rlbench:{folder}")
    found = {}
    for ref in source.refs(Selection()):
        demo = source.load(ref, ())
        found[demo.digest()] = (demo, Path(ref.locator))
    return found


def episode(folder: Path, number: int) -> Path:
    return folder / f"reach_target/variation0/episodes/episode{number}"


def broken(folder: Path) -> None:
    """Two of five demos: a cut pickle, and three damaged pictures (one of them never asked for)."""
    pickle = episode(folder, 1) / "low_dim_obs.pkl"
    pickle.write_bytes(pickle.read_bytes()[:-100])
    for frame in (10, 11, 50):
        (episode(folder, 3) / f"front_rgb/{frame}.png").write_bytes(b"")
