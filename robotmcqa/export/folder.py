"""The folder of an export: whole under its name, or not there.

All is written into a hidden folder beside it, which then takes its name. Whatever a run is stopped
by, the name shows what was there before or what is new, never half of it; a killed run's leavings
are cleared away by the next one to the same place.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from robotmcqa.errors import UsageError
from robotmcqa.places import fsync

__all__ = ["MARK", "new_folder"]

MARK = ".robotmcqa-export.json"
"""Tells an export, which ``--overwrite`` may replace, from a folder of somebody else's."""

_ELSEWHERE = "--out takes a new or empty folder"


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder to write into, which becomes ``out`` at the end of the block.

    Raises:
        UsageError: ``out`` holds something that may not be replaced, cannot be written, or another
            export is being written there.
    """
    out = out.resolve()
    _refuse_occupied(out, overwrite)
    work = out.with_name(f".{out.name}.exporting")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", _ELSEWHERE) from None
    try:
        with FileLock(work / "lock", timeout=0):
            try:
                _tidy(work, out)
                _refuse_occupied(out, overwrite)  # again: another export may have ended meanwhile
                (work / "new").mkdir()
                yield work / "new"
                _put_in_place(work, out)
            finally:
                _tidy(work, out)
                shutil.rmtree(work)
    except Timeout:
        raise UsageError(
            f"another export is being written to {out}", "wait for it, or use another --out"
        ) from None


def _tidy(work: Path, out: Path) -> None:
    """Delete what is half or has been replaced; put back what was to be replaced and was not."""
    if (work / "old").exists():
        if out.exists():
            shutil.rmtree(work / "old")
        else:
            os.replace(work / "old", out)
    if (work / "new").exists():
        shutil.rmtree(work / "new")


def _refuse_occupied(out: Path, overwrite: bool) -> None:
    if not out.name or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is no folder that can be made", _ELSEWHERE)
    there = {entry.name for entry in out.iterdir()} if out.exists() else set()
    if not there:
        return
    ours = _entries(out)
    if not ours:
        raise UsageError(f"{out} is not empty, and no export of robotmcqa", _ELSEWHERE)
    if not overwrite:
        raise UsageError(
            f"{out} already holds an export", "--overwrite replaces it; --out writes elsewhere"
        )
    foreign = sorted(there.difference(ours))
    if foreign:
        raise UsageError(
            f"{out} holds more than the export that would be replaced: {', '.join(foreign[:3])}",
            "move it away, or write to another --out",
        )


def _entries(out: Path) -> list[str]:
    """Names of what an export has written into a folder; none where it is not one."""
    try:
        return [str(name) for name in json.loads((out / MARK).read_text("utf-8"))["entries"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _put_in_place(work: Path, out: Path) -> None:
    new = work / "new"
    with ThreadPoolExecutor(8) as several:  # disks take fsyncs together ten times as fast
        deque(several.map(fsync, (new, *new.rglob("*"))), maxlen=0)
    if out.exists():
        os.replace(out, work / "old")
    os.replace(new, out)
    fsync(out.parent)
