"""``robotmcqa eval``."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .place import DEFAULT_OUT

if TYPE_CHECKING:
    from robotmcqa.evaluation.run import Evaluation

EVALUATION = Path("robotmcqa-evaluation")


class Split(StrEnum):
    """Questions of which demos."""

    TEST = "test"
    TRAIN = "train"
    ALL = "all"


def eval(
    model: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Repeatable: provider/name as inspect has it, a folder with a checkpoint, or "
            "baseline/random, first, nearest, blind-learned, oracle.",
        ),
    ],
    directory: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="The data set: a folder, org/name@v1.2.0, or hf://org/name; or "
            "spatialrgpt:FILE for a copy of SpatialRGPT-Bench.",
        ),
    ] = str(DEFAULT_OUT),
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Of an OpenAI-compatible server that has the models; its key, if it needs one, "
            "is ROBOTMCQA_API_KEY.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="Of a repository with several data sets. [default: its default]"),
    ] = None,
    split: Annotated[Split, typer.Option(help="Questions of which demos.")] = Split.TEST,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family, repeatable. [default: all]")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many questions of each family, from all demos."),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Ask once more without the pictures.")
    ] = False,
    blank: Annotated[
        bool, typer.Option("--blank", help="Ask once more with grey pictures of the same size.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, help="How often each question is put, with seeds from 0.")
    ] = 1,
    temperature: Annotated[
        float, typer.Option(min=0, help="Of sampling; 0 takes the likeliest.")
    ] = 0.0,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Of an answer. [default: the provider's own limit]"),
    ] = None,
    max_connections: Annotated[
        int, typer.Option(min=1, help="Questions that are asked at the same time.")
    ] = 10,
    max_retries: Annotated[
        int, typer.Option(min=0, help="Of a question whose trouble may pass.")
    ] = 6,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "-M",
            "--model-arg",
            metavar="NAME=VALUE",
            help="Repeatable: of the provider, e.g. device=cuda. Keys belong in the environment.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where results and logs go.")
    ] = EVALUATION,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the evaluation in --out first.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Ask models the questions of a data set, and count.

    inspect-ai asks; the letter in the one answer block counts, read by the parser that the
    rewards of training use. Intervals take whole demos as the unit. Of two models the difference
    is tested, question by question.

    In --out: results.json, every answer (answers.jsonl), the Hub's records of the models (hub/),
    and inspect's logs (inspect view --log-dir DIR/logs). Exit code 4, and what was answered is
    kept, when a model or its server fails; --resume asks only what has no answer.

    \b
    Examples:
      robotmcqa eval --model openai/gpt-4o --blind
      robotmcqa eval my-dataset --model ./checkpoint --model baseline/blind-learned
      robotmcqa eval org/name@v1.2.0 --model my-model --base-url http://localhost:8000/v1
      robotmcqa eval --model baseline/random --model baseline/oracle --seeds 3 --json
      robotmcqa eval spatialrgpt:SpatialRGPT-Bench.jsonl --model ./checkpoint
    """
    from . import output
    from .progress import Bars

    _require()
    from robotmcqa.evaluation.models import named
    from robotmcqa.evaluation.plan import PLAN, Plan
    from robotmcqa.evaluation.run import evaluate

    output.quiet_hub()
    pictures = ["shown", *(["removed"] if blind else []), *(["blank"] if blank else [])]
    plan = Plan(
        place=directory,
        models=tuple(named(one, base_url) for one in model),
        pictures=tuple(pictures),  # type: ignore[arg-type]
        config=config,
        split=split.value,
        families=tuple(family or ()),
        limit=limit,
        seeds=seeds,
        temperature=temperature,
        max_tokens=max_tokens,
        arguments=_arguments(argument or []),
        connections=max_connections,
        retries=max_retries,
    )
    if overwrite and (out / PLAN).exists():
        shutil.rmtree(out)
    with Bars() as bars:
        try:
            found = evaluate(
                plan,
                out,
                resume=resume,
                begin=lambda name, total: bars.stage(name, total, unit="answers"),
                advance=bars.advance,
            )
        except KeyboardInterrupt:
            output.hint("interrupted; the same command with --resume goes on from here")
            raise
    if json:
        output.result(found.document())
    else:
        from .eval_tables import report

        report(found, out)
    if found.missing:
        _complain(found)
        raise typer.Exit(4)


def _require() -> None:
    """Say how to get what this verb needs beside the rest."""
    from importlib.util import find_spec

    from robotmcqa.errors import UsageError

    if not find_spec("inspect_ai"):
        raise UsageError("robotmcqa eval needs inspect-ai", "pip install 'robotmcqa[eval]'")


def _arguments(given: list[str]) -> dict[str, Any]:
    """``["device=cuda", "batch_size=8"]`` as values of YAML."""
    from robotmcqa.bounded_yaml import YAMLProblem, read_yaml
    from robotmcqa.errors import UsageError

    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise UsageError(f"-M {one}", "an argument of a provider looks like device=cuda")
        if "key" in name.lower() or "token" in name.lower():
            raise UsageError(f"-M {name}: keys would be logged", "set the provider's variable")
        try:
            found[name] = read_yaml(value)
        except YAMLProblem as error:
            raise UsageError(f"-M {name}: {error}", "a number, a word, or YAML") from None
    return found


def _complain(found: Evaluation) -> None:
    from . import output

    for run in found.runs:
        for why, count in run.asked.unanswered.items():
            output.hint(f"robotmcqa: {run.model.name}: {count} questions got no answer: {why}")
    output.hint("  remedy: the same command with --resume asks those again, and no others")
