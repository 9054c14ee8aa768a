"""Stopping imitation in time: RL wants a model that is right now and then, not always."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.measure import measure
from robotmcqa.train_recipes.questions import Questions

__all__ = ["StopAtAccuracy", "stopping"]

ASKED = 128


def stopping(recipe: RecipeArguments, processor: Any, questions: Questions) -> list[Any]:
    """The callback, where the recipe asks for it."""
    if recipe.stop_at_accuracy is None:
        return []
    return [StopAtAccuracy(recipe.stop_at_accuracy, recipe.stop_every, processor, questions)]


class StopAtAccuracy(TrainerCallback):
    """Asks some training questions now and then; the test split is not looked at."""

    def __init__(self, accuracy: float, every: int, processor: Any, questions: Questions) -> None:
        self._accuracy, self._every, self._processor = accuracy, every, processor
        self._sample = questions.train.select(range(min(ASKED, len(questions.train))))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self._every:
            return
        found = measure(kwargs["model"], self._processor, self._sample, batch=ASKED)
        kwargs["model"].train()
        if found.accuracy >= self._accuracy:
            control.should_training_stop = True
