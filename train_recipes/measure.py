"""How good a saved model is on a whole test split.

    python -m robotmcqa.train_recipes.measure robot-r1 --dataset robotmcqa-dataset

Every question is answered three times: ``greedy``; ``sampled`` at temperature 1, as RL does; and
``blank``, greedily with a grey picture in the place of each. Prints one line of JSON. ``robotmcqa
eval`` does more, for any model; this is what the recipes use.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from scipy.stats import binomtest

from robotmcqa.scoring import agrees, letter_of, parse_completion
from robotmcqa.train_recipes.arguments import RecipeArguments
from robotmcqa.train_recipes.questions import load_questions

__all__ = ["Measurement", "generate", "measure"]


_GREEDY = {"do_sample": False}


@dataclass(frozen=True)
class Measurement:
    """What a model did on a test split.

    Attributes:
        questions: how many were asked.
        right: how many were answered by the right letter.
        accuracy: their share.
        low: lower end of its 95 % Wilson interval.
        high: upper end.
        well_formed: share of completions of the right form.
        agreement: of the answers whose reasoning names an option, the share that chooses it.
        tokens: mean length of a completion.
        correct: for each question, in the order of its id, whether it was right.
    """

    questions: int
    right: int
    accuracy: float
    low: float
    high: float
    well_formed: float
    agreement: float | None
    tokens: float
    correct: tuple[bool, ...]


def measure(
    model: Any,
    processor: Any,
    questions: Any,
    *,
    blank: bool = False,
    batch: int = 64,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
) -> Measurement:
    """Ask every question once.

    Args:
        model: on its device, in any mode.
        processor: of the model.
        questions: with ``prompt, images, solution, options``.
        blank: put a grey picture in the place of each.
        batch: questions at once.
        max_new_tokens: longest completion.
        temperature: of sampling, as RL samples; 0 takes the likeliest token each time.
    """
    order = sorted(range(len(questions)), key=questions["id"].__getitem__)
    rows = questions.select(order)
    right, formed, agreed, lengths = [], [], [], []
    for text, length, row in zip(
        *_answers(model, processor, rows, blank, batch, max_new_tokens, temperature),
        rows,
        strict=True,
    ):
        parsed = parse_completion(text)
        letter = None if parsed.answer is None else letter_of(parsed.answer, len(row["options"]))
        right.append(letter == row["solution"])
        formed.append(parsed.well_formed)
        agreed.append(agrees(text, row["options"]))
        lengths.append(length)
    known = [one for one in agreed if one is not None]
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return Measurement(
        questions=len(right),
        right=sum(right),
        accuracy=sum(right) / len(right),
        low=float(interval.low),
        high=float(interval.high),
        well_formed=sum(formed) / len(formed),
        agreement=sum(known) / len(known) if known else None,
        tokens=sum(lengths) / len(lengths),
        correct=tuple(right),
    )


def _answers(
    model: Any,
    processor: Any,
    rows: Any,
    blank: bool,
    batch: int,
    max_new_tokens: int,
    temperature: float,
) -> tuple[list[str], list[int]]:
    texts: list[str] = []
    lengths: list[int] = []
    for start in range(0, len(rows), batch):
        some = rows.select(range(start, min(start + batch, len(rows))))
        conversations = [_conversation(row, blank) for row in some]
        for text, length in generate(model, processor, conversations, max_new_tokens, temperature):
            texts.append(text)
            lengths.append(length)
    return texts, lengths


def generate(
    model: Any,
    processor: Any,
    conversations: Sequence[Any],
    max_new_tokens: int,
    temperature: float = 0.0,
) -> Iterator[tuple[str, int]]:
    """Completions of conversations, each with its number of tokens."""
    inputs = processor.apply_chat_template(
        list(conversations),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        padding=True,
    ).to(model.device)
    model.eval()
    with torch.no_grad():
        made = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            **({"do_sample": True, "temperature": temperature} if temperature else _GREEDY),
        )
    tokenizer = processor.tokenizer
    for ids in made[:, inputs["input_ids"].shape[1] :]:
        said = [one for one in ids.tolist() if one != tokenizer.pad_token_id]
        yield tokenizer.decode(said, skip_special_tokens=True), len(said)


def _conversation(row: Any, blank: bool) -> list[dict[str, Any]]:
    pictures = [_grey(picture) if blank else picture for picture in row["images"]]
    text = row["prompt"][0]["content"]
    content = [
        *({"type": "image", "image": one} for one in pictures),
        {"type": "text", "text": text},
    ]
    return [{"role": "user", "content": content}]


def _grey(picture: Image.Image) -> Image.Image:
    return Image.new("RGB", picture.size, (128, 128, 128))


def main() -> None:
    """``python -m robotmcqa.train_recipes.measure``."""
    from trl import ModelConfig

    from robotmcqa.train_recipes.policy import load_policy

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="A folder, or a model on the Hub.")
    parser.add_argument("--dataset", default="robotmcqa-dataset", help="A folder, or hf://...")
    parser.add_argument("--families", nargs="+", help="Only these.")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="Longest completion.")
    parser.add_argument("--batch", type=int, default=64, help="Questions at once.")
    words = parser.parse_args()
    recipe = RecipeArguments(dataset=[words.dataset], families=words.families, test_questions=0)
    questions = load_questions(recipe)
    on_gpu = torch.cuda.is_available()
    settings = argparse.Namespace(use_cpu=not on_gpu)
    torch.manual_seed(0)  # of the sampling
    named = ModelConfig(model_name_or_path=words.model, dtype="bfloat16" if on_gpu else None)
    model, processor = load_policy(named, settings, recipe)
    model = model.to("cuda" if on_gpu else "cpu")
    ways: dict[str, dict[str, Any]] = {
        "greedy": {},
        "sampled": {"temperature": 1.0},
        "blank": {"blank": True},
    }
    found = {
        way: asdict(
            measure(
                model,
                processor,
                questions.test,
                batch=words.batch,
                max_new_tokens=words.max_new_tokens,
                **options,
            )
        )
        for way, options in ways.items()
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
