"""Models that are none: what guessing reaches, and what knowing does.

They answer in the form that the prompt asks for, and are asked, scored and counted like any model.
Which question they are asked they read from the message's metadata, never from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage

from robotmcqa.audit.guesses import TIE
from robotmcqa.audit.learned import scores_of
from robotmcqa.audit.table import COLUMNS, Array, tables_of
from robotmcqa.dataset import Dataset
from robotmcqa.draws import Draws
from robotmcqa.errors import DatasetError, RobotMCQAError, UsageError
from robotmcqa.evaluation.samples import TAG
from robotmcqa.questions.prompts import LETTERS
from robotmcqa.scoring import position_of

__all__ = ["BASELINES", "Baseline", "problems"]

Row = Mapping[str, Any]

problems: list[RobotMCQAError] = []
"""Why baselines could not answer; inspect keeps but the text of what is raised."""


class Baseline(ModelAPI):
    """inspect's provider ``baseline/NAME``."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: Any = None,
        **arguments: Any,
    ) -> None:
        if model_name not in BASELINES:
            known = ", ".join(f"baseline/{name}" for name in BASELINES)
            raise UsageError(f"no baseline/{model_name}", f"one of {known}")
        super().__init__(model_name, base_url, api_key, [], config)

    async def generate(
        self, input: list[Any], tools: list[Any], tool_choice: Any, config: Any
    ) -> Any:
        tag = next((one.metadata[TAG] for one in input if TAG in (one.metadata or {})), None)
        if tag is None:
            raise UsageError(
                f"baseline/{self.model_name} answers questions of a robotmcqa data set only",
                "take another model",
            )
        try:
            text = BASELINES[self.model_name](tag, config.seed or 0)
        except RobotMCQAError as error:
            problems.append(error)
            raise
        output = ModelOutput.from_content(f"baseline/{self.model_name}", text)
        output.usage = ModelUsage()  # without it inspect would fetch a tokenizer to count
        return output


def _completion(why: str, answer: str) -> str:
    return f"<think> {why} </think>\n<answer> {answer} </answer>"


def _chosen(why: str, place: int) -> str:
    letter = f"[[{LETTERS[place]}]]"
    return _completion(f"{why}: {letter}", letter)


def _oracle(tag: Row, seed: int) -> str:
    row = _row(tag)
    if not row["options"]:
        return _completion("The data set says so", row["answer"])
    return _chosen("The data set says so", LETTERS.index(row["answer"]))


def _first(tag: Row, seed: int) -> str:
    _options(tag)
    return _chosen("The first", 0)


def _random(tag: Row, seed: int) -> str:
    place = Draws("baseline", "random", seed, tag["id"]).below(len(_options(tag)))
    return _chosen("Drawn by lot", place)


def _nearest(tag: Row, seed: int) -> str:
    """By lot where the prompt states no position, as it does in its reasoning."""
    row, options = _row(tag), _options(tag)
    places = [position_of(text) for text in options]
    if row["spec"]["state"] != "shown" or any(place is None for place in places):
        place = Draws("baseline", "nearest", seed, tag["id"]).below(len(options))
        return _chosen("No position is stated to be near to, so drawn by lot", place)
    away = np.linalg.norm(np.array(places) - np.array(row["state"][:3]).round(3), axis=1)
    return _chosen("The nearest to the stated position", int(away.argmin()))


def _blind_learned(tag: Row, seed: int) -> str:
    """The audit's learned guesser; ``seed`` numbers its shufflings, as in the audit."""
    scores = _learned(tag["dataset"], tag["family"], seed)[tag["id"]]
    if np.isnan(scores).any():
        raise DatasetError(
            f"{tag['id']}: nothing that baseline/blind-learned could learn this one from",
            "where the test split is large it learns from the train split: ask --split test; "
            "elsewhere take more demonstrations",
        )
    best = np.flatnonzero(scores >= scores.max() - TIE).tolist()
    place = Draws("baseline", "blind-learned", seed, tag["id"]).choice(best)
    return _chosen("What options like these were elsewhere", place)


BASELINES: dict[str, Callable[[Row, int], str]] = {
    "random": _random,
    "first": _first,
    "nearest": _nearest,
    "blind-learned": _blind_learned,
    "oracle": _oracle,
}
"""Name -> (question, seed) to completion."""


def _options(tag: Row) -> list[str]:
    options: list[str] = _row(tag)["options"]
    if not options:
        raise UsageError(
            "open-ended questions have no options to choose from", "of the baselines take oracle"
        )
    return options


def _row(tag: Row) -> Row:
    return _rows(tag["dataset"])[tag["id"]]


@cache
def _rows(folder: str) -> dict[str, Row]:
    """Every row of a data set by its id, without pictures and prompts."""
    return {row["id"]: row for row in Dataset.open(Path(folder)).rows(columns=("id", *COLUMNS))}


@cache
def _learned(folder: str, family: str, shuffling: int) -> dict[str, Array]:
    """Id -> (k,) scores of the options."""
    dataset = Dataset.open(Path(folder))
    rows = [
        (split, row)
        for split in dataset.manifest["splits"]
        for row in dataset.rows(split, ("id", *COLUMNS))
        if row["family"] == family
    ]
    scores, _ = scores_of(tables_of(rows, dataset.scene.motion_words)[family], 0, shuffling)
    return {row["id"]: one for (_, row), one in zip(rows, scores, strict=True)}
