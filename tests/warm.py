"""Commands in processes of their own that need not import everything anew.

On small data two thirds of what a command costs are its imports. So one process makes them once
and forks for each command. The child has memory, streams, a folder and an environment of its own,
and ends as any process ends; nothing comes back but its output and its exit code.

What packages read from the environment as they are imported (``HF_HOME``, ``HF_ENDPOINT``) each
child still reads itself, for those packages are not among the imports made here. Where the start
of Python or the installed script is what matters, a test takes the fixture ``script`` instead.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

SECONDS = 300
"""No command of a test takes longer."""

IMPORTED = (
    *("typer", "rich.console", "rich.table", "rich.progress", "filelock", "packaging.version"),
    *("numpy", "pyarrow.parquet", "pandas", "scipy.special", "scipy.spatial.transform"),
    *("PIL.PngImagePlugin", "jinja2", "yaml", "jsonschema_rs"),
    *("httpx2", "tqdm.auto", "fsspec", "dill", "multiprocess", "xxhash"),
    *("robotmcqa.extraction", "robotmcqa.validation", "robotmcqa.audit", "robotmcqa.cli.app"),
    *("robotmcqa.sources.rlbench", "robotmcqa.card.presentation"),
)
READ_THE_ENVIRONMENT = ("huggingface_hub", "datasets")
"""Packages that settle their places and addresses as they are imported."""


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, code: str = ""
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` with captured text: the command, or Python code in its place.

    Args:
        words: the command line, with the program's name.
        env: the whole environment.
        cwd: where it runs; here by default.
        code: what ``python -c`` would run.
    """
    server = _server()
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {
            "words": list(words),
            "code": code,
            "cwd": str(cwd or Path.cwd()),
            "env": dict(env),
            "streams": [os.devnull, str(out), str(err)],
        }
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        ended = server.stdout.readline()
        assert ended, f"the process that forks has ended: {server.poll()}"
        return subprocess.CompletedProcess(
            list(words), int(ended), out.read_text("utf-8"), err.read_text("utf-8")
        )


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks; it ends when its stdin does, with the tests' own process."""
    # One thread, for only the thread that forks goes on in the child.
    return subprocess.Popen(
        [sys.executable, "-P", __file__],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def stop() -> None:
    """End the process that forks, if there is one."""
    if _server.cache_info().currsize:
        _server().communicate()
        _server.cache_clear()


def _serve() -> None:
    for name in IMPORTED:
        import_module(name)
    assert not sys.modules.keys() & set(READ_THE_ENVIRONMENT)
    gc.freeze()  # or each child's first collection would copy all of it
    for line in sys.stdin:
        child = get_context("fork").Process(target=_become, kwargs=json.loads(line))
        child.start()
        child.join()
        print(child.exitcode, flush=True)


def _become(words: list[str], code: str, cwd: str, env: dict[str, str], streams: list[str]) -> None:
    """Be the process that was asked for."""
    signal.alarm(SECONDS)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, name in enumerate(streams):
        file = os.open(name, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    sys.argv = words
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    if code:
        sys.path.insert(0, "")
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        import_module("robotmcqa.cli.app").main()


if __name__ == "__main__":
    _serve()
