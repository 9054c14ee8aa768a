"""``robotmcqa doctor``."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is installed, what is missing, and how to get it.

    Exit code 3 when something that robotmcqa needs is missing.

    \b
    Example:
      robotmcqa doctor
    """
    from robotmcqa.diagnosis import diagnose

    from . import output

    findings = diagnose()
    if json:
        output.result([finding.document() for finding in findings])
    else:
        output.table(
            "robotmcqa doctor",
            ["what", "state", "found"],
            [[one.what, one.state, one.found] for one in findings],
        )
        # Below the table, in which a long command could not be copied.
        remedies: dict[str, list[str]] = {}
        for one in findings:
            if one.remedy:
                remedies.setdefault(one.remedy, []).append(one.what.rstrip(":"))
        for remedy, needed in remedies.items():
            typer.echo(f"\nTo get {', '.join(needed)}:\n  {remedy}")
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(3)
