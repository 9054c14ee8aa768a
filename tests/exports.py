"""Exports read back, each as its trainer reads it: prompt, pictures, answer. Our own few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Image, List, load_dataset
from PIL.Image import open as open_picture


class Example(NamedTuple):
    """What a trainer makes of a row."""

    id: str
    shown: list[bytes]
    asked: str
    said: str


def _bytes_of(dataset: Any) -> Any:
    """Pictures as they lie in the file; decoded once, to see that they can be."""
    if "images" not in dataset.column_names:
        return dataset
    for picture in dataset[0]["images"]:
        assert picture.size[0] > 0  # a PIL image
    return dataset.cast_column("images", List(Image(decode=False)))


def _shown(row: Any) -> list[bytes]:
    return [image["bytes"] for image in row.get("images", ())]


def trl(folder: Path, split: str, cache: Path) -> Iterator[Example]:
    """``trl grpo --dataset_name FOLDER``."""
    found = load_dataset(str(folder), name=None, cache_dir=str(cache))[split]
    for row in _bytes_of(found):
        (message,) = row["prompt"]
        assert message["role"] == "user"
        said = row["completion"][0]["content"] if "completion" in row else row["solution"]
        yield Example(row["id"], _shown(row), message["content"], said)


def easyr1(folder: Path, split: str, cache: Path) -> Iterator[Example]:
    """``data.train_files=FOLDER/train.parquet``; every marker begins a new part of the prompt."""
    path = str(folder / f"{split}.parquet")
    found = load_dataset("parquet", data_files=path, split="train", cache_dir=str(cache))
    for row in _bytes_of(found):
        content: list[str | None] = []
        for place, text in enumerate(row["problem"].split("<image>")):
            content += ([None] if place else []) + ([text] if text else [])
        *markers, asked = content
        assert markers == [None] * len(row.get("images", ())), "pictures first, then the text"
        assert asked is not None
        yield Example(row["id"], _shown(row), asked, row["answer"])


def llava(folder: Path, split: str, cache: Path) -> Iterator[Example]:
    """``--data_file_paths FOLDER/train.jsonl --image_folders FOLDER``."""
    with (folder / f"{split}.jsonl").open(encoding="ascii") as file:
        for line in file:
            row = json.loads(line)
            image = row.get("image", [])
            paths = [folder / path for path in ([image] if isinstance(image, str) else image)]
            human, gpt = row["conversations"]
            assert (human["from"], gpt["from"]) == ("human", "gpt")
            assert human["value"].count("<image>") == len(paths)
            asked = human["value"].removeprefix("<image>\n" * len(paths))
            yield Example(row["id"], [path.read_bytes() for path in paths], asked, gpt["value"])


def sharegpt(folder: Path, split: str, cache: Path) -> Iterator[Example]:
    """``dataset_dir: FOLDER``, ``dataset: robotmcqa_train``."""
    info = json.loads((folder / "dataset_info.json").read_text("utf-8"))[f"robotmcqa_{split}"]
    assert info["formatting"] == "sharegpt"
    columns, tags = info["columns"], info["tags"]
    path = str(folder / info["file_name"])
    for row in load_dataset("json", data_files=path, split="train", cache_dir=str(cache)):
        paths = [folder / name for name in (row[columns["images"]] if "images" in columns else ())]
        user, assistant = row[columns["messages"]]
        assert user[tags["role_tag"]] == tags["user_tag"]
        assert assistant[tags["role_tag"]] == tags["assistant_tag"]
        asked, said = user[tags["content_tag"]], assistant[tags["content_tag"]]
        for marker, count in (("<image>", len(paths)), ("<video>", 0), ("<audio>", 0)):
            assert (asked + said).count(marker) == count  # else LLaMA-Factory stops
        asked = asked.removeprefix("<image>" * len(paths))
        yield Example(row["id"], [one.read_bytes() for one in paths], asked, said)


READERS = {"trl": trl, "easyr1": easyr1, "llava": llava, "sharegpt": sharegpt}


def read_back(to: str, folder: Path, split: str, cache: Path) -> list[Example]:
    found = list(READERS[to](folder, split, cache))
    for example in found[:3]:
        for picture in example.shown:
            open_picture(BytesIO(picture)).verify()
    return found
