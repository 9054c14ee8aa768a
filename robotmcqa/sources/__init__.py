"""Where demos come from.

A source answers two questions: which demos are there (:meth:`DemoSource.refs`), and what is in
this one (:meth:`DemoSource.load`). :data:`SCHEMES` maps the scheme in ``--source scheme:rest`` to
the function that opens it; installed packages add their own through the entry-point group
``robotmcqa.sources``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from robotmcqa.demo import Demo
from robotmcqa.errors import UsageError

__all__ = ["SCHEMES", "DemoRef", "DemoSource", "Selection", "open_source"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which demos to take.

    Attributes:
        tasks: names, or empty for all.
        variation: one variation, or None for all.
        episodes: the first so many of each task, or None for all.
    """

    tasks: tuple[str, ...] = ()
    variation: int | None = None
    episodes: int | None = None


@dataclass(frozen=True, slots=True)
class DemoRef:
    """A demo that has not been loaded yet.

    Attributes:
        task: of the demo.
        variation: of the demo; None when only loading can tell.
        name: unique within the source and the same in every copy of it, e.g.
            ``"reach_target/variation0/episodes/episode3"``.
        locator: whatever the source needs to load it.
        revision: changes when the demo behind the ref changes.
    """

    task: str
    variation: int | None
    name: str
    locator: str
    revision: str = ""


class DemoSource(Protocol):
    """A place that demos come from. Must pickle: each worker process gets a copy."""

    @property
    def scheme(self) -> str:
        """E.g. ``"rlbench"``; recorded with the data set."""

    @property
    def location(self) -> str:
        """Where on this machine; used to tell runs apart, never published."""

    @property
    def licence(self) -> str:
        """SPDX identifier or sentence: what may be done with data made from these demos."""

    def tasks(self) -> list[str]:
        """Names of the tasks there are, sorted.

        Raises:
            SourceError: the source cannot be read.
        """

    def refs(self, selection: Selection) -> Iterator[DemoRef]:
        """The selected demos, ordered by task, variation and episode.

        Raises:
            SourceError: the source cannot be read, or has no such task.
        """

    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        """One demo. Its pictures are read when asked for.

        Args:
            ref: one of :meth:`refs`.
            cameras: those that will be asked for.

        Raises:
            DemoError: this demo cannot be used; others may.
        """

    @property
    def replayable(self) -> bool:
        """Whether :meth:`picture` gives, at any later time, what the loaded demo gave.

        True for demos on disk. Where it is False, pictures are kept from the first loading on.
        """

    def picture(self, ref: DemoRef, camera: str, frame: int) -> bytes:
        """PNG bytes of a demo that was loaded before; asked of replayable sources only.

        Raises:
            DemoError: the picture is not there any more.
        """

    def broken_files(self, ref: DemoRef, cameras: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """After a demo has failed: every broken file of it as (name, cause)."""


SCHEMES: Mapping[str, str] = {"rlbench": "robotmcqa.sources.rlbench:RLBenchSource"}
"""Scheme -> ``module:function`` that takes the part after the colon."""


def open_source(text: str) -> DemoSource:
    """The source that ``--source`` names, e.g. ``rlbench:/data/demos``.

    Raises:
        UsageError: no such scheme.
        SourceError: the source does not exist or cannot be read.
    """
    scheme, _, rest = text.partition(":")
    if scheme in SCHEMES:
        module, _, attribute = SCHEMES[scheme].partition(":")
        opener = getattr(import_module(module), attribute)
        return cast(DemoSource, opener(rest))
    plugins = {plugin.name: plugin for plugin in entry_points(group="robotmcqa.sources")}
    if scheme in plugins:
        opener = cast(Callable[[str], DemoSource], plugins[scheme].load())
        return opener(rest)
    if text == "auto":
        raise UsageError(
            "no simulator is installed that demos could come from",
            "--source rlbench:DIR reads saved RLBench demos",
        )
    known = ", ".join(f"{name}:..." for name in sorted({*SCHEMES, *plugins}))
    if Path(text).is_dir():
        raise UsageError(f"no source '{text}'", f"for saved RLBench demos: --source rlbench:{text}")
    raise UsageError(f"no source '{text}'", f"--source takes one of: {known}")
