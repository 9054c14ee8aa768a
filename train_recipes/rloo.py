"""RLOO instead of GRPO: the mean of a question's other completions is the baseline of each.

    accelerate launch train_recipes/rloo.py --config train_recipes/configs/paper-rloo.yaml

The data, the rewards and the arguments are those of grpo.py. REINFORCE++ is grpo.py with
configs/paper-reinforce-pp.yaml.
"""

from __future__ import annotations

from trl import RLOOConfig, RLOOTrainer

from robotmcqa.train_recipes.arguments import parse_recipe, run
from robotmcqa.train_recipes.batches import fit_batches
from robotmcqa.train_recipes.checkpoints import checkpoint_to_resume
from robotmcqa.train_recipes.cold_start import warm_up
from robotmcqa.train_recipes.finish import finish
from robotmcqa.train_recipes.policy import adapters, freeze_vision, load_policy, prepare_model
from robotmcqa.train_recipes.questions import load_questions
from robotmcqa.train_recipes.rewards import rewards_for


def main() -> None:
    """One run, from the questions to the saved model and its card."""
    recipe, training, model = parse_recipe(RLOOConfig, "paper-rloo", "cpu-smoke")
    fit_batches(training, recipe)
    checkpoint = checkpoint_to_resume(training.output_dir, recipe.resume)

    questions = load_questions(recipe, training.seed)
    prepare_model(model, training, questions)
    warm_up(recipe, training, model, questions)
    policy, processor = load_policy(model, training, recipe)

    rewards, training.reward_weights = rewards_for(questions.format, recipe)
    trainer = RLOOTrainer(
        model=policy,
        reward_funcs=rewards,
        args=training,
        train_dataset=questions.train,
        eval_dataset=questions.test,
        processing_class=processor,
        peft_config=adapters(model),
    )
    if recipe.freeze_vision:
        freeze_vision(trainer.model)

    trainer.train(resume_from_checkpoint=checkpoint)
    finish(trainer, processor, model, recipe, questions, "RLOO")


if __name__ == "__main__":
    run(main)
