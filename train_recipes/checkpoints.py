"""Where a run goes on, and that none is overwritten by mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

from robotmcqa.errors import UsageError

__all__ = ["checkpoint_to_resume", "whole_checkpoints"]

_STATE = "trainer_state.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def checkpoint_to_resume(output_dir: str | Path, resume: bool) -> str | None:
    """The newest whole checkpoint; None to start at the beginning.

    Raises:
        UsageError: there are checkpoints of another run, and nobody said to go on.
    """
    found = whole_checkpoints(Path(output_dir))
    if not found:
        return None
    if not resume:
        raise UsageError(
            f"{output_dir} holds a run of {_step(found[-1])} steps",
            "--resume goes on with it; another --output_dir starts anew",
        )
    return str(found[-1])


def whole_checkpoints(output_dir: Path) -> list[Path]:
    """Checkpoints in the order of their steps, without one that a killed run has left half-written.

    The trainer writes its state last, so a checkpoint that has it is whole.
    """
    folders = [path for path in output_dir.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(filter(_is_whole, folders), key=_step)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _is_whole(folder: Path) -> bool:
    try:
        document = json.loads((folder / _STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return document.get("global_step") == _step(folder)
