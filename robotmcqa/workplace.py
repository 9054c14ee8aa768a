"""The output folder while a run works in it: lock, unfinished work, publication.

Everything unfinished lies in ``OUT/.extract``, also where OUT is a URL. A data set appears in OUT
by renames, its manifest last; without a manifest there is no data set. Whatever moment a run is
killed at, the next one finds either the old data set, or unfinished work that ``--resume`` goes on
with.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from robotmcqa.errors import UsageError
from robotmcqa.files import (
    is_refusal,
    json_text,
    printable,
    sha256_of,
    write_bytes,
    write_text,
)
from robotmcqa.places import fsync, is_remote, make_folder, remove_tree, rename

__all__ = ["CARD", "EVAL", "MANIFEST", "WORK", "Workplace", "gaps_in", "open_workplace"]

WORK = ".extract"
MANIFEST = "meta/manifest.json"
CARD = "README.md"
EVAL = "eval.yaml"

_EPISODES = "episodes"
_GAPS = "gaps.json"
_OF_GAPS = frozenset((_EPISODES, _GAPS))
"""What stays in ``WORK`` beside a data set that lacks demos."""

_START_AGAIN = "--overwrite starts again; --out DIR writes elsewhere"


@dataclass(frozen=True, slots=True)
class Workplace:
    """A locked output folder.

    Attributes:
        out: the data set's folder.
        complete: the data set there is already the one asked for.
        append: demos are added to the data set there.
    """

    out: Path
    complete: bool = False
    append: bool = False

    @property
    def work(self) -> Path:
        return self.out / WORK

    @property
    def episodes(self) -> Path:
        """Spooled episodes. Those that are added may have the names of others that were kept."""
        return self.work / ("added" if self.append else _EPISODES)

    @property
    def references(self) -> Path:
        """Spooled reference episodes."""
        return self.work / "references"

    @property
    def plans(self) -> Path:
        """What was decided of each task, and the pools that its questions draw from."""
        return self.work / "plans"

    @property
    def shards(self) -> Path:
        """What is known of each finished shard."""
        return self.work / "shards"

    @property
    def gaps(self) -> Path:
        """Names the demos that failed and may not fail again; there only if some did."""
        return self.work / _GAPS

    @property
    def publish(self) -> Path:
        """The data set to be, laid out as it will lie in ``out``."""
        return self.work / "publish"

    def mark(self) -> str:
        """Tells this folder from others of its name on other machines.

        Raises:
            UsageError: this machine does not see it.
        """
        if is_remote(self.out):
            return str(self.out)
        plan = self.work / "plan.json"
        try:
            return f"{int(plan.stat().st_mtime)} {sha256_of(plan)}"
        except OSError:
            raise UsageError(
                f"{platform.node()} does not see the folder {self.out}",
                "workers on several machines need an --out that all share: such a folder, or a URL",
            ) from None

    def put_in_place(self) -> None:
        """Move ``publish`` into ``out``, manifest last, and clear the work away.

        Where demos are missing that may be made after all, the others stay on the spool, so that
        ``--resume`` can put them together.

        May be repeated after an interruption: what has been moved already is simply not there.
        """
        (self.out / MANIFEST).unlink(missing_ok=True)
        new = json.loads((self.publish / MANIFEST).read_text("utf-8"))
        wanted = {file["path"] for file in new["files"]}
        ours = ("data/*.parquet", "assets/*", "meta/pools-*.parquet")
        for stale in sorted(path for pattern in ours for path in self.out.glob(pattern)):
            if stale.relative_to(self.out).as_posix() not in wanted:
                stale.unlink()
        if EVAL not in wanted:
            (self.out / EVAL).unlink(missing_ok=True)
        for name in (CARD, *sorted(wanted)):
            make_folder((self.out / name).parent)
            if (self.publish / name).exists():
                rename(self.publish / name, self.out / name)
        for folder in sorted({(self.out / name).parent for name in (CARD, *wanted)}):
            fsync(folder)
        # A copy: what is killed before plan.json has gone finds the other one, and does this again.
        write_bytes(self.out / MANIFEST, (self.publish / MANIFEST).read_bytes())
        fsync(self.out / "meta")
        self.abandon()

    def abandon(self) -> None:
        """Clear the work away; nothing of it is to be put in place, or all of it is already.

        What the data set in ``out`` needs to have its gaps filled stays.
        """
        (self.work / "plan.json").unlink()  # first: without it nothing looks unfinished
        if gaps_in(self.out):
            _clear(self.work, keep=_OF_GAPS)
        else:
            remove_tree(self.work)


@contextmanager
def open_workplace(
    out: Path, plan: dict[str, Any], *, resume: bool, overwrite: bool, append: bool = False
) -> Iterator[Workplace]:
    """Lock ``out`` and make it ready for the run that ``plan`` describes.

    Raises:
        UsageError: another run works there; it holds something that was not asked to be resumed,
            replaced or added to; it holds nothing to add to; or what it holds was begun with
            another plan.
    """
    if overwrite and (resume or append):
        other = "--append" if append else "--resume"
        raise UsageError(f"{other} and --overwrite exclude each other", "give one of them")
    if append and not ((out / MANIFEST).exists() or (out / WORK / "plan.json").exists()):
        raise UsageError(
            f"{out} holds no data set to add to", "without --append a new one is made there"
        )
    try:
        str(out.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{printable(str(out))}: a name that is no UTF-8",
            "--out takes a folder whose path can be written down",
        ) from None
    try:
        make_folder(out)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", "--out takes a folder to write to") from None
    _refuse_foreign(out)
    work = out / WORK
    try:
        make_folder(work)
        with FileLock(_lock_of(out), timeout=0):
            try:
                if overwrite:
                    _clear(work)
                else:
                    _refuse_half_merged(out)
                if not (overwrite or resume):
                    _refuse_occupied(out, append)
                place = _prepared(out, plan, append)
            except UsageError:
                if not (work / "plan.json").exists() and not gaps_in(out):
                    remove_tree(work)  # nothing but our own lock
                raise
            yield place
    except Timeout:
        raise UsageError(
            f"another extraction is working in {out}", "wait for it, or use another --out"
        ) from None
    except OSError as error:
        if is_remote(out) or not is_refusal(error):
            raise  # a store's own words say more
        raise UsageError(
            f"{error.filename}: {error.strerror}", "--out takes a folder to write to"
        ) from None


def _lock_of(out: Path) -> Path:
    """A file to lock. A store has no locks, so one of this machine has to do for it."""
    if not is_remote(out):
        return out / WORK / "lock"
    name = hashlib.blake2b(str(out).encode(), digest_size=12).hexdigest()
    lock = platformdirs.user_cache_path("robotmcqa") / "locks" / name
    make_folder(lock.parent)
    return lock


def _refuse_half_merged(out: Path) -> None:
    begun = out / WORK / "plan.json"
    if begun.exists() and "merge" in json.loads(begun.read_text("utf-8")):
        raise UsageError(
            f"{out} holds an interrupted merge",
            f"the same robotmcqa merge with --overwrite makes it whole; {_START_AGAIN}",
        )


def _refuse_occupied(out: Path, append: bool) -> None:
    begun = out / WORK / "plan.json"
    if begun.exists():
        if json.loads(begun.read_text("utf-8")).get("append"):
            raise UsageError(
                f"{out} holds an interrupted --append, and the data set it was to add to",
                "--append --resume goes on with it",
            )
        raise UsageError(
            f"{out} holds an interrupted extraction", f"--resume goes on with it; {_START_AGAIN}"
        )
    if (out / MANIFEST).exists() and not append:
        lacking = gaps_in(out)
        if lacking:
            raise UsageError(
                f"{out} already holds a data set, which lacks {len(lacking)} of its demos",
                f"--resume makes them again; {_START_AGAIN}",
            )
        raise UsageError(
            f"{out} already holds a data set",
            "--append adds to it; --overwrite replaces it; --out DIR writes elsewhere",
        )


def _prepared(out: Path, plan: dict[str, Any], append: bool) -> Workplace:
    place = Workplace(out, append=append)
    begun = place.work / "plan.json"
    if begun.exists():
        before = json.loads(begun.read_text("utf-8"))
        # Demos may have been mended, added or removed since; an overwrite is resumed without it.
        same = {"demos": plan["demos"], "overwrite": plan["overwrite"]}
        _refuse_change({**before, **same}, plan, f"the extraction in {out}")
    elif not append and (out / MANIFEST).exists() and (out / "meta/provenance.json").exists():
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
            if not gaps_in(out):
                remove_tree(place.work, ignore_errors=True)
                return Workplace(out, complete=True)
    if not begun.exists():  # left by one that was killed while it cleared its work away
        _clear(place.work, keep=_OF_GAPS if gaps_in(out) else frozenset())
    publish = place.publish
    spools = (place.episodes, place.references)
    for folder in (*spools, place.plans, place.shards, publish / "data", publish / "meta"):
        make_folder(folder)
    for half in place.publish.rglob(".*.tmp"):  # of a run that was killed while writing it
        half.unlink()
    if not begun.exists():
        write_text(begun, json_text(plan))
    return place


def _refuse_foreign(out: Path) -> None:
    if (out / MANIFEST).exists() or (out / WORK).exists():
        return
    there = out.iterdir() if out.exists() else ()
    foreign = sorted(entry.name for entry in there if not entry.name.startswith("."))
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


def gaps_in(out: Path) -> list[str]:
    """Names of the demos that failed and that ``--resume`` makes again, now that the rest is done.

    There are none where a demo that failed would fail again.
    """
    try:
        gaps: list[str] = json.loads(Workplace(out).gaps.read_bytes())["demos"]
        return gaps
    except (OSError, ValueError, KeyError):
        return []


def _clear(work: Path, keep: Set[str] = frozenset()) -> None:
    if is_remote(work) and not keep:
        remove_tree(work)
        return
    for entry in work.iterdir():
        if entry.name == "lock" or entry.name in keep:
            continue
        if entry.is_dir():
            remove_tree(entry)
        else:
            entry.unlink()
