"""What a recipe can be told: our own arguments beside those of TRL's config and model.

A recipe reads a YAML file (``--config``); whatever stands on the command line goes before it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from trl import ModelConfig, TrlParser

from robotmcqa.errors import RobotMCQAError, UsageError

__all__ = ["RecipeArguments", "configs_folder", "parse_recipe", "run"]


REASONING_LINES = ("Plan", "Subtask", "Move", "Answer")


@dataclass
class RecipeArguments:
    """What the questions are, and what is learned from them."""

    dataset: list[str] = field(
        default_factory=lambda: ["robotmcqa-dataset"],
        metadata={
            "help": "Data sets to train on: folders, or releases as hf://org/name@v1.0.0. One of "
            "several configs is named after a #: hf://org/name@v1.0.0#grounded."
        },
    )
    mix: list[float] | None = field(
        default=None,
        metadata={
            "help": "Share of each data set, where there are several; as many questions are taken "
            "as these shares allow without repeating any. Without it all are taken."
        },
    )
    families: list[str] | None = field(
        default=None,
        metadata={"help": "Question families to train on, e.g. waypoint motion; else all."},
    )
    test_questions: int = field(
        default=256, metadata={"help": "Questions of the test split to evaluate on; 0 for all."}
    )
    completion: str = field(
        default="cot",
        metadata={
            "help": "sft.py: what is imitated. cot: reasoning, then the answer. direct: the answer."
        },
    )
    reasoning_lines: list[str] | None = field(
        default=None,
        metadata={
            "help": "What of the reasoning is imitated: some of Plan, Subtask, Move, Answer; else "
            "all of it."
        },
    )
    stop_at_accuracy: float | None = field(
        default=None,
        metadata={
            "help": "sft.py: stop as soon as this share of 128 training questions is answered "
            "right, e.g. 0.5 for a model that RL is to make better."
        },
    )
    stop_every: int = field(default=10, metadata={"help": "Steps between two looks at that."})
    warm_up_steps: int = field(
        default=0,
        metadata={
            "help": "grpo.py, rloo.py: steps of CoT SFT before RL (a cold start). It costs nothing "
            "to do it apart: sft.py first, then --model_name_or_path with what it wrote."
        },
    )
    warm_up_batch: int = field(default=64, metadata={"help": "Questions per warm-up step."})
    warm_up_learning_rate: float = field(default=1e-3, metadata={"help": "Of the warm-up."})
    gate_answer: bool = field(
        default=True, metadata={"help": "Reward an answer only in a well-formed completion."}
    )
    format_weight: float = field(
        default=0.5, metadata={"help": "Weight of the format reward; the answer has the rest."}
    )
    prompts_per_step: int | None = field(
        default=None,
        metadata={
            "help": "Questions per optimiser step. gradient_accumulation_steps follows from it, "
            "whatever the number of processes."
        },
    )
    prompts_per_rollout: int | None = field(
        default=None,
        metadata={
            "help": "Questions that are answered before the model changes; steps_per_generation "
            "follows from it. [default: prompts_per_step]"
        },
    )
    freeze_vision: bool = field(default=False, metadata={"help": "Do not train the vision tower."})
    min_pixels: int | None = field(
        default=None, metadata={"help": "Pictures are scaled up to so many pixels at least."}
    )
    max_pixels: int | None = field(
        default=None, metadata={"help": "Pictures are scaled down to so many pixels at most."}
    )
    resume: bool = field(
        default=False, metadata={"help": "Go on from the last checkpoint in output_dir, if any."}
    )
    shuffle_answers: bool = field(
        default=False,
        metadata={
            "help": "A control: each question gets another's answer, so that nothing is learnable."
        },
    )

    def __post_init__(self) -> None:
        if self.completion not in ("cot", "direct"):
            raise UsageError(f"completion {self.completion}", "completion is cot or direct")
        unknown = set(self.reasoning_lines or ()) - set(REASONING_LINES)
        if unknown:
            raise UsageError(
                f"reasoning_lines {', '.join(sorted(unknown))}",
                f"its lines are {', '.join(REASONING_LINES)}",
            )
        if not 0 <= self.format_weight <= 1:
            raise UsageError(f"format_weight {self.format_weight}", "format_weight is 0 to 1")


def configs_folder() -> Path:
    """Where the configs lie that come with the recipes."""
    return Path(__file__).with_name("configs")


def parse_recipe(
    config_class: type, on_gpu: str, on_cpu: str, words: Sequence[str] | None = None
) -> tuple[RecipeArguments, Any, ModelConfig]:
    """Read ``--config`` and the command line.

    Without ``--config`` it is ``on_gpu`` where there is a GPU, else ``on_cpu``; the first line of
    output says which, and how to choose otherwise. On a CPU, settings that only a GPU has (bf16,
    vLLM) are switched off, which is said as well.

    Args:
        config_class: TRL's config of the trainer.
        on_gpu: name of a config in ``configs/``.
        on_cpu: likewise.
        words: the command line; by default this process's.

    Raises:
        UsageError: a file cannot be read, or an argument is unknown.
    """
    words = _apart(sys.argv[1:] if words is None else words)
    if any(word in ("-h", "--help") for word in words):
        TrlParser((RecipeArguments, config_class, ModelConfig)).parse_args(words)
    if _value_of("config", words) is None:
        words = ["--config", str(_default_config(on_gpu, on_cpu)), *words]
    config = _document(Path(_value_of("config", words) or ""))
    words += _without_gpu(config, words)
    known = (RecipeArguments, config_class, ModelConfig)
    try:
        parsed = TrlParser(known).parse_args_and_config(words, fail_with_unknown_args=True)
    except ValueError as error:
        wants_gpu = "use_cpu" in str(error)
        remedy = "--use_cpu runs it without a GPU" if wants_gpu else "--help lists every argument"
        raise UsageError(str(error), remedy) from None
    recipe, training, model = parsed
    return recipe, training, model


def _apart(words: Sequence[str]) -> list[str]:
    """``--config=FILE`` as the two words that TRL's parser looks for."""
    joined = [word.split("=", 1) if word.startswith("--config=") else [word] for word in words]
    return [part for word in joined for part in word]


def _default_config(on_gpu: str, on_cpu: str) -> Path:
    name, why = (on_gpu, "a GPU is here") if torch.cuda.is_available() else (on_cpu, "no GPU here")
    path = configs_folder() / f"{name}.yaml"
    _say(f"settings: {path} ({why}); others: --config FILE, or single arguments (--help)")
    return path


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--config {path}: {reason}", f"{configs_folder()} has some") from None
    if not isinstance(document, dict):
        raise UsageError(f"--config {path}: no settings in it", "write lines like 'beta: 0.01'")
    return document


def _value_of(name: str, words: Sequence[str]) -> str | None:
    """What the command line says of an argument: its value, "true" for a bare switch."""
    for place, word in enumerate(words):
        if word == f"--{name}":
            after = words[place + 1 : place + 2]
            return after[0] if after and not after[0].startswith("--") else "true"
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return None


def _is_on(name: str, config: dict[str, Any], words: Sequence[str]) -> bool:
    said = _value_of(name, words)
    return str(config.get(name, False) if said is None else said).lower() in ("true", "1", "yes")


def _without_gpu(config: dict[str, Any], words: Sequence[str]) -> list[str]:
    """Arguments that switch off what a CPU does not have, where the run is on one."""
    if not _is_on("use_cpu", config, words):
        return []
    off = [name for name in ("bf16", "fp16", "use_vllm") if _is_on(name, config, words)]
    if off:
        _say(f"on a CPU: {', '.join(off)} switched off")
    # TRL takes bf16 for granted where nobody speaks of it.
    return [word for name in {"bf16": None} | dict.fromkeys(off) for word in (f"--{name}", "false")]


def _say(text: str) -> None:
    """A line for people, from one of the processes."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def run(main: Callable[[], None]) -> None:
    """Run a recipe: errors that are ours in words, with the exit codes of ``robotmcqa``."""
    from robotmcqa.cli.output import complain

    try:
        main()
    except RobotMCQAError as error:
        complain(error)
        sys.exit(2 if isinstance(error, UsageError) else 3)
    except KeyboardInterrupt:
        _say("interrupted; the same command with --resume goes on from the last checkpoint")
        sys.exit(130)
