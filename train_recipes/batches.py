"""The arithmetic of batches. Every size of TRL counts completions; the paper counts questions.

Completions per optimiser step = per_device_train_batch_size x processes x
gradient_accumulation_steps = prompts_per_step x num_generations. Completions per rollout =
per_device_train_batch_size x processes x steps_per_generation.
"""

from __future__ import annotations

from typing import Any

from robotmcqa.errors import UsageError
from robotmcqa.train_recipes.arguments import RecipeArguments

__all__ = ["fit_batches"]


def fit_batches(training: Any, recipe: RecipeArguments, processes: int | None = None) -> None:
    """Set ``gradient_accumulation_steps`` and ``steps_per_generation`` as the recipe wants them.

    Args:
        training: TRL's config, of RL or of SFT (one completion per question); changed in place.
        recipe: with ``prompts_per_step`` and ``prompts_per_rollout``; without them nothing changes.
        processes: that train together; by default as many as there are.

    Raises:
        UsageError: the sizes do not divide each other; says which would.
    """
    if recipe.prompts_per_step is None:
        return
    processes = training.world_size if processes is None else processes
    each = getattr(training, "num_generations", 1)
    at_once = training.per_device_train_batch_size * processes
    wanted = recipe.prompts_per_step * each
    if wanted % at_once:
        fitting = [size for size in range(1, wanted + 1) if wanted % (size * processes) == 0]
        remedy = (
            f"per_device_train_batch_size can be {', '.join(map(str, fitting[-8:]))}"
            if fitting
            else f"no batch size fits {processes} processes: change prompts_per_step"
        )
        raise UsageError(
            f"{recipe.prompts_per_step} questions with {each} completions each are {wanted}, which "
            f"is no multiple of {training.per_device_train_batch_size} on {processes} processes",
            remedy,
        )
    training.gradient_accumulation_steps = wanted // at_once
    if each == 1:
        return
    rollout = recipe.prompts_per_rollout or recipe.prompts_per_step
    if rollout % recipe.prompts_per_step:
        raise UsageError(
            f"prompts_per_rollout {rollout} is no multiple of prompts_per_step",
            f"it may be {recipe.prompts_per_step}, {2 * recipe.prompts_per_step}, ...",
        )
    per_rollout = rollout // recipe.prompts_per_step
    training.steps_per_generation = training.gradient_accumulation_steps * per_rollout
    training.generation_batch_size = at_once * training.steps_per_generation
