"""Rows as inspect's samples: pictures first, then the prompt as it stands in the data set."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal, get_args

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText

from robotmcqa.errors import UsageError
from robotmcqa.evaluation.questions import Questions

__all__ = ["PICTURES", "TAG", "Pictures", "samples_of"]

Pictures = Literal["shown", "removed", "blank"]
"""What is done with the pictures of a question; ``blank``: grey ones of the same size."""

PICTURES: tuple[Pictures, ...] = get_args(Pictures)

TAG = "robotmcqa"
"""Key in a message's metadata under which a baseline finds the question. No server gets it."""

GREY = (128, 128, 128)


def samples_of(questions: Questions, pictures: Pictures) -> list[Sample]:
    """A sample for each question.

    Raises:
        UsageError: ``pictures`` is none of :data:`PICTURES`.
    """
    if pictures not in PICTURES:
        raise UsageError(f"pictures '{pictures}'", f"one of {', '.join(PICTURES)}")
    folder = str(questions.dataset.path.absolute())
    return [_sample(row, pictures, folder) for row in questions.rows]


def _sample(row: Mapping[str, Any], pictures: Pictures, folder: str) -> Sample:
    content: list[Content] = [ContentImage(image=one) for one in _images(row, pictures)]
    content.append(ContentText(text=row["question"]))
    tag = {"dataset": folder, "id": row["id"], "family": row["family"]}
    return Sample(
        id=row["id"],
        input=[ChatMessageUser(content=content, metadata={TAG: tag})],
        target=row["answer"],
        metadata={
            **{name: row[name] for name in ("family", "task", "variation", "episode", "frame")},
            "options": row["options"],
            "format": row["spec"]["format"],
        },
    )


def _images(row: Mapping[str, Any], pictures: Pictures) -> Iterator[str]:
    """Data URIs. Questions about one frame share them: the strings weigh more than all else."""
    if pictures == "removed":
        return
    for image in row["images"]:
        yield _data_uri(image["bytes"] if pictures == "shown" else _blank(image["bytes"]))


@lru_cache(maxsize=16)
def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"


@lru_cache(maxsize=16)
def _blank(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(BytesIO(png)) as picture:
        grey = Image.new("RGB", picture.size, GREY)
    out = BytesIO()
    grey.save(out, "png")
    return out.getvalue()
