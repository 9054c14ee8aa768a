"""What a user gets from the wheel: every tracked file, below one name, and it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import environment, tree
from tests.factory import write_demos

ROOT = Path(__file__).parents[1]
HOMES = {"robotmcqa": "robotmcqa", "cli": "robotmcqa/cli", "schemas": "robotmcqa/schemas"}
HOMES |= {"cards": "robotmcqa/cards", "train_recipes": "robotmcqa/train_recipes"}
"""Folder in the repository -> folder in the wheel."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def tracked() -> list[str]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def in_wheel(name: str) -> str | None:
    """Where a tracked file belongs in the wheel; None if it does not."""
    top, slash, rest = name.partition("/")
    return f"{HOMES[top]}/{rest}" if slash and top in HOMES else None


def test_the_package_list_is_the_folders_with_an_init() -> None:
    """The list is written out by hand; this is what keeps it whole."""
    found = {
        ".".join([*HOMES[path.relative_to(ROOT).parts[0]].split("/"), *inner.parts])
        for top in HOMES
        if (ROOT / top).is_dir()
        for path in sorted((ROOT / top).rglob("__init__.py"))
        for inner in [path.parent.relative_to(ROOT / top)]
    }
    settings = project()["tool"]["setuptools"]
    assert set(settings["packages"]) == found
    assert len(settings["packages"]) == len(found)
    folders = {HOMES[top].replace("/", "."): top for top in HOMES if (ROOT / top).is_dir()}
    assert settings["package-dir"] == folders


def test_every_folder_of_python_files_has_an_init() -> None:
    """Otherwise it would be missing from the wheel and from the list above alike."""
    for top in HOMES:
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


def test_the_version_is_written_once() -> None:
    document = project()
    assert document["project"]["dynamic"] == ["version"]
    assert document["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "robotmcqa.__version__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked files alone, in another folder: nothing stale gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "-q",
            "--retries",
            "1",
            "-w",
            str(out),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and ("Failed to establish" in done.stderr or "onnection" in done.stderr):
        pytest.skip("the build backend cannot be fetched: no network")
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_tracked_file_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        tops = {name.partition("/")[0] for name in archive.namelist()}
    expected = {place for name in tracked() if (place := in_wheel(name))}
    assert names == expected
    assert "robotmcqa/py.typed" in names
    assert len(tops) == 2  # robotmcqa and its dist-info: nobody else's names are taken
    assert "robotmcqa" in tops


def test_the_wheel_holds_the_repositorys_bytes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in tracked():
            place = in_wheel(name)
            if place:
                assert archive.read(place) == (ROOT / name).read_bytes()


def test_the_wheel_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    """From a folder of its own: templates, schemas and scenes are found there, not in git."""
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    write_demos(tmp_path / "demos", {"reach_target": 2}, frames=60, size=16)
    before = tree(unpacked)

    def run(*words: str) -> str:
        code = (
            "import robotmcqa, sys; print(robotmcqa.__file__, file=sys.stderr); "
            "from robotmcqa.cli.app import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-B", "-c", code, *words],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(unpacked)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(str(unpacked))
        return done.stdout

    run("extract", "--source", "rlbench:demos", "--out", "out")
    assert "are right" in run("validate", "out")
    run("show", "out")
    assert tree(unpacked) == before
