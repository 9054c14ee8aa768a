"""A release of simulated demos, and evaluations of it run in this process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Selection, extract, preset
from robotmcqa.evaluation.models import named
from robotmcqa.evaluation.plan import Plan
from robotmcqa.evaluation.run import Evaluation, evaluate
from robotmcqa.sources.sim import SimSource

ANSWER = "<think> The gripper is to the left: [[B]]. </think>\n<answer> [[B]] </answer>"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions about simulated demos of two tasks, with small pictures. Read only."""
    out = tmp_path_factory.mktemp("release") / "questions"
    tasks = Selection(tasks=("push_button", "reach_target"), episodes=4)
    spec = preset("paper", test_fraction=0.5)
    extract(SimSource(image_size=32), spec, out, selection=tasks, workers=1)
    return out


def evaluated(
    place: Path | str, out: Path, *models: str, resume: bool = False, **chosen: Any
) -> Evaluation:
    base_url = chosen.pop("base_url", None)
    plan = Plan(place=str(place), models=tuple(named(one, base_url) for one in models), **chosen)
    return evaluate(plan, out, resume=resume)


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of ``robotmcqa eval``, called in this process: inspect loads once."""
    main = importlib.import_module("robotmcqa.cli.app").main
    monkeypatch.setattr(sys, "argv", ["robotmcqa", "eval", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
