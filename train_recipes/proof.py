"""``make train-proof``: that a model learns to look, on two CPU cores, from nothing.

A task of the embedded simulator, a model of 0.9 M parameters, and the recipes as anybody would run
them: imitation as a cold start, then RL with three seeds, RLOO and REINFORCE++ on the same start,
both kinds of SFT, and a control in which every question has another's answer. Each model is asked
every question of demonstrations it has never seen, with the pictures and with grey ones instead.

What is simpler than in a real data set: one task with one large ball at five places below the
gripper, one family, five labels (movements of less than 6 cm count as none, questions less than 15
cm from the target are left out), a prompt of the instruction and the options only, pictures of 112
pixels that the model sees at 28, and of the reasoning only the movement.

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
from scipy.stats import binomtest

from robotmcqa.errors import DataError
from robotmcqa.train_recipes.arguments import configs_folder, run

__all__ = ["RUNS", "Run", "gain"]

HERE = Path(__file__).parent


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
    Run("warm-up", "CoT SFT, stopped half-way: start of RL", "sft", "cpu-proof-sft"),
    Run(
        "control-start",
        "control: CoT SFT on shuffled answers",
        "sft",
        "cpu-proof-sft",
        words=("--shuffle_answers", "true"),
    ),
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
        "control",
        "control: then GRPO on shuffled answers",
        "grpo",
        "cpu-proof",
        "control-start",
        ("--shuffle_answers", "true"),
    ),
    Run(
        "cot-sft",
        "CoT SFT, 400 steps",
        "sft",
        "cpu-proof-sft",
        words=("--max_steps", "400", "--stop_at_accuracy", "2"),
    ),
    Run(
        "direct-sft",
        "Direct SFT, 400 steps",
        "sft",
        "cpu-proof-sft",
        words=("--max_steps", "400", "--stop_at_accuracy", "2", "--completion", "direct"),
    ),
)
"""In an order in which each finds its start done when two run at a time."""


def extract(out: Path) -> None:
    """The questions: simulated demonstrations of :mod:`robotmcqa.train_recipes.proof_task`."""
    if (out / "meta/manifest.json").exists():
        return
    words = f"""--source sim:{HERE / "proof_task"} --task reach_large_ball --episodes 1500
        --family motion --preset grounded --camera front --image-size 112 --stride 10
        --test-fraction 0.3 --dead-band 0.06 --min-displacement 0.15 --workers 2
        --template motion={HERE / "proof_task" / "motion.jinja"} --out {out} --resume"""
    command = Path(sys.executable).with_name("robotmcqa")
    _do([str(command), "extract", *words.split()], out.with_suffix(".log"))


def train(one: Run, out: Path) -> None:
    """Run a recipe, and measure what it has made, with pictures and without."""
    folder = out / one.name
    results = folder / "measured.json"
    if results.exists():
        return
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
    module = "robotmcqa.train_recipes.measure"
    words = (str(folder), "--dataset", str(out / "dataset"), "--max-new-tokens", "48")
    log = folder.with_suffix(".measured.log")
    said = _do([sys.executable, "-m", module, *words, "--batch", "128"], log)
    found = next(line for line in said.splitlines() if line.startswith("{"))
    results.write_text(found + "\n", "utf-8")


def _do(words: Sequence[str], log: Path) -> str:
    """Run a command on one core, its output into ``log`` as it comes; gives the output back.

    Raises:
        DataError: it failed.
    """
    settings = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            words, env={**os.environ, **settings}, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    text = log.read_text("utf-8", errors="replace")
    if done.returncode:
        tail = "\n".join(text.splitlines()[-15:])
        raise DataError(f"{' '.join(words)}\n{tail}", f"the whole output: {log}")
    return text


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
    for title in (
        "model",
        "greedy",
        "95 %",
        "gain",
        "p",
        "sampled",
        "gain",
        "p",
        "blank",
        "agrees",
    ):
        table.add_column(title, justify="left" if title == "model" else "right")
    document: dict[str, Any] = {}
    for one in RUNS:
        ways = found[one.name]
        before = found[one.start] if one.start else None
        added = {
            way: gain(before[way]["correct"], ways[way]["correct"]) if before else None
            for way in ("greedy", "sampled")
        }
        greedy = ways["greedy"]
        table.add_row(
            one.what,
            _percent(greedy["accuracy"]),
            f"{_percent(greedy['low'])}-{_percent(greedy['high'])}",
            *_gained(added["greedy"]),
            _percent(ways["sampled"]["accuracy"]),
            *_gained(added["sampled"]),
            _percent(ways["blank"]["accuracy"]),
            "" if greedy["agreement"] is None else _percent(greedy["agreement"]),
        )
        document[one.name] = {
            way: {name: value for name, value in numbers.items() if name != "correct"}
            for way, numbers in ways.items()
        } | {"gain": added}
    Console(width=130).print(table)
    questions = found["warm-up"]["greedy"]["questions"]
    print(  # noqa: T201
        f"{questions} questions about demonstrations never seen; chance 25 %; intervals: Wilson; "
        "gain in points over\nthe model it started from on the same questions, p by McNemar's "
        "exact test; sampled at temperature 1."
    )
    (out / "proof.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return document


def _gained(added: tuple[float, float] | None) -> tuple[str, str]:
    return ("", "") if added is None else (f"{100 * added[0]:+.1f}", f"{added[1]:.1g}")


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
