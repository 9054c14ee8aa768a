"""``robotmcqa doctor``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from robotmcqa.diagnosis import Finding


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is installed, what is missing, and how to get it.

    What is optional, robotmcqa can do without; --json has every package of every extra. Exit code 3
    when something that robotmcqa needs is missing.

    \b
    Examples:
      robotmcqa doctor
      robotmcqa doctor --json
    """
    from robotmcqa.diagnosis import diagnose

    from . import output

    findings = diagnose()
    if json:
        output.result([finding.document() for finding in findings])
    else:
        shown = list(_extras_as_one(findings))
        output.table(
            "robotmcqa doctor",
            ["what", "state", "found"],
            [[one.what, one.state, one.found] for one in shown],
        )
        # Below the table, in which a long command could not be copied.
        remedies: dict[str, list[str]] = {}
        for one in shown:
            if one.remedy:
                remedies.setdefault(one.remedy, []).append(one.what.rstrip(":"))
        for remedy, needed in remedies.items():
            typer.echo(f"\nTo get {', '.join(needed)}:\n  {remedy}")
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(3)


def _extras_as_one(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings, with the packages of each extra in one of them."""
    from robotmcqa.diagnosis import EXTRAS, Finding

    told: set[str] = set()
    for finding in findings:
        if not finding.extra:
            yield finding
        elif finding.extra not in told:
            told.add(finding.extra)
            packages = [one for one in findings if one.extra == finding.extra]
            lacking = [one for one in packages if one.remedy]
            text = ", ".join(f"{one.what.split()[0]} {one.found}" for one in lacking or packages)
            yield Finding(
                f"{EXTRAS[finding.extra]} (extra {finding.extra})",
                "optional" if lacking else "ok",
                f"lacks {text.replace(' not installed', '')}" if lacking else text,
                lacking[0].remedy if lacking else "",
            )
