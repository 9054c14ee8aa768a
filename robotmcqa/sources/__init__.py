"""Where demos come from.

A source answers two questions: which demos are there (:meth:`DemoSource.refs`), and what is in
this one (:meth:`DemoSource.load`). :data:`SCHEMES` maps the scheme in ``--source scheme:rest`` to
the function that opens it; installed packages add their own through the entry-point group
``robotmcqa.sources``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

from robotmcqa.demo import Demo
from robotmcqa.errors import UsageError
from robotmcqa.sources.live_options import LiveOptions
from robotmcqa.sources.plugins import open_plugin, plugins

if TYPE_CHECKING:
    from robotmcqa.scene import SceneMetadata

__all__ = [
    "SCHEMES",
    "SIMULATED_EPISODES",
    "AutoChoice",
    "Configured",
    "DemoRef",
    "DemoSource",
    "Mapped",
    "Recorded",
    "Releasable",
    "Selection",
    "Simulated",
    "SourceOptions",
    "SuppliesReferences",
    "check_cameras",
    "choose_auto",
    "open_source",
    "release",
    "reproducible",
    "resolved",
    "settings_of",
]

SIMULATED_EPISODES = 10
"""Demos of each task that a simulator makes where no number is asked for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which demos to take.

    Attributes:
        tasks: names, or empty for all.
        variation: one variation, or None for all.
        episodes: the first so many of each task, or None for all. A simulator could go on for
            ever: None is made a number by :func:`resolved` before it is asked.
    """

    tasks: tuple[str, ...] = ()
    variation: int | None = None
    episodes: int | None = None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How demos are to be made or read.

    Attributes:
        seed: of all that is drawn while making them.
        image_size: width and height of pictures in pixels; None for the source's own.
        shadows: draw shadows.
        live: what RLBench's own simulator takes beside them.
        mapping: which columns are what, for sources that are tables: a file or a preset.
    """

    seed: int = 0
    image_size: int | None = None
    shadows: bool = False
    live: LiveOptions = field(default_factory=LiveOptions)
    mapping: str | None = None


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


@runtime_checkable
class Configured(Protocol):
    """A source whose demos something decides beside the selection."""

    def settings(self) -> Mapping[str, Any]:
        """What that is, as JSON without a path: recorded with the data set.

        Whatever would give other demos under the same arguments. A run is resumed under equal
        settings only.
        """


@runtime_checkable
class Mapped(Configured, Protocol):
    """A source of tables, whose columns mean what a mapping says.

    Its ``settings()`` hold the mapping in effect as ``mapping``.
    """

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that there are columns of."""

    @property
    def scene(self) -> SceneMetadata | None:
        """The scene that the mapping brings along, where it does."""

    def mapped_by(self) -> str:
        """Which mapping is in effect, and why, in words for people."""

    def check_readable(self, cameras: tuple[str, ...]) -> None:
        """Have a package that their pictures need, and that is missing, known before the first.

        Raises:
            UsageError: it is not installed.
        """


@runtime_checkable
class Simulated(Protocol):
    """What a source has beside :class:`DemoSource` when it makes demos instead of reading them."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that pictures can be taken with."""

    def variations(self, task: str) -> int:
        """How many variations a task has, numbered from 0; there are demos of each without end.

        Raises:
            SourceError: there is no such task.
        """

    def settings(self) -> Mapping[str, Any]:
        """What decides the demos beside the selection, as JSON: recorded with the data set.

        ``image_size``, ``shadows`` and ``seed`` as they are in effect, and whatever else would
        make other demos under the same arguments, such as the version of an engine. A run is
        resumed under equal settings only. ``reproducible`` is False where nothing decides them:
        then a demo that failed may be made after all when it is asked for again.
        """

    def drawn_by(self) -> str:
        """What draws the pictures on this machine, and why, in words for people.

        Raises:
            UsageError: nothing can.
        """


@runtime_checkable
class SuppliesReferences(Protocol):
    """A source that can make demos to draw distractors from, which are never in a data set."""

    def references(self, task: str, selection: Selection, count: int) -> Iterator[DemoRef]:
        """``count`` demos of a task that :meth:`DemoSource.refs` never gives.

        They are loaded without cameras: only states are asked of them.

        Args:
            task: one of :meth:`DemoSource.tasks`.
            selection: of the data set; references are of its variations.
            count: how many.
        """


@runtime_checkable
class Releasable(Protocol):
    """A source that keeps something running in each process that loads from it."""

    def release(self) -> None:
        """End what this process keeps running; called after its last demo."""


@runtime_checkable
class Recorded(Protocol):
    """A source whose demos may be recordings of another one."""

    @property
    def recorded_by(self) -> str | None:
        """Scheme of the simulator that made the demos and gave them its licence, where one did."""


SCHEMES: Mapping[str, str] = {
    "lerobot": "robotmcqa.sources.lerobot:open_lerobot",
    "rlbench": "robotmcqa.sources.rlbench:open_rlbench",
    "rlbench-live": "robotmcqa.sources.rlbench_live:open_rlbench_live",
    "sim": "robotmcqa.sources.sim:open_sim",
}
"""Scheme -> ``module:function`` that takes the part after the colon and the options."""

Opener = Callable[[str, SourceOptions], DemoSource]


class AutoChoice(NamedTuple):
    """What ``--source auto`` stands for, and why."""

    source: str
    why: str


def choose_auto() -> AutoChoice:
    """The source that ``auto`` stands for here: live RLBench where all of it is there."""
    from robotmcqa.sources.rlbench_install import missing

    lacking = missing()
    if lacking:
        names = ", ".join(piece.what for piece in lacking)
        return AutoChoice("sim", f"the embedded simulator; live RLBench lacks {names}")
    return AutoChoice(
        "rlbench-live",
        "RLBench, PyRep and CoppeliaSim are installed; --source sim is the embedded simulator",
    )


def open_source(text: str, options: SourceOptions = SourceOptions()) -> DemoSource:
    """The source that ``--source`` names, e.g. ``sim`` or ``rlbench:/data/demos``.

    Args:
        text: ``scheme`` or ``scheme:rest``, or ``auto``.
        options: how demos are to be made or read.

    Raises:
        UsageError: no such scheme, or it does not take these options.
        SourceError: the source does not exist or cannot be read.
    """
    if text == "auto":
        text = choose_auto().source
    scheme, _, rest = text.partition(":")
    if scheme != "rlbench-live":
        options.live.refuse(text)
    if options.mapping is not None and scheme in SCHEMES and scheme != "lerobot":
        raise UsageError(
            f"--mapping with {scheme}: its demos need none", "leave --mapping out, or lerobot:DIR"
        )
    if scheme in SCHEMES:
        module, _, attribute = SCHEMES[scheme].partition(":")
        return cast(Opener, getattr(import_module(module), attribute))(rest, options)
    others = plugins()
    if scheme in others:
        return open_plugin(others[scheme], rest, options)
    if Path(text).is_dir():
        kind = "lerobot" if Path(text, "meta/info.json").exists() else "rlbench"
        name = "a LeRobot data set" if kind == "lerobot" else "saved RLBench demos"
        raise UsageError(f"no source '{text}'", f"for {name}: --source {kind}:{text}")
    known = ", ".join(
        [
            *("auto", "sim", "rlbench:DIR", "rlbench-live", "lerobot:DIR"),
            *(f"{name}:..." for name in sorted(others)),
        ]
    )
    what = f"no source '{text}'" + (", and no such folder" if "/" in text else "")
    raise UsageError(what, f"--source takes one of: {known}")


def resolved(source: DemoSource, selection: Selection) -> Selection:
    """The selection with a number of episodes where the source has no end of them."""
    if isinstance(source, Simulated) and selection.episodes is None:
        return replace(selection, episodes=SIMULATED_EPISODES)
    return selection


def check_cameras(source: DemoSource, cameras: tuple[str, ...]) -> None:
    """Have a missing camera known before the first demo is made or read.

    RLBench's saved demos may differ in their cameras, so each of those is asked when it is read.

    Raises:
        UsageError: the source has no such camera.
    """
    if isinstance(source, (Simulated, Mapped)):
        for camera in cameras:
            if camera not in source.cameras:
                if not source.cameras:
                    raise UsageError(f"there are no pictures in {source.scheme}", "--no-images")
                raise UsageError(
                    f"no camera '{camera}' in {source.scheme}",
                    f"--camera takes one of: {', '.join(source.cameras)}",
                )
    if cameras and isinstance(source, Mapped):
        source.check_readable(cameras)


def settings_of(source: DemoSource) -> dict[str, Any]:
    """What decides a source's demos beside the selection; nothing for most saved ones."""
    return dict(source.settings()) if isinstance(source, Configured) else {}


def reproducible(source: DemoSource) -> bool:
    """Whether a source gives the same demos again."""
    return bool(settings_of(source).get("reproducible", True))


def release(source: DemoSource) -> None:
    """End what a source keeps running in this process."""
    if isinstance(source, Releasable):
        source.release()
