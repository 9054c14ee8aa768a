"""Where saved RLBench demos lie: from a folder to references, without reading a demo.

Two layouts exist::

    ROOT/<task>/variation<N>/variation_descriptions.pkl
    ROOT/<task>/variation<N>/episodes/episode<K>/low_dim_obs.pkl, front_rgb/0.png, ...
    ROOT/<task>/all_variations/episodes/episode<K>/ the same, with variation_number.pkl and
                                                    variation_descriptions.pkl inside

A path may be ROOT, a task, a variation or one episode.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from robotmcqa.errors import DemoError, SourceError
from robotmcqa.files import printable
from robotmcqa.ground_truth import GROUND_TRUTH
from robotmcqa.sources import DemoRef
from robotmcqa.sources.rlbench_pickle import read_pickle_file, read_safely

__all__ = [
    "DESCRIPTIONS",
    "LOW_DIM",
    "RECORDING",
    "VARIATION_NUMBER",
    "find_episodes",
    "find_variations",
    "numbered",
    "recorded_by",
]

RECORDING = "recording.json"
"""Written by ``robotmcqa record`` beside the tasks: which demo lies where, and how it was made."""

LOW_DIM = "low_dim_obs.pkl"
DESCRIPTIONS = "variation_descriptions.pkl"
VARIATION_NUMBER = "variation_number.pkl"
ALL_VARIATIONS = "all_variations"

_VARIATION = re.compile(r"variation(\d+)")
_EPISODE = re.compile(r"episode(\d+)")

_LAYOUT = "RLBench's layout is ROOT/<task>/variation<N>/episodes/episode<K>"


def find_variations(path: Path) -> list[tuple[str, Path]]:
    """(task, folder that holds ``episodes``) for every variation, at whichever depth.

    Raises:
        SourceError: there are none, or a folder cannot be read.
    """
    here = path
    if os.access(here / LOW_DIM, os.F_OK) and not _EPISODE.fullmatch(here.name):
        raise SourceError(f"{here} holds a demo, but nothing tells its task", _LAYOUT)
    if _EPISODE.fullmatch(here.name):
        here = here.parent.parent
    if os.path.isdir(here / "episodes"):
        return [(printable(here.parent.name), here)]
    below = list(_variation_folders(here))
    if not below:
        below = [folder for task in _subfolders(here) for folder in _variation_folders(task)]
    if not below:
        raise SourceError(f"{here}: no demos there", _where_instead(here))
    return [(printable(folder.parent.name), folder) for folder in below]


def find_episodes(path: Path, task: str, variation: Path) -> list[DemoRef]:
    """The episodes below one of the variation folders, by number.

    Args:
        path: that was asked for; if it is one episode, only that one is found.
        task, variation: one of :func:`find_variations`.
    """
    named = _VARIATION.fullmatch(variation.name)
    only = path.name if _EPISODE.fullmatch(path.name) else None
    return [
        DemoRef(
            task=task,
            variation=int(named[1]) if named else _stored_variation(folder),
            name=f"{task}/{variation.name}/episodes/{folder.name}",
            locator=str(folder),
            revision=_revision(
                folder / LOW_DIM,
                folder / VARIATION_NUMBER,
                folder / DESCRIPTIONS,
                variation / DESCRIPTIONS,
                folder / GROUND_TRUTH,
            ),
        )
        for folder in numbered(variation / "episodes", _EPISODE)
        if only in (None, folder.name)
    ]


def recorded_by(path: Path) -> tuple[str, str] | None:
    """Scheme of the simulator whose demos ``robotmcqa record`` has written, and their licence.

    None unless ``path`` is what it has written to, and every demo there is one of its own.
    """
    try:
        recording = json.loads((path / RECORDING).read_bytes())
        known = set(recording["episodes"])
        scheme, licence = recording["scheme"], recording["licence"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    found = {
        ref.name
        for task, variation in find_variations(path)
        for ref in find_episodes(path, task, variation)
    }
    stated = isinstance(scheme, str) and isinstance(licence, str)
    return (scheme, licence) if stated and found <= known else None


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in _entries(folder) if os.path.isdir(entry))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(
            f"{folder}: {error.strerror}", "check the path and its permissions"
        ) from None


def _where_instead(here: Path) -> str:
    """A remedy: folders one level down that do hold tasks, or the other kind of source that this
    is, or else the layout that is looked for."""
    roots = []
    for root in _subfolders(here):
        with suppress(SourceError):  # a folder that may not be read is no suggestion
            if any(any(_variation_folders(task)) for task in _subfolders(root)):
                roots.append(root)
    if roots:
        return "demos are one level down: " + ", ".join(f"rlbench:{root}" for root in roots[:5])
    if (here / "meta/info.json").exists():
        return f"it is a LeRobot data set: lerobot:{here}"
    return _LAYOUT


def _variation_folders(task: Path) -> Iterator[Path]:
    for folder in _subfolders(task):
        if folder.name == ALL_VARIATIONS or _VARIATION.fullmatch(folder.name):
            yield folder


def numbered(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Entries whose whole name fits ``pattern``, by number; none if there is no such folder.

    Raises:
        SourceError: the folder cannot be read.
    """
    if not os.path.isdir(folder):
        return []
    found = [
        (int(match[1]), entry)
        for entry in _entries(folder)
        if (match := pattern.fullmatch(entry.name))
    ]
    return [entry for _, entry in sorted(found)]


def _revision(*paths: Path) -> str:
    """Changes when one of the files is written, appears or goes."""
    stats = []
    for path in paths:
        try:
            stat = path.stat()
            stats.append(f"{stat.st_size}-{stat.st_mtime_ns}")
        except OSError:
            stats.append("missing")
    return " ".join(stats)


def _stored_variation(folder: Path) -> int | None:
    """What ``variation_number.pkl`` says; None if it is missing or says no number."""
    path = folder / VARIATION_NUMBER
    try:
        return read_safely(_number, path, files=(path,))
    except DemoError:
        return None


def _number(path: Path) -> int | None:
    stored = read_pickle_file(path)
    return stored if type(stored) is int and 0 <= stored < 2**31 else None
