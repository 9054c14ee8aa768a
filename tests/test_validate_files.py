"""``validate``: files that are changed, missing, cut or too many are found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.errors import DatasetError
from tests.conftest import Run
from tests.tampering import edit_manifest, shard


def problems_named(robotmcqa: Run, folder: Path) -> list[str]:
    done = robotmcqa("validate", folder, "--json")
    assert done.returncode == 3, done.stderr
    return [problem["where"] for problem in json.loads(done.stdout)["problems"]]


def test_a_flipped_byte_is_found(robotmcqa: Run, copy: Path) -> None:
    data = bytearray(shard(copy).read_bytes())
    data[len(data) // 2] ^= 1
    shard(copy).write_bytes(data)
    assert problems_named(robotmcqa, copy) == ["data/train-00000.parquet"]


def test_a_missing_shard_is_found(robotmcqa: Run, copy: Path) -> None:
    shard(copy, "test").unlink()
    assert problems_named(robotmcqa, copy) == ["data/test-00000.parquet"]


def test_an_extra_shard_is_found(robotmcqa: Run, copy: Path) -> None:
    """``datasets`` would load it with the others."""
    shutil.copy(shard(copy), copy / "data/train-00001.parquet")
    assert problems_named(robotmcqa, copy) == ["data/train-00001.parquet"]


def test_fewer_rows_than_the_manifest_says_are_found(copy: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][0]["rows"] += 1

    edit_manifest(copy, change)
    (problem,) = validate(copy).problems
    assert "the manifest says" in problem.what


@pytest.mark.parametrize("name", ["failures.jsonl", "item.schema.json"])
def test_a_missing_meta_file_is_found(robotmcqa: Run, copy: Path, name: str) -> None:
    (copy / "meta" / name).unlink()
    assert problems_named(robotmcqa, copy) == [f"meta/{name}"]


@pytest.mark.parametrize("name", ["provenance.json", "metadata.json"])
@pytest.mark.parametrize("how", ["missing", "cut", "binary"])
def test_without_a_readable_meta_file_nothing_can_be_checked(
    robotmcqa: Run, copy: Path, name: str, how: str
) -> None:
    path = copy / "meta" / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:50] if how == "cut" else b"\xff\xfe\x00")
    done = robotmcqa("validate", copy)
    assert done.returncode == 3
    assert name in done.stderr
    assert "remedy: extract it again" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cut_manifest_is_named(robotmcqa: Run, copy: Path) -> None:
    path = copy / "meta/manifest.json"
    path.write_bytes(path.read_bytes()[:200])
    done = robotmcqa("validate", copy)
    assert done.returncode == 3
    assert "manifest.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_manifest_that_points_outside_is_refused(copy: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][0]["path"] = "../../etc/passwd"

    edit_manifest(copy, change)
    with pytest.raises(DatasetError, match="files"):
        validate(copy)


@pytest.mark.parametrize("verb", ["validate", "show"])
def test_no_data_set_at_all(robotmcqa: Run, tmp_path: Path, verb: str) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = robotmcqa(verb, folder)
        assert done.returncode == 3
        assert str(folder) in done.stderr
        assert "remedy: robotmcqa extract" in done.stderr


@pytest.mark.parametrize("verb", ["validate", "show"])
def test_an_interrupted_extraction_is_not_a_data_set_yet(
    robotmcqa: Run, demos: Path, tmp_path: Path, verb: str
) -> None:
    class Stop(Exception):
        pass

    class Listener:
        def stage(self, name: str, episodes: int) -> None:
            if name == "Writing questions":
                raise Stop

        def advance(self, episodes: int, items: int = 0, failures: int = 0) -> None: ...

    with pytest.raises(Stop):
        extract(open_source(f"rlbench:{demos}"), Spec(), tmp_path / "out", listener=Listener())
    done = robotmcqa(verb, tmp_path / "out")
    assert done.returncode == 3
    assert "--resume" in done.stderr
