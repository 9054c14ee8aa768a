"""SpatialRGPT-Bench as an inspect task, from a copy of the user's own.

A copy is the benchmark's JSON lines (or JSON) with its pictures beside it, or the name of its
repository on the Hub (``a8cheng/SpatialRGPT-Bench``). Models that know no masks see the regions as
boxes drawn into the picture.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText, GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.evaluation.completions import written
from robotmcqa.evaluation.samples import PICTURES, Pictures
from robotmcqa.evaluation.spatialrgpt_answers import read
from robotmcqa.evaluation.tasks import ask
from robotmcqa.scoring import parse_completion

__all__ = ["PUBLISHED", "entries_of", "spatialrgpt"]

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "Qwen2.5-VL-7B-Instruct": {"quantitative": 0.0988, "qualitative": 0.2907},
    "Robot-R1": {"quantitative": 0.1589, "qualitative": 0.4079},
}
"""What the Robot-R1 paper reports, with a language model as the judge."""

KINDS = ("qualitative", "quantitative")

_WANTED = {
    "direction": "Say the hour on a clock face, as in: 3 o'clock.",
    "data": "Say one length with its unit, as in: 1.2 meters.",
    "choice": "Name the region, as in: Region [0].",
    "predicate": "Begin with Yes or No.",
}

_COLOURS = ("red", "blue", "lime", "yellow", "magenta", "cyan")

Entry = Mapping[str, Any]


@task
def spatialrgpt(
    dataset: str,
    kinds: str | Sequence[str] = (),
    limit: int | None = None,
    pictures: Pictures = "shown",
) -> Task:
    """The whole benchmark.

    Args:
        dataset: its file, the folder of it, or its name on the Hub.
        kinds: only ``qualitative`` or ``quantitative`` questions; both by default.
        limit: at most so many of each kind, the first ones.
        pictures: ``shown``; ``removed`` or ``blank`` for what can be answered without looking.
    """
    if pictures not in PICTURES:
        raise UsageError(f"pictures '{pictures}'", f"one of {', '.join(PICTURES)}")
    chosen = [kinds] if isinstance(kinds, str) else kinds
    entries = entries_of(dataset, chosen or KINDS, limit)
    return Task(
        dataset=MemoryDataset([_sample(one, pictures) for one in entries], name="spatialrgpt"),
        solver=ask(),
        scorer=spatial(),
        config=GenerateConfig(temperature=0.0),
    )


@scorer(
    metrics={
        "correct": [grouped(mean(), "family"), grouped(mean(), "task"), stderr(cluster="episode")],
        "well_formed": [mean()],
        "agrees": [mean()],
    }
)
def spatial() -> Scorer:
    """Right or wrong. An answer block counts if there is one, else the whole text."""

    async def score(state: TaskState, target: Target) -> Score:
        completion = written(state.output)
        parsed = parse_completion(completion)
        answer = completion if parsed.answer is None else parsed.answer
        reading = read(answer, target.text, state.metadata["task"])
        return Score(
            value={
                "correct": float(reading.right),
                "well_formed": float(parsed.well_formed),
                "agrees": math.nan,
            },
            answer=reading.said,
            explanation=completion,
        )

    return score


def entries_of(
    dataset: str, kinds: Sequence[str] = KINDS, limit: int | None = None
) -> list[dict[str, Any]]:
    """Entries of the benchmark: ``id``, ``question``, ``truth``, ``kind``, ``category``, ``boxes``
    (x, y, x, y in pixels), ``picture`` (a path, or a PIL image) and its name, ``place``.

    Raises:
        DatasetError: there is none, or it is not in the benchmark's form.
        UsageError: there is no such kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"no family '{kind}'", f"SpatialRGPT-Bench has {', '.join(KINDS)}")
    found: list[dict[str, Any]] = []
    counts = dict.fromkeys(kinds, 0)
    for number, (line, folder) in enumerate(_lines(dataset)):
        try:
            entry = _entry(line, folder)
            read(entry["truth"], entry["truth"], entry["category"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DatasetError(
                f"{dataset}: entry {number} is none of SpatialRGPT-Bench ({error!r})",
                "name a copy of the benchmark: its JSON lines, or its repository",
            ) from None
        kind = entry["kind"]
        if kind in counts and counts[kind] < (limit or math.inf):
            counts[kind] += 1
            found.append(entry)
    if not found:
        raise DatasetError(f"{dataset}: no entries", "name a copy of SpatialRGPT-Bench")
    return found


def _lines(dataset: str) -> Iterator[tuple[Entry, Path | None]]:
    """Entries as they stand there, with the folder of their pictures."""
    path = Path(dataset)
    if path.is_dir():
        files = sorted(path.glob("*.json*"))
        if len(files) != 1:
            raise DatasetError(f"{dataset}: {len(files)} JSON files in it", "name one of them")
        (path,) = files
    if path.is_file():
        text = path.read_text("utf-8")
        try:
            listed = text.lstrip().startswith("[")
            lines = json.loads(text) if listed else map(json.loads, text.splitlines())
            yield from ((line, path.parent) for line in lines)
        except ValueError as error:
            raise DatasetError(f"{path}: {error}", "name the benchmark's JSON lines") from None
        return
    if dataset.count("/") != 1 or dataset.startswith((".", "/", "~")):
        raise DatasetError(f"{dataset}: there is no such file", "name a copy of SpatialRGPT-Bench")
    from datasets import load_dataset

    yield from ((line, None) for line in load_dataset(dataset, split="val"))


def _entry(line: Entry, folder: Path | None) -> dict[str, Any]:
    about = _document(line["qa_info"])
    turns = _document(line["conversations"])
    image = line.get("image")
    if image is None:
        image = (folder or Path()) / _document(line["image_info"])["file_path"]
        if not image.is_file():
            image = (folder or Path()) / "images" / _document(line["image_info"])["file_path"]
    if about["type"] not in KINDS:
        raise ValueError(f"a question of type {about['type']!r}")
    return {
        "id": str(line["id"]),
        "question": line["text_q"],
        "truth": turns[1]["value"],
        "kind": about["type"],
        "category": about["category"],
        "boxes": [tuple(map(float, box)) for box in _document(line["bbox"])],
        "picture": image,
        "place": _document(line.get("image_info") or {}).get("file_path", str(line["id"])),
    }


def _document(value: Any) -> Any:
    """On the Hub some columns are JSON as text."""
    return json.loads(value) if isinstance(value, str) else value


def _sample(entry: Entry, pictures: Pictures) -> Sample:
    category = entry["category"]
    wanted = _WANTED[category if category == "direction" else category.rpartition("_")[2]]
    prompt = (
        f"{'' if pictures == 'removed' else 'The regions are framed and named in the picture. '}"
        f"{entry['question']}\n\n{wanted} Reason step by step between <think> and </think>, then "
        "write only the answer between <answer> and </answer>."
    )
    content: list[Content] = []
    if pictures != "removed":
        content.append(ContentImage(image=_picture(entry, blank=pictures == "blank")))
    content.append(ContentText(text=prompt))
    return Sample(
        id=entry["id"],
        input=[ChatMessageUser(content=content)],
        target=entry["truth"],
        metadata={
            "family": entry["kind"],
            "task": category,
            "episode": entry["place"],  # questions about one picture resemble each other
        },
    )


def _picture(entry: Entry, *, blank: bool) -> str:
    """Data URI of the picture with its regions framed and named."""
    from PIL import Image, ImageDraw

    given = entry["picture"]
    try:
        picture = (Image.open(given) if isinstance(given, Path) else given).convert("RGB")
    except OSError as error:
        raise DatasetError(
            f"{entry['id']}: its picture cannot be read ({error})",
            "pictures lie beside the JSON lines, at the paths that these name",
        ) from None
    if blank:
        picture = Image.new("RGB", picture.size, (128, 128, 128))
    drawing = ImageDraw.Draw(picture)
    width = max(2, round(min(picture.size) / 200))
    for number, box in enumerate(entry["boxes"]):
        colour = _COLOURS[number % len(_COLOURS)]
        left, top, right, bottom = box
        drawing.rectangle(
            (min(left, right), min(top, bottom), max(left, right), max(top, bottom)),
            outline=colour,
            width=width,
        )
        corner = (min(left, right) + width + 1, min(top, bottom) + width + 1)
        name = f"Region [{number}]"
        drawing.rectangle(drawing.textbbox(corner, name), fill="black")
        drawing.text(corner, name, fill=colour)
    out = BytesIO()
    picture.save(out, "png")
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
