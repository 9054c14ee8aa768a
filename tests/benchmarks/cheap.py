"""A source whose demos cost next to nothing, for measuring what everything else costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from robotmcqa.demo import Demo
from robotmcqa.errors import DemoError
from robotmcqa.sources import DemoRef, Selection
from tests.factory import TASKS, make_demo

VARIATIONS = 3
ITEMS_PER_DEMO = 26
"""About; of all three families, with every tenth frame."""


@dataclass(frozen=True)
class Cheap:
    """The factory's demos without pictures, the tasks in turn.

    Attributes:
        first: number of the first demo; later ones are others.
    """

    first: int = 0

    scheme = "cheap"
    location = ""
    licence = "made up"
    cameras: tuple[str, ...] = ()
    replayable = True

    def settings(self) -> Mapping[str, Any]:
        return {"first": self.first}

    def drawn_by(self) -> str:
        return "nobody"

    def tasks(self) -> list[str]:
        return sorted(TASKS)

    def variations(self, task: str) -> int:
        return VARIATIONS

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        assert selection.episodes is not None
        for task in self.tasks():
            for number in range(self.first, self.first + selection.episodes):
                yield DemoRef(task, number % VARIATIONS, f"{task}/demo{number}", str(number))

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        return make_demo(ref.task, int(ref.locator), ref.variation or 0, cameras=())

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        raise DemoError("there are no pictures")

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return ()
