"""The model that is trained, and its processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoModelForImageTextToText
from trl import ModelConfig, get_peft_config

from robotmcqa.errors import DataError
from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.questions import Questions
from robotmcqa.train_recipes.tiny_vlm import load_processor, save_tiny_vlm

__all__ = ["TINY", "adapters", "freeze_vision", "load_policy", "prepare_model"]

TINY = "tiny"
"""A model name that stands for the tiny model, made from the texts of the questions."""


def prepare_model(model: ModelConfig, training: Any, questions: Questions) -> None:
    """Make the tiny model, where the name asks for it, and put its folder in the name's place.

    The first process makes it, the others wait. A run that is resumed finds it made.
    """
    if model.model_name_or_path != TINY:
        return
    folder = Path(training.output_dir) / "tiny-vlm"
    with training.main_process_first(desc="the tiny model"):
        if not (folder / "config.json").exists():
            save_tiny_vlm(folder, questions.texts, seed=training.seed)
    model.model_name_or_path = str(folder)


def load_policy(model: ModelConfig, training: Any, recipe: RecipeArguments) -> tuple[Any, Any]:
    """Model and processor.

    Raises:
        DataError: there is no such model.
    """
    name = model.model_name_or_path
    limits = {"min_pixels": recipe.min_pixels, "max_pixels": recipe.max_pixels}
    try:
        processor = load_processor(
            name,
            revision=model.model_revision,
            padding_side="left",
            truncation_side="left",
            **{limit: pixels for limit, pixels in limits.items() if pixels},
        )
        policy = AutoModelForImageTextToText.from_pretrained(
            name,
            revision=model.model_revision,
            dtype=_dtype(model, training),
            attn_implementation=model.attn_implementation,
            trust_remote_code=getattr(training, "trust_remote_code", False),
        )
    except OSError as error:
        raise DataError(
            f"model {name}: {str(error).splitlines()[0]}",
            "--model_name_or_path takes a folder, a model on the Hub, or 'tiny'",
        ) from None
    return policy, processor


def _dtype(model: ModelConfig, training: Any) -> str:
    """As asked for; single precision on a CPU, where half of it is slow or missing."""
    if training.use_cpu or model.dtype is None:
        return "float32"
    return str(model.dtype)


LANGUAGE_LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""Not "all-linear": that would adapt the vision tower too, whose MLPs have the same names."""


def adapters(model: ModelConfig) -> Any:
    """The LoRA that ``--use_peft`` asks for, by default on the language model; None without."""
    if model.use_peft and not model.lora_target_modules:
        model.lora_target_modules = LANGUAGE_LAYERS
    return get_peft_config(model)


def freeze_vision(policy: Any) -> None:
    """Leave the vision tower, its projection included, as it is.

    Raises:
        DataError: the model has none that can be found.
    """
    towers = [module for name, module in policy.named_modules() if name.endswith(_TOWERS)]
    if not towers:
        raise DataError(
            "freeze_vision: no vision tower found in this model", f"looked for {', '.join(_TOWERS)}"
        )
    for tower in towers:
        tower.requires_grad_(False)


_TOWERS = ("visual", "vision_tower", "vision_model")
