"""Sources that other packages bring, through the entry-point group ``robotmcqa.sources``.

A plugin is somebody else's program: it may fail in any way, and none of them is a reason for ours
to show a trace, or to refuse a source that has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

from robotmcqa.errors import RobotMCQAError, SourceError

if TYPE_CHECKING:
    from robotmcqa.sources import DemoSource, SourceOptions

__all__ = ["open_plugin", "plugin_problem", "plugins"]

_NAMES = (
    *("scheme", "location", "licence", "replayable"),
    *("tasks", "refs", "load", "picture", "broken_files"),
)
"""Of :class:`~robotmcqa.sources.DemoSource`."""


def plugins() -> dict[str, EntryPoint]:
    """Scheme -> the entry point that opens it. Nothing of them is imported."""
    return {plugin.name: plugin for plugin in entry_points(group="robotmcqa.sources")}


def plugin_problem(plugin: EntryPoint) -> str | None:
    """Why a plugin cannot be used, None if it can be; imports it."""
    try:
        _opener(plugin)
    except SourceError as error:
        return error.what
    return None


def open_plugin(plugin: EntryPoint, rest: str, options: SourceOptions) -> DemoSource:
    """The source that a plugin opens.

    Raises:
        RobotMCQAError: whatever the plugin refuses.
        SourceError: the plugin cannot be imported, fails, or gives something that is no source.
    """
    opener = _opener(plugin)
    try:
        source: DemoSource = opener(rest, options)
    except RobotMCQAError:
        raise
    except Exception as error:
        raise SourceError(
            f"source {plugin.name}:{rest} cannot be opened: {type(error).__name__}: {error}",
            f"{_named(plugin)} has failed, not robotmcqa: ask its authors",
        ) from error
    absent = [name for name in _NAMES if getattr_static(source, name, None) is None]
    if absent:
        raise SourceError(
            f"source {plugin.name}: gives a {type(source).__name__} without {', '.join(absent)}",
            "docs/sources.md shows a whole source",
        )
    return source


def _opener(plugin: EntryPoint) -> Callable[..., Any]:
    try:
        opener = plugin.load()
    except Exception as error:
        raise SourceError(
            f"source {plugin.name}: cannot be imported: {type(error).__name__}: {error}",
            f"mend or uninstall {_named(plugin)}",
        ) from error
    if not callable(opener):
        raise SourceError(
            f"source {plugin.name}: {plugin.value} is no function",
            f"mend or uninstall {_named(plugin)}",
        )
    found: Callable[..., Any] = opener
    return found


def _named(plugin: EntryPoint) -> str:
    """The package that a plugin comes with."""
    return f"the package {plugin.dist.name}" if plugin.dist else f"the plugin {plugin.value}"
