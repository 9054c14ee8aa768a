"""A transformers checkpoint on this machine as inspect's provider ``robotmcqa/FOLDER``.

Questions that are put at the same time are answered together, in batches of ``batch_size``.
Without sampling the same question gets the same answer up to rounding: padding differs from batch
to batch. With sampling, what is drawn hangs on the company as well.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple

from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage

from robotmcqa.errors import UsageError

__all__ = ["Checkpoint"]

INSTALL = "pip install torch transformers accelerate"

BATCH_SIZE = 16
MAX_TOKENS = 2048
GATHER = 0.05
"""Seconds that a batch waits for company."""


class _Question(NamedTuple):
    messages: list[dict[str, Any]]
    images: list[Any]
    sampling: tuple[float, float, int, int | None]
    """temperature, top-p, most new tokens, seed: one batch has one of them."""
    answer: Future[tuple[str, int, int]]
    """Text, and the number of tokens in and out."""


class Checkpoint(ModelAPI):
    """Loads when it is first asked.

    Args of ``-M``: ``device`` (``cuda`` where there is one, else ``cpu``), ``dtype`` (as saved;
    ``float32`` on a CPU, where half of it is slow), ``batch_size``.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: Any = None,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._folder = Path(model_name)
        if not (self._folder / "config.json").is_file():
            raise UsageError(
                f"{model_name}: no checkpoint here (config.json is missing)",
                "name the folder that a trainer or save_pretrained wrote",
            )
        for package in ("torch", "transformers"):
            if not find_spec(package):
                raise UsageError(f"a local checkpoint needs {package}", INSTALL)
        self._device, self._dtype, self._batch_size = device, dtype, batch_size
        self._queue: Queue[_Question] = Queue()
        self._thread: Thread | None = None

    def max_connections(self) -> int:
        """So many questions at once as fit into a batch."""
        return self._batch_size

    async def generate(
        self, input: list[Any], tools: list[Any], tool_choice: Any, config: Any
    ) -> Any:
        from anyio.to_thread import run_sync

        if self._thread is None:
            self._thread = Thread(target=self._answer_forever, daemon=True)
            self._thread.start()
        messages, images = _conversation(input)
        temperature = config.temperature or 0.0
        seed = config.seed if temperature else None
        limit = config.max_tokens or MAX_TOKENS
        sampling = (temperature, config.top_p or 1.0, limit, seed)
        question = _Question(messages, images, sampling, Future())
        self._queue.put(question)
        text, asked, said = await run_sync(question.answer.result, abandon_on_cancel=True)
        output = ModelOutput.from_content(
            f"robotmcqa/{self.model_name}", text, "max_tokens" if said >= limit else "stop"
        )
        output.usage = ModelUsage(input_tokens=asked, output_tokens=said, total_tokens=asked + said)
        return output

    def _answer_forever(self) -> None:
        """In a thread of its own: load, then answer batch after batch."""
        try:
            network = _Network(self._folder, self._device, self._dtype)
        except Exception as error:
            while True:
                self._queue.get().answer.set_exception(error)
        while True:
            for batch in _alike(self._batch()):
                try:
                    for question, answer in zip(batch, network.answers(batch), strict=True):
                        question.answer.set_result(answer)
                except Exception as error:
                    for question in batch:
                        question.answer.set_exception(error)

    def _batch(self) -> list[_Question]:
        batch = [self._queue.get()]
        while len(batch) < self._batch_size:
            try:
                batch.append(self._queue.get(timeout=GATHER))
            except Empty:
                break
        return batch


class _Network:
    """Model and processor."""

    def __init__(self, folder: Path, device: str | None, dtype: str | None) -> None:
        import torch
        from transformers import AutoModelForImageTextToText

        self._torch = torch
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._processor = _processor_of(folder)
        self._processor.tokenizer.padding_side = "left"
        precision = dtype or ("float32" if self._device == "cpu" else "auto")
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=precision)
        self._model = model.to(self._device).eval()
        self._never = _picture_tokens(model.config)

    def answers(self, batch: Sequence[_Question]) -> list[tuple[str, int, int]]:
        """Texts with the numbers of tokens in and out."""
        torch, processor = self._torch, self._processor
        temperature, top_p, limit, seed = batch[0].sampling
        prompts = [
            processor.apply_chat_template(one.messages, tokenize=False, add_generation_prompt=True)
            for one in batch
        ]
        pictures = [one.images for one in batch] if any(one.images for one in batch) else None
        inputs = processor(text=prompts, images=pictures, padding=True, return_tensors="pt")
        inputs = inputs.to(self._device)
        if seed is not None:
            torch.manual_seed(seed)
        sampled = {"temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {}
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs,
                do_sample=bool(temperature),
                max_new_tokens=limit,
                suppress_tokens=self._never or None,
                pad_token_id=processor.tokenizer.pad_token_id,
                **sampled,
            )
        said = tokens[:, inputs["input_ids"].shape[1] :]
        asked = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            (self._text(row), count, self._length(row))
            for row, count in zip(said, asked, strict=True)
        ]

    def _text(self, tokens: Any) -> str:
        """Without the end of turn and padding; the answer's tags may be special tokens: kept."""
        tokenizer = self._processor.tokenizer
        text: str = tokenizer.decode(tokens[: self._length(tokens)], skip_special_tokens=False)
        for token in (tokenizer.eos_token, tokenizer.pad_token):
            text = text.removesuffix(token or "")
        return text

    def _length(self, tokens: Any) -> int:
        """Tokens up to the end of the turn, it included."""
        ends = self._model.generation_config.eos_token_id
        ends = {ends} if isinstance(ends, int) else set(ends or ())
        row: list[int] = tokens.tolist()
        return next((place + 1 for place, token in enumerate(row) if token in ends), len(row))


def _processor_of(folder: Path) -> Any:
    """That of any checkpoint, the tiny ones of the training recipes included."""
    return import_module("robotmcqa.train_recipes.tiny_vlm").load_processor(folder)


def _picture_tokens(config: Any) -> list[int]:
    """Tokens that stand for pictures: a model that writes one breaks its own input."""
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    found = [getattr(config, name, None) for name in names]
    return [token for token in found if isinstance(token, int)]


def _conversation(input: Sequence[Any]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages as chat templates take them, and the pictures in their order."""
    messages, images = [], []
    for message in input:
        parts: list[dict[str, Any]] = []
        content = message.content
        for part in [] if isinstance(content, str) else content:
            if part.type == "image":
                parts.append({"type": "image"})
                images.append(_picture(part.image))
            elif part.type == "text":
                parts.append({"type": "text", "text": part.text})
        if isinstance(content, str):
            parts.append({"type": "text", "text": content})
        messages.append({"role": message.role, "content": parts})
    return messages, images


def _picture(image: str) -> Any:
    from PIL import Image

    source: Any = BytesIO(b64decode(image.partition(",")[2])) if image[:5] == "data:" else image
    with Image.open(source) as picture:
        return picture.convert("RGB")


def _alike(batch: Sequence[_Question]) -> list[list[_Question]]:
    """Parts of a batch that are sampled in the same way and have as many pictures."""
    parts: dict[tuple[Any, int], list[_Question]] = {}
    for question in batch:
        parts.setdefault((question.sampling, len(question.images)), []).append(question)
    return list(parts.values())
