"""What the tests of the training recipes share: a small data set, and recipes run as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from robotmcqa import extract, open_source, preset
from robotmcqa.sources import Selection, SourceOptions
from tests.conftest import environment

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "train_recipes"
ACCELERATE = Path(sys.executable).with_name("accelerate")


def write_questions(out: Path, demos: int, **overrides: Any) -> Path:
    """Questions of the proof's task, with short prompts: a tiny model reads them fast."""
    template = (RECIPES / "proof_task" / "motion.jinja").read_text("utf-8")
    settings: dict[str, Any] = {
        "families": ("motion",),
        "templates": {"motion": template},
        "dead_band": 60,
        "min_displacement": 150,
        "test_fraction": 0.2,
    }
    source = open_source(f"sim:{RECIPES / 'proof_task'}", SourceOptions(image_size=32))
    spec = preset("grounded", **{**settings, **overrides})
    extract(source, spec, out, Selection(tasks=("reach_large_ball",), episodes=demos), workers=1)
    return out


def launch(
    recipe: str, *words: object, accelerate: str = "cpu1", cwd: Path, port: int = 29600
) -> subprocess.CompletedProcess[str]:
    """``accelerate launch train_recipes/RECIPE.py WORDS``, to its end."""
    return subprocess.run(
        command(recipe, *words, accelerate=accelerate, port=port),
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def killed_after(checkpoint: Path, recipe: str, *words: object, cwd: Path, port: int) -> None:
    """The same, killed with all its processes as soon as a checkpoint begins to appear."""
    with subprocess.Popen(
        command(recipe, *words, accelerate="cpu1", port=port),
        cwd=cwd,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not checkpoint.exists():
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)


def command(recipe: str, *words: object, accelerate: str, port: int) -> list[str]:
    return [
        *(str(ACCELERATE), "launch", "--main_process_port", str(port)),
        *("--config_file", str(RECIPES / "accelerate" / f"{accelerate}.yaml")),
        *(str(RECIPES / f"{recipe}.py"), *map(str, words)),
    ]


def _environment() -> dict[str, str]:
    return environment(
        OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", PYTHONWARNINGS=""
    )


def log_of(run: Path, metric: str) -> list[float]:
    """What a run has logged of a metric, in the order of its steps."""
    history = json.loads((run / "trainer_state.json").read_text("utf-8"))["log_history"]
    return [one[metric] for one in history if metric in one]
