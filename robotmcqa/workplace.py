"""The output folder while a run works in it: lock, unfinished work, publication.

Everything unfinished lies in ``OUT/.extract``. A data set appears in OUT by renames, its manifest
last; without a manifest there is no data set. Whatever moment a run is killed at, the next one
finds either the old data set, or unfinished work that ``--resume`` goes on with.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from robotmcqa.errors import UsageError
from robotmcqa.files import fsync, is_refusal, json_text, move_into_place, write_text

__all__ = ["CARD", "EVAL", "MANIFEST", "WORK", "Workplace", "open_workplace"]

WORK = ".extract"
MANIFEST = "meta/manifest.json"
CARD = "README.md"
EVAL = "eval.yaml"

_START_AGAIN = "--overwrite starts again; --out DIR writes elsewhere"


@dataclass(frozen=True, slots=True)
class Workplace:
    """A locked output folder.

    Attributes:
        out: the data set's folder.
        complete: the data set there is already the one asked for.
    """

    out: Path
    complete: bool = False

    @property
    def work(self) -> Path:
        return self.out / WORK

    @property
    def episodes(self) -> Path:
        """Spooled episodes."""
        return self.work / "episodes"

    @property
    def references(self) -> Path:
        """Spooled reference episodes."""
        return self.work / "references"

    @property
    def shards(self) -> Path:
        """What is known of each finished shard."""
        return self.work / "shards"

    @property
    def publish(self) -> Path:
        """The data set to be, laid out as it will lie in ``out``."""
        return self.work / "publish"

    def put_in_place(self) -> None:
        """Move ``publish`` into ``out``, manifest last, and clear the work away.

        May be repeated after an interruption: what has been moved already is simply not there.
        """
        (self.out / MANIFEST).unlink(missing_ok=True)
        new = json.loads((self.publish / MANIFEST).read_text("utf-8"))
        wanted = {file["path"] for file in new["files"]}
        for stale in sorted((*self.out.glob("data/*.parquet"), *self.out.glob("assets/*"))):
            if stale.relative_to(self.out).as_posix() not in wanted:
                stale.unlink()
        if EVAL not in wanted:
            (self.out / EVAL).unlink(missing_ok=True)
        for name in (CARD, *sorted(wanted)):
            (self.out / name).parent.mkdir(exist_ok=True)
            if (self.publish / name).exists():
                os.replace(self.publish / name, self.out / name)
        for folder in sorted({(self.out / name).parent for name in (CARD, *wanted)}):
            fsync(folder)
        move_into_place(self.publish / MANIFEST, self.out / MANIFEST)
        fsync(self.out / "meta")
        (self.work / "plan.json").unlink()  # first: without it nothing looks unfinished
        shutil.rmtree(self.work)


@contextmanager
def open_workplace(
    out: Path, plan: dict[str, Any], *, resume: bool, overwrite: bool
) -> Iterator[Workplace]:
    """Lock ``out`` and make it ready for the run that ``plan`` describes.

    Raises:
        UsageError: another run works there; it holds something that was not asked to be resumed
            or replaced; or what it holds was begun with another plan.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", "give one of them")
    try:
        str(out.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{str(out).encode('utf-8', 'backslashreplace').decode()}: a name that is no UTF-8",
            "--out takes a folder whose path can be written down",
        ) from None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", "--out takes a folder to write to") from None
    _refuse_foreign(out)
    work = out / WORK
    try:
        work.mkdir(exist_ok=True)
        with FileLock(work / "lock", timeout=0):
            try:
                if overwrite:
                    _clear(work)
                elif not resume:
                    _refuse_occupied(out)
                place = _prepared(out, plan)
            except UsageError:
                if not (work / "plan.json").exists():
                    shutil.rmtree(work)  # nothing but our own lock
                raise
            yield place
    except Timeout:
        raise UsageError(
            f"another extraction is working in {out}", "wait for it, or use another --out"
        ) from None
    except OSError as error:
        if not is_refusal(error):
            raise
        raise UsageError(
            f"{error.filename}: {error.strerror}", "--out takes a folder to write to"
        ) from None


def _refuse_occupied(out: Path) -> None:
    if (out / WORK / "plan.json").exists():
        raise UsageError(
            f"{out} holds an interrupted extraction", f"--resume goes on with it; {_START_AGAIN}"
        )
    if (out / MANIFEST).exists():
        raise UsageError(
            f"{out} already holds a data set",
            "--overwrite replaces it; --out DIR writes elsewhere",
        )


def _prepared(out: Path, plan: dict[str, Any]) -> Workplace:
    place = Workplace(out)
    begun = place.work / "plan.json"
    if begun.exists():
        before = json.loads(begun.read_text("utf-8"))
        # Demos may have been mended, added or removed since; an overwrite is resumed without it.
        same = {"demos": plan["demos"], "overwrite": plan["overwrite"]}
        _refuse_change({**before, **same}, plan, f"the extraction in {out}")
    elif (out / MANIFEST).exists() and (out / "meta/provenance.json").exists():
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
        made = json.loads((out / "meta/provenance.json").read_text("utf-8"))
        if not plan["overwrite"]:
            there = {
                "robotmcqa": manifest["generator"].removeprefix("robotmcqa "),
                "spec": manifest["spec"],
                "scheme": made["source"]["scheme"],
                "settings": made["source"].get("settings", {}),
                "selection": made["selection"],
                "demos": made["source"]["demos"],
            }
            _refuse_change(there, {name: plan[name] for name in there}, f"the data set in {out}")
            shutil.rmtree(place.work, ignore_errors=True)
            return Workplace(out, complete=True)
    publish = place.publish
    spools = (place.episodes, place.references)
    for folder in (*spools, place.shards, publish / "data", publish / "meta"):
        folder.mkdir(parents=True, exist_ok=True)
    for half in place.publish.rglob(".*.tmp"):  # of a run that was killed while writing it
        half.unlink()
    if not begun.exists():
        write_text(begun, json_text(plan))
    return place


def _refuse_foreign(out: Path) -> None:
    if (out / MANIFEST).exists() or (out / WORK).exists():
        return
    foreign = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith("."))
    if foreign:
        raise UsageError(
            f"{out} is not empty and holds no data set of robotmcqa ({', '.join(foreign[:3])} ...)",
            "--out takes a new or empty folder",
        )


def _refuse_change(before: dict[str, Any], now: dict[str, Any], what: str) -> None:
    changes = [f"{name}: {old!r} then, {new!r} now" for name, old, new in _differences(before, now)]
    if changes:
        raise UsageError(
            f"{what} was made with other arguments ({'; '.join(changes)})",
            f"--resume needs the same arguments; {_START_AGAIN}",
        )


def _differences(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            inner = f"{path}.{name}" if path else name
            yield from _differences(before.get(name), now.get(name), inner)
    elif before != now:
        yield path, before, now


def _clear(work: Path) -> None:
    for entry in work.iterdir():
        if entry.name == "lock":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            os.unlink(entry)
