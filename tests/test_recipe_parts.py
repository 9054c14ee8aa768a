"""Parts of the recipes: arguments, batches, questions, checkpoints, the tiny model, the card."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from trl import GRPOConfig, ModelConfig, RLOOConfig, SFTConfig

from robotmcqa.errors import DataError, UsageError
from robotmcqa.train_recipes.arguments import RecipeArguments, configs_folder, parse_recipe
from robotmcqa.train_recipes.batches import fit_batches
from robotmcqa.train_recipes.checkpoints import checkpoint_to_resume, whole_checkpoints
from robotmcqa.train_recipes.model_card import render_model_card
from robotmcqa.train_recipes.proof import RUNS, gain
from robotmcqa.train_recipes.questions import for_imitation, load_questions
from robotmcqa.train_recipes.rewards import rewards_for
from robotmcqa.train_recipes.tiny_vlm import build_tiny_vlm, load_processor, save_tiny_vlm
from tests.recipes import RECIPES, write_questions

CONFIGS = sorted(path.stem for path in configs_folder().glob("*.yaml"))
PAPER = [name for name in CONFIGS if name.startswith("paper-")]
OF_CONFIG = {"paper-rloo": RLOOConfig, "cpu-proof-rloo": RLOOConfig}


def parsed(name: str, *words: str) -> tuple[RecipeArguments, Any, Any]:
    trainer = OF_CONFIG.get(name, SFTConfig if name.endswith("sft") else GRPOConfig)
    path = configs_folder() / f"{name}.yaml"
    recipe, training, model = parse_recipe(
        trainer, "", "", ["--config", str(path), "--use_cpu", *words]
    )
    return recipe, training, model


# ------------------------------------------------------------------------------- configs, batches


@pytest.mark.parametrize(
    ("name", "processes"),
    [
        (name, processes)
        for name in CONFIGS
        for processes in (
            (1, 2) if name == "cpu-smoke" else (1,) if "cpu" in name else (1, 2, 4, 8)
        )
    ],
)
def test_every_config_is_known_to_trl_and_its_batches_come_out(name: str, processes: int) -> None:
    recipe, training, model = parsed(name)
    if recipe.prompts_per_step is None:
        pytest.fail("a config without prompts_per_step: its batches hang on the machine")
    fit_batches(training, recipe, processes)
    each = getattr(training, "num_generations", 1)
    at_once = training.per_device_train_batch_size * processes
    assert at_once * training.gradient_accumulation_steps == recipe.prompts_per_step * each
    if each > 1:
        rollout = at_once * training.steps_per_generation
        assert rollout == (recipe.prompts_per_rollout or recipe.prompts_per_step) * each
        assert training.generation_batch_size == rollout
        assert at_once % each == 0
    assert model.model_name_or_path


@pytest.mark.parametrize("name", [name for name in PAPER if not name.endswith("sft")])
def test_the_papers_numbers(name: str) -> None:
    """method: batch 128, 5 samples, temperature 1, rollout 512, 5 epochs, lr 1e-6, decay 1e-2."""
    recipe, training, model = parsed(name)
    assert (recipe.prompts_per_step, recipe.prompts_per_rollout) == (128, 512)
    assert (training.num_generations, training.temperature, training.top_p) == (5, 1.0, 0.99)
    assert (training.learning_rate, training.weight_decay) == (1e-6, 0.01)
    assert (training.num_train_epochs, training.max_completion_length) == (5, 2048)
    assert (training.beta, training.epsilon, training.epsilon_high) == (0.01, 0.2, 0.3)
    assert (recipe.min_pixels, recipe.freeze_vision) == (262144, False)
    assert model.model_name_or_path == "Qwen/Qwen2.5-VL-7B-Instruct"
    fit_batches(training, recipe, 8)
    assert training.gradient_accumulation_steps == 8
    fit_batches(training, recipe, 4)
    assert training.gradient_accumulation_steps == 16


def test_the_papers_sft() -> None:
    for name, style in (("paper-cot-sft", "cot"), ("paper-direct-sft", "direct")):
        recipe, training, _ = parsed(name)
        assert (recipe.completion, recipe.prompts_per_step) == (style, 128)
        assert training.learning_rate == 1e-5


@pytest.mark.parametrize(
    ("name", "processes"), [("gpu4", 4), ("gpu8", 8), ("cpu1", 1), ("cpu2", 2)]
)
def test_accelerate_reads_its_configs(name: str, processes: int) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    for path in sorted((RECIPES / "accelerate").glob(f"{name}*.yaml")):
        assert load_config_from_file(str(path)).num_processes == processes, path


def test_batches_that_do_not_fit_are_refused_with_those_that_do() -> None:
    recipe, training, _ = parsed("paper-grpo", "--prompts_per_step", "127")
    with pytest.raises(UsageError, match="635") as caught:
        fit_batches(training, recipe, 4)
    assert "no batch size fits 4 processes" in caught.value.remedy
    recipe, training, _ = parsed("paper-grpo", "--prompts_per_step", "104")
    with pytest.raises(UsageError) as caught:
        fit_batches(training, recipe, 8)
    assert "can be" in caught.value.remedy


def test_wrong_arguments_are_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text("learning_rat: 1.0\nuse_cpu: true\n")
    with pytest.raises(UsageError, match="learning_rat"):
        parse_recipe(GRPOConfig, "", "", ["--config", str(config)])
    if not torch.cuda.is_available():
        config.write_text("bf16: true\n")
        with pytest.raises(UsageError) as caught:
            parse_recipe(GRPOConfig, "", "", ["--config", str(config)])
        assert "--use_cpu" in caught.value.remedy
    with pytest.raises(UsageError, match="nowhere"):
        parse_recipe(GRPOConfig, "", "", ["--config", str(tmp_path / "nowhere.yaml")])
    with pytest.raises(UsageError, match="completion"):
        RecipeArguments(completion="both")


def test_every_argument_that_the_page_names_exists() -> None:
    """Those with underscores; tests/test_readme.py looks at the others."""
    page = (RECIPES.parent / "docs" / "training.md").read_text("utf-8")
    classes: tuple[Any, ...] = (RecipeArguments, GRPOConfig, ModelConfig)
    known = {field.name for one in classes for field in fields(one)}
    known |= {"config_file", "reward_funcs"}  # of accelerate and of `trl grpo`
    named = set(re.findall(r"--([a-z]+(?:_[a-z]+)+)", page))
    assert len(named) > 10
    assert named <= known, named - known


# --------------------------------------------------------------------------------------- questions


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    return write_questions(
        folder / "q", 12, families=("waypoint", "motion"), templates={}, distractors="uniform"
    )


def test_families_can_be_switched_on_one_by_one(questions: Path) -> None:
    both = load_questions(RecipeArguments(dataset=[str(questions)])).train
    one = load_questions(RecipeArguments(dataset=[str(questions)], families=["waypoint"])).train
    assert set(both["family"]) == {"waypoint", "motion"}
    assert sorted(one["id"]) == sorted(i for i in both["id"] if i.endswith("waypoint"))
    with pytest.raises(DataError, match="current_state"):
        load_questions(RecipeArguments(dataset=[str(questions)], families=["current_state"]))
    with pytest.raises(UsageError, match="families are"):
        load_questions(RecipeArguments(dataset=[str(questions)], families=["motoin"]))


def test_shares_are_kept_and_nothing_is_asked_twice(questions: Path) -> None:
    recipe = RecipeArguments(dataset=[str(questions)] * 2, mix=[0.75, 0.25])
    whole = len(load_questions(RecipeArguments(dataset=[str(questions)])).train)
    mixed = load_questions(recipe).train
    assert len(mixed) == whole + whole // 3
    with pytest.raises(UsageError, match="mix"):
        load_questions(RecipeArguments(dataset=[str(questions)], mix=[0.5, 0.5]))


def test_what_is_imitated_is_rewarded_in_full(questions: Path) -> None:
    """The form that SFT teaches is the form that RL rewards."""
    train = load_questions(RecipeArguments(dataset=[str(questions)])).train
    rewards, weights = rewards_for("choice", RecipeArguments())
    assert weights == [0.5, 0.5]
    for style in ("cot", "direct"):
        said = for_imitation(train, style)["completion"]
        for reward in rewards:
            scored = reward(
                completions=list(said),
                **{name: train[name] for name in ("solution", "options", "family")},
            )
            assert set(scored) == {1.0}


def test_the_control_keeps_questions_and_answers_but_not_their_match(questions: Path) -> None:
    plain = load_questions(RecipeArguments(dataset=[str(questions)])).train
    control = load_questions(RecipeArguments(dataset=[str(questions)], shuffle_answers=True)).train
    assert plain["id"] == control["id"]
    assert plain["prompt"] == control["prompt"]
    assert sorted(plain["reasoning"]) == sorted(control["reasoning"])
    assert plain["reasoning"] != control["reasoning"]


def test_no_training_episode_is_tested(questions: Path) -> None:
    loaded = load_questions(RecipeArguments(dataset=[str(questions)], test_questions=0))
    assert loaded.test is not None
    episodes = [{i.partition("-")[0] for i in part["id"]} for part in (loaded.train, loaded.test)]
    assert not episodes[0] & episodes[1]


def test_open_ended_questions_are_rewarded_by_closeness(tmp_path: Path) -> None:
    made = write_questions(
        tmp_path / "open", 6, format="open", families=("waypoint",), templates={}
    )
    loaded = load_questions(RecipeArguments(dataset=[str(made)]))
    assert loaded.format == "open"
    rewards, _ = rewards_for("open", RecipeArguments())
    near = [f"<think>a</think><answer>{text}</answer>" for text in loaded.train["solution"]]
    columns = {name: loaded.train[name] for name in ("solution", "options", "family")}
    assert rewards[1](completions=near, **columns) == pytest.approx([1.0] * len(near))
    assert rewards[1](
        completions=["<think>a</think><answer>[9, 9, 9]</answer>"] * len(near), **columns
    ) == [0.0] * len(near)


def test_a_data_set_that_is_not_there_is_named_with_the_command_that_makes_one() -> None:
    with pytest.raises(DataError, match="no such folder") as caught:
        load_questions(RecipeArguments(dataset=["nowhere"]))
    assert "robotmcqa extract" in caught.value.remedy


# -------------------------------------------------------------------------- tiny model, checkpoints


def test_a_tiny_model_is_saved_reloaded_and_sees(tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    texts = ["Which way? [[A]] move left [[B]] move right", "<think>\na\n</think>"] * 5
    save_tiny_vlm(tmp_path, texts, seed=3)
    model, processor = build_tiny_vlm(texts, seed=3)
    again, reader = AutoModelForImageTextToText.from_pretrained(tmp_path), load_processor(tmp_path)

    def logits(network: Any, reads: Any, colour: str) -> torch.Tensor:
        picture = Image.new("RGB", (64, 64), colour)
        content = [{"type": "image", "image": picture}, {"type": "text", "text": texts[0]}]
        inputs = reads.apply_chat_template(
            [[{"role": "user", "content": content}]],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            found: torch.Tensor = network.eval()(**inputs).logits
        return found

    assert torch.equal(logits(model, processor, "red"), logits(again, reader, "red"))
    assert not torch.equal(logits(again, reader, "red"), logits(again, reader, "blue"))
    assert reader.tokenizer.decode(reader.tokenizer(texts[0])["input_ids"]) == texts[0]


def test_a_half_written_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    for step, state in ((2, '{"global_step": 2}'), (10, '{"global_step": 10}'), (12, '{"glob')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-14").mkdir()
    assert [path.name for path in whole_checkpoints(tmp_path)] == ["checkpoint-2", "checkpoint-10"]
    assert checkpoint_to_resume(tmp_path, True) == str(tmp_path / "checkpoint-10")
    with pytest.raises(UsageError, match="a run of 10 steps"):
        checkpoint_to_resume(tmp_path, False)
    assert checkpoint_to_resume(tmp_path / "new", False) is None


def test_the_card_tells_a_control_and_the_licence() -> None:
    document = {
        "method": "GRPO",
        "model": "tiny",
        "steps": 3,
        "recipe": {**vars(RecipeArguments(shuffle_answers=True))},
        "training": {"learning_rate": 1e-6, "seed": 0},
        "sources": [
            {"named": "hf://o/n@v1.0.0", "content": "c", "questions": 1, "format": "choice"}
            | {"licence": "Apache-2.0"}
        ],
    }
    card = render_model_card(document, [{"step": 1, "loss": 0.5}, {"step": 2, "eval_reward": 0.1}])
    assert "This is a control" in card
    assert "license: apache-2.0" in card
    assert "- o/n" in card
    other = json.loads(json.dumps(document))
    other["sources"][0]["licence"] = "RLBench: for non-commercial research only"
    assert "license: other" in render_model_card(other, [])


# --------------------------------------------------------------------------------------- the proof


def test_a_gain_is_told_from_luck() -> None:
    before = [True] * 50 + [False] * 50
    assert gain(before, before) == (0.0, 1.0)
    added, p = gain(before, [True] * 80 + [False] * 20)
    assert added == pytest.approx(0.3)
    assert p < 1e-6
    assert gain(before, [True] * 49 + [False] + [True] + [False] * 49)[1] == 1.0


def test_each_run_of_the_proof_begins_with_one_before_it() -> None:
    names = [one.name for one in RUNS]
    for place, one in enumerate(RUNS):
        assert one.start is None or one.start in names[:place]
        assert (RECIPES / f"{one.recipe}.py").exists()
        assert one.config in CONFIGS
