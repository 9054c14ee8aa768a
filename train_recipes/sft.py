"""Supervised fine-tuning: the paper's baselines, and the cold start before RL.

    accelerate launch train_recipes/sft.py --config train_recipes/configs/paper-cot-sft.yaml
    accelerate launch train_recipes/sft.py --config train_recipes/configs/paper-direct-sft.yaml

``--completion cot`` imitates plan, subtask, movement and answer; ``direct`` the answer alone. On
questions with options the result answers in the form that RL rewards, so that it is the model to
start RL from: a cold start. On open-ended questions it is one of the paper's two baselines.
"""

from __future__ import annotations

from trl import SFTConfig, SFTTrainer

from robotmcqa.train_recipes.arguments import parse_recipe, run
from robotmcqa.train_recipes.batches import fit_batches
from robotmcqa.train_recipes.checkpoints import checkpoint_to_resume
from robotmcqa.train_recipes.finish import finish
from robotmcqa.train_recipes.policy import adapters, freeze_vision, load_policy, prepare_model
from robotmcqa.train_recipes.questions import for_imitation, load_questions
from robotmcqa.train_recipes.stopping import stopping


def main() -> None:
    """One run, from the questions to the saved model and its card."""
    recipe, training, model = parse_recipe(
        SFTConfig, on_gpu="paper-cot-sft", on_cpu="cpu-smoke-sft"
    )
    fit_batches(training, recipe)
    checkpoint = checkpoint_to_resume(training.output_dir, recipe.resume)

    questions = load_questions(recipe, training.seed)
    prepare_model(model, training, questions)
    policy, processor = load_policy(model, training, recipe)

    test = questions.test
    trainer = SFTTrainer(
        model=policy,
        args=training,
        train_dataset=for_imitation(questions.train, recipe.completion),
        eval_dataset=None if test is None else for_imitation(test, recipe.completion),
        processing_class=processor,
        peft_config=adapters(model),
        callbacks=stopping(recipe, processor, questions),
    )
    if recipe.freeze_vision:
        freeze_vision(trainer.model)

    trainer.train(resume_from_checkpoint=checkpoint)
    finish(trainer, processor, model, recipe, questions, f"SFT ({recipe.completion})")


if __name__ == "__main__":
    run(main)
