"""``make train-proof``: that a model learns to look, on two CPU cores, from nothing.

A task of the embedded simulator, a model of 0.9 M parameters, and the recipes as anybody would run
them: imitation as a cold start, then RL with three seeds, RLOO and REINFORCE++ on the same start,
both kinds of SFT, and a control in which every question has another's answer. Each model is asked
every question of demonstrations it has never seen, with the pictures and with grey ones instead.

    python -m robotmcqa.train_recipes.proof --out train-proof

Interrupted, the same command goes on with what is not measured yet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from robotmcqa.train_recipes.arguments import configs_folder, run
from scipy.stats import binomtest

from robotmcqa.errors import DataError

__all__ = ["RUNS", "Run", "gain"]

HERE = Path(__file__).parent
CHANCE = 0.25


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: of its folder.
        what: in the table.
        recipe: the script.
        config: its settings.
        start: the run whose model it begins with; None for the tiny model with random weights.
        words: further arguments.
    """

    name: str
    what: str
    recipe: str
    config: str
    start: str | None = None
    words: tuple[str, ...] = ()


RUNS = (
    Run("warm-up", "CoT SFT, stopped half-way: the start of RL", "sft", "cpu-proof-sft"),
    Run("grpo-0", "GRPO, seed 0", "grpo", "cpu-proof", "warm-up", ("--seed", "0")),
    Run("grpo-1", "GRPO, seed 1", "grpo", "cpu-proof", "warm-up", ("--seed", "1")),
    Run("grpo-2", "GRPO, seed 2", "grpo", "cpu-proof", "warm-up", ("--seed", "2")),
    Run("rloo", "RLOO", "rloo", "cpu-proof-rloo", "warm-up"),
    Run(
        "reinforce-pp",
        "REINFORCE++ (with baseline)",
        "grpo",
        "cpu-proof",
        "warm-up",
        ("--scale_rewards", "batch"),
    ),
    Run(
        "control-start",
        "control: CoT SFT on shuffled answers",
        "sft",
        "cpu-proof-sft",
        words=("--shuffle_answers", "true"),
    ),
    Run(
        "control",
        "control: then GRPO on shuffled answers",
        "grpo",
        "cpu-proof",
        "control-start",
        ("--shuffle_answers", "true"),
    ),
    Run(
        "cot-sft",
        "CoT SFT, as long as warm-up and RL together",
        "sft",
        "cpu-proof-sft",
        words=("--max_steps", "600"),
    ),
    Run(
        "direct-sft",
        "Direct SFT, as long",
        "sft",
        "cpu-proof-sft",
        words=("--max_steps", "600", "--completion", "direct"),
    ),
)
"""In an order in which each finds its start done when two run at a time."""


def extract(out: Path) -> None:
    """The questions: simulated demonstrations of :mod:`robotmcqa.train_recipes.proof_task`."""
    if (out / "meta/manifest.json").exists():
        return
    words = f"""--source sim:{HERE / "proof_task"} --task reach_large_ball --episodes 1500
        --family motion --preset grounded --camera front --image-size 112 --stride 10
        --test-fraction 0.2 --dead-band 0.06 --min-displacement 0.15 --workers 2
        --template motion={HERE / "proof_task" / "motion.jinja"} --out {out} --resume"""
    _do([str(Path(sys.executable).with_name("robotmcqa")), "extract", *words.split()], None)


def train(one: Run, out: Path) -> None:
    """Run a recipe, and measure what it has made, with pictures and without."""
    folder = out / one.name
    results = folder / "measured.json"
    if results.exists():
        return
    began = time.process_time(), os.times().children_user
    if not (folder / "recipe.json").exists():
        start = ["--model_name_or_path", str(out / one.start)] if one.start else []
        accelerate = Path(sys.executable).with_name("accelerate")
        _do(
            [
                *(str(accelerate), "launch", "--config_file", str(HERE / "accelerate/cpu1.yaml")),
                *(str(HERE / f"{one.recipe}.py"), "--config"),
                str(configs_folder() / f"{one.config}.yaml"),
                *("--dataset", str(out / "dataset"), "--output_dir", str(folder), "--resume"),
                *("true", *start, *one.words),
            ],
            folder.with_suffix(".log"),
        )
    found = {
        name: json.loads(_do(_measuring(folder, out / "dataset", words), None).splitlines()[-1])
        for name, words in (("seen", ()), ("blank", ("--blank",)))
    }
    del began
    results.write_text(json.dumps(found) + "\n", "utf-8")


def _measuring(model: Path, dataset: Path, words: Sequence[str]) -> list[str]:
    module = "robotmcqa.train_recipes.measure"
    return [
        *(sys.executable, "-m", module, str(model), "--dataset", str(dataset)),
        *("--max-new-tokens", "64", "--batch", "128", *words),
    ]


def _do(words: Sequence[str], log: Path | None) -> str:
    """Run a command on one core; its output goes to ``log``, or is given back.

    Raises:
        DataError: it failed.
    """
    settings = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        words, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if log is not None:
        log.write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise DataError(f"{' '.join(words)}\n{tail}", f"the whole output: {log}" if log else "")
    return done.stdout


def gain(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float]:
    """What training has added on the same questions, and how likely luck alone would do that.

    Returns:
        The difference in accuracy, and the p-value of McNemar's exact test (two-sided).
    """
    better = sum(b and not a for a, b in zip(before, after, strict=True))
    worse = sum(a and not b for a, b in zip(before, after, strict=True))
    p = binomtest(better, better + worse).pvalue if better + worse else 1.0
    return (better - worse) / len(before), float(p)


def report(out: Path) -> dict[str, Any]:
    """The table, and the same as JSON in ``proof.json``."""
    found = {one.name: json.loads((out / one.name / "measured.json").read_text()) for one in RUNS}
    table = Table()
    for title in ("model", "right", "95 %", "blank", "well-formed", "agreement", "gain", "p"):
        table.add_column(title, justify="left" if title == "model" else "right")
    document: dict[str, Any] = {}
    for one in RUNS:
        seen, blank = found[one.name]["seen"], found[one.name]["blank"]
        added = gain(found[one.start]["seen"]["correct"], seen["correct"]) if one.start else None
        table.add_row(
            one.what,
            _percent(seen["accuracy"]),
            f"{_percent(seen['low'])} to {_percent(seen['high'])}",
            _percent(blank["accuracy"]),
            _percent(seen["well_formed"]),
            "" if seen["agreement"] is None else _percent(seen["agreement"]),
            "" if added is None else f"{100 * added[0]:+.1f}",
            "" if added is None else f"{added[1]:.2g}",
        )
        kept = {name: value for name, value in seen.items() if name != "correct"}
        document[one.name] = {
            **kept,
            "blank": blank["accuracy"],
            "gain": added and added[0],
            "p": added and added[1],
        }
    questions = next(iter(found.values()))["seen"]["questions"]
    Console(width=130).print(table)
    print(  # noqa: T201
        f"{questions} questions about demonstrations never seen; chance {CHANCE:.0%}; greedy; "
        "intervals: Wilson; gain in points over the model it started from, p by McNemar's test."
    )
    (out / "proof.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return document


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def main() -> None:
    """The whole proof."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("train-proof"), help="Folder of it all.")
    parser.add_argument("--at-once", type=int, default=2, help="Trainings beside each other.")
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)  # noqa: T201

    extract(words.out / "dataset")
    say("the questions are extracted")
    with ThreadPoolExecutor(words.at_once) as pool:
        done: dict[str, Any] = {}

        def one_run(one: Run) -> None:
            if one.start:
                done[one.start].result()
            train(one, words.out)
            say(one.what)

        for one in RUNS:
            done[one.name] = pool.submit(one_run, one)
        for future in done.values():
            future.result()
    report(words.out)
    say("done")


if __name__ == "__main__":
    run(main)
