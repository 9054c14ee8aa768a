"""The end of a run: evaluation, the model with its processor, and its card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from trl import ModelConfig

from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.model_card import render_model_card
from robotmcqa.train_recipes.questions import Questions

__all__ = ["finish"]


def finish(
    trainer: Any,
    processor: Any,
    model: ModelConfig,
    recipe: RecipeArguments,
    questions: Questions,
    method: str,
) -> None:
    """Evaluate on the test split, save model, processor, ``recipe.json`` and ``README.md``."""
    training = trainer.args
    if trainer.eval_dataset is not None and training.eval_strategy != "no":
        trainer.evaluate()
    trainer.save_state()
    trainer.save_model(training.output_dir)
    if trainer.accelerator.is_main_process:
        folder = Path(training.output_dir)
        processor.save_pretrained(folder)
        document = {
            "method": method,
            "model": model.model_name_or_path,
            "recipe": asdict(recipe),
            "sources": [asdict(source) for source in questions.sources],
            "training": training.to_sanitized_dict(),
            "steps": trainer.state.global_step,
        }
        text = json.dumps(document, indent=2, default=str)
        (folder / "recipe.json").write_text(text + "\n", "utf-8")
        card = render_model_card(document, trainer.state.log_history)
        (folder / "README.md").write_text(card, "utf-8")
        if training.push_to_hub:
            _publish(folder, trainer.hub_model_id, training.hub_token)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def _publish(folder: Path, repo: str, token: str | None) -> None:
    """The model with our card: the trainer's own push would write another over it."""
    HfApi(token=token).upload_folder(
        repo_id=repo,
        folder_path=folder,
        ignore_patterns=["checkpoint-*", "warm-up/*", "tiny-vlm/*", "completions/*"],
        commit_message="The trained model",
    )
