"""What decides a run's answers and verdicts, and the keys that they are kept under."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from robotmcqa.bench.prompts import judge_text, prompt_text
from robotmcqa.bench.record import Row

__all__ = ["OFFLINE", "REFERENCE", "Settings", "answer_key", "slug", "verdict_key"]

OFFLINE = "offline/"
"""What needs no service begins with it."""

REFERENCE = "offline/reference"
"""A model that answers with the reference: for smoke runs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one run. Everything here decides what is asked; nothing else does.

    Attributes:
        model: as inspect-ai names it, or :data:`REFERENCE`.
        judge: as inspect-ai names it, or ``offline/overlap``.
        judge_samples: verdicts on each answer, averaged.
        judge_temperature: 1 in the paper.
        max_tokens: that the model may write.
        blind: the picture is withheld, to measure what it is worth.
        label: what the report calls the model; runs of one label are averaged.
        bench: digest of the questions and pictures.
    """

    model: str
    judge: str
    judge_samples: int = 1
    judge_temperature: float = 1.0
    max_tokens: int = 1024
    blind: bool = False
    label: str = ""
    bench: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def answer_key(settings: Settings, row: Row, picture: str) -> str:
    """What an answer depends on, as a digest.

    Args:
        settings: of the run.
        row: the question.
        picture: SHA-256 of the picture.
    """
    seen = "" if settings.blind else picture
    return _digest(
        settings.model, settings.max_tokens, row["id"], prompt_text(row["type"]),
        row["question"], seen,
        # The offline model's answer is the reference, so it depends on it.
        row["answer"] if settings.model == REFERENCE else "",
    )  # fmt: skip


def verdict_key(settings: Settings, row: Row, answer: str, sample: int) -> str:
    """What a verdict depends on, as a digest."""
    text = judge_text(row["question"], row["answer"], answer)
    return _digest(settings.judge, settings.judge_temperature, row["id"], text, sample)


def slug(name: str) -> str:
    """A model's name as part of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=12, person=b"bench.run").hexdigest()
