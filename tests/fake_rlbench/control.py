"""What the stand-in is to do, and what it has done: files in the folder ``FAKE_RLBENCH``.

``log`` has a line for each event, with the process that it happened in. A file in ``faults``
``TASK-VARIATION-FAULT`` makes every demo of that variation fail; with a number behind, one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_RLBENCH"])


def log(*words: object) -> None:
    with (FOLDER / "log").open("a") as file:
        file.write(" ".join(map(str, (os.getpid(), *words))) + "\n")


def planned(task: str, variation: int, fault: str) -> bool:
    """Whether a fault is due now; one with a number happens once, in whichever process."""
    name = f"{task}-{variation}-{fault}"
    if (FOLDER / "faults" / name).exists():
        return True
    for token in sorted((FOLDER / "faults").glob(f"{name}-*")):
        try:
            token.rename(FOLDER / "spent" / token.name)
        except FileNotFoundError:
            continue  # another process was faster
        return True
    return False


def number(task: str, variation: int) -> int:
    """0, 1, 2, ... for the demos of a variation, in whichever process they are made."""
    count = 0
    while True:
        try:
            (FOLDER / "made" / f"{task}-{variation}-{count}").touch(exist_ok=False)
        except FileExistsError:
            count += 1
        else:
            return count


def hang() -> None:
    """For ever, and deaf to everything but SIGKILL."""
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    while True:
        time.sleep(1000)


def crash() -> None:
    """As C++ code does it: words on stderr, then SIGABRT."""
    library = f"{os.environ['COPPELIASIM_ROOT']}/lib.so"
    print(f"{library}: signal 11", file=sys.stderr)
    print(f"{library}(_ZN12QOpenGL+0x28)[0x7f2adecd60b8]", file=sys.stderr)
    os.abort()
