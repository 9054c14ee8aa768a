"""A data set may lie at a URL: the same files appear there, whole, and the manifest last."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import s3fs

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.errors import DatasetError, StoreError, UsageError
from robotmcqa.fetching import fetched
from robotmcqa.places import is_remote, located
from robotmcqa.spec import preset
from tests.conftest import Run, environment, tree
from tests.factory import write_demos
from tests.ray_nodes import cluster
from tests.runs import Enough, StopAfter, command, started, wait_until


def stored(place: Path) -> dict[str, str]:
    """Every object below a place with its SHA-256."""
    remote: Any = place
    root = remote.path.rstrip("/")
    return {
        key.removeprefix(root).lstrip("/"): hashlib.sha256(remote.fs.cat_file(key)).hexdigest()
        for key in remote.fs.find(root)
    }


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A place that no other test knows, in a store that is this process's memory."""
    return located(f"memory://{tmp_path.name}-{os.getpid()}/questions")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


# --------------------------------------------------------------------------------- what is named


def test_folders_are_folders() -> None:
    assert located("a/b") == Path("a/b")
    assert located("file:///a/b%20c") == Path("/a/b c")
    assert not is_remote(located("file:///a/b"))


def test_a_url_keeps_its_name() -> None:
    assert str(located("s3://bucket/a b/é/")) == "s3://bucket/a b/é"
    assert is_remote(located("s3://bucket/a"))


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("s3://AKIA123:hush@bucket/x", "environment"),
        ("https://hush@host/x", "environment"),
        ("hf://datasets/org/name", "robotmcqa push"),
        ("s3://", "s3://bucket/name"),
        ("gs://bucket/x", "gcsfs"),
        ("nonsense://bucket/x", "nonsense"),
    ],
)
def test_urls_that_are_refused(url: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        located(url)
    assert remedy in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "AKIA123" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("s3://bucket/x", r"pip install 'robotmcqa\[s3\]'"),
        ("gs://bucket/x", "pip install universal-pathlib, and for gs://: .*gcsfs"),
        ("nonsense://bucket/x", "a URL of a store that fsspec knows"),
    ],
)
def test_without_the_extra_the_remedy_is_a_command(
    monkeypatch: pytest.MonkeyPatch, url: str, remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(UsageError, match=f"(?s)nothing here can write to.*{remedy}"):
        located(url)


# ------------------------------------------------------------------------------- what comes there


def made(demos: Path, out: Path, spec: Spec | None = None, **options: Any) -> None:
    extract(open_source(f"rlbench:{demos}"), spec or Spec(), out, **options)


def test_a_store_holds_the_same_files_as_a_folder(
    demos: Path, dataset: Path, store: Path, cache: Path
) -> None:
    made(demos, store)
    assert stored(store) == tree(dataset)
    assert validate(fetched(str(store))).ok
    with pytest.raises(UsageError, match="already holds a data set"):
        made(demos, store)
    assert extract(open_source(f"rlbench:{demos}"), Spec(), store, resume=True).already_complete


@pytest.mark.parametrize(
    ("stage", "count"), [("Reading demos", 5), ("Writing questions", 0), ("Writing questions", 1)]
)
def test_interrupted_and_resumed_in_a_store(
    demos: Path, dataset: Path, store: Path, cache: Path, stage: str, count: int
) -> None:
    with pytest.raises(Enough):
        made(demos, store, listener=StopAfter(stage, count))
    assert "meta/manifest.json" not in stored(store)
    with pytest.raises(UsageError, match="--resume goes on"):
        made(demos, store)
    with pytest.raises(DatasetError, match="--resume"):
        fetched(str(store))
    with pytest.raises(UsageError, match="seed"):
        made(demos, store, Spec(seed=3), resume=True)
    made(demos, store, resume=True)
    assert stored(store) == tree(dataset)


def test_overwrite_keeps_the_old_one_in_a_store_until_the_new_one_is_whole(
    small: Path, tmp_path: Path, store: Path, cache: Path
) -> None:
    made(small, store, Spec(seed=1))
    before = stored(store)
    with pytest.raises(Enough):
        made(small, store, overwrite=True, listener=StopAfter("Writing questions", 1))
    kept = {name: one for name, one in stored(store).items() if not name.startswith(".extract")}
    assert kept == before
    made(small, store, resume=True)
    made(small, tmp_path / "new")
    assert stored(store) == tree(tmp_path / "new")


def test_demos_are_added_to_a_store(
    tmp_path: Path, many_demos: Path, store: Path, cache: Path
) -> None:
    more = tmp_path / "more"
    write_demos(more, {"reach_target": 4, "push_button": 3}, cameras=(), seed=50)
    spec = preset("grounded", cameras=())
    for out in (store, tmp_path / "out"):
        made(many_demos, out, spec)
        made(more, out, spec, append=True)
    assert stored(store) == tree(tmp_path / "out")
    assert "meta/pools-00001.parquet" in stored(store)


def test_simulated_pictures_wait_in_the_store(store: Path, tmp_path: Path, cache: Path) -> None:
    from robotmcqa.sources import Selection, SourceOptions

    source = open_source("sim", SourceOptions(image_size=16))
    for out in (store, tmp_path / "out"):
        extract(source, Spec(), out, Selection(tasks=("reach_target",), episodes=2))
    assert stored(store) == tree(tmp_path / "out")


def test_a_store_that_fails_is_named_in_a_line(
    small: Path, store: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied\nwith a wall of text")

    monkeypatch.setattr(type(store.fs), "put_file", refuse)  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=f"{store}: Access Denied") as error:
        made(small, store)
    assert "wall" not in str(error.value)


# ----------------------------------------------------------------------------------- and back here


def test_only_what_has_changed_is_fetched_again(
    demos: Path, dataset: Path, store: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(demos, store)
    folder = fetched(str(store))
    assert tree(folder) == tree(dataset)
    assert folder.name == "questions"
    shard = folder / "data/train-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    (folder / "data/train-00007.parquet").write_bytes(b"of an older version")
    asked = []
    get = type(store.fs).get_file  # type: ignore[attr-defined]

    def counted(self: object, key: str, *rest: object, **options: object) -> None:
        asked.append(key.rpartition("questions/")[2])
        get(self, key, *rest, **options)

    monkeypatch.setattr(type(store.fs), "get_file", counted)  # type: ignore[attr-defined]
    assert fetched(str(store)) == folder
    assert tree(folder) == tree(dataset)
    assert sorted(asked) == ["README.md", "data/train-00000.parquet", "meta/manifest.json"]


def test_there_is_no_data_set(store: Path, cache: Path) -> None:
    with pytest.raises(DatasetError, match="no data set here"):
        fetched(str(store))


# -------------------------------------------------------------------------------- a store over HTTP


@dataclass(frozen=True)
class Bucket:
    """A bucket that is called ``bucket``, and the environment that leads to it."""

    variables: dict[str, str]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An S3 server of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "s3.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: answers(port))
        urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT"))
        variables = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "AKIAHUSHHUSH",
            "AWS_SECRET_ACCESS_KEY": "hush-hush-hush",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one of another test knows another server
        yield Bucket(variables)
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


SIMULATED = (
    *("extract", "--source", "sim", "--task", "reach_target", "--episodes", "8"),
    *("--image-size", "32", "--preset", "grounded"),
)


@pytest.mark.slow
def test_s3_killed_and_resumed(
    script: Run, demos: Path, dataset: Path, bucket: Bucket, tmp_path: Path
) -> None:
    """With two workers; and nowhere a secret."""
    out = "s3://bucket/some where/é"
    words = command(demos, Path("unused"), "--workers", 2)
    words[words.index("unused")] = out
    place = located(out)
    driver = started(words)
    wait_until(lambda: len(list((place / ".extract/episodes").glob("*.json"))) >= 3)
    driver.kill()
    told = "".join(driver.communicate())
    done = script(*words[1:], "--resume")
    assert done.returncode == 0, done.stderr
    assert stored(place) == tree(dataset)
    told += done.stdout + done.stderr
    for verb in (("validate", out), ("audit", "--quick", out), ("show", out, "--out", "x.html")):
        read = script(*verb, env={"XDG_CACHE_HOME": str(tmp_path / "cache")}, cwd=tmp_path)
        assert read.returncode == 0, read.stderr
        told += read.stdout + read.stderr
    (tmp_path / "s3.log").unlink()
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    remote: Any = place
    kept += [remote.fs.cat_file(key) for key in remote.fs.find(remote.path)]
    for secret in ("hush-hush-hush", "AKIAHUSHHUSH"):
        assert secret not in told
        assert not any(secret.encode() in data for data in kept)


@pytest.mark.slow
def test_two_nodes_that_share_nothing_but_a_store(
    script: Run, bucket: Bucket, tmp_path: Path
) -> None:
    """Pictures go from the node that made them to the one that writes through the store."""
    assert script(*SIMULATED, "--out", tmp_path / "serial").returncode == 0
    out = "s3://bucket/questions"
    with cluster(**bucket.variables) as nodes:
        nodes.add()
        nodes.add()
        options = ("--engine", "ray", "--ray-address", nodes.address)
        done = script(*SIMULATED, "--out", out, *options, env=nodes.variables)
    assert done.returncode == 0, done.stderr
    assert stored(located(out)) == tree(tmp_path / "serial")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("out", "change", "told"),
    [
        ("s3://nowhere/x", {}, "bucket does not exist"),
        ("s3://bucket/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect"),
    ],
)
def test_a_store_that_is_not_there(
    script: Run, bucket: Bucket, out: str, change: dict[str, str], told: str
) -> None:
    done = script(*SIMULATED, "--out", out, env=environment(**(bucket.variables | change)))
    assert done.returncode == 4
    assert told in done.stderr
    assert "Traceback" not in done.stderr
