"""Recording: demos of a simulator onto disk, in RLBench's own saved layout.

Each episode folder appears when it is whole, so an interrupted recording goes on when it is started
again, and a later one may ask for more. ``recording.json`` beside the tasks says which demo lies in
which folder and how it was made: demos made otherwise are never mixed with them.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from robotmcqa import __version__
from robotmcqa.demo import Demo, ImageReader
from robotmcqa.errors import (
    DataError,
    DemoError,
    ExtractionFailed,
    RobotMCQAError,
    SourceError,
    UsageError,
)
from robotmcqa.failures import Failure, demo_failure, in_order
from robotmcqa.files import is_refusal, json_text, remove_halves, write_text
from robotmcqa.listener import Listener, Silence
from robotmcqa.rlbench_layout import Layout, episode_folder, save_demo
from robotmcqa.sources import (
    DemoRef,
    DemoSource,
    Selection,
    Simulated,
    check_cameras,
    release,
    resolved,
    settings_of,
)
from robotmcqa.sources.rlbench_tree import RECORDING
from robotmcqa.workers import available_cores, run_jobs

__all__ = ["RECORDING", "Recording", "record", "saved_already"]

_LOCK = ".recording.lock"

DEMOS_PER_WORKER = 4
"""Starting a process takes as long as making and drawing about this many demos."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recording has made.

    Attributes:
        out: the folder; ``rlbench:OUT`` reads it.
        written: task -> episodes written by this run.
        kept: task -> episodes that were there already.
        failures: a line for each demo that could not be made.
        seconds: wall time of this run.
    """

    out: Path
    written: Mapping[str, int]
    kept: Mapping[str, int]
    failures: Sequence[Failure]
    seconds: float


@dataclass(frozen=True, slots=True)
class EpisodeJob:
    """A demo, and the number of the episode that it becomes."""

    ref: DemoRef
    variation: int
    episode: int


@dataclass(frozen=True, slots=True)
class RecordDemo:
    """One demo into its folder; a line for the list of failures where it cannot be made."""

    source: DemoSource
    out: Path
    cameras: tuple[str, ...]
    layout: Layout
    depth: bool
    mask: bool

    def __call__(self, job: EpisodeJob) -> tuple[DemoRef, Failure | None]:
        ref = job.ref
        try:
            demo = self.source.load(ref, self.cameras)
            save_demo(self.out, self._asked_for(demo), job.episode, layout=self.layout)
        except DemoError as error:
            return ref, demo_failure(ref, error, self.source.broken_files(ref, self.cameras))
        except (RobotMCQAError, OSError, MemoryError):
            raise
        except Exception as error:  # a source of the user's own may fail in any way
            return ref, demo_failure(ref, DemoError(f"{type(error).__name__}: {error}"))
        return ref, None

    def _asked_for(self, demo: Demo) -> Demo:
        """Its pictures of the chosen cameras and kinds, no others."""
        return replace(
            demo,
            images=_chosen("pictures", demo.images, self.cameras),
            depths=_chosen("depth", demo.depths, self.cameras if self.depth else ()),
            masks=_chosen("masks", demo.masks, self.cameras if self.mask else ()),
            cameras={name: camera for name, camera in demo.cameras.items() if name in self.cameras},
        )


def _chosen(
    what: str, readers: Mapping[str, ImageReader], cameras: Sequence[str]
) -> dict[str, ImageReader]:
    for camera in cameras:
        if camera not in readers:
            known = ", ".join(sorted(readers)) or "none"
            raise UsageError(
                f"this source gives no {what} of camera '{camera}'", f"it gives {what} of: {known}"
            )
    return {camera: readers[camera] for camera in cameras}


def saved_already(scheme: str) -> UsageError:
    """What is said of a source that makes no demos."""
    return UsageError(
        f"{scheme} holds demos that are saved already", "record makes new ones: --source sim"
    )


def record(
    source: DemoSource,
    out: Path,
    selection: Selection | None = None,
    *,
    cameras: tuple[str, ...] = ("front",),
    layout: Layout = "variations",
    depth: bool = False,
    mask: bool = False,
    workers: int | None = 1,
    listener: Listener | None = None,
) -> Recording:
    """Make demos and write them in RLBench's layout. Episodes that are there already are kept.

    Args:
        source: a simulator.
        out: folder of the demos; new, empty, or of an earlier recording of this kind.
        selection: which demos; all tasks by default.
        cameras: whose pictures are written, every frame of them; none for states alone.
        layout: which of RLBench's two.
        depth, mask: write depth pictures and segmentation masks of the cameras too.
        workers: processes, as in :func:`robotmcqa.extract`.
        listener: hears about progress.

    Raises:
        UsageError: ``source`` makes no demos or has no such camera, or ``out`` holds something
            else than an earlier part of this recording.
        SourceError: the source has no such task or variation.
        ExtractionFailed: no demo could be made.
    """
    began = time.monotonic()
    if not isinstance(source, Simulated):
        raise saved_already(source.scheme)
    check_cameras(source, cameras)
    selection = resolved(source, selection or Selection())
    refs = list(source.refs(selection))
    if not refs:
        raise SourceError(
            f"{source.scheme}: no demos with this selection", "robotmcqa tasks lists what there is"
        )
    how = {
        "version": "1",
        "robotmcqa": __version__,
        "scheme": source.scheme,
        "licence": source.licence,
        "settings": settings_of(source),
        "layout": layout,
        "cameras": list(cameras),
        "depth": depth,
        "mask": mask,
    }
    listener = listener or Silence()
    with _locked(out):
        remove_halves(
            [*out.glob(".*.tmp"), *out.glob("*/*/.*.tmp"), *out.glob("*/*/episodes/.*.tmp")]
        )
        jobs = {
            episode_folder(out, job.ref.task, job.variation, job.episode, layout): job
            for job in _numbered(refs, layout, _recorded(out))
        }
        _claim(out, how, {folder.relative_to(out).as_posix(): job for folder, job in jobs.items()})
        kept = Counter(job.ref.task for folder, job in jobs.items() if folder.is_dir())
        missing = [job for folder, job in jobs.items() if not folder.is_dir()]
        listener.stage("Recording demos", len(jobs))
        listener.advance(kept.total())
        if workers is None:
            workers = min(available_cores(), 1 + len(missing) // DEMOS_PER_WORKER)
        written: Counter[str] = Counter()
        failures: list[Failure] = []
        recorder = RecordDemo(source, out, cameras, layout, depth, mask)
        try:
            for ref, failure in run_jobs(recorder, missing, min(workers, len(missing))):
                if failure:
                    failures.append(failure)
                else:
                    written[ref.task] += 1
                listener.advance(1, failures=bool(failure))
        finally:
            release(source)
    failures = in_order(failures)
    if not written and not kept:
        raise ExtractionFailed(
            f"none of the {len(jobs)} demos could be made; nothing was recorded",
            "each failure above says why; another --seed makes other demos",
            failures,
        )
    return Recording(out, written, kept, failures, time.monotonic() - began)


def _numbered(
    refs: Sequence[DemoRef], layout: Layout, recorded: Mapping[str, str]
) -> Iterator[EpisodeJob]:
    """Episodes count within their variation, or within their task in ``all_variations``.

    There, what is ``recorded`` already keeps its number, and what is new comes after it.
    """
    numbers = {demo: int(folder.rpartition("episode")[2]) for folder, demo in recorded.items()}
    counts: Counter[tuple[str, int]] = Counter()
    if layout == "all_variations":
        for folder in recorded:
            task = folder.split("/")[0]
            counts[task, -1] = max(counts[task, -1], 1 + int(folder.rpartition("episode")[2]))
    for ref in refs:
        if ref.variation is None:
            raise DataError(f"{ref.name}: a demo of an unknown variation", "this is a source's bug")
        group = (ref.task, ref.variation if layout == "variations" else -1)
        if layout == "all_variations" and _name(ref) in numbers:
            yield EpisodeJob(ref, ref.variation, numbers[_name(ref)])
        else:
            yield EpisodeJob(ref, ref.variation, counts[group])
            counts[group] += 1


def _name(ref: DemoRef) -> str:
    """How ``recording.json`` names a demo."""
    return f"{ref.name} {ref.revision}".rstrip()


def _recorded(out: Path) -> Mapping[str, str]:
    """Folder -> demo of what an earlier run has recorded, or has begun to."""
    path = out / RECORDING
    return _read(path)["episodes"] if path.exists() else {}


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One recording at a time in a folder, which is made if it does not exist."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", "--out takes a folder to write to") from None
    try:
        with FileLock(out / _LOCK, timeout=0):
            try:
                yield
            finally:
                (out / _LOCK).unlink(missing_ok=True)
    except Timeout:
        raise UsageError(
            f"another recording is working in {out}", "wait for it, or use another --out"
        ) from None
    except OSError as error:
        if not is_refusal(error):
            raise
        raise UsageError(
            f"{error.filename}: {error.strerror}", "--out takes a folder to write to"
        ) from None


def _claim(out: Path, how: Mapping[str, Any], jobs: Mapping[str, EpisodeJob]) -> None:
    """Write into ``recording.json`` which demo goes where, unless something else lies there."""
    path = out / RECORDING
    episodes = {}
    if path.exists():
        before = _read(path)
        episodes = before.pop("episodes")
        for name in sorted({*before, *how}):
            if before.get(name) != how.get(name):
                raise UsageError(
                    f"{out} holds demos that were recorded otherwise: {name} was "
                    f"{before.get(name)!r}, and is {how.get(name)!r} now",
                    "give the same arguments, or another --out",
                )
    else:
        foreign = sorted(entry.name for entry in out.iterdir() if not entry.name.startswith("."))
        if foreign:
            raise UsageError(
                f"{out} is not empty and holds no recording ({', '.join(foreign[:3])} ...)",
                "--out takes a new or empty folder",
            )
    now = {name: _name(job.ref) for name, job in jobs.items()}
    for name, demo in now.items():
        if episodes.get(name, demo) != demo:
            raise UsageError(
                f"{out / name} is the demo '{episodes[name]}', not '{demo}'",
                "give the same arguments, or another --out",
            )
    write_text(path, json_text({**how, "episodes": {**episodes, **now}}))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and isinstance(document["episodes"], dict):
            return document
        reason = "not what record writes"
    except (OSError, ValueError, KeyError) as error:
        reason = str(error)
    raise UsageError(f"{path}: {reason}", "record into another --out")
