"""A vision-language model of less than a million parameters, made of nothing.

It is Qwen2.5-VL by its config, with random weights and a tokenizer trained on the texts of a data
set: every line of a recipe runs on it, without a download and without a GPU. Save it with::

    python -m robotmcqa.train_recipes.tiny_vlm robotmcqa-dataset --out tiny-vlm
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoProcessor,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

__all__ = ["ImageOnlyProcessor", "build_tiny_vlm", "load_processor", "save_tiny_vlm"]

_ENDS = ("<|endoftext|>", "<|im_end|>")
_SPECIAL = (
    *_ENDS,
    "<|im_start|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Tokens of their own, or ``>A`` would become one; ordinary ones, for they are part of the text."""

_AROUND = "system\nYou are a helpful assistant.\nuser\nassistant\n"
"""What Qwen's chat template adds to a prompt. A tokenizer that has not met it spells it out."""


class ImageOnlyProcessor(ProcessorMixin):
    """Qwen2.5-VL's processor without video.

    The stock one wants a video processor, and that wants torchvision.
    """

    attributes = ["image_processor", "tokenizer"]  # noqa: RUF012 - as transformers declares it
    return_mm_token_type_ids = True

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
    ) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: Any, image_idx: int, **options: Any) -> str:
        """One picture's placeholder, as often as the model sees tokens of it."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        return self.image_token * (patches // self.image_processor.merge_size**2)


def load_processor(folder: str | Path, **options: Any) -> Any:
    """The processor of a model: ours for a folder that has it, else what transformers finds."""
    config = Path(folder) / "processor_config.json"
    if config.is_file():
        document = json.loads(config.read_text("utf-8"))
        if document.get("processor_class") == ImageOnlyProcessor.__name__:
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, **options)
            pictures = Qwen2VLImageProcessorPil.from_pretrained(folder)
            template = (Path(folder) / "chat_template.jinja").read_text("utf-8")
            return ImageOnlyProcessor(pictures, tokenizer, chat_template=template)
    return AutoProcessor.from_pretrained(folder, **options)


def build_tiny_vlm(
    texts: Iterable[str], *, vocabulary: int = 1500, pixels: int = 28 * 28, seed: int = 0
) -> tuple[Qwen2_5_VLForConditionalGeneration, ImageOnlyProcessor]:
    """A random model and its processor.

    Args:
        texts: what the tokenizer learns from: prompts and completions.
        vocabulary: most tokens that it may have.
        pixels: pictures are scaled down to so many; 28 x 28 make one token.
        seed: of the weights.
    """
    tokenizer = _tokenizer(texts, vocabulary)
    template = files("trl").joinpath("chat_templates", "qwen2_5_vl.jinja").read_text("utf-8")
    pictures = Qwen2VLImageProcessorPil(min_pixels=pixels, max_pixels=pixels)
    processor = ImageOnlyProcessor(pictures, tokenizer, chat_template=template)
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(_config(tokenizer)), processor


def save_tiny_vlm(folder: Path, texts: Iterable[str], **options: Any) -> None:
    """Build one and save it, for ``from_pretrained`` and :func:`load_processor`."""
    model, processor = build_tiny_vlm(texts, **options)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(_SPECIAL) - len(_TAGS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_learnable(texts), trainer)
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in _TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_SPECIAL[2:]),
        padding_side="left",
        truncation_side="left",
    )


def _learnable(texts: Iterable[str]) -> Iterator[str]:
    """Texts without the tags, which are tokens already, and with the words around each prompt."""
    for text in texts:
        for tag in _TAGS:
            text = text.replace(tag, "\n")
        yield f"{_AROUND}{text}"


def _config(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    def number(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    width, heads = 96, 4
    half = width // heads // 2
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": 3,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "max_position_embeddings": 4096,
        "initializer_range": 0.06,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [half - 2 * (half // 3), half // 3, half // 3],
        },
        "bos_token_id": None,
        "eos_token_id": number("<|im_end|>"),
        "pad_token_id": number("<|endoftext|>"),
    }
    vision = {
        "depth": 1,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_heads": heads,
        "out_hidden_size": width,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "fullatt_block_indexes": [0],
        "initializer_range": 0.06,
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
        tie_word_embeddings=True,
    )
