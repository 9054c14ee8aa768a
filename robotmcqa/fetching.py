"""A data set that lies at a URL, copied here to be read.

Whatever checks, shows or publishes a data set reads all of it, most of it more than once: so it is
fetched first, and what an earlier fetch has left is used again where its hash is right.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import platformdirs

from robotmcqa.collection import manifests_in
from robotmcqa.errors import DatasetError
from robotmcqa.files import is_whole
from robotmcqa.places import answering, located, make_folder, move, temporary_beside
from robotmcqa.workplace import CARD, EVAL, MANIFEST, WORK

__all__ = ["fetched"]


def fetched(url: str) -> Path:
    """The folder that a data set, or a collection of them, has been copied into.

    Raises:
        UsageError: nothing here can read the URL.
        DatasetError: there is no finished data set.
        StoreError: the store refuses, fails, or cannot be reached.
    """
    place = located(url)
    if isinstance(place, Path):
        return place  # file://
    with answering(place):
        return _fetched(place)


def _fetched(place: Any) -> Path:
    root = place.path.rstrip("/")
    there = [key.removeprefix(root).lstrip("/") for key in place.fs.find(root)]
    manifests = manifests_in(there)
    if not manifests:
        begun = any(key.startswith(f"{WORK}/") for key in there)
        what, remedy = (
            ("the extraction was interrupted", "run the same robotmcqa extract with --resume")
            if begun
            else ("no data set here", "robotmcqa extract makes one; name its place")
        )
        raise DatasetError(f"{place}: {what}", remedy)
    name = hashlib.blake2b(str(place).encode(), digest_size=8).hexdigest()
    folder: Path = platformdirs.user_cache_path("robotmcqa") / "fetched" / name / place.name
    plain = {key for key in (CARD, EVAL) if key in there}
    listed = {}
    for manifest in manifests.values():
        prefix = manifest.removesuffix(MANIFEST)
        plain |= {manifest, f"{prefix}{CARD}"}
        for file in json.loads((place / manifest).read_bytes())["files"]:
            listed[f"{prefix}{file['path']}"] = file
    for key, file in listed.items():
        if not _kept(folder / key, file):
            _copy(place, folder, key)
    for key in sorted(plain - listed.keys()):
        _copy(place, folder, key)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in plain | listed.keys():
            path.unlink()
    return folder


def _kept(path: Path, file: dict[str, Any]) -> bool:
    try:
        return is_whole(path, file["bytes"], file["sha256"])
    except FileNotFoundError:
        return False


def _copy(place: Any, folder: Path, name: str) -> None:
    make_folder((folder / name).parent)
    temporary = temporary_beside(folder / name)
    try:
        place.fs.get_file((place / name).path, str(temporary))
        move(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)
