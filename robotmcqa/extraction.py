"""Extraction: demos in, a data set on disk out.

Three steps, each of which survives being killed:

1. *read*: every demo once, its question frames spooled to disk (:mod:`robotmcqa.spool`);
2. *decide*: splits of all of them; laws and pools task by task, from the spool into files;
3. *write*: shards of questions, then everything is put in place at once.

What stays in memory is a line for each demo, so that it hardly grows with their number. The bytes
depend on the demos and the spec alone, not on the workers, the order or the folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa import __version__
from robotmcqa.append import base_of, check_base
from robotmcqa.audit import Audit
from robotmcqa.card.presentation import older_card
from robotmcqa.engines import LOCAL, Engine
from robotmcqa.errors import SourceError
from robotmcqa.failures import Failure, in_order
from robotmcqa.files import JsonLines, printable
from robotmcqa.generations import generations_of
from robotmcqa.item import ItemMaker
from robotmcqa.listener import Listener, Silence
from robotmcqa.places import answering
from robotmcqa.provenance import selection_document
from robotmcqa.sources import (
    DemoSource,
    Selection,
    Simulated,
    check_cameras,
    reproducible,
    resolved,
    settings_of,
)
from robotmcqa.spec import Spec
from robotmcqa.steps import Run
from robotmcqa.workplace import MANIFEST, gaps_in, open_workplace

__all__ = ["Listener", "Summary", "extract"]

EPISODES_PER_WORKER = 64
SIMULATED_PER_WORKER = 16
"""Starting a process takes as long as reading about so many saved demos, or making so many."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an extraction has made.

    Attributes:
        out: the data set's folder.
        manifest: its ``meta/manifest.json``.
        failures: the lines of its ``meta/failures.jsonl``, read whenever they are looked at.
        seconds: wall time of this run.
        already_complete: nothing had to be done.
        gaps: demos that failed and that ``resume`` makes again.
        reproducible: whether making the demos again gives the same ones.
        audit: its quick form, where this run made the data set and there are letters to guess.
        added: ``rows`` and ``episodes`` that were added to a data set, and how many demos were in
            it already (``repeated``); None where it was made.
    """

    out: Path
    manifest: Mapping[str, Any]
    failures: Sequence[Failure]
    seconds: float
    already_complete: bool = False
    audit: Audit | None = None
    gaps: Sequence[str] = ()
    reproducible: bool = True
    added: Mapping[str, int] | None = None


def extract(
    source: DemoSource,
    spec: Spec,
    out: Path,
    selection: Selection | None = None,
    *,
    engine: Engine = LOCAL,
    workers: int | None = 1,
    resume: bool = False,
    overwrite: bool = False,
    append: bool = False,
    shard_bytes: int | None = None,
    max_failures: int | None = None,
    listener: Listener | None = None,
) -> Summary:
    """Extract a data set.

    Args:
        source: where the demos are.
        spec: what to ask about them.
        out: place of the data set: new, empty, or one to resume, overwrite or add to. A folder, or
            what :func:`~robotmcqa.places.located` makes of a URL.
        selection: which demos; all by default.
        engine: runs the workers; :func:`~robotmcqa.engines.open_engine` opens another one.
        workers: processes; None for as many as there are cores and work for them. With more than
            one, a script has to call this below ``if __name__ == "__main__":``, because each
            process imports the script anew.
        resume: go on with an interrupted run; or make the demos that failed in a finished one, if
            they are a live simulator's, and put them into the data set.
        overwrite: replace what is in ``out`` once the new data set is whole.
        append: add the demos that are not yet in the data set in ``out``, which has the same spec.
        shard_bytes: of a shard's pictures, about; None for the usual size, or that of the data set
            which is added to.
        max_failures: give up when more demos than this have failed.
        listener: hears about progress.

    Raises:
        UsageError: ``out`` cannot be used like that, or the source has no such camera.
        SourceError: the source has no such demos.
        DataError: nobody can tell what people have written in the card that lies in ``out``.
        ExtractionFailed: no demo was usable, or too many failed.
    """
    began = time.monotonic()
    selection = resolved(source, selection or Selection())
    listener = listener or Silence()
    check_cameras(source, spec.cameras)
    # A template that does not work, or a card that cannot be kept, is better known before the
    # demos are read.
    ItemMaker(spec)
    with answering(out):
        older_card(out)
        if append:
            check_base(out, spec, source.licence)
    refs = list(source.refs(selection))
    if not refs:
        raise SourceError(
            f"{source.scheme}:{source.location}: no demos with this selection",
            "robotmcqa tasks lists what is there; check --task and --variation",
        )
    if workers is None:
        each = SIMULATED_PER_WORKER if isinstance(source, Simulated) else EPISODES_PER_WORKER
        workers = engine.fitting(len(refs), each)
    plan = {
        "robotmcqa": __version__,
        "source": printable(f"{source.scheme}:{source.location}"),
        "scheme": source.scheme,
        "settings": settings_of(source),
        "spec": spec.document(),
        "selection": selection_document(selection),
        "demos": len(refs),
        "overwrite": overwrite,
        **({"append": True} if append else {}),
        **({"shard_bytes": shard_bytes} if shard_bytes else {}),
    }
    audit: Audit | None = None
    newest: Mapping[str, Any] = {}
    failures: Sequence[Failure] = JsonLines(out / "meta/failures.jsonl")
    with (
        answering(out),
        open_workplace(out, plan, resume=resume, overwrite=overwrite, append=append) as place,
    ):
        if not place.complete:
            if not (place.publish / MANIFEST).exists():
                base = base_of(place) if append else None
                run = Run(
                    source, spec, selection, place, engine, workers, listener, base, shard_bytes
                )
                run.read(refs, max_failures)
                if run.members:
                    run.write()
                    audit = run.describe()
            if (place.publish / MANIFEST).exists():
                place.put_in_place()
                newest = generations_of(_manifest_of(out))[-1]
            else:  # nothing new
                failures = in_order(run.failures)
                newest = {"repeated": run.repeated}
                place.abandon()
    manifest = _manifest_of(out)
    seconds = time.monotonic() - began
    return Summary(
        out,
        manifest,
        failures,
        seconds,
        place.complete,
        audit,
        gaps_in(out),
        reproducible(source),
        {name: newest.get(name, 0) for name in ("rows", "episodes", "repeated")}
        if append
        else None,
    )


def _manifest_of(out: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text("utf-8"))
    return manifest
