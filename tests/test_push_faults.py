"""``push`` on a bad day of the Hub, of the network, or of the person at the terminal."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from robotmcqa.hub.changelog import newest
from robotmcqa.hub.patience import ATTEMPTS
from robotmcqa.hub.versions import versions_among
from tests.hub_server.faults import Fault
from tests.hub_server.fixture import Hub, test_hub
from tests.releases import REPO, Client, anna, kill, reworded, served, simulated, written
from tests.runs import wait_until

__all__ = ["anna", "simulated", "test_hub"]

COMMIT, TAG = "*/commit/*", "*/tag/*"


def by(client: Client, xet: bool) -> Client:
    return Client(client.hub, client.token, client.home, xet)


def tags(hub: Hub) -> dict[str, str]:
    return dict(hub.repository(REPO).tags)


def titles(hub: Hub) -> list[str]:
    """Of the commits of ``main``, oldest first."""
    repository = hub.repository(REPO)
    return [commit.title for commit in repository.commits.values()]


def assert_whole(hub: Hub, tag: str) -> None:
    """A release holds exactly what its manifest lists, and says which one it is."""
    files = served(hub, REPO, tag)
    manifest = json.loads(files["meta/manifest.json"])
    for file in manifest["files"]:
        assert hashlib.sha256(files[file["path"]]).hexdigest() == file["sha256"], file["path"]
    listed = {file["path"] for file in manifest["files"]}
    data = {path for path in files if path.startswith(("data/", "meta/", "assets/"))}
    assert data <= listed | {"meta/manifest.json"}
    assert str(newest(files["CHANGELOG.md"].decode())) == tag
    assert f'revision="{tag}"' in files["README.md"].decode()


def assert_released(hub: Hub, folder: Path, done: dict[str, Any], version: str = "v1.0.0") -> None:
    """The folder is that release, made by one commit."""
    assert (done["version"], done["action"]) == (version, "released")
    assert_whole(hub, version)
    shard = "data/train-00000.parquet"
    assert served(hub, REPO, version)[shard] == (folder / shard).read_bytes()
    assert titles(hub).count(f"Release {version}") == 1


# ----------------------------------------------------------------------------- trouble that passes


@pytest.mark.parametrize(
    "fault",
    [
        Fault(COMMIT, "POST", status=429, retry_after=1),
        Fault(COMMIT, "POST", status=500),
        Fault(COMMIT, "POST", status=503, times=3),
        Fault(COMMIT, "POST", drop_upload_after=1000),
        Fault(COMMIT, "POST", drop_download_after=0),
        Fault(TAG, "POST", status=502),
        Fault(TAG, "POST", status=429, retry_after=0),
        Fault(TAG, "POST", drop_download_after=0),
        Fault("*/auth-check*", status=503),
        Fault("*/refs", status=500, skip=1),
        Fault("*/tree/*", status=429),
        Fault("*/api/repos/create", "POST", status=500),
        Fault("*/api/whoami*", drop_download_after=0),
        Fault("*/validate-yaml", "POST", status=500),
    ],
    ids=lambda fault: f"{fault.path.strip('*/')} {fault.status or 'dropped'}",
)
def test_passing_trouble_is_waited_for(anna: Client, dataset: Path, fault: Fault) -> None:
    anna.hub.faults.add(fault)
    began = time.monotonic()
    done = anna.json("push", dataset, "--repo", REPO)
    assert fault.hits == fault.times
    assert_released(anna.hub, dataset, done)
    if fault.retry_after:
        assert time.monotonic() - began > fault.retry_after


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "retry_after": 1},
        {"drop_upload_after": 65536},
        {"drop_download_after": 0},
    ],
    ids=["500", "429", "dropped", "unanswered"],
)
def test_an_upload_that_breaks_is_made_again(
    anna: Client, dataset: Path, xet: bool, fault: dict[str, Any]
) -> None:
    paths = ("*/xorbs/*", "POST") if xet else ("*/storage/*", "PUT")
    struck = anna.hub.faults.add(Fault(*paths, **fault))
    done = by(anna, xet).json("push", dataset, "--repo", REPO)
    assert struck.hits == 1
    assert_released(anna.hub, dataset, done)


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_a_slow_line_is_only_slow(anna: Client, dataset: Path, xet: bool) -> None:
    anna.hub.faults.add(Fault("*", times=None, bytes_per_second=400_000))
    assert_released(anna.hub, dataset, by(anna, xet).json("push", dataset, "--repo", REPO))


def test_a_download_that_breaks_is_made_again(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    struck = anna.hub.faults.add(Fault("*/resolve/*/README.md", "GET", drop_download_after=100))
    other = anna.hub.faults.add(Fault("*/resolve/*/meta/manifest.json", "HEAD", status=500))
    done = anna.run("validate", f"hf://{REPO}@v1.0.0")
    assert done.returncode == 0, done.stderr
    assert struck.hits == 1
    assert other.hits == 1


# ----------------------------------------------------------------------------- trouble that lasts


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(COMMIT, "POST", status=500, times=None), "the Hub answers 500"),
        (Fault(COMMIT, "POST", drop_upload_after=1, times=None), "cannot be reached"),
        (Fault(TAG, "POST", status=503, times=None), "the Hub answers 503"),
    ],
    ids=["500", "dropped", "no tag"],
)
def test_lasting_trouble_ends_and_the_next_push_goes_on(
    anna: Client, dataset: Path, fault: Fault, words: str
) -> None:
    anna.hub.faults.add(fault)
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert words in done.stderr
    assert "trying again in" in done.stderr
    assert "remedy:" in done.stderr
    assert "Traceback" not in done.stderr
    assert fault.hits == ATTEMPTS
    assert not tags(anna.hub)
    anna.hub.faults.clear()
    again = anna.json("push", dataset, "--repo", REPO)
    assert again["action"] == ("finished" if fault.path == TAG else "released")
    assert tags(anna.hub).keys() == {"v1.0.0"}
    assert_whole(anna.hub, "v1.0.0")
    assert titles(anna.hub).count("Release v1.0.0") == 1


def test_an_hour_is_not_waited_for(anna: Client, dataset: Path) -> None:
    fault = anna.hub.faults.add(Fault(COMMIT, "POST", times=None, status=429, retry_after=3600))
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert "asked too much (429)" in done.stderr
    assert "try again in 3600 s" in done.stderr
    assert fault.hits == 1


@pytest.mark.parametrize(
    ("status", "words", "remedy"),
    [
        (401, "does not accept your token (401)", "hf auth login"),
        (403, "this token may not do that (403", "write permission"),
        (404, "there is no such data set, or your token may not see it (404)", "check the name"),
        (400, "the Hub answers 400", "the same command goes on"),
    ],
)
def test_a_refusal_is_not_repeated(
    anna: Client, dataset: Path, status: int, words: str, remedy: str
) -> None:
    fault = anna.hub.faults.add(Fault(COMMIT, "POST", times=None, status=status))
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert words in done.stderr
    assert remedy in done.stderr.partition("remedy:")[2]
    assert "Traceback" not in done.stderr
    assert fault.hits == 1
    assert not tags(anna.hub)


def test_nobody_at_home(anna: Client, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(anna.hub, "url", f"http://127.0.0.1:{free.getsockname()[1]}")
    for words in (("push", dataset, "--repo", REPO), ("validate", f"hf://{REPO}@v1.0.0")):
        done = anna.run(*words)
        assert done.returncode == 4
        assert "cannot be reached" in done.stderr
        assert "HF_ENDPOINT" in done.stderr
        assert "Traceback" not in done.stderr


def test_offline_on_purpose(anna: Client, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Client.environment.fget  # type: ignore[attr-defined]
    offline = property(lambda self: environment(self) | {"HF_HUB_OFFLINE": "1"})
    monkeypatch.setattr(Client, "environment", offline)
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert "HF_HUB_OFFLINE" in done.stderr
    assert not anna.hub.log.exchanges


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_a_file_that_changes_while_it_is_pushed_is_not_released(
    anna: Client, simulated: Path, tmp_path: Path, xet: bool
) -> None:
    """What was validated is what is released, or nothing."""
    copy = tmp_path / "copy"
    shutil.copytree(simulated, copy)
    shard = copy / "data/train-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    changing = Fault("*/preupload/*", before=lambda: shard.write_bytes(data))
    anna.hub.faults.add(changing)
    done = by(anna, xet).run("push", copy, "--repo", REPO)
    assert changing.hits == 1
    assert done.returncode == 3
    assert "data/train-00000.parquet has changed while it was being pushed" in done.stderr
    assert not tags(anna.hub)
    assert len(titles(anna.hub)) == 1  # the repository's own


# -------------------------------------------------------------------------------------------- races


def test_somebody_elses_commit_in_between(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    race = Fault(COMMIT, "POST", before=lambda: anna.hub.commit(REPO, {"LICENSE": b"theirs"}))
    anna.hub.faults.add(race)
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 0, done.stderr
    assert f"{REPO} has changed meanwhile; looking again" in done.stderr
    assert race.hits == 1
    assert_whole(anna.hub, "v1.0.1")
    assert served(anna.hub, REPO, "v1.0.1")["LICENSE"] == b"theirs"


def test_somebody_who_always_comes_first(anna: Client, copy: Path) -> None:
    """Bounded, and nothing half-done is left."""
    anna.json("push", copy, "--repo", REPO)
    written(copy / "README.md", "about", "Ours.")
    theirs = Fault(
        COMMIT,
        "POST",
        times=None,
        before=lambda: anna.hub.commit(REPO, {"x": b"%d" % random.getrandbits(64)}),
    )
    anna.hub.faults.add(theirs)
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 4
    assert "others were faster" in done.stderr
    assert tags(anna.hub).keys() == {"v1.0.0"}


def test_two_pushes_at_once_both_land(anna: Client, copy: Path, tmp_path: Path) -> None:
    """The slower one sees that it lost, and comes after: both contents are released."""
    anna.json("push", copy, "--repo", REPO)
    ben = Client(anna.hub, anna.hub.accounts.add_user("ben"), tmp_path / "ben")
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    reworded(copy, word="You steer")
    reworded(other, word="You lead")
    slow = anna.hub.faults.add(Fault(COMMIT, "POST", delay=4))  # the first to commit is overtaken
    processes = {
        folder: client.start("push", folder, "--repo", REPO, "--json")
        for client, folder in ((anna, copy), (ben, other))
    }
    results = {}
    for folder, process in processes.items():
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        results[folder] = json.loads(out)
    assert slow.hits == 1
    assert {one["version"] for one in results.values()} == {"v1.0.1", "v1.0.2"}
    assert sorted(one["overtaken"] for one in results.values()) == [0, 1]
    for folder, done in results.items():
        assert_released(anna.hub, folder, done, done["version"])
    assert titles(anna.hub)[-2:] == ["Release v1.0.1", "Release v1.0.2"]


def test_a_push_that_was_cut_off_is_finished_by_the_next_of_other_content(
    anna: Client, copy: Path
) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    first = (copy / "data/train-00000.parquet").read_bytes()
    anna.hub.faults.add(Fault(TAG, "POST", status=500, times=None))
    assert anna.run("push", copy, "--repo", REPO).returncode == 4
    anna.hub.faults.clear()
    anna.hub.commit(REPO, {"LICENSE": b"theirs"})  # the release is not the head any more
    reworded(copy, word="You lead")
    planned = anna.json("push", copy, "--repo", REPO, "--dry-run")
    assert (planned["finished"], planned["version"]) == (["v1.0.1"], "v1.0.2")
    assert tags(anna.hub).keys() == {"v1.0.0"}
    done = anna.json("push", copy, "--repo", REPO)
    assert done["finished"] == ["v1.0.1"]
    assert_released(anna.hub, copy, done, "v1.0.2")
    assert_whole(anna.hub, "v1.0.1")
    assert served(anna.hub, REPO, "v1.0.1")["data/train-00000.parquet"] == first


def test_a_title_alone_is_no_release(anna: Client, dataset: Path) -> None:
    """Anybody may write a title; a tag on such a commit would be a lie."""
    anna.json("push", dataset, "--repo", REPO)
    code = (
        "from huggingface_hub import HfApi\n"
        f"HfApi().upload_file(path_or_fileobj=b'x', path_in_repo='x', repo_id={REPO!r},"
        " repo_type='dataset', commit_message='Release v9.0.0')"
    )
    assert anna.python(code).returncode == 0
    assert anna.json("push", dataset, "--repo", REPO)["action"] == "unchanged"
    assert tags(anna.hub).keys() == {"v1.0.0"}


def test_a_lost_answer_is_nobody_elses_doing(anna: Client, dataset: Path) -> None:
    anna.hub.faults.add(Fault(COMMIT, "POST", drop_download_after=0))
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 0, done.stderr
    assert f"{REPO} v1.0.0 is released" in done.stdout
    assert "others" not in done.stdout + done.stderr


def test_a_lost_answer_makes_no_second_release(anna: Client, copy: Path, tmp_path: Path) -> None:
    """Ours has landed, somebody tags it and comes after it, and only then do we look again."""
    anna.json("push", copy, "--repo", REPO)
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    reworded(copy, word="You steer")
    reworded(other, word="You lead")
    ben = Client(anna.hub, anna.hub.accounts.add_user("ben"), tmp_path / "ben")
    anna.hub.faults.add(Fault(COMMIT, "POST", drop_download_after=0))
    slow = anna.hub.faults.add(Fault(COMMIT, "POST", delay=12))
    process = anna.start("push", copy, "--repo", REPO, "--json")
    wait_until(lambda: slow.hits >= 1, 60)
    theirs = ben.json("push", other, "--repo", REPO)
    assert (theirs["version"], theirs["finished"]) == ("v1.0.2", ["v1.0.1"])
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    done = json.loads(out)
    assert (done["version"], done["action"]) == ("v1.0.1", "released")
    assert tags(anna.hub).keys() == {"v1.0.0", "v1.0.1", "v1.0.2"}


# ------------------------------------------------------------------------------------- interruption


@pytest.mark.parametrize(
    ("kills", "xet"),
    [
        pytest.param(3, True, id="3-xet"),
        pytest.param(20, True, id="20-xet", marks=pytest.mark.slow),
        pytest.param(20, False, id="20-lfs", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_there_is_no_half_release(
    anna: Client, copy: Path, kills: int, xet: bool
) -> None:
    """``kill -9`` at random moments of pushes of ever new content, from the very first on."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    client = by(anna, xet)
    mark = anna.hub.log.mark()
    client.json("push", copy, "--repo", "lab/counted")
    requests = anna.hub.log.mark() - mark
    for number in range(kills):
        mark = anna.hub.log.mark()
        process = client.start("push", copy, "--repo", REPO)
        moment = mark + chance.randrange(requests + 1)
        wait_until(lambda: anna.hub.log.mark() >= moment or process.poll() is not None)  # noqa: B023
        time.sleep(chance.random() * 0.03)
        kill(process)
        for tag in known_tags(anna.hub):
            assert_whole(anna.hub, tag)
        reworded(copy, word=f"You w{'x' * number}")
    done = client.json("push", copy, "--repo", REPO)
    assert done["action"] in ("released", "finished", "unchanged")
    shard = "data/train-00000.parquet"
    for tag in versions_among(tags(anna.hub)).values():
        assert_whole(anna.hub, tag)
    assert served(anna.hub, REPO, done["version"])[shard] == (copy / shard).read_bytes()
    released = [title.removeprefix("Release ") for title in titles(anna.hub) if "Release" in title]
    assert released == list(versions_among(tags(anna.hub)).values())  # no commit without its tag


def known_tags(hub: Hub) -> dict[str, str]:
    """Those of the repository, if it has been made."""
    return tags(hub) if ("dataset", REPO) in hub.site.storage.repositories else {}


def test_ctrl_c_ends_a_push(anna: Client, dataset: Path) -> None:
    anna.hub.faults.add(Fault(COMMIT, "POST", delay=30))
    process = anna.start(
        *("push", dataset, "--repo", REPO),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until(lambda: bool(anna.hub.log.select(COMMIT, "POST")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not tags(anna.hub)
    anna.hub.faults.clear()
    assert_released(anna.hub, dataset, anna.json("push", dataset, "--repo", REPO))
