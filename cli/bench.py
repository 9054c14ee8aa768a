"""``robotmcqa bench``: a benchmark of open questions, built, answered, judged, reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robotmcqa.bench.agreement import Agreement
    from robotmcqa.bench.check import Problem
    from robotmcqa.bench.run import Outcome

DEFAULT_BENCH = Path("robotmcqa-bench")
RUNS = Path("bench-runs")

bench = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_Bench = Annotated[Path, typer.Argument(metavar="DIR", help="The benchmark's folder.")]
_Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@bench.callback()
def _about() -> None:
    """Open questions about pictures of a robot, answered by one model and judged by another.

    After Robot-R1 Bench: planning, next action, motion and spatial relations, scored from 0 to 3.
    docs/bench.md has the whole story.

    \b
    Examples:
      robotmcqa bench build --out my-bench
      robotmcqa bench run my-bench --model openai/gpt-4o --judge openai/gpt-4o
      robotmcqa bench report bench-runs/*
    """


@bench.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder of the benchmark.")] = DEFAULT_BENCH,
    seed: Annotated[int, typer.Option(help="Of the scenes and the words.")] = 0,
    image_size: Annotated[
        int, typer.Option(min=128, max=2048, help="Width and height of pictures.")
    ] = 224,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a benchmark, once the new one is whole.")
    ] = False,
    json: _Json = False,
) -> None:
    """Build the benchmark from simulated demos: 50 pictures, 215 questions with their answers.

    The same arguments make the same bytes.

    \b
    Examples:
      robotmcqa bench build
      robotmcqa bench build --seed 7 --image-size 448 --out bench-7
    """
    from robotmcqa.bench.build import PICTURES, build
    from robotmcqa.bench.derived import digest_of
    from robotmcqa.bench.record import counts
    from robotmcqa.bench.things import TASKS

    from . import output
    from .progress import Bars

    with Bars() as bars:
        bars.stage("Looking for scenes", PICTURES * len(TASKS), unit="pictures")
        rows = build(
            out, seed=seed, size=image_size, overwrite=overwrite, advance=lambda: bars.advance(1)
        )
    document = {"out": str(out), "questions": len(rows), **counts(rows)}
    document["content"] = digest_of(out, rows)
    if json:
        output.result(document)
    else:
        parts = ", ".join(f"{count} {kind}" for kind, count in counts(rows).items())
        typer.echo(f"{len(rows)} questions ({parts}), content {document['content']}")
    output.hint(
        f"Built {out}. Next:\n  robotmcqa bench validate {out}\n"
        f"  robotmcqa bench run {out} --model MODEL --judge MODEL"
    )


@bench.command()
def validate(directory: _Bench = DEFAULT_BENCH, json: _Json = False) -> None:
    """Check every question, picture and derived file of a benchmark.

    Exit code 3, and the line, the field and the remedy, when something is wrong.

    \b
    Examples:
      robotmcqa bench validate
      robotmcqa bench validate my-bench --json
    """
    from robotmcqa.bench.check import check, report_document

    from . import output

    rows, problems = check(directory)
    if json:
        output.result(report_document(rows, problems))
    elif problems:
        _problems(problems)
    else:
        typer.echo(f"{len(rows)} questions are right.")
    if problems:
        raise typer.Exit(3)


@bench.command()
def add(
    questions: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Files of JSON lines, pictures beside them."),
    ] = None,
    to: Annotated[Path, typer.Option(help="The benchmark; made where there is none.")] = (
        DEFAULT_BENCH
    ),
    json: _Json = False,
) -> None:
    """Add questions that people have written; all of them, or none.

    Without a file: the card and all else that is derived is made anew, after questions.jsonl has
    been edited by hand.

    \b
    Examples:
      robotmcqa bench add mine.jsonl
      robotmcqa bench add ours.jsonl theirs.jsonl --to my-bench
      robotmcqa bench add --to my-bench
    """
    from robotmcqa.bench.add import NotAdded, add
    from robotmcqa.bench.record import counts

    from . import output

    try:
        added = add(to, questions or [])
    except NotAdded as error:
        _problems(error.problems)
        raise
    if json:
        output.result({"added": len(added), **counts(added)})
    else:
        typer.echo(f"{len(added)} questions added to {to}.")


@bench.command()
def run(
    directory: _Bench = DEFAULT_BENCH,
    model: Annotated[str, typer.Option(help="Who answers, as inspect-ai names it.")] = "",
    judge: Annotated[str, typer.Option(help="Who judges, as inspect-ai names it.")] = "",
    judge_samples: Annotated[
        int, typer.Option(min=1, max=100, help="Verdicts on each answer, averaged.")
    ] = 1,
    judge_temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Of the judge; 1 in the paper.")
    ] = 1.0,
    blind: Annotated[bool, typer.Option("--blind", help="Withhold the pictures.")] = False,
    max_tokens: Annotated[int, typer.Option(min=16, help="That an answer may have.")] = 1024,
    label: Annotated[
        str, typer.Option(help="Line of the report; runs of one label are averaged.")
    ] = "",
    answers: Annotated[
        Path | None, typer.Option(help="A run whose answers are judged, not asked for anew.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
    connections: Annotated[int, typer.Option(min=1, help="Requests at the same time.")] = 10,
    max_retries: Annotated[int, typer.Option(min=0, help="Of a request that fails.")] = 8,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. [default: bench-runs/MODEL]")
    ] = None,
    json: _Json = False,
) -> None:
    """Have a model answer the questions, and another judge the answers.

    Every answer and verdict is kept as it comes. The same command again goes on after an
    interruption, and asks for nothing twice. Keys come from the environment, as inspect-ai reads
    them (OPENAI_API_KEY and so on).

    For a look without any service: --model offline/reference --judge offline/overlap. Such
    figures mean nothing.

    \b
    Examples:
      robotmcqa bench run --model openai/gpt-4o --judge openai/gpt-4o
      robotmcqa bench run my-bench --model openai-api/vllm/robot-r1 --judge openai/gpt-4o
      robotmcqa bench run --model openai/gpt-4o --judge openai/gpt-4o --blind --out blind
      robotmcqa bench run --model offline/reference --judge offline/overlap --out smoke
    """
    from robotmcqa.bench.run import open_run
    from robotmcqa.bench.run import run as go
    from robotmcqa.bench.settings import Settings, slug
    from robotmcqa.errors import UsageError

    from . import output
    from .progress import Bars

    for name, value in (("--model", model), ("--judge", judge)):
        if not value:
            raise UsageError(
                f"{name} is missing",
                "names are inspect-ai's, such as openai/gpt-4o; offline/reference answers and "
                "offline/overlap judges without any service, for a smoke run",
            )
    settings = Settings(model, judge, judge_samples, judge_temperature, max_tokens, blind, label)
    folder = out or RUNS / (slug(model) + ("-blind" if blind else ""))
    opened = open_run(directory, folder, settings, answers)
    with Bars() as bars:
        bars.stage("Answering and judging", min(len(opened.rows), limit or 10**9), "questions")
        try:
            done = go(
                opened,
                connections=connections,
                max_retries=max_retries,
                limit=limit,
                advance=lambda: bars.advance(1),
            )
        except KeyboardInterrupt:
            output.hint("interrupted; the same command goes on from here")
            raise
    left = bool(done.errors) or (limit is None and not done.whole)
    _tell(done, folder, left, json)
    if left:
        raise typer.Exit(4)


def _tell(done: Outcome, folder: Path, left: bool, json: bool) -> None:
    from . import output

    if json:
        output.result(
            {
                "run": str(folder),
                "questions": done.questions,
                "answered": done.answered,
                "judged": done.judged,
                "errors": list(done.errors),
            }
        )
    else:
        typer.echo(f"{done.questions} questions, {done.answered} answered, {done.judged} judged.")
    for error in done.errors[: output.MOST_LINES]:
        output.hint(f"failed: {' '.join(error.split())[:300]}")
    if left:
        output.hint(f"robotmcqa: {done.questions - done.judged} questions are left")
        output.hint("  remedy: the same command again goes on, and asks for nothing twice")
    output.hint(f"Next:\n  robotmcqa bench report {folder}")


@bench.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the page here, and its JSON beside it.")
    ] = None,
    json: _Json = False,
) -> None:
    """The paper's table for these runs, with intervals, beside what was published.

    No model is called: everything comes from the folders.

    \b
    Examples:
      robotmcqa bench report bench-runs/*
      robotmcqa bench report bench-runs/openai-gpt-4o --out report.md
    """
    from robotmcqa.bench.report import report
    from robotmcqa.bench.run import opened_run
    from robotmcqa.files import json_text, write_text

    from . import output

    found = report([opened_run(folder) for folder in runs])
    if out is not None:
        write_text(out, found.markdown())
        write_text(out.with_suffix(".json"), json_text(found.document()))
        output.hint(f"Wrote {out} and {out.with_suffix('.json')}.")
    if json:
        output.result(found.document())
    elif out is None:
        typer.echo(found.markdown(), nl=False)


@bench.command()
def agreement(
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES.CSV", help="Columns id, score, perhaps rater.")
    ],
    directory: _Run,
    template: Annotated[
        int | None,
        typer.Option(min=4, help="Write SCORES.CSV with so many answers, to be filled in."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the answers in the template.")] = 0,
    json: _Json = False,
) -> None:
    """How far the judge of a run agrees with people: Pearson, and kappa with quadratic weights.

    \b
    Examples:
      robotmcqa bench agreement scores.csv bench-runs/openai-gpt-4o --template 80
      robotmcqa bench agreement scores.csv bench-runs/openai-gpt-4o
    """
    from robotmcqa.bench import agreement as library
    from robotmcqa.bench.run import opened_run
    from robotmcqa.errors import UsageError
    from robotmcqa.files import write_text

    from . import output

    opened = opened_run(directory)
    if template is not None:
        if scores.exists():
            raise UsageError(f"{scores}: lies there already", "give another name")
        write_text(scores, library.template(opened, template, seed))
        output.hint(f"Wrote {scores}. Fill in the column score, then run this without --template.")
        return
    found = library.agreement(scores, opened)
    if json:
        output.result({kind: one.document() for kind, one in found.items()})
    else:
        _agreement(found, opened.settings.judge)


def _agreement(found: dict[str, Agreement], judge: str) -> None:
    from robotmcqa.bench.agreement import published

    from . import output

    rows: list[list[Any]] = [
        [
            kind,
            one.pearson.questions,
            one.pearson.text,
            one.kappa.text,
            f"{one.human:.2f}",
            f"{one.judge:.2f}",
            published(kind),
        ]
        for kind, one in found.items()
    ]
    head = ["type", "scores", "Pearson", "kappa", "people", "judge", "published Pearson"]
    output.table(f"Agreement of {judge} with people (95 % intervals over pictures)", head, rows)
    typer.echo("Published: the paper's judge, people and questions, none of them these.")


def _problems(problems: Sequence[Problem]) -> None:
    from . import output

    for problem in problems[: output.MOST_LINES]:
        typer.echo(f"{problem.where}: {problem.what}\n  remedy: {problem.remedy}")
    if len(problems) > output.MOST_LINES:
        typer.echo(f"... and {len(problems) - output.MOST_LINES} more (--json has all)")
