"""Demos to torment, and the seed of all moments."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import tree
from tests.factory import write_demos
from tests.torture.tools import Room, command, seconds_of


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Drawn anew each time; a failure prints the seed, and ``TORTURE_SEED`` repeats it."""
    seed = os.environ.get("TORTURE_SEED") or secrets.token_hex(4)
    print(f"TORTURE_SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks of twelve episodes with pictures. Read only."""
    folder = tmp_path_factory.mktemp("saved")
    write_demos(folder, {"reach_target": 12, "push_button": 12}, variations=2, size=64)
    return folder


class Job:
    """A command line, what it makes undisturbed, and how long that takes."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.words = words
        self.seconds = seconds_of(self.to(folder / "whole"))
        self.whole = folder / "whole"
        self.files = tree(self.whole)

    def to(self, out: Path, *more: object) -> list[str]:
        return command(*self.words, "--out", out, *more)


Jobs = Callable[[str], Job]

SIM = ("--source", "sim", "--task", "reach_target", "--episodes", 6, "--image-size", 64)


@pytest.fixture(scope="session")
def jobs(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """``jobs(name)``: made once, when first asked for."""
    source = ("--source", f"rlbench:{saved}")
    words: dict[str, tuple[object, ...]] = {
        "saved": ("extract", *source, "--workers", 1),
        "saved by two": ("extract", *source, "--workers", 2),
        "simulated": ("extract", *SIM, "--workers", 2),
        "recorded": ("record", *SIM, "--workers", 2),
    }
    known: dict[str, Job] = {}

    def job(name: str) -> Job:
        if name not in known:
            known[name] = Job(tmp_path_factory.mktemp("whole"), *words[name])
        return known[name]

    return job


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Callable[[int], Room]]:
    """``room(size)``: a small disk."""
    rooms: list[Room] = []

    def make(size: int) -> Room:
        rooms.append(Room(tmp_path / f"room{len(rooms)}", size))
        return rooms[-1]

    yield make
    for one in rooms:
        one.close()
