"""A cold start: imitation of reasoning before RL.

RL learns from what a model already does now and then. One that never writes the form, or never
looks, gets the same reward for everything and learns nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl import ModelConfig, SFTConfig, SFTTrainer

from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.policy import load_policy
from robotmcqa.train_recipes.questions import Questions, for_imitation

__all__ = ["warm_up"]


def warm_up(
    recipe: RecipeArguments, training: Any, model: ModelConfig, questions: Questions
) -> None:
    """Imitate reasoning for ``warm_up_steps``, and put the result in the place of the model.

    A run that is resumed finds it done.

    Args:
        recipe: says how long.
        training: of the RL that follows; seed, device and folder are taken from it.
        model: its name is replaced by the folder of the warmed-up model.
        questions: with reasoning.
    """
    if not recipe.warm_up_steps:
        return
    folder = Path(training.output_dir) / "warm-up"
    if not (folder / "config.json").exists():
        policy, processor = load_policy(model, training, recipe)
        each = max(1, recipe.warm_up_batch // training.world_size)
        settings = SFTConfig(
            output_dir=str(folder),
            max_steps=recipe.warm_up_steps,
            per_device_train_batch_size=each,
            learning_rate=recipe.warm_up_learning_rate,
            max_grad_norm=1.0,
            warmup_steps=min(20, recipe.warm_up_steps // 5),
            lr_scheduler_type="constant_with_warmup",
            max_length=None,
            logging_steps=training.logging_steps,
            save_strategy="no",
            report_to="none",
            seed=training.seed,
            use_cpu=training.use_cpu,
            bf16=training.bf16,
            gradient_checkpointing=training.gradient_checkpointing,
            disable_tqdm=training.disable_tqdm,
        )
        trainer = SFTTrainer(
            model=policy,
            args=settings,
            train_dataset=for_imitation(questions.train, "cot"),
            processing_class=processor,
        )
        trainer.train()
        if trainer.accelerator.is_main_process:
            processor.save_pretrained(folder)
        trainer.save_model()
        trainer.accelerator.wait_for_everyone()
    model.model_name_or_path = str(folder)
