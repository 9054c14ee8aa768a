"""The app: the verbs in one place, and how errors end a run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import doctor, extract, show, tasks, validate
from .output import complain

app = typer.Typer(
    name="robotmcqa",
    help="Robot demonstrations to multiple-choice questions, after Robot-R1.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help answers in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

for verb in (extract.extract, validate.validate, show.show, tasks.tasks, doctor.doctor):
    app.command()(verb)


def _version(wanted: bool) -> None:
    if wanted:
        from robotmcqa import __version__

        typer.echo(f"robotmcqa {__version__}")
        raise typer.Exit


@app.callback()
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
    """Entry point of the ``robotmcqa`` command."""
    # Imported here: the help does without.
    from robotmcqa.errors import DataError, RobotMCQAError, UsageError

    try:
        app()
    except UsageError as error:
        complain(error)
        sys.exit(2)
    except DataError as error:
        complain(error)
        sys.exit(3)
    except RobotMCQAError as error:
        complain(error)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): no message, and none at exit either.
        sys.stdout = None
        sys.exit(1)
