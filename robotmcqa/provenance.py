"""How a data set was made, without a path, a host or a time in it."""

from __future__ import annotations

import hashlib
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from robotmcqa import __version__
from robotmcqa.sources import DemoSource, Recorded, Selection, settings_of
from robotmcqa.spec import FAMILY_NAMES, PRESETS, Spec

__all__ = ["command", "provenance", "selection_document", "versions"]


def provenance(
    source: DemoSource,
    selection: Selection,
    spec: Spec,
    *,
    demos: int,
    episodes: Iterable[str],
    references: Iterable[str] = (),
) -> dict[str, Any]:
    """``meta/provenance.json`` (``schemas/v1/provenance.schema.json``).

    Args:
        source, selection, spec: of the data set.
        demos: how many were looked at.
        episodes: ids of those that are in the data set.
        references: ids of those that distractors were drawn from beside them.
    """
    of_source: dict[str, Any] = {
        "scheme": source.scheme,
        "licence": source.licence,
        **_counted(episodes),
        "demos": demos,
    }
    if isinstance(source, Recorded) and source.recorded_by:
        of_source["recorded_by"] = source.recorded_by
    if settings := settings_of(source):
        of_source["settings"] = settings
    if (counted := _counted(references))["episodes"]:
        of_source["references"] = counted
    return {
        "version": "1",
        "source": of_source,
        "selection": selection_document(selection),
        "command": command(source, selection, spec),
        "versions": dict(versions()),
    }


def _counted(episodes: Iterable[str]) -> dict[str, Any]:
    """How many, and a digest of their ids."""
    ids = sorted(episodes)
    digest = hashlib.blake2b("\n".join(ids).encode(), digest_size=8, person=b"robotmcqa.source")
    return {"episodes": len(ids), "digest": digest.hexdigest()}


@lru_cache(maxsize=1)
def versions() -> tuple[tuple[str, str], ...]:
    """Name and version of everything that decides the bytes, whatever the source."""
    python = ".".join(platform.python_version_tuple()[:2])  # patches of it change no byte
    packages = ("numpy", "pyarrow")
    return (
        ("python", python),
        ("robotmcqa", __version__),
        *((name, version(name)) for name in packages),
    )


def selection_document(selection: Selection) -> dict[str, Any]:
    """The selection as JSON."""
    return {
        "tasks": sorted(selection.tasks) or "all",
        "variation": "all" if selection.variation is None else selection.variation,
        "episodes": "all" if selection.episodes is None else selection.episodes,
    }


def command(source: DemoSource, selection: Selection, spec: Spec) -> str:
    """The command line that makes these questions from a folder of these demos.

    One that was run as a library with different seeds for the source and the spec has none; the
    settings of the source tell.
    """
    return shlex.join(["robotmcqa", "extract", *_arguments(source, selection, spec)])


def _arguments(source: DemoSource, selection: Selection, spec: Spec) -> Iterator[str]:
    settings = settings_of(source)
    yield from ("--source", _named(source, settings))
    if "mapping" in settings:
        yield from ("--mapping", settings.get("mapping_preset", "mapping.yaml"))
    for task in sorted(selection.tasks) or ["all"]:
        yield from ("--task", task)
    if selection.variation is not None:
        yield from ("--variation", str(selection.variation))
    if selection.episodes is not None:
        yield from ("--episodes", str(selection.episodes))
    if "image_size" in settings:
        yield from ("--image-size", str(settings["image_size"]))
    if settings.get("shadows"):
        yield "--shadows"
    if settings.get("renderer") == "opengl3":
        yield from ("--renderer", "opengl3")
    default = Spec()
    preset = _closest_preset(spec)
    if preset != "paper":
        yield from ("--preset", preset)
    if spec.families != FAMILY_NAMES:
        for family in spec.families:
            yield from ("--family", family)
    if not spec.cameras:
        yield "--no-images"
    elif spec.cameras != default.cameras:
        for camera in spec.cameras:
            yield from ("--camera", camera)
    flags: tuple[tuple[str, Any, Any], ...] = (
        ("--format", spec.format, default.format),
        ("--choices", spec.choices, default.choices),
        ("--distractors", spec.distractors, PRESETS[preset]["distractors"]),
        ("--state", spec.state, PRESETS[preset]["state"]),
        ("--motion-state", spec.motion_state, default.motion_state),
        ("--min-displacement", spec.min_displacement / 1000, 0),
        ("--separation", spec.separation / 1000, default.separation / 1000),
        ("--dead-band", spec.dead_band / 1000, 0),
        ("--stride", spec.stride, default.stride),
        ("--keyframes", spec.keyframes, default.keyframes),
        ("--seed", spec.seed, default.seed),
        ("--test-fraction", spec.test_fraction, default.test_fraction),
    )
    for flag, value, usual in flags:
        if value != usual:
            yield from (flag, str(value))
    if spec.scene.document != default.scene.document:
        yield from ("--metadata", f"{spec.scene.name}.json")
    for family in sorted(spec.templates):
        yield from ("--template", f"{family}={family}.jinja")


def _named(source: DemoSource, settings: Mapping[str, Any]) -> str:
    """The source as ``--source`` names it; a folder's own name is nobody's business."""
    if "repo" in settings:
        return f"{source.scheme}:hf://{settings['repo']}@{settings['revision']}"
    return f"{source.scheme}:DIR" if source.location else source.scheme


def _closest_preset(spec: Spec) -> str:
    grounded = PRESETS["grounded"]
    same = spec.distractors == grounded["distractors"] and spec.state == grounded["state"]
    return "grounded" if same else "paper"
