"""What is derived from the questions and pictures: card, parquet, eval.yaml, an account of it all.

Nothing of it is edited by hand. Whoever has edited ``questions.jsonl`` has it made anew
(``robotmcqa bench add`` without a file), and ``robotmcqa bench validate`` says where it is stale.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from robotmcqa.bench.prompts import prompt_text
from robotmcqa.bench.record import QUESTIONS, TYPES, Row, counts, read_rows
from robotmcqa.errors import DatasetError
from robotmcqa.files import json_text, sha256_of, write_bytes, write_text

__all__ = ["ACCOUNT", "CARD", "DATA", "EVAL", "account_of", "digest_of", "stale", "write_derived"]

ACCOUNT, CARD, EVAL, DATA = "bench.json", "README.md", "eval.yaml", "data/test-00000.parquet"


def write_derived(folder: Path, made: Mapping[str, Any]) -> None:
    """Write all of it, the account last.

    Args:
        folder: with questions and pictures.
        made: how the pictures were made, for the account: seed and size; empty for people's own.
    """
    rows = read_rows(folder)
    write_bytes(folder / DATA, _parquet(folder, rows))
    write_text(folder / EVAL, _evaluation())
    write_text(folder / CARD, _card(rows, made))
    listed = [QUESTIONS, DATA, EVAL, CARD, *dict.fromkeys(row["image"] for row in rows)]
    account = {
        "version": "1",
        "made": dict(made),
        "counts": counts(rows),
        "images": len({row["image"] for row in rows}),
        "content": digest_of(folder, rows),
        "files": {name: sha256_of(folder / name) for name in listed},
    }
    write_text(folder / ACCOUNT, json_text(account))


def account_of(folder: Path) -> dict[str, Any]:
    """The account that lies in a benchmark; empty where there is none.

    Raises:
        DatasetError: it is no JSON object.
    """
    try:
        found = json.loads((folder / ACCOUNT).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DatasetError(
            f"{folder / ACCOUNT}: {error}", f"robotmcqa bench add --to {folder}"
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("files", {}), dict):
        raise DatasetError(f"{folder / ACCOUNT}: no account", f"robotmcqa bench add --to {folder}")
    return found


def digest_of(folder: Path, rows: Sequence[Row]) -> str:
    """One number for what is asked: 16 hex digits over questions, answers and pictures."""
    content = hashlib.blake2b(digest_size=8, person=b"robotmcqa.bench")
    pictures = {name: sha256_of(folder / name) for name in {row["image"] for row in rows}}
    for row in sorted(rows, key=lambda row: str(row["id"])):
        kept = [row["id"], row["type"], row["question"], row["answer"], pictures[row["image"]]]
        content.update(json.dumps(kept, ensure_ascii=False).encode())
    return content.hexdigest()


def stale(folder: Path) -> list[tuple[str, str]]:
    """Files that are not what the account says, each with what is wrong."""
    listed = account_of(folder).get("files", {})
    found = []
    for name in (QUESTIONS, DATA, EVAL, CARD):
        if name not in listed:
            found.append((name, "is in no account"))
    for name, digest in listed.items():
        if not (folder / name).is_file():
            found.append((name, "is missing"))
        elif sha256_of(folder / name) != digest:
            found.append((name, "has changed since the account was written"))
    return found


def _parquet(folder: Path, rows: Sequence[Row]) -> bytes:
    """The rows with their pictures inside, twice: for viewers, and as text for inspect-ai."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ("id", "type", "group", "task", "question", "answer", "source")
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in texts}
    pictures = {name: (folder / name).read_bytes() for name in {row["image"] for row in rows}}
    columns["prompt"] = [
        f"{prompt_text(row['type'])}\n\nQuestion: {row['question']}" for row in rows
    ]
    columns["image"] = [{"bytes": pictures[row["image"]], "path": row["image"]} for row in rows]
    columns["image_uri"] = [data_uri(pictures[row["image"]]) for row in rows]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [(name, image if name == "image" else pa.string()) for name in columns]
    features = {
        name: {"_type": "Image"} if name == "image" else {"dtype": "string", "_type": "Value"}
        for name in columns
    }
    schema = pa.schema(
        fields, metadata={"huggingface": json.dumps({"info": {"features": features}})}
    )
    sink = pa.BufferOutputStream()
    # A picture is in several rows: one dictionary for all of them holds it once.
    pq.write_table(
        pa.table(columns, schema=schema),
        sink,
        compression="zstd",
        dictionary_pagesize_limit=1 << 28,
        data_page_size=1 << 28,
    )
    return bytes(sink.getvalue())


def data_uri(png: bytes) -> str:
    """A picture as text."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _evaluation() -> str:
    """The Hub's benchmark convention. Its scorers are fixed; robotmcqa's own judge is stricter."""
    document = {
        "name": "Robot-R1 Bench, rebuilt",
        "description": "Open questions about a robot at work: planning, next action, motion and "
        "spatial relations, judged against a reference answer.",
        "evaluation_framework": "inspect-ai",
        "tasks": [
            {
                "id": "robot-r1-bench",
                "config": "default",
                "split": "test",
                "field_spec": {"input": "prompt", "input_image": "image_uri", "target": "answer"},
                "solvers": [{"name": "generate"}],
                "scorers": [{"name": "model_graded_qa", "args": {"partial_credit": True}}],
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


@cache
def _environment() -> Any:
    from jinja2 import Environment, StrictUndefined

    return Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
        undefined=StrictUndefined,
    )


def _card(rows: Sequence[Row], made: Mapping[str, Any]) -> str:
    text = files("robotmcqa.cards").joinpath("bench.md.jinja").read_text("utf-8")
    groups = {
        group: counts([row for row in rows if row.get("group") == group]) for group in ("in", "out")
    }
    first = {kind: next((row for row in rows if row["type"] == kind), None) for kind in TYPES}
    tasks: dict[str, set[str]] = {"in": set(), "out": set()}
    for row in rows:
        if row.get("task") and row.get("group"):
            tasks[row["group"]].add(row["task"])
    from robotmcqa import __version__

    rendered: str = (
        _environment()
        .from_string(text)
        .render(
            rows=len(rows),
            images=len({row["image"] for row in rows}),
            people=sum(row.get("source") != "simulator" for row in rows),
            counts=counts(rows),
            groups=groups,
            tasks={group: sorted(names) for group, names in tasks.items()},
            examples={kind: row for kind, row in first.items() if row},
            made=made,
            version=__version__,
            size="n<1K" if len(rows) < 1000 else "1K<n<10K",
        )
    )
    return rendered
