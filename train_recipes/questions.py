"""Questions of data sets, as TRL's trainers take them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets, load_dataset

from robotmcqa.card.front_matter import content_digest
from robotmcqa.collection import Part, parts_of
from robotmcqa.completions import target_completion
from robotmcqa.errors import DataError, UsageError
from robotmcqa.hub.pull import fetch, is_address
from robotmcqa.spec import FAMILY_NAMES
from robotmcqa.train_recipes.arguments import RecipeArguments

__all__ = ["Questions", "Source", "for_imitation", "load_questions", "shuffled"]


@dataclass(frozen=True)
class Source:
    """A data set that is trained on.

    Attributes:
        named: as the user named it.
        content: digest of its questions and pictures.
        licence: of the demonstrations.
        format: of its questions, ``choice`` or ``open``.
        questions: in its train split, of the chosen families.
    """

    named: str
    content: str
    licence: str
    format: str
    questions: int


@dataclass(frozen=True)
class Questions:
    """Columns ``prompt`` (a conversation), ``images``, ``solution``, and those that rewards and
    logs use: ``id, family, task, options, reasoning``."""

    train: Dataset
    test: Dataset | None
    sources: tuple[Source, ...]

    @property
    def format(self) -> str:
        """``choice`` or ``open``."""
        return self.sources[0].format

    @property
    def texts(self) -> list[str]:
        """What a tokenizer may be trained on: prompts, and completions that would be right."""
        plain = self.train.select_columns(["prompt", "reasoning", "solution", "format"])
        return [
            row["prompt"][0]["content"] + target_completion(_row(row), _style(row)) for row in plain
        ]


def load_questions(recipe: RecipeArguments, seed: int = 0) -> Questions:
    """The questions that a recipe is to be trained on.

    Args:
        recipe: names the data sets, their shares and the families.
        seed: of the choice of questions.

    Raises:
        DataError: a data set is missing or damaged, or holds none of the families.
        UsageError: the arguments do not fit the data sets.
        HubError: a release cannot be fetched.
    """
    unknown = set(recipe.families or ()) - set(FAMILY_NAMES)
    if unknown:
        raise UsageError(f"families {sorted(unknown)}", f"families are {', '.join(FAMILY_NAMES)}")
    parts = [_part(named) for named in recipe.dataset]
    formats = {part.dataset.manifest["spec"]["format"] for part in parts}
    if len(formats) > 1:
        raise UsageError(
            "some data sets have options, others are open-ended",
            "train on one kind: their rewards are different",
        )
    train = [_split(part, "train", recipe.families) for part in parts]
    for named, rows in zip(recipe.dataset, train, strict=True):
        if rows is None:
            wanted = ", ".join(recipe.families or ["any family"])
            raise DataError(
                f"{named}: no training questions of {wanted}",
                "choose other --families, or extract more demonstrations",
            )
    learned = [rows for rows in train if rows is not None]
    test = [rows for part in parts if (rows := _split(part, "test", recipe.families)) is not None]
    sources = tuple(
        _source(named, part, len(rows))
        for named, part, rows in zip(recipe.dataset, parts, learned, strict=True)
    )
    mixed = concatenate_datasets(_shares(learned, recipe.mix, seed)).shuffle(seed=seed)
    if recipe.reasoning_lines:
        mixed = _with_lines(mixed, recipe.reasoning_lines)
    if recipe.shuffle_answers:
        mixed = shuffled(mixed, seed)
    held_out = concatenate_datasets(test).shuffle(seed=seed) if test else None
    if held_out is not None and recipe.test_questions:
        held_out = held_out.select(range(min(recipe.test_questions, len(held_out))))
    return Questions(mixed, held_out, sources)


def for_imitation(questions: Dataset, style: str) -> Dataset:
    """The same with a column ``completion``: what SFT imitates."""

    def with_completion(row: Mapping[str, Any]) -> dict[str, Any]:
        text = target_completion(_row(row), style)  # type: ignore[arg-type]
        return {"completion": [{"role": "assistant", "content": text}]}

    added = questions.remove_columns("images").map(with_completion, desc="Completions")
    together = concatenate_datasets([questions, added.select_columns("completion")], axis=1)
    return together.select_columns(["prompt", "completion", "images"])


def shuffled(questions: Dataset, seed: int) -> Dataset:
    """The same questions, each with the answer, the options' order aside, of another.

    Solution and reasoning go together. Nothing is left to be learned, whatever the pictures show.
    """
    answers = questions.select_columns(["solution", "reasoning"]).shuffle(seed=seed + 1)
    rest = questions.remove_columns(["solution", "reasoning"])
    return concatenate_datasets([rest, answers.flatten_indices()], axis=1)


def _with_lines(questions: Dataset, lines: Sequence[str]) -> Dataset:
    """The same with only some lines of the reasoning; the steps of a plan belong to its line."""
    kept = [_some_lines(text, lines) for text in questions["reasoning"]]
    return questions.remove_columns("reasoning").add_column("reasoning", kept)


def _some_lines(reasoning: str | None, lines: Sequence[str]) -> str | None:
    if not reasoning:
        return reasoning
    parts = re.split(r"^(?=(?:Plan|Subtask|Move|Answer):)", reasoning, flags=re.MULTILINE)
    return "".join(part for part in parts if part.partition(":")[0] in lines).strip()


def _part(named: str) -> Part:
    """The data set that is named: a folder or a release, and the config after ``#``."""
    place, _, config = named.partition("#")
    folder = fetch(place) if is_address(place) else Path(place)
    if not folder.is_dir():
        raise DataError(
            f"{place}: no such folder",
            "make it: robotmcqa extract --task reach_target --out "
            f"{place} (simulated demos, no download), or name another: --dataset",
        )
    parts = {part.config: part for part in parts_of(folder)}
    if config:
        if config not in parts:
            raise UsageError(f"{place} has no config {config}", f"it has {', '.join(parts)}")
        return parts[config]
    if len(parts) > 1:
        names = ", ".join(f"{place}#{name}" for name in parts)
        raise UsageError(f"{place} has several configs", f"name one, or several: {names}")
    return next(iter(parts.values()))


def _split(part: Part, split: str, families: Sequence[str] | None) -> Dataset | None:
    """The questions of one split; None where there are none."""
    files = [str(part.dataset.path / shard["path"]) for shard in part.dataset.shards(split)]
    if not files:
        return None
    rows = load_dataset("parquet", data_files=files, split="train")
    if families:
        of_family = [place for place, name in enumerate(rows["family"]) if name in families]
        rows = rows.select(of_family)
    if not len(rows):
        return None
    kept = ("id", "family", "task", "options", "images", "reasoning")
    texts = rows.select_columns(["question", "answer", "spec"])
    asked = texts.map(_asked, remove_columns=texts.column_names, desc="Questions")
    return concatenate_datasets([rows.select_columns(list(kept)), asked], axis=1)


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    # Plain text, no typed parts: Arrow would add an empty picture to each part of text.
    return {
        "prompt": [{"role": "user", "content": row["question"]}],
        "solution": row["answer"],
        "format": row["spec"]["format"],
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ours as far as a completion is made of it."""
    return {**row, "answer": row["solution"], "spec": {"format": row["format"]}}


def _style(row: Mapping[str, Any]) -> Any:
    return "cot" if row["reasoning"] else "direct"


def _shares(parts: Sequence[Dataset], mix: Sequence[float] | None, seed: int) -> list[Dataset]:
    """Of each part as many questions as its share allows."""
    if mix is None:
        return list(parts)
    if len(mix) != len(parts) or min(mix) <= 0:
        raise UsageError(
            f"--mix {' '.join(map(str, mix))} for {len(parts)} data sets",
            "give each a share above 0",
        )
    total = min(len(part) * sum(mix) / share for part, share in zip(parts, mix, strict=True))
    counts = [int(total * share / sum(mix) + 1e-9) for share in mix]
    return [
        part.shuffle(seed=seed).select(range(count))
        for part, count in zip(parts, counts, strict=True)
    ]


def _source(named: str, part: Part, questions: int) -> Source:
    return Source(
        named=named,
        content=content_digest(part.dataset.manifest),
        licence=part.dataset.provenance["source"]["licence"],
        format=part.dataset.manifest["spec"]["format"],
        questions=questions,
    )
