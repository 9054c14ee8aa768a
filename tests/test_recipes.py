"""The recipes as people run them: processes, two at once, killed and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipes import RECIPES, killed_after, launch, log_of, write_questions

SMOKE = RECIPES / "configs" / "cpu-smoke.yaml"
STEPS = 30


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_questions(tmp_path_factory.mktemp("questions") / "questions", 60)


@pytest.fixture(scope="module")
def smoke(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke run on two processes. Read only."""
    folder = tmp_path_factory.mktemp("smoke")
    words = ("--config", SMOKE, "--dataset", questions, "--output_dir", folder / "run")
    done = launch("grpo", *words, accelerate="cpu2", cwd=folder, port=29611)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "run"


def test_the_format_reward_rises(smoke: Path) -> None:
    """From the mean of the first steps to that of the last: by 0.42 when it was tried."""
    rewards = log_of(smoke, "rewards/format_reward/mean")
    assert len(rewards) == STEPS
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.15


def test_what_completions_are_like_is_logged(smoke: Path) -> None:
    assert log_of(smoke, "well_formed") == pytest.approx(
        log_of(smoke, "rewards/format_reward/mean")
    )
    for metric in ("accuracy/motion", "answered", "completions/mean_length"):
        assert len(log_of(smoke, metric)) == STEPS, metric
    assert log_of(smoke, "agreement")
    assert len(list((smoke / "completions").glob("*.parquet"))) == STEPS


def test_the_trained_model_has_a_card_and_can_be_measured(smoke: Path, questions: Path) -> None:
    from transformers import AutoModelForImageTextToText

    from robotmcqa.train_recipes.arguments import RecipeArguments
    from robotmcqa.train_recipes.measure import measure
    from robotmcqa.train_recipes.questions import load_questions
    from robotmcqa.train_recipes.tiny_vlm import load_processor

    card = (smoke / "README.md").read_text("utf-8")
    assert "pipeline_tag: image-text-to-text" in card
    assert str(questions) in card
    assert "trained by GRPO" in card
    document = json.loads((smoke / "recipe.json").read_text("utf-8"))
    assert document["steps"] == STEPS
    test = load_questions(RecipeArguments(dataset=[str(questions)], test_questions=12)).test
    model = AutoModelForImageTextToText.from_pretrained(smoke)
    found = measure(model, load_processor(smoke), test, max_new_tokens=64)
    assert found.questions == 12
    assert found.low <= found.accuracy <= found.high


def test_a_killed_run_goes_on_to_the_same_step(
    smoke: Path, questions: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = (
        *("--config", SMOKE, "--dataset", questions, "--output_dir", run, "--resume"),
        *("--model_name_or_path", smoke, "--warm_up_steps", 0),
        *("--max_steps", 6, "--save_steps", 2, "--prompts_per_step", 4),
    )
    killed_after(run / "checkpoint-4", "grpo", *words, cwd=tmp_path, port=29612)
    done = launch("grpo", *words, cwd=tmp_path, port=29612)
    assert done.returncode == 0, done.stderr[-4000:]
    state = json.loads((run / "trainer_state.json").read_text("utf-8"))
    assert state["global_step"] == 6
    steps = [one["step"] for one in state["log_history"] if "reward" in one]
    assert steps == [1, 2, 3, 4, 5, 6]

    again = launch(
        "grpo", *(word for word in words if word != "--resume"), cwd=tmp_path, port=29613
    )
    assert "returned non-zero exit status 2" in again.stderr  # accelerate's own is always 1
    assert "holds a run of 6 steps" in again.stderr
    assert "--resume" in again.stderr


def test_the_bare_command_says_what_it_takes_and_what_it_lacks(tmp_path: Path) -> None:
    done = launch("grpo", cwd=tmp_path, port=29614)
    assert "returned non-zero exit status 3" in done.stderr
    first = next(line for line in done.stderr.splitlines() if "settings" in line)
    assert "cpu-smoke.yaml" in first
    assert "--config FILE" in first
    assert "robotmcqa-dataset: no such folder" in done.stderr
    assert "robotmcqa extract --task reach_target" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "config", "words"),
    [
        ("rloo", "cpu-smoke", ("--max_steps", 4)),
        ("sft", "cpu-smoke-sft", ("--max_steps", 4)),
        ("sft", "cpu-smoke-sft", ("--max_steps", 4, "--completion", "direct")),
        ("grpo", "cpu-smoke", ("--max_steps", 4, "--scale_rewards", "batch")),
        ("grpo", "cpu-smoke", ("--max_steps", 4, "--freeze_vision", "true")),
        (
            "grpo",
            "cpu-smoke",
            ("--max_steps", 4, "--use_peft", "true", "--eval_strategy", "steps"),
        ),
    ],
    ids=["rloo", "cot", "direct", "reinforce", "frozen", "lora"],
)
def test_every_way_of_training_runs(
    recipe: str, config: str, words: tuple[object, ...], questions: Path, tmp_path: Path
) -> None:
    place = ("--dataset", questions, "--output_dir", tmp_path / "run", "--warm_up_steps", 4)
    settings = ("--config", RECIPES / "configs" / f"{config}.yaml")
    done = launch(recipe, *settings, *place, *words, cwd=tmp_path, port=29615)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / "run" / "README.md").exists()


@pytest.mark.slow
def test_the_papers_config_is_alive(tmp_path: Path) -> None:
    """On a CPU with the tiny model in the place of Qwen: two rollouts of 512 questions."""
    questions = write_questions(tmp_path / "questions", 320)
    start = tmp_path / "start"
    warm = ("--config", RECIPES / "configs" / "cpu-smoke-sft.yaml", "--dataset", questions)
    done = launch("sft", *warm, "--output_dir", start, cwd=tmp_path, port=29616)
    assert done.returncode == 0, done.stderr[-4000:]
    words = (
        *("--config", RECIPES / "configs" / "paper-grpo.yaml", "--use_cpu"),
        *("--model_name_or_path", start, "--dataset", questions, "--max_steps", 2),
        *("--output_dir", tmp_path / "run", "--max_pixels", 784, "--min_pixels", 784),
    )
    done = launch("grpo", *words, cwd=tmp_path, port=29616)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "on a CPU: bf16, use_vllm switched off" in done.stderr
    assert len(log_of(tmp_path / "run", "kl")) == 2
