"""The app: the verbs in one place, and how errors end a run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from .interrupts import interrupted

VERBS = {
    "extract": "Make a data set of questions from demonstrations.",
    "validate": "Check a data set, every row: schema, meaning, hashes.",
    "audit": "Say how well the answers can be guessed without the picture.",
    "merge": "Put data sets with the same spec together.",
    "show": "Write a page of sampled items; print counts.",
    "export": "Write a data set in the format of another trainer.",
    "eval": "Ask a model the questions; say how many it gets right.",
    "push": "Publish a data set on the Hub as the next version.",
    "record": "Make demonstrations and save them as RLBench saves its own.",
    "inspect": "Say what is in a source of demos, and what is wrong with it.",
    "tasks": "List the tasks of a source, with their variations and demos.",
    "doctor": "Say what is installed, what is missing, and how to get it.",
    "bench": "Open questions: build a benchmark, run and judge models on it.",
}
"""Verb -> its line in the help. Each is a function of its name in a file of its name, or an app
with verbs of its own: those stand last, where Typer lists them."""


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The app for one command line.

    Only the verbs that ``arguments`` name are loaded; the others stand in the help by their line.
    Reading thirty options of a verb that nobody asked for is what makes a help slow.
    """
    app = typer.Typer(
        name="robotmcqa",
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help answers in half the time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    completing = "_ROBOTMCQA_COMPLETE" in os.environ
    for verb, line in VERBS.items():
        if completing or verb in arguments:
            loaded = _load(verb)
            if isinstance(loaded, typer.Typer):
                app.add_typer(loaded, name=verb, short_help=line)
            else:
                app.command(verb)(loaded)
        else:
            app.command(verb, help=line)(_not_loaded)
    return app


def _load(verb: str) -> Callable[..., Any] | typer.Typer:
    """The function of a verb, or the app of one that has verbs of its own."""
    loaded: Callable[..., Any] | typer.Typer = getattr(import_module(f".{verb}", __package__), verb)
    return loaded


def _not_loaded() -> None:
    """Stands for a verb that the command line does not name, so it cannot be called."""


def _version(wanted: bool) -> None:
    if wanted:
        from robotmcqa import __version__

        typer.echo(f"robotmcqa {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Robot demonstrations to multiple-choice questions, after Robot-R1.

    Results go to stdout (--json for machines), progress and hints to stderr. Exit codes: 0 done,
    2 wrong usage, 3 the input or the data is at fault, 4 an outside service is at fault,
    130 interrupted.
    """


def main() -> None:
    """The whole command; :mod:`.start` calls it."""
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        build_app(sys.argv[1:])()
    except KeyboardInterrupt:  # while a verb was being loaded
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): no message, and none at exit either.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.exit(1)
    except Exception as error:
        sys.exit(_exit_code(error))
    finally:
        signal.signal(signal.SIGINT, before)  # at exit an interrupt has nothing left to say


def _exit_code(error: Exception) -> int:
    """Say what went wrong; only a bug of ours shows its trace."""
    from robotmcqa.errors import (
        DataError,
        EngineError,
        HubError,
        ModelError,
        RobotMCQAError,
        StoreError,
        UsageError,
    )
    from robotmcqa.files import is_refusal

    from .output import complain

    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        remedy = "make room or give another place; --resume goes on"
        if is_refusal(error):
            remedy = "check its permissions, or give another place"
        error = DataError(f"{where}{error.strerror}", remedy)
    if not isinstance(error, RobotMCQAError):
        raise error
    complain(error)
    codes = {UsageError: 2, DataError: 3}
    codes |= dict.fromkeys((HubError, ModelError, StoreError, EngineError), 4)
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 1)
