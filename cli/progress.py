"""A progress bar on stderr."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .interrupts import check


class Bars:
    """One bar per stage: episodes, questions, failures, time left.

    On a terminal it is drawn live and stays when done; elsewhere nothing is written.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:24}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            TextColumn("{task.fields[extra]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None
        self._items = self._failures = 0

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, name: str, total: int, unit: str = "demos") -> None:
        """A step begins."""
        self._items = self._failures = 0
        self._bar = self._progress.add_task(name, total=total, unit=unit, extra="")

    def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None:
        """So many more are done."""
        check()
        if self._bar is None:
            return
        self._items += items
        self._failures += failures
        extra = [f"{self._items} questions"] if self._items else []
        extra += [f"{self._failures} failed"] if self._failures else []
        self._progress.update(self._bar, advance=episodes, extra=", ".join(extra))
