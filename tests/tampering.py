"""Ways to change a finished data set behind its manifest's back, or with its consent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from robotmcqa.card.front_matter import front_matter
from tests.conftest import Row

Change = Callable[[list[Row]], None]


def shard(folder: Path, split: str = "train") -> Path:
    return folder / f"data/{split}-00000.parquet"


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "meta/manifest.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def sign(folder: Path) -> None:
    """Make manifest and card agree with the files, so that only their meaning is at fault."""

    def change(manifest: dict[str, Any]) -> None:
        for file in manifest["files"]:
            data = (folder / file["path"]).read_bytes()
            file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            if "rows" in file:
                file["rows"] = pq.ParquetFile(folder / file["path"]).metadata.num_rows
                manifest["splits"][file["split"]]["rows"] = file["rows"]

    edit_manifest(folder, change)
    card, documents = folder / "README.md", list[Any]()
    for name in ("manifest", "provenance"):
        documents.append(json.loads((folder / f"meta/{name}.json").read_text("utf-8")))
    front = yaml.safe_dump(front_matter([("default", "", *documents)], "Signed"))
    body = card.read_text("utf-8").split("---\n", 2)[2]
    card.write_text(f"---\n{front}---\n{body}", "utf-8")


def rewrite(folder: Path, change: Change, split: str = "train") -> None:
    """Change the rows of a shard behind the manifest's back, then sign it."""
    path = shard(folder, split)
    old = pq.ParquetFile(path).read()
    rows = old.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=old.schema), path)
    sign(folder)


def first(rows: list[Row], family: str) -> Row:
    return next(row for row in rows if row["family"] == family)


def right(row: Row) -> int:
    return "ABCD".index(row["answer"])


def replace_option(row: Row, place: int, point: list[float]) -> None:
    """Put another position in place of an option, everywhere the row tells it."""
    text = "[" + ", ".join(f"{value:.3f}".rstrip("0").rstrip(".") for value in point) + "]"
    row["question"] = row["question"].replace(row["options"][place], text)
    row["options"][place] = text
    row["distractors"][place - (place > right(row))] = point


def set_options(row: Row, options: list[str]) -> None:
    """Options in another order, in the prompt too."""
    row["options"] = options
    row["question"] = re.sub(
        r"^\[\[([A-H])\]\] .+$",
        lambda match: f"[[{match[1]}]] {options['ABCDEFGH'.index(match[1])]}",
        row["question"],
        flags=re.MULTILINE,
    )
