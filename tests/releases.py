"""Data sets as they change between releases, and the command as other principals run it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robotmcqa.card.blocks import filled
from robotmcqa.card.presentation import older_card, present
from robotmcqa.dataset import Dataset
from robotmcqa.files import json_text, write_text
from robotmcqa.item import Item
from robotmcqa.shards import ShardWriter, read_rows
from robotmcqa.stages import file_entry
from tests import warm
from tests.conftest import SCRIPT, Row, Run
from tests.hub_server.fixture import Hub

REPO = "lab/questions"


def rewritten(folder: Path, change: Callable[[int, Row], None]) -> None:
    """Change rows (number, row) of the train split, as an extraction would have written them."""
    dataset = Dataset.open(folder)
    number = 0
    for shard in dataset.shards("train"):
        path = folder / shard["path"]
        rows = list(read_rows(path))
        images: tuple[bytes, ...] = ()
        with ShardWriter(path) as writer:
            for row in rows:
                change(number, row)
                number += 1
                pictures = tuple(image["bytes"] for image in row["images"])
                images = images if images == pictures else pictures  # shared, as they were
                document = {**row, "images": [len(one) for one in images]}
                writer.add(Item(document, images))
    presented(folder)


def presented(folder: Path) -> None:
    """Card, assets and manifest anew, after the data files have changed."""
    dataset = Dataset.open(folder)
    manifest: dict[str, Any] = json.loads(json.dumps(dataset.manifest))
    data = [
        {**file, **file_entry(folder / file["path"], file["path"])}
        for file in manifest["files"]
        if file["path"].startswith(("data/", "meta/"))
    ]
    manifest["files"] = data
    shown = present(folder, manifest, dataset.provenance, dataset.scene, older_card(folder))
    manifest["files"] = data + [file_entry(folder / name, name) for name in shown.paths]
    write_text(folder / "meta/manifest.json", json_text(manifest))


def reworded(folder: Path, questions: int = 10, word: str = "You steer") -> None:
    """Other words in that many questions, spread over the train split."""
    rows = sum(shard["rows"] for shard in Dataset.open(folder).shards("train"))
    chosen = {rows * place // questions for place in range(questions)}

    def change(number: int, row: Row) -> None:
        if number in chosen:
            row["question"], changes = re.subn("^You [a-z]+", word, row["question"])
            assert changes == 1

    rewritten(folder, change)


def written(card: Path, name: str, text: str) -> None:
    """What somebody writes into a block of a card."""
    card.write_text(filled(card.read_text("utf-8"), "yours", {name: text}), "utf-8")


@dataclass(frozen=True)
class Client:
    """Somebody at a terminal.

    Attributes:
        hub: that is talked to.
        token: of the person, None for nobody.
        home: ``HF_HOME``.
        xet: whether large files go by Xet.
    """

    hub: Hub
    token: str | None
    home: Path
    xet: bool = True

    @property
    def environment(self) -> dict[str, str]:
        """Of the person's processes."""
        plain = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
        return self.hub.environment(self.token, home=self.home, xet=self.xet, **plain)

    def start(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        """``robotmcqa`` with these arguments, in the background."""
        return subprocess.Popen(
            [str(SCRIPT), *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """``robotmcqa`` with these arguments; no token may show in its output."""
        done = warm.run([str(SCRIPT), *map(str, words)], env=self.environment)
        for token in self.hub.accounts.tokens:
            assert token not in done.stdout + done.stderr, "a token was shown"
        return done

    def json(self, *words: object) -> dict[str, Any]:
        """The result of a run that goes well, with ``--json``."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def python(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Python code in a process of its own."""
        return warm.run(["-c"], env=self.environment | variables, code=code)


@pytest.fixture
def anna(test_hub: Hub, tmp_path: Path) -> Client:
    """Somebody who may write in the organisation ``lab``, where ``rob`` may read."""
    test_hub.accounts.add_organisation("lab", anna="write", ben="write", rob="read")
    return Client(test_hub, test_hub.accounts.add_user("anna"), tmp_path / "anna")


@pytest.fixture(scope="session")
def simulated(robotmcqa: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated demos with pictures of the usual size. Read only."""
    out = tmp_path_factory.mktemp("simulated") / "questions"
    done = robotmcqa("extract", "--task", "reach_target", "--task", "push_button", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def served(hub: Hub, repo: str, revision: str) -> Mapping[str, bytes]:
    """Path -> content of every file at a revision, straight from the Hub's storage."""
    files = hub.repository(repo).at(revision).files
    return {path: hub.read(repo, path, revision) for path in files}


def kill(process: subprocess.Popen[str]) -> None:
    """As ``kill -9`` does it."""
    process.kill()
    process.communicate()
