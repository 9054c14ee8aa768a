"""Which rewards a run learns from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper

from robotmcqa.scoring import answer_reward, format_reward, l1_reward
from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.logbook import logged

__all__ = ["rewards_for"]

Reward = Callable[..., list[float]]


def rewards_for(format: str, recipe: RecipeArguments) -> tuple[list[Reward], list[float]]:
    """Reward functions, and their weights.

    Args:
        format: of the questions: ``choice`` is rewarded for the letter, ``open`` for closeness.
        recipe: says how much the form weighs, and whether it gates the answer.
    """
    of_answer = answer_reward if format == "choice" else l1_reward
    gated = update_wrapper(partial(of_answer, gated=recipe.gate_answer), of_answer)
    return [format_reward, logged(gated)], [recipe.format_weight, 1 - recipe.format_weight]
