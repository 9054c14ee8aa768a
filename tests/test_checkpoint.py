"""A transformers checkpoint as a model: a tiny random one, really loaded and really asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import anyio
import pytest
from inspect_ai.model import ChatMessageUser, GenerateConfig

from robotmcqa.errors import UsageError
from robotmcqa.evaluation import checkpoint
from robotmcqa.evaluation.checkpoint import Checkpoint
from robotmcqa.evaluation.questions import questions_of
from robotmcqa.evaluation.samples import samples_of
from tests.conftest import rows_of
from tests.evaluations import evaluated, release

__all__ = ["release"]

pytestmark = pytest.mark.slow

ENDS = ("<|endoftext|>", "<|im_end|>")
PICTURE = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")


class Processor:
    """Stands for the recipes' own: pictures and text to tensors, and to chat and back."""

    def __init__(self, folder: Path) -> None:
        from transformers import PreTrainedTokenizerFast, Qwen2VLImageProcessorPil

        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self._pictures = Qwen2VLImageProcessorPil(min_pixels=784, max_pixels=784)

    def apply_chat_template(self, messages: list[Any], **options: bool) -> str:
        assert options == {"tokenize": False, "add_generation_prompt": True}
        parts = [part for message in messages for part in message["content"]]
        picture = "".join(PICTURE[:3])
        return "".join(picture if part["type"] == "image" else part["text"] for part in parts)

    def __call__(self, text: list[str], images: Any, **options: Any) -> Any:
        from transformers import BatchFeature

        made = self.tokenizer(text, padding=True, return_tensors="pt")
        pixels = {}
        if images is not None:
            flat = [image for of_one in images for image in of_one]
            pixels = dict(self._pictures(flat, return_tensors="pt"))
        pad = self.tokenizer.convert_tokens_to_ids(PICTURE[1])
        types = {"mm_token_type_ids": (made["input_ids"] == pad).int()} if pixels else {}
        return BatchFeature({**dict(made), **pixels, **types})


@pytest.fixture(scope="module")
def folder(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of random weights, saved."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    out = tmp_path_factory.mktemp("checkpoint")
    bytes_alone = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.pre_tokenizer = level
    bytes_alone.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=level.alphabet(), show_progress=False
    )
    texts = [row["question"] for row in rows_of(release, "test")]
    bytes_alone.train_from_iterator(texts, trainer)
    bytes_alone.add_special_tokens([*ENDS, *PICTURE])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone, eos_token=ENDS[1], pad_token=ENDS[0]
    )
    number = tokenizer.convert_tokens_to_ids
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "initializer_range": 0.2,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 2, 2],
            },
            "bos_token_id": None,
            "eos_token_id": number(ENDS[1]),
            "pad_token_id": number(ENDS[0]),
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
            "initializer_range": 0.2,
        },
        vision_start_token_id=number(PICTURE[0]),
        image_token_id=number(PICTURE[1]),
        vision_end_token_id=number(PICTURE[2]),
        video_token_id=number(PICTURE[3]),
    )
    torch.manual_seed(0)
    transformers.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("robotmcqa.train_recipes.tiny_vlm")
    module.load_processor = Processor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "robotmcqa.train_recipes", ModuleType("train_recipes"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def asked(model: Checkpoint, messages: list[Any], **config: Any) -> list[str]:
    """Completions of questions that are put at the same time."""
    found: dict[int, Any] = {}

    async def ask(number: int) -> None:
        settings = GenerateConfig(max_tokens=12, **config)
        found[number] = await model.generate([messages[number]], [], "none", settings)

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            for number in range(len(messages)):
                group.start_soon(ask, number)

    anyio.run(everything)
    outputs = [found[number] for number in range(len(messages))]
    assert all(1 <= one.usage.output_tokens <= 12 for one in outputs)
    assert all(one.usage.input_tokens > 100 for one in outputs)
    return [one.completion for one in outputs]


def test_a_batch_is_answered_as_each_alone(folder: Path, release: Path) -> None:
    """Prompts of several lengths, with and without pictures: padding changes nothing."""
    rows = questions_of(str(release), limit=2)
    messages = [one.input[0] for one in samples_of(rows, "shown") + samples_of(rows, "removed")]
    together = asked(Checkpoint(str(folder), batch_size=16), messages)
    alone = asked(Checkpoint(str(folder), batch_size=1), messages)
    assert together == alone
    assert len(set(together)) > 2
    assert not any(token in text for text in together for token in (*ENDS, *PICTURE))


def test_the_picture_reaches_the_model(folder: Path, release: Path) -> None:
    """The first row's picture, and a grey one: random weights say something else."""
    rows = questions_of(str(release), limit=2)
    model = Checkpoint(str(folder))
    shown, blank = (
        asked(model, [one.input[0] for one in samples_of(rows, pictures)])
        for pictures in ("shown", "blank")
    )
    assert shown != blank


def test_a_seed_repeats_what_is_drawn(folder: Path) -> None:
    message = ChatMessageUser(content="Where? " * 60)
    model = Checkpoint(str(folder))
    drawn = [asked(model, [message], temperature=2.0, seed=seed)[0] for seed in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_an_evaluation_of_it(folder: Path, release: Path, tmp_path: Path) -> None:
    found = evaluated(release, tmp_path / "out", str(folder), limit=2, max_tokens=8)
    assert sum(one.accuracy.questions for one in found.runs[0].families.values()) == 6
    assert found.runs[0].asked.tokens[1] > 6
    assert (tmp_path / "out/hub").is_dir()


def test_what_is_missing_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        Checkpoint(str(tmp_path))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError) as error:
        Checkpoint(str(folder))
    assert checkpoint.INSTALL in error.value.remedy


def test_tokens_that_stand_for_pictures_are_never_written() -> None:
    config = SimpleNamespace(image_token_id=7, video_token_id=None, vision_start_token_id=9)
    assert checkpoint._picture_tokens(config) == [7, 9]
