"""What ``robotmcqa extract`` prints when it has finished."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .place import DEFAULT_OUT

if TYPE_CHECKING:
    from robotmcqa.audit import Audit
    from robotmcqa.extraction import Summary


def report(summary: Summary, as_json: bool, pushed: Path) -> None:
    """Print what was made, what failed, and what comes next.

    Args:
        summary: of the run.
        as_json: the result, for machines.
        pushed: what ``push`` takes, which holds the data set or is it.
    """
    from . import output

    output.failures(summary.failures)
    found = _audited(summary)
    if as_json:
        output.result(_document(summary, found))
    else:
        _say(summary, found)
    if summary.gaps:
        output.hint(
            f"{_count(len(summary.gaps), 'demo')} failed; the same command with --resume makes "
            f"{'it' if len(summary.gaps) == 1 else 'them'} again and keeps the rest."
        )
    if summary.already_complete:
        output.hint(f"{summary.out} was already complete.")
    elif summary.added is not None:
        output.hint(_added(summary))
    else:
        output.hint(f"Wrote {summary.out} in {summary.seconds:.1f} s.")
    output.hint(
        f"Next:\n  robotmcqa validate{_named(summary.out)}\n  robotmcqa show{_named(summary.out)}\n"
        f"  robotmcqa push{_named(pushed)} --repo org/name"
    )


def _document(summary: Summary, found: Audit | None) -> dict[str, Any]:
    """The summary as JSON."""
    manifest = summary.manifest
    return {
        "out": str(summary.out),
        "already_complete": summary.already_complete,
        "added": summary.added,
        "seconds": round(summary.seconds, 3),
        "splits": manifest["splits"],
        "items": manifest["items"],
        "laws": manifest["laws"],
        "references": _references(manifest),
        "skipped": manifest["skipped"],
        "reproducible": summary.reproducible,
        "gaps": list(summary.gaps),
        "failures": list(summary.failures),
        "audit": found.document() if found else None,
    }


def _references(manifest: Mapping[str, Any]) -> Mapping[str, int]:
    found: Mapping[str, int] = manifest.get("references", {})  # not in a data set of version 0.1.0
    return found


def _say(summary: Summary, found: Audit | None) -> None:
    """What is in the data set, in words."""
    from robotmcqa.pools import SPLITS

    from . import output

    manifest = summary.manifest
    skipped, references = sum(manifest["skipped"].values()), _references(manifest)
    families = manifest["spec"]["families"]
    rows = [
        [name, *(counts.get(family, 0) for family in families)]
        for name, counts in sorted(manifest["items"].items())
    ]
    if len(rows) > 1:
        rows.append(["total", *(sum(row[i + 1] for row in rows) for i in range(len(families)))])
    output.table("Questions", ["task", *families], rows)
    splits = ", ".join(
        f"{name} {manifest['splits'][name]['rows']} questions "
        f"from {_count(manifest['splits'][name]['episodes'], 'demo')}"
        for name in SPLITS
        if name in manifest["splits"]
    )
    typer.echo(f"Splits: {splits}")
    typer.echo(f"Distractors: {_laws(manifest)}")
    if references:
        typer.echo(f"Reference demos that 'matched' also draws from: {_each(references)}")
    mixed = sorted({law["task"] for law in manifest["laws"] if _differs(law, manifest["laws"])})
    if mixed:
        output.hint(
            f"note: train and test follow different laws in {', '.join(mixed)}: one split has "
            "too few demos to draw from (more demos or another --test-fraction mend it)"
        )
    for family, outside in manifest["outside_box"].items():
        output.hint(
            f"note: outside the valid box, where no distractor is: "
            f"{_count(outside, 'right option')} of {family} (--metadata names the box)"
        )
    typer.echo(f"Failed demos: {manifest['failures']}; questions not asked: {skipped}")
    for why, count in manifest["skipped"].items():
        typer.echo(f"  {count} x {why}")
    if found:
        grounded = "" if _is_grounded(manifest) else "; --preset grounded lowers it"
        typer.echo(f"{found.line()}. robotmcqa audit learns more{grounded}.")
    if not summary.reproducible:
        typer.echo("Live demos: recorded, not reproducible; no command makes the same ones again.")


def _added(summary: Summary) -> str:
    """What was added, in words."""
    added = summary.added or {}
    repeated = added.get("repeated", 0)
    there = f"; {_count(repeated, 'demo')} had been there before" if repeated else ""
    if not added["episodes"]:
        return f"Nothing new for {summary.out}{there}. It is as it was."
    return (
        f"Added {_count(added['rows'], 'question')} from {_count(added['episodes'], 'new demo')} "
        f"to {summary.out} in {summary.seconds:.1f} s{there}."
    )


def _named(folder: Path) -> str:
    """The folder as an argument, where it has to be named."""
    return "" if folder == DEFAULT_OUT else f" {shlex.quote(str(folder))}"


def _audited(summary: Summary) -> Audit | None:
    """The quick audit; nothing for open-ended questions, which have no options."""
    if summary.manifest["spec"]["format"] != "choice":
        return None
    from robotmcqa.audit import audit

    return summary.audit or audit(summary.out, quick=True)


def _is_grounded(manifest: Mapping[str, Any]) -> bool:
    from robotmcqa.spec import PRESETS

    spec = manifest["spec"]
    return all(spec[name] == value for name, value in PRESETS["grounded"].items())


def _each(counts: Mapping[str, int]) -> str:
    """How many of each task, in few words where all have the same number."""
    if len(counts) > 3 and len(set(counts.values())) == 1:
        return f"{next(iter(counts.values()))} of each of {len(counts)} tasks"
    return ", ".join(f"{task} {count}" for task, count in counts.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _differs(law: Mapping[str, str], laws: Sequence[Mapping[str, str]]) -> bool:
    """Whether the other split of the same task and family follows other laws."""
    there: dict[str, set[str]] = {}
    for other in laws:
        if (other["task"], other["family"]) == (law["task"], law["family"]):
            there.setdefault(other["split"], set()).add(other["law"])
    return len({frozenset(some) for some in there.values()}) > 1


def _laws(manifest: Mapping[str, Any]) -> str:
    from robotmcqa.card.render import laws_in_words

    return "; ".join(
        f"{family} {law} ({where})" for (family, law), where in laws_in_words(manifest).items()
    )
