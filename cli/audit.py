"""``robotmcqa audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .extract import DEFAULT_OUT

if TYPE_CHECKING:
    from robotmcqa.audit import Audit, FamilyAudit


def audit(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The data set.")] = DEFAULT_OUT,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family, repeatable. [default: all]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what needs no learning.")] = False,
    fail_above: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit code 3 when more is guessable, e.g. 0.4."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the learned guesser.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON.")] = False,
) -> None:
    """How well can the answers be guessed without the picture?

    Guessers that see the options, the task and the position that the prompt states, never the
    picture: simple rules, and one that learns from other demos. What they reach above chance, a
    model can reach without looking.

    \b
    Examples:
      robotmcqa audit
      robotmcqa audit my-dataset --family waypoint --json
      robotmcqa audit my-dataset --fail-above 0.4
      robotmcqa audit my-dataset --quick
    """
    from robotmcqa.audit import audit as run

    from . import output
    from .progress import Bars

    with Bars() as bars:
        found = run(
            directory,
            families=family or (),
            quick=quick,
            seed=seed,
            begin=lambda steps: bars.stage("Guessing", steps, unit="guessers"),
            advance=lambda: bars.advance(1),
        )
    if json:
        output.result(found.document())
    else:
        _report(found)
    if fail_above is not None and found.worst > fail_above:
        output.hint(
            f"robotmcqa: {found.worst:.1%} is guessable without the picture, more than "
            f"{fail_above:.1%}\n"
            "  remedy: robotmcqa extract --preset grounded makes questions that need it"
        )
        raise typer.Exit(3)


def _report(found: Audit) -> None:
    from robotmcqa.audit import verdict

    from . import output

    for one in found.families.values():
        _guesses(one)
        for title, parts in (("task", one.by_task), ("distance", one.by_distance)):
            rows = [[name, *_cells(share)] for name, share in parts.items()]
            if len(rows) > 1:
                head = f"{one.family}, '{one.best}' by {title}"
                output.table(head, [title, "right %", "95 % interval", "questions"], rows)
    for one in found.families.values():
        share = one.guessable
        low, high = share.interval
        typer.echo(
            f"{one.family}: {verdict(share, one.chance)}. {share.accuracy:.1%} of "
            f"{share.questions} questions from {share.episodes} demos are guessed without the "
            f"picture (95 % interval {low:.1%} to {high:.1%}, chance {one.chance:.0%})."
        )


def _guesses(one: FamilyAudit) -> None:
    from robotmcqa.audit import LEARNED
    from robotmcqa.audit.guesses import GUESSES

    from . import output

    learned = f"learned: {one.how}"
    rows = []
    for name, share in sorted(one.guesses.items(), key=lambda item: -item[1].accuracy):
        blind = name == LEARNED or GUESSES[name].blind
        what = learned if name == LEARNED else GUESSES[name].what
        rows.append([name, *_cells(share), what if blind else f"not blind: {what}"])
    laws = ", ".join(one.laws)
    head = f"{one.family} (distractors: {laws}; chance {100 * one.chance:.0f} %)"
    output.table(head, ["guess", "right %", "95 % interval", "questions", "what"], rows)


def _cells(share: object) -> list[object]:
    from robotmcqa.audit.intervals import Share

    assert isinstance(share, Share)
    low, high = share.interval
    return [
        round(100 * share.accuracy, 1),
        f"{100 * low:.1f} to {100 * high:.1f}",
        share.questions,
    ]
