"""``robotmcqa push``."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from .place import DEFAULT_OUT, folder_of
from .place import HELP as PLACE_HELP

if TYPE_CHECKING:
    from robotmcqa.hub.publish import Pushed


def push(
    repo: Annotated[
        str, typer.Option(metavar="ORG/NAME", help="The data set on the Hub; made if need be.")
    ],
    directory: Annotated[str, typer.Argument(metavar="DIR", help=PLACE_HELP)] = str(DEFAULT_OUT),
    version: Annotated[
        str | None,
        typer.Option(
            metavar="vX.Y.Z",
            help="Of the release. [default: the next, by what changed; v1.0.0 at first]",
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a data set that others cannot see.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be uploaded, and upload nothing.")
    ] = False,
    message: Annotated[str, typer.Option(help="What is new, for the changelog.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Publish a data set on the Hub as the next version.

    It is validated first. All files go up in one commit, which then gets a tag vX.Y.Z that never
    moves; only what has changed is sent. Pushed again, the same content makes no new version, and
    a push that was cut off is finished.

    Log in with `hf auth login`, or set HF_TOKEN.

    \b
    Examples:
      robotmcqa push --repo org/robot-r1-mcqa
      robotmcqa push my-dataset --repo org/name --dry-run
      robotmcqa push my-dataset --repo org/name --version v2.0.0 --message "Twice the tasks."
    """
    from robotmcqa.collection import parts_of
    from robotmcqa.hub.publish import push as run

    from . import output
    from .progress import Bars

    output.quiet_hub()
    folder = folder_of(directory)
    left = sum(part.rows for part in parts_of(folder))
    with ExitStack() as checking:
        bars = checking.enter_context(Bars())
        bars.stage("Checking rows", left, unit="rows")

        def advance(rows: int) -> None:
            nonlocal left
            left -= rows
            bars.advance(rows)
            if left <= 0:
                checking.close()  # the uploads' own bars come next

        try:
            done = run(
                folder,
                repo,
                version=version,
                private=private,
                dry_run=dry_run,
                message=message,
                say=output.hint,
                advance=advance,
            )
        except KeyboardInterrupt:
            output.hint("interrupted; the same command goes on from here")
            raise
    if json:
        output.result(done.document())
    else:
        _report(done)
    if done.action != "planned":
        pinned = f'"{done.repo}", revision="{done.version}"'
        output.hint(
            f"{done.url}\nNext:\n  load_dataset({pinned})\n"
            f"  robotmcqa validate {shlex.quote(f'hf://{done.repo}@{done.version}')}"
        )


def _report(done: Pushed) -> None:
    from . import output

    plan = done.plan
    sent = sum(file.size for file in plan.upload)
    files = f"{len(plan.upload)} files, {_size(sent)}"
    if done.action == "planned" and plan.unchanged:
        typer.echo(f"{done.repo} would get the tag {done.version}, which a push that was cut off")
        typer.echo("  did not come to; there is nothing to upload.")
    elif done.action == "planned":
        typer.echo(f"{done.repo} would get {done.version}: {files} to upload.")
        _list(done)
        output.hint("Of a changed data file, the Hub's storage takes only the parts that are new.")
    elif done.action == "released":
        typer.echo(f"{done.repo} {done.version} is released (commit {done.commit[:7]}): {files}.")
        typer.echo(
            f"  {len(plan.new)} new, {len(plan.changed)} changed, {len(plan.same)} unchanged, "
            f"{len(plan.removed)} removed"
        )
    elif done.action == "finished":
        typer.echo(f"{done.repo} {done.version}: the push that was cut off is finished.")
    else:
        typer.echo(f"{done.repo} {done.version} has this content already; nothing to do.")
    if done.overtaken:
        typer.echo(f"  others have pushed meanwhile; this came after them as {done.version}")


def _list(done: Pushed) -> None:
    """Every file with what would become of it."""
    plan = done.plan
    sizes = {file.path: file.size for file in plan.upload}
    for word, paths in (("new", plan.new), ("changed", plan.changed)):
        for path in paths:
            typer.echo(f"  {word:9} {path}  {sizes[path]} bytes")
    for word, paths in (("unchanged", plan.same), ("removed", plan.removed)):
        for path in paths:
            typer.echo(f"  {word:9} {path}")


def _size(number: int) -> str:
    if number < 1000:
        return f"{number} bytes"
    size = float(number)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:.1f} {unit}"
