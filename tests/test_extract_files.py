"""``extract``: the files beside the rows keep to their schemas, tell nothing private, and others
can read them.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.conftest import Row, Run, environment, rows_of, tree
from tests.extractions import FAMILIES, broken, failures_of, manifest_of

SCHEMAS = Path(__file__).parents[1] / "schemas/v1"


def strings(document: object) -> Iterator[str]:
    """Every string in a JSON document, keys included."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from strings(name)
            yield from strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


def schema(name: str) -> Draft202012Validator:
    document = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return Draft202012Validator(document)


def test_meta_files_keep_to_their_schemas(robotmcqa: Run, small: Path, tmp_path: Path) -> None:
    """With failed demos, notes and skipped questions in them."""
    broken(small)
    (small / "reach_target/variation0/variation_descriptions.pkl").unlink()
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{small}"),
        *("--out", out, "--min-displacement", "0.1"),
    )
    assert done.returncode == 0, done.stderr
    lines = failures_of(out)
    assert {line["kind"] for line in lines} == {"demo", "note", "item"}
    for line in lines:
        schema("failure").validate(line)
    for name in ("manifest", "provenance"):
        schema(name).validate(json.loads((out / f"meta/{name}.json").read_text("utf-8")))
    schema("scene").validate(json.loads((out / "meta/metadata.json").read_text("utf-8")))


def test_rows_keep_to_the_schema_beside_them(dataset: Path, rows: list[Row]) -> None:
    text = (dataset / "meta/item.schema.json").read_text("utf-8")
    assert text == (SCHEMAS / "item.schema.json").read_text("utf-8")
    check = Draft202012Validator(json.loads(text))
    for row in rows:
        check.validate({**row, "images": [len(image["bytes"]) for image in row["images"]]})


def test_nothing_tells_where_or_by_whom_it_was_made(demos: Path, dataset: Path) -> None:
    """Data sets are published: no path, no host, no user."""
    provenance = json.loads((dataset / "meta/provenance.json").read_text("utf-8"))
    for text in strings(provenance):
        assert not re.search(r"(^|[\s:=])[/~]", text), text
        assert platform.node() not in text
    private = [str(demos), str(dataset), str(Path.home())]
    if len(getpass.getuser()) > 4:
        private.append(getpass.getuser())
    for file in (*dataset.glob("meta/*"), dataset / "README.md"):
        text = file.read_text("utf-8")
        assert not [one for one in private if one in text], file


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--preset", "grounded", "--task", "reach_target", "--episodes", "3", "--seed", "4"),
        ("--preset", "grounded", "--state", "shown", "--separation", "0.1", "--choices", "3"),
        ("--format", "open", "--family", "motion", "--motion-state", "shown", "--stride", "7"),
        ("--variation", "1", "--keyframes", "gripper-only", "--min-displacement", "0.06"),
    ],
)
def test_the_recorded_command_makes_the_same_data_set(
    robotmcqa: Run, extracted: Any, demos: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    one, first = extracted("--no-images", *options)
    provenance = json.loads((first / "meta/provenance.json").read_text("utf-8"))
    program, *again = shlex.split(provenance["command"].replace("DIR", str(demos)))
    assert program == "robotmcqa"
    done = robotmcqa(*again, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "again") == one
    assert tree(tmp_path / "again") == tree(first)


def test_the_card_says_what_is_inside(dataset: Path) -> None:
    text = (dataset / "README.md").read_text("utf-8")
    _, front, body = text.split("---\n", 2)
    matter = yaml.safe_load(front)
    (config,) = matter["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "data/train-*.parquet"},
        {"split": "test", "path": "data/test-*.parquet"},
    ]
    assert matter["size_categories"] == ["n<1K"]
    assert matter["license"]
    manifest = manifest_of(dataset)
    for split, numbers in manifest["splits"].items():
        assert f"| {split} | {numbers['rows']} | {numbers['episodes']} |" in body
    for task, counts in manifest["items"].items():
        cells = " | ".join(str(counts[family]) for family in FAMILIES)
        assert f"| `{task}` | {cells} |" in body


def test_a_card_without_a_test_split_names_none(extracted: Any) -> None:
    _, out = extracted("--no-images", "--test-fraction", 0)
    front = (out / "README.md").read_text("utf-8").split("---\n", 2)[1]
    (config,) = yaml.safe_load(front)["configs"]
    assert [file["split"] for file in config["data_files"]] == ["train"]
    assert list(manifest_of(out)["splits"]) == ["train"]


READ_WITH_DATASETS = """
import json, sys
from datasets import load_dataset
folder = sys.argv[1]
both = load_dataset(folder)
told = {"features": {name: repr(kind) for name, kind in both["train"].features.items()}}
for split, rows in both.items():
    told[split] = [
        {"id": row["id"], "size": [image.size for image in row["images"]],
         "kind": [type(image).__name__ for image in row["images"]],
         "state": row["state"], "options": row["options"], "spec": row["spec"]}
        for row in rows
    ]
stream = load_dataset(folder, streaming=True)
told["streamed"] = {
    split: [(row["id"], [image.size for image in row["images"]]) for row in stream[split]]
    for split in stream
}
print(json.dumps(told))
"""


def test_datasets_loads_it_offline_with_decoded_pictures(dataset: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_DATASETS, str(dataset)],
        env=environment(HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    features = told["features"]
    assert "List(Image(" in features["images"]
    assert features["variation"] == "Value('int32')"
    assert features["state"] == "List(Value('float64'))"
    assert features["distractors"] == "List(List(Value('float64')))"
    assert set(told) == {"features", "train", "test", "streamed"}
    for split in ("train", "test"):
        mine = rows_of(dataset, split)
        assert [row["id"] for row in told[split]] == [row["id"] for row in mine]
        for row, raw in zip(told[split], mine, strict=True):
            assert row["size"] == [[64, 64]]
            assert row["kind"] == ["PngImageFile"]
            assert row["state"] == raw["state"]
            assert row["options"] == raw["options"]
            assert row["spec"] == raw["spec"]
        assert told["streamed"][split] == [[row["id"], [[64, 64]]] for row in mine]
