"""Which mapping a data set has: the one that is named, or the preset whose columns these are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from robotmcqa.errors import MappingError
from robotmcqa.sources.lerobot.layout import Info
from robotmcqa.sources.lerobot.mapping import (
    PAGE,
    ColumnMapping,
    listed,
    load_mapping,
    preset,
    preset_names,
    preset_text,
)

__all__ = ["cameras_of", "choose_mapping", "fitting_presets"]


def choose_mapping(text: str | None, info: Info, where: str) -> tuple[ColumnMapping, str]:
    """The mapping for a data set, and why it is this one, in words.

    Args:
        text: what ``--mapping`` names; None to look for a preset that fits.
        info: of the data set.
        where: the data set, in messages.

    Raises:
        MappingError: the mapping is wrong, or not of this data set; or no preset fits, or several.
    """
    if text is not None:
        mapping = load_mapping(text)
        if mapping.preset:
            mapping = _without_absent(mapping, info)
        mapping.check(info)
        return mapping, text
    fitting = fitting_presets(info)
    if len(fitting) == 1:
        return _without_absent(preset(fitting[0]), info), f"{fitting[0]}, whose columns these are"
    if fitting:
        raise MappingError(
            f"{where}: several mappings fit its columns: {', '.join(fitting)}",
            f"say which: --mapping {fitting[0]}",
        )
    unsure = fitting_presets(info, unsure=True)
    if unsure:
        raise MappingError(
            f"{where}: its columns could be those of {', '.join(unsure)}, but do not tell what "
            f"their numbers are:\n{listed(info)}",
            f"--mapping {unsure[0]} if that is what it was made from; else write one ({PAGE})",
        )
    raise MappingError(
        f"{where}: no mapping that comes with robotmcqa fits its columns:\n{listed(info)}",
        "write into a YAML file which of them are position, rotation and gripper, and give it "
        f"with --mapping FILE ({PAGE}). It begins like this:\n"
        '  version: "1"\n'
        "  position: {column: observation.state, index: [0, 1, 2]}\n"
        "  rotation: {column: observation.state, index: [3, 4, 5, 6], format: quaternion_xyzw}\n"
        "  gripper: {column: observation.state, index: 7}",
    )


def fitting_presets(info: Info, unsure: bool = False) -> list[str]:
    """Presets made for data sets with these very columns; those for this very robot first of all.

    A preset that names no robot is asked only where none that names one fits. Those whose columns
    do not tell what they hold are left out, or are all that is asked for.
    """
    groups: tuple[list[str], list[str]] = ([], [])
    for name in preset_names():
        fits = _fits(name)
        if bool(fits.get("unsure")) == unsure and _matches(fits, info):
            groups["robot_types" not in fits].append(name)
    return groups[0] or groups[1]


@cache
def _fits(name: str) -> Mapping[str, Any]:
    return dict(yaml.safe_load(preset_text(name)).get("fits", {}))


def _matches(fits: Mapping[str, Any], info: Info) -> bool:
    if not fits:
        return False
    robots = [_plain(robot) for robot in fits.get("robot_types", [])]
    if robots and _plain(info.robot_type) not in robots:
        return False
    return (
        all(
            column in info.features and list(info.features[column].names) in _alternatives(names)
            for column, names in fits.get("names", {}).items()
        )
        and all(
            column in info.features and info.features[column].size == size
            for column, size in fits.get("sizes", {}).items()
        )
        and all(
            column in info.features and info.features[column].is_picture
            for column in fits.get("pictures", [])
        )
    )


def _alternatives(names: list[Any]) -> list[Any]:
    return names if isinstance(names[0], list) else [names]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _without_absent(mapping: ColumnMapping, info: Info) -> ColumnMapping:
    """A preset for this data set: cameras that it lacks are no mistake, nor are joints."""
    pictures = {name for name, one in info.features.items() if one.is_picture}
    kept = {name: column for name, column in mapping.cameras.items() if column in pictures}
    absent = [
        field
        for field in ("joint_positions", "joint_velocities")
        if field in mapping.document and mapping.document[field]["column"] not in info.features
    ]
    document = {name: one for name, one in mapping.document.items() if name not in absent}
    if "cameras" in document:
        document["cameras"] = kept
    gone: dict[str, Any] = dict.fromkeys(absent)
    return replace(mapping, document=document, cameras=kept, **gone)


def cameras_of(mapping: ColumnMapping, info: Info) -> dict[str, str]:
    """Camera -> column: those that the mapping names, then the others by the end of their name."""
    cameras = dict(mapping.cameras)
    named = set(cameras.values())
    for column, feature in info.features.items():
        if feature.is_picture and column not in named:
            short = column.rpartition(".")[2]
            cameras[column if short in cameras else short] = column
    return cameras
