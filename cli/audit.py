"""``robotmcqa audit``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .place import DEFAULT_OUT, folder_of
from .place import HELP as PLACE_HELP

if TYPE_CHECKING:
    from robotmcqa.audit import Audit, FamilyAudit
    from robotmcqa.audit.intervals import Share


def audit(
    directory: Annotated[str, typer.Argument(metavar="DIR", help=PLACE_HELP)] = str(DEFAULT_OUT),
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family, repeatable. [default: all]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what needs no learning.")] = False,
    fail_above: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit code 3 when surely more is guessable, e.g. 0.4."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the learned guesser.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON.")] = False,
) -> None:
    """How well can the answers be guessed without the picture?

    Guessers that see the options, the task and the position that the prompt states, never the
    picture: simple rules, and one that learns from other demos. What they reach above chance, a
    model can reach without looking.

    Many guesses are tried, so the best of them is lucky, and few demos make any of them lucky. The
    verdict and --fail-above allow for both: they go by what is surely guessable, the lower end of
    an interval that is the wider the more guesses were tried (Bonferroni). Of data sets in which
    nothing can be guessed at most 5 % are called better than chance.

    Of more than 20,000 questions of a family about so many are looked at: those of whole demos,
    drawn by a hash.

    A folder of several data sets (extract --config) is audited one by one.

    \b
    Examples:
      robotmcqa audit
      robotmcqa audit my-dataset --family waypoint --json
      robotmcqa audit my-dataset --fail-above 0.4
      robotmcqa audit my-dataset --quick
      robotmcqa audit hf://org/name@v1.2.0
    """
    from robotmcqa.audit import audit as run
    from robotmcqa.collection import parts_of

    from . import output
    from .progress import Bars

    parts = parts_of(folder_of(directory))
    found: dict[str, Audit] = {}
    with Bars() as bars:
        for part in parts:
            name = part.prefix.rstrip("/")
            if len(parts) > 1 and part.dataset.manifest["spec"]["format"] == "open":
                output.hint(f"note: {name}: open-ended questions have no options to guess among")
                continue
            found[name] = run(
                part.dataset.path,
                families=family or (),
                quick=quick,
                seed=seed,
                begin=partial(bars.stage, f"Guessing {name}".rstrip(), unit="guessers"),
                advance=lambda: bars.advance(1),
            )
    if json:
        documents = {name: one.document() for name, one in found.items()}
        output.result(documents.get("", documents))
    else:
        for name, one in found.items():
            _report(one, name)
    if fail_above is not None:
        refused = [_is_above(one, name, fail_above) for name, one in found.items()]
        if any(refused):
            raise typer.Exit(3)


def _is_above(found: Audit, config: str, limit: float) -> bool:
    """Whether surely more than ``limit`` is guessable; says so, and where it is but likely."""
    from . import output

    one = found.worst
    where = f"{config}: " if config else ""
    highest = max(found.families.values(), key=lambda family: family.guessable.accuracy).guessable
    if one.least > limit:
        output.hint(
            f"robotmcqa: {where}surely more than {limit:.1%} is guessable without the picture: "
            f"{one.guessable.accuracy:.1%} of {one.family} was guessed, at least {one.least:.1%} "
            f"with the luck of {one.tried} guesses allowed for\n"
            "  remedy: robotmcqa extract --preset grounded makes questions that need it"
        )
    elif highest.accuracy > limit:
        output.hint(
            f"note: {where}{highest.accuracy:.1%} was guessed, more than {limit:.1%}, but that may "
            "be luck: more demos would tell"
        )
    return one.least > limit


def _report(found: Audit, config: str) -> None:
    from . import output

    if config:
        typer.echo(f"# {config}\n")
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
            f"{one.family}: {one.verdict}. {share.accuracy:.1%} of {share.questions} questions "
            f"from {_demos(share.episodes)} are guessed without the picture (95 % interval "
            f"{low:.1%} to {high:.1%}, chance {one.chance:.0%}; surely {one.least:.1%}, the luck "
            f"of {one.tried} guesses allowed for)."
        )
        for note in one.notes:
            typer.echo(f"  {one.family}: {note}.")
    if found.drawn:
        typer.echo(f"Looked at: {found.drawn}, drawn by a hash of their ids.")
    if config:
        typer.echo()


def _demos(count: int) -> str:
    return "1 demo" if count == 1 else f"{count} demos"


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


def _cells(share: Share) -> list[object]:
    low, high = share.interval
    return [
        round(100 * share.accuracy, 1),
        f"{100 * low:.1f} to {100 * high:.1f}",
        share.questions,
    ]
