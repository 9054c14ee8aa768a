"""What inspect finds by the entry point ``robotmcqa``: tasks, and providers of models."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import modelapi

from robotmcqa.evaluation.spatialrgpt import spatialrgpt
from robotmcqa.evaluation.tasks import current_state, every_family, motion, waypoint

__all__ = [
    "baseline",
    "checkpoint",
    "current_state",
    "every_family",
    "motion",
    "spatialrgpt",
    "waypoint",
]


@modelapi(name="baseline")
def baseline() -> Any:
    """``baseline/random`` and the others."""
    from robotmcqa.evaluation.baselines import Baseline

    return Baseline


@modelapi(name="robotmcqa")
def checkpoint() -> Any:
    """``robotmcqa/FOLDER``: a transformers checkpoint on this machine."""
    from robotmcqa.evaluation.checkpoint import Checkpoint

    return Checkpoint
