"""LeRobot data sets on the Hub: at a commit, and no more of them than is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import rows_of
from tests.factory import make_demo
from tests.hub_server.faults import Fault
from tests.hub_server.fixture import Hub, test_hub
from tests.lerobot_writer import MAPPING, Style, numbered, of_demo, write_lerobot, write_mapping
from tests.releases import Client, anna

__all__ = ["anna", "test_hub"]

REPO = "lab/arm"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    demos = [make_demo("reach_target", seed, 0, 40, cameras=()) for seed in range(6)]
    cameras = {f"observation.images.{name}": numbered for name in ("front", "wrist")}
    folder = tmp_path_factory.mktemp("hub")
    write_mapping(folder / "m.yaml", MAPPING)
    style = Style("v3.0", per_file=2, card="---\nlicense: cc-by-4.0\n---\n")
    return write_lerobot(folder / "arm", [of_demo(demo, cameras) for demo in demos], style)


def published(hub: Hub, folder: Path, repo: str = REPO) -> None:
    hub.site.storage.create("dataset", repo, "anna", private=False)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    hub.commit(repo, files)


def fetched(anna: Client) -> set[str]:
    """Files that lie in the client's cache."""
    snapshots = list(anna.home.glob("hub/datasets--lab--arm/snapshots/*"))
    return {
        path.relative_to(snapshot).as_posix()
        for snapshot in snapshots
        for path in snapshot.rglob("*")
        if path.is_file()
    }


def test_only_what_is_needed_is_fetched(anna: Client, local: Path, tmp_path: Path) -> None:
    published(anna.hub, local)
    mapping = local.parent / "m.yaml"
    words = ("--source", f"lerobot:hf://{REPO}@main", "--mapping", mapping)
    listed = json.loads(anna.run("tasks", *words, "--json").stdout)
    assert listed == {"reach_the_red_target": {"0": 6}}
    assert fetched(anna) == {"meta/info.json", "meta/episodes/chunk-000/file-000.parquet"}
    done = anna.run("extract", *words, "--episodes", "3", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert fetched(anna) == {
        *("README.md", "meta/info.json", "meta/episodes/chunk-000/file-000.parquet"),
        *("data/chunk-000/file-000.parquet", "data/chunk-000/file-001.parquet"),
        "videos/observation.images.front/chunk-000/file-000.mp4",
        "videos/observation.images.front/chunk-000/file-001.mp4",
    }
    made = json.loads((tmp_path / "out/meta/provenance.json").read_text())
    commit = made["source"]["settings"]["revision"]
    assert made["source"]["settings"]["repo"] == REPO
    assert made["source"]["licence"] == "CC-BY-4.0"
    assert f"--source lerobot:hf://{REPO}@{commit}" in made["command"]
    card = (tmp_path / "out/README.md").read_text()
    assert f"read from `lerobot` (`{REPO}` at `{commit}`)" in card
    assert anna.run("validate", tmp_path / "out").returncode == 0
    folder = ("--source", f"lerobot:{local}", "--mapping", mapping)
    assert anna.run("extract", *folder, "--episodes", 3, "--out", tmp_path / "here").returncode == 0
    assert rows_of(tmp_path / "here") == rows_of(tmp_path / "out")


def test_trouble_that_passes_is_waited_for(anna: Client, local: Path, tmp_path: Path) -> None:
    published(anna.hub, local)
    anna.hub.faults.add(Fault(path="*/resolve/*file-001*", status=503))
    words = ("--source", f"lerobot:{REPO}@main", "--mapping", local.parent / "m.yaml")
    done = anna.run("extract", *words, "--no-images", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("hf://lab/nothing", 4, "there is no data set lab/nothing at main"),
        (f"hf://{REPO}@v9", 4, f"there is no data set {REPO} at v9"),
        ("hf://nothing", 2, "hf://org/name@v1.2.0"),
        ("hf://lab/empty", 3, "no LeRobot data set"),
        ("lab/arm", 3, "no such folder"),
    ],
)
def test_an_address_that_leads_nowhere(
    anna: Client, local: Path, address: str, code: int, words: str
) -> None:
    published(anna.hub, local)
    anna.hub.site.storage.create("dataset", "lab/empty", "anna", private=False)
    anna.hub.commit("lab/empty", {"README.md": b"nothing"})
    done = anna.run("tasks", "--source", f"lerobot:{address}")
    assert done.returncode == code, done.stderr
    assert words in done.stderr
