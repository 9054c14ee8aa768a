"""The test Hub by itself: the real clients must find in it what they find in the real one."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests import warm
from tests.hub_server import fixture
from tests.hub_server.faults import Fault
from tests.hub_server.fixture import Hub
from tests.hub_server.xet import chunks_of

test_hub = fixture.test_hub

REPO = "alice/questions"
PATHS = ("data/test-00000.parquet", "data/train-00000.parquet")
BOTH_WAYS = pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
CUT = r"disconnected|reset|[Bb]roken pipe"
IMPATIENT = {"HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms"}
"""Xet waits 3 s before it tries again, unless told otherwise."""

PUSH = """
    import sys
    from huggingface_hub import CommitOperationAdd, HfApi
    folder, version = Path(sys.argv[1]), sys.argv[2]
    api = HfApi()
    api.create_repo("alice/questions", repo_type="dataset", exist_ok=True)
    head = api.dataset_info("alice/questions").sha
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    adds = [CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in files]
    made = api.create_commit("alice/questions", adds, commit_message=version,
                             repo_type="dataset", parent_commit=head)
    api.create_tag("alice/questions", tag=version, revision=made.oid, repo_type="dataset")
    say(head=head, oid=made.oid)
"""
FETCH = """
    import hashlib, sys
    from huggingface_hub import hf_hub_download, snapshot_download
    digest = lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest()
    found = {}
    for version in sys.argv[1:]:
        at = {"repo_id": "alice/questions", "repo_type": "dataset", "revision": version}
        folder = Path(snapshot_download(**at))
        files = [path for path in folder.rglob("*") if path.is_file()]
        found[version] = {path.relative_to(folder).as_posix(): digest(path) for path in files}
        for name in ("README.md", "data/train-00000.parquet"):
            one = hf_hub_download(filename=name, force_download=True, **at)
            assert digest(one) == found[version][name]
    say(**found)
"""
LOAD = """
    import sys
    from datasets import load_dataset
    found = {}
    for version in sys.argv[1:]:
        whole = load_dataset("alice/questions", split="train", revision=version)
        stream = load_dataset("alice/questions", split="train", revision=version, streaming=True)
        assert list(stream) == list(whole)
        found[version] = [row["question"] for row in whole][:2] + [len(whole)]
    say(**found)
"""


def script(code: str) -> list[str]:
    """A Python client that prints what it has to say as JSON."""
    head = "import json\nfrom pathlib import Path\ndef say(**what): print(json.dumps(what))\n"
    return [sys.executable, "-c", head + textwrap.dedent(code)]


def client(code: str, env: dict[str, str], *arguments: object) -> Any:
    """Run a client to its end; what it said."""
    done = warm.run(["-c", *map(str, arguments)], env=env, code=script(code)[-1])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return np.random.default_rng(seed).bytes(size)


def write_release(folder: Path, wording: str, rows: int = 60) -> dict[str, str]:
    """A small release whose pictures are most of it; the digest of every file."""
    pictures = [noise(40_000, seed) for seed in range(rows)]
    for path, part in zip(PATHS, (range(rows - 10, rows), range(rows - 10)), strict=True):
        questions = [f"{wording} {row}" for row in part]
        table = pa.table({"question": questions, "picture": [pictures[row] for row in part]})
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / path, use_content_defined_chunking=True, compression="none")
    (folder / "README.md").write_text(
        "---\nlicense: apache-2.0\ntags: [robotics]\n---\n# Questions\n"
    )
    (folder / "meta").mkdir(exist_ok=True)
    (folder / "meta/manifest.json").write_text(json.dumps({"wording": wording}))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def api(hub: Hub, token: str | None) -> HfApi:
    """The real client in this process, for calls that neither cache nor use Xet."""
    return HfApi(endpoint=hub.url, token=token or False)


def text(path: str, content: str = "words") -> CommitOperationAdd:
    return CommitOperationAdd(path, content.encode())


@pytest.fixture
def alice(test_hub: Hub) -> str:
    """Alice's token; her public data set ``REPO`` is there."""
    token = test_hub.accounts.add_user("alice")
    api(test_hub, token).create_repo(REPO, repo_type="dataset")
    return token


def status_of(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


# ------------------------------------------------------------------------- releases up and down


@BOTH_WAYS
def test_two_releases_go_up_and_come_down(
    test_hub: Hub, alice: str, tmp_path: Path, xet: bool
) -> None:
    digests, uploaded, made = {}, {}, {}
    env = test_hub.environment(alice, home=tmp_path / "alice", xet=xet)
    for version, wording in (("v1.0.0", "Where next?"), ("v1.1.0", "Where to?")):
        mark = test_hub.log.mark()
        digests[version] = write_release(tmp_path / version, wording, rows=160)
        made[version] = client(PUSH, env, tmp_path / version, version)
        uploaded[version] = test_hub.log.uploaded(since=mark)
        assert len(test_hub.log.select("*/commit/*", "POST", since=mark)) == 1

    assert made["v1.1.0"]["head"] == made["v1.0.0"]["oid"]
    repository = test_hub.repository(REPO)
    assert repository.tags == {version: made[version]["oid"] for version in made}
    served = client(FETCH, test_hub.environment(home=tmp_path / "guest", xet=xet), *digests)
    for version, names in digests.items():
        assert served[version].pop(".gitattributes")
        assert served[version] == names
        for name, digest in names.items():
            assert hashlib.sha256(test_hub.read(REPO, name, version)).hexdigest() == digest

    if xet:
        assert uploaded["v1.1.0"] < 0.1 * uploaded["v1.0.0"]
        assert test_hub.log.select("/cas/v1/xorbs/*", "POST")
        assert test_hub.log.select("/cas/v1/reconstructions/*")
        assert not test_hub.log.select("*.git/*")
    else:
        assert len(test_hub.log.select("/storage/uploads/*", "PUT")) == 4
        assert not test_hub.log.select("/cas/*")

    loaded = client(LOAD, test_hub.environment(home=tmp_path / "reader", xet=xet), *digests)
    assert loaded["v1.0.0"] == ["Where next? 0", "Where next? 1", 150]
    assert loaded["v1.1.0"] == ["Where to? 0", "Where to? 1", 150]
    storage = [exchange for exchange in test_hub.log.exchanges if "localhost" in exchange.host]
    assert storage
    assert {exchange.user for exchange in storage} == {None}, "a Hub token went to the storage host"


def test_the_same_large_object_is_uploaded_once(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    env = test_hub.environment(alice, home=tmp_path / "home", xet=False)
    write_release(tmp_path / "v1", "Where?")
    client(PUSH, env, tmp_path / "v1", "v1")
    (tmp_path / "v1" / PATHS[0]).rename(tmp_path / "v1/data/renamed.parquet")
    client(PUSH, env, tmp_path / "v1", "v2")
    assert len(test_hub.log.select("/storage/uploads/*", "PUT")) == 2


def test_an_upload_in_parts(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    test_hub.site.part_size = 100_000
    digests = write_release(tmp_path / "v1", "Where?")
    client(PUSH, test_hub.environment(alice, home=tmp_path / "h", xet=False), tmp_path / "v1", "v1")
    assert len(test_hub.log.select("/storage/uploads/*/[1-9]*", "PUT")) > 20
    for path in PATHS:
        assert hashlib.sha256(test_hub.read(REPO, path, "v1")).hexdigest() == digests[path]


def test_every_compression_of_xet_is_read(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    folder = tmp_path / "v1"
    folder.mkdir()
    smooth = np.cumsum(np.random.default_rng(1).normal(size=100_000)).astype("f4").tobytes()
    contents = {"noise": noise(400_000), "words": b"the same words " * 30_000, "floats": smooth}
    for name, content in contents.items():
        (folder / f"{name}.bin").write_bytes(content)
    client(PUSH, test_hub.environment(alice, home=tmp_path / "home"), folder, "v1")
    assert {name: test_hub.read(REPO, f"{name}.bin") for name in contents} == contents
    blocks = (test_hub.site.storage.folder / "xorbs").iterdir()
    schemes = {chunk.scheme for block in blocks for chunk in chunks_of(block.read_bytes())}
    assert schemes == {0, 1, 2}


def get(url: str, **headers: str) -> tuple[int, bytes, Message]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_ranges(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    write_release(tmp_path / "v1", "Where?")
    client(PUSH, test_hub.environment(alice, home=tmp_path / "home"), tmp_path / "v1", "v1")
    for path in (PATHS[0], "README.md"):
        content = (tmp_path / "v1" / path).read_bytes()
        url = f"{test_hub.url}/datasets/{REPO}/resolve/v1/{path}"
        assert get(url)[:2] == (200, content)
        assert get(url, Range="bytes=5-20")[:2] == (206, content[5:21])
        assert get(url, Range="bytes=-8")[:2] == (206, content[-8:])
        assert get(url, Range=f"bytes={len(content)}-")[0] == 416
    location = get(url)[2]
    assert location["X-Repo-Commit"] == test_hub.repository(REPO).tags["v1"]
    unsigned = f"{test_hub.site.storage_url}/storage/objects/{hashlib.sha256(b'').hexdigest()}"
    assert get(unsigned)[0] == 403


def test_a_model_and_its_card(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    hub = api(test_hub, alice)
    assert hub.create_repo("alice/policy").repo_type == "model"
    hub.create_commit(
        "alice/policy",
        [text("README.md", "---\nlicense: mit\n---\n# Policy\n")],
        commit_message="card",
    )
    info = hub.model_info("alice/policy")
    assert info.card_data is not None
    assert info.card_data.license == "mit"
    path = hub.hf_hub_download("alice/policy", "README.md", cache_dir=tmp_path)
    assert Path(path).read_text().endswith("# Policy\n")


# -------------------------------------------------------------------------------- repositories


def test_repositories_are_made_and_deleted(test_hub: Hub, alice: str) -> None:
    hub = api(test_hub, alice)
    assert hub.whoami()["name"] == "alice"
    with pytest.raises(HfHubHTTPError) as error:
        hub.create_repo(REPO, repo_type="dataset")
    assert status_of(error) == 409
    assert hub.create_repo(REPO, repo_type="dataset", exist_ok=True).repo_id == REPO
    hub.update_repo_settings(REPO, private=True, repo_type="dataset")
    assert hub.dataset_info(REPO).private is True
    hub.delete_repo(REPO, repo_type="dataset")
    assert not hub.repo_exists(REPO, repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        hub.delete_repo(REPO, repo_type="dataset")


def test_lists_come_in_pages(test_hub: Hub, alice: str) -> None:
    test_hub.site.page_size = 2
    hub = api(test_hub, alice)
    for number in range(4):
        adds = [text(f"a{number}/b/c.txt"), text(f"{number}.txt", str(number))]
        hub.create_commit(REPO, adds, commit_message=str(number), repo_type="dataset")
    listed = list(hub.list_repo_tree(REPO, recursive=True, repo_type="dataset", expand=True))
    paths = [entry.path for entry in listed]
    assert paths == sorted(paths)
    assert len(paths) == 1 + 4 * 4
    assert len(test_hub.log.select("*/tree/*")) == 9
    titles = {entry.path: entry.last_commit.title for entry in listed if entry.last_commit}
    assert titles["2.txt"] == titles["a2/b"] == "2"
    assert [entry.path for entry in hub.list_repo_tree(REPO, "a1/b", repo_type="dataset")] == [
        "a1/b/c.txt"
    ]
    commits = hub.list_repo_commits(REPO, repo_type="dataset")
    assert [commit.title for commit in commits] == ["3", "2", "1", "0", "initial commit"]
    found = hub.get_paths_info(REPO, ["a1", "1.txt", "missing"], repo_type="dataset")
    assert [entry.path for entry in found] == ["a1", "1.txt"]
    with pytest.raises(EntryNotFoundError):
        list(hub.list_repo_tree(REPO, "missing", repo_type="dataset"))


def test_revisions(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    hub = api(test_hub, alice)
    oids = [
        hub.create_commit(REPO, [text("a.txt", word)], commit_message=word, repo_type="dataset").oid
        for word in ("one", "two")
    ]
    hub.create_tag(REPO, tag="v1", revision=oids[0], repo_type="dataset")
    hub.create_branch(REPO, branch="side/work", revision="v1", repo_type="dataset")
    side = hub.create_commit(
        REPO,
        [text("a.txt", "side")],
        commit_message="side",
        repo_type="dataset",
        revision="side/work",
    )
    named = {"v1": "one", oids[0]: "one", oids[0][:8]: "one", "main": "two", "side/work": "side"}
    for revision, word in named.items():
        path = hub.hf_hub_download(
            REPO, "a.txt", repo_type="dataset", revision=revision, cache_dir=tmp_path
        )
        assert Path(path).read_text() == word
    with pytest.raises(HfHubHTTPError) as error:
        hub.create_tag(REPO, tag="v1", revision=oids[1], repo_type="dataset")
    assert status_of(error) == 409
    assert test_hub.repository(REPO).tags == {"v1": oids[0]}
    hub.delete_tag(REPO, tag="v1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        hub.dataset_info(REPO, revision="v1")
    refs = hub.list_repo_refs(REPO, repo_type="dataset")
    assert {ref.name: ref.target_commit for ref in refs.branches} == {
        "main": oids[1],
        "side/work": side.oid,
    }
    hub.delete_branch(REPO, branch="side/work", repo_type="dataset")
    assert list(test_hub.repository(REPO).branches) == ["main"]


def test_hashes_are_those_of_git(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    hub = api(test_hub, alice)
    files = {"a.txt": "one\n", "a/b.txt": "two\n", "a-b/c/d.txt": "three\n", "z": ""}
    hub.create_commit(
        REPO,
        [text(path, words) for path, words in files.items()],
        commit_message="all",
        repo_type="dataset",
    )
    for path in (*files, ".gitattributes"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(test_hub.read(REPO, path))

    def git(*words: str) -> str:
        plain = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=false", *words]
        return subprocess.run(plain, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "--all")
    assert git("write-tree") == test_hub.repository(REPO).at().folders[""]


def test_deletions(test_hub: Hub, alice: str) -> None:
    hub = api(test_hub, alice)

    def commit(*operations: CommitOperationAdd | CommitOperationDelete) -> None:
        hub.create_commit(REPO, operations, commit_message="change", repo_type="dataset")

    commit(text("keep.txt"), text("gone.txt"), text("folder/1.txt"), text("folder/2.txt"))
    commit(CommitOperationDelete("gone.txt"), CommitOperationDelete("folder/"))
    assert set(test_hub.repository(REPO).at().files) == {".gitattributes", "keep.txt"}
    with pytest.raises(EntryNotFoundError):
        commit(CommitOperationDelete("gone.txt"))
    with pytest.raises(BadRequestError):
        commit(text("keep.txt/below.txt"))


def test_a_large_object_must_have_been_uploaded(test_hub: Hub, alice: str) -> None:
    lines = [
        {"key": "header", "value": {"summary": "forged"}},
        {
            "key": "lfsFile",
            "value": {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": 3},
        },
    ]
    request = urllib.request.Request(
        f"{test_hub.url}/api/datasets/{REPO}/commit/main",
        data="\n".join(map(json.dumps, lines)).encode(),
        headers={"Authorization": f"Bearer {alice}"},
    )
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)
    assert len(test_hub.repository(REPO).commits) == 1


@pytest.mark.parametrize(
    ("front", "complaint"),
    [
        ("license: nobodys", "license"),
        ("size_categories: [few]", "size_categories"),
        ("tags: robotics", "tags"),
        ("configs: [{config_name: a}, {config_name: a}]", "twice"),
        ("language: english", "ISO 639"),
        ("a: [", "YAML"),
    ],
)
def test_a_bad_card_is_refused(test_hub: Hub, alice: str, front: str, complaint: str) -> None:
    card = text("README.md", f"---\n{front}\n---\n# Questions\n")
    with pytest.raises(ValueError, match=complaint):
        api(test_hub, alice).create_commit(REPO, [card], commit_message="x", repo_type="dataset")
    assert "README.md" not in test_hub.repository(REPO).at().files


# --------------------------------------------------------------------------------- permissions


def test_a_private_data_set_stays_closed(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    write_release(tmp_path / "v1", "Where?")
    client(PUSH, test_hub.environment(alice, home=tmp_path / "home"), tmp_path / "v1", "v1")
    api(test_hub, alice).update_repo_settings(REPO, private=True, repo_type="dataset")
    for token in (test_hub.accounts.add_user("mallory"), None):
        closed = api(test_hub, token)
        for ask in (
            lambda closed=closed: closed.dataset_info(REPO),
            lambda closed=closed: list(closed.list_repo_tree(REPO, repo_type="dataset")),
            lambda closed=closed: closed.list_repo_refs(REPO, repo_type="dataset"),
            lambda closed=closed: closed.hf_hub_download(
                REPO, PATHS[0], repo_type="dataset", cache_dir=tmp_path / "cache"
            ),
            lambda closed=closed: closed.auth_check(REPO, repo_type="dataset"),
        ):
            with pytest.raises(RepositoryNotFoundError) as error:
                ask()
            assert error.value.response.status_code == (401 if token is None else 404)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = f"{test_hub.url}/api/datasets/{REPO}/xet-read-token/main"
        assert get(asked, **headers)[0] in (401, 404)
    with pytest.raises(HfHubHTTPError) as wrong:
        api(test_hub, "hf_nobodys").whoami()
    assert status_of(wrong) == 401


def test_xet_tokens_open_one_repository(test_hub: Hub, alice: str, tmp_path: Path) -> None:
    write_release(tmp_path / "v1", "Where?")
    client(PUSH, test_hub.environment(alice, home=tmp_path / "home"), tmp_path / "v1", "v1")
    api(test_hub, alice).create_repo("alice/other", repo_type="dataset")
    url = f"{test_hub.url}/datasets/{REPO}/resolve/v1/{PATHS[0]}"
    head = urllib.request.Request(url, method="HEAD")
    name = _redirect(head)["X-Xet-Hash"]
    found = {}
    for repo in (REPO, "alice/other"):
        answer = json.loads(get(f"{test_hub.url}/api/datasets/{repo}/xet-read-token/main")[1])
        bearer = {"Authorization": f"Bearer {answer['accessToken']}"}
        found[repo] = get(f"{answer['casUrl']}/v1/reconstructions/{name}", **bearer)[0]
    assert found == {REPO: 200, "alice/other": 404}


def _redirect(request: urllib.request.Request) -> Any:
    """The headers of a redirect that is not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    with pytest.raises(urllib.error.HTTPError, match="302") as answer:
        urllib.request.build_opener(Stay).open(request)
    return answer.value.headers


def test_who_may_write(test_hub: Hub, alice: str) -> None:
    accounts = test_hub.accounts
    reader, stranger = accounts.add_user("rita"), accounts.add_user("sam")
    accounts.add_organisation("lab", alice="write", rita="read")
    repo = "lab/questions"
    api(test_hub, alice).create_repo(repo, repo_type="dataset", private=True)
    weak = accounts.add_user("alice", role="read")
    assert api(test_hub, weak).dataset_info(repo).private
    assert api(test_hub, reader).dataset_info(repo).author == "lab"
    api(test_hub, alice).auth_check(repo, repo_type="dataset", write=True)
    for token, status in ((reader, 403), (weak, 403), (stranger, 404), (None, 401)):
        hub = api(test_hub, token)
        with pytest.raises(HfHubHTTPError) as error:
            hub.auth_check(repo, repo_type="dataset", write=True)
        assert status_of(error) == status
        with pytest.raises(HfHubHTTPError) as error:
            hub.create_commit(repo, [text("a.txt")], commit_message="x", repo_type="dataset")
        assert status_of(error) == status
        with pytest.raises(HfHubHTTPError) as error:
            hub.create_repo("lab/new", repo_type="dataset")
        assert status_of(error) == (401 if token is None else 403)
    assert len(test_hub.repository(repo).commits) == 1
    with pytest.raises(HfHubHTTPError) as error:
        api(test_hub, stranger).create_tag(REPO, tag="v1", repo_type="dataset")
    assert status_of(error) == 403


# -------------------------------------------------------------------------------------- races


def test_a_stale_parent_is_refused(test_hub: Hub, alice: str) -> None:
    hub = api(test_hub, alice)
    head = hub.dataset_info(REPO).sha
    assert head is not None
    other = Fault("*/commit/*", before=lambda: test_hub.commit(REPO, {"other.txt": b"first"}))
    test_hub.faults.add(other)
    with pytest.raises(HfHubHTTPError) as error:
        hub.create_commit(
            REPO, [text("a.txt")], commit_message="x", repo_type="dataset", parent_commit=head
        )
    assert status_of(error) == 412
    assert other.hits == 1
    files = test_hub.repository(REPO).at().files
    assert "other.txt" in files
    assert "a.txt" not in files
    hub.create_commit(
        REPO,
        [text("a.txt")],
        commit_message="x",
        repo_type="dataset",
        parent_commit=hub.dataset_info(REPO).sha,
    )
    assert test_hub.read(REPO, "other.txt") == b"first"


@BOTH_WAYS
def test_of_two_pushes_at_once_one_wins(
    test_hub: Hub, alice: str, tmp_path: Path, xet: bool
) -> None:
    def both_know_the_head() -> bool:
        asked = test_hub.log.select(f"/api/datasets/{REPO}", "GET")
        return len(asked) == 2 and all(exchange.finished for exchange in asked)

    test_hub.faults.add(Fault("*/commit/*", hold=both_know_the_head))
    running = []
    for name in ("one", "two"):
        write_release(tmp_path / name, name)
        env = test_hub.environment(alice, home=tmp_path / f"home-{name}", xet=xet)
        words = [*script(PUSH), str(tmp_path / name), name]
        running.append(subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True))
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1]
    assert sum("412" in error for error in errors) == 1
    (winner,) = test_hub.repository(REPO).tags
    assert json.loads(test_hub.read(REPO, "meta/manifest.json")) == {"wording": winner}


# ------------------------------------------------------------------------------------- faults


def commit_one(hub: HfApi, words: str = "words") -> None:
    hub.create_commit(REPO, [text("a.txt", words)], commit_message="x", repo_type="dataset")


@pytest.mark.parametrize("status", [401, 403, 404, 412, 429, 500, 503])
def test_a_status_strikes_as_often_as_told(test_hub: Hub, alice: str, status: int) -> None:
    fault = test_hub.faults.add(
        Fault("*/commit/main", "POST", status=status, times=2, retry_after=7)
    )
    for _ in range(2):
        with pytest.raises(HfHubHTTPError) as error:
            commit_one(api(test_hub, alice))
        assert status_of(error) == status
        assert error.value.response.headers["Retry-After"] == "7"
    assert len(test_hub.repository(REPO).commits) == 1
    commit_one(api(test_hub, alice))
    assert fault.hits == 2
    assert [exchange.status for exchange in test_hub.log.select("*/commit/*")] == [
        status,
        status,
        200,
    ]


def test_faults_match_paths_skip_and_clear(test_hub: Hub, alice: str) -> None:
    hub = api(test_hub, alice)
    test_hub.faults.add(Fault("*/refs", "POST", status=500, times=None))
    late = test_hub.faults.add(Fault("*/refs", "GET", status=500, times=None, skip=1))
    hub.list_repo_refs(REPO, repo_type="dataset")
    for _ in range(2):
        with pytest.raises(HfHubHTTPError):
            hub.list_repo_refs(REPO, repo_type="dataset")
    assert late.hits == 2
    test_hub.faults.clear()
    hub.list_repo_refs(REPO, repo_type="dataset")


@BOTH_WAYS
def test_an_upload_survives_what_the_clients_retry(
    test_hub: Hub, alice: str, tmp_path: Path, xet: bool
) -> None:
    uploads = "/cas/v1/xorbs/*" if xet else "/storage/uploads/*"
    begins = "*/xet-write-token/*" if xet else "*/objects/batch"
    busy = test_hub.faults.add(Fault("*/preupload/*", status=429, retry_after=0))
    broken = test_hub.faults.add(Fault(begins, status=500))
    drop = test_hub.faults.add(Fault(uploads, drop_upload_after=100_000))
    refused = test_hub.faults.add(Fault(uploads, status=503))
    digests = write_release(tmp_path / "v1", "Where?")
    env = test_hub.environment(alice, home=tmp_path / "home", xet=xet, **IMPATIENT)
    client(PUSH, env, tmp_path / "v1", "v1")
    assert [fault.hits for fault in (busy, broken, drop, refused)] == [1, 1, 1, 1]
    assert [hit.status for hit in test_hub.log.select("*/preupload/*")] == [429, 200]
    assert [hit.status for hit in test_hub.log.select(begins)] == [500, 200]
    dropped, *others = test_hub.log.select(uploads)
    assert (dropped.status, dropped.cut) == (None, True)
    assert 100_000 <= dropped.uploaded < 600_000
    assert [hit.status for hit in others].count(503) == 1
    for path, digest in digests.items():
        assert hashlib.sha256(test_hub.read(REPO, path, "v1")).hexdigest() == digest


@BOTH_WAYS
def test_downloads_survive_a_dropped_connection(
    test_hub: Hub, alice: str, tmp_path: Path, xet: bool
) -> None:
    digests = write_release(tmp_path / "v1", "Where?")
    env = test_hub.environment(alice, home=tmp_path / "home", xet=xet)
    client(PUSH, env, tmp_path / "v1", "v1")
    where = "/storage/xorbs/*" if xet else "/storage/objects/*"
    fault = test_hub.faults.add(Fault(where, "GET", drop_download_after=150_000))
    env = test_hub.environment(home=tmp_path / "reader", xet=xet, **IMPATIENT)
    served = client(FETCH, env, "v1")
    assert digests.items() <= served["v1"].items()
    assert fault.hits == 1
    (cut,) = [exchange for exchange in test_hub.log.select(where) if exchange.cut]
    assert cut.downloaded == 150_000


def test_done_but_nobody_was_told(test_hub: Hub, alice: str) -> None:
    test_hub.faults.add(Fault("*/commit/*", drop_download_after=0))
    with pytest.raises(Exception, match=CUT):
        commit_one(api(test_hub, alice))
    assert test_hub.read(REPO, "a.txt") == b"words"
    (exchange,) = test_hub.log.select("*/commit/*")
    assert exchange.cut
    assert exchange.status is None


def test_a_commit_cut_short_is_not_made(test_hub: Hub, alice: str) -> None:
    test_hub.faults.add(Fault("*/commit/*", drop_upload_after=10))
    with pytest.raises(Exception, match=CUT):
        commit_one(api(test_hub, alice))
    assert len(test_hub.repository(REPO).commits) == 1


def test_a_slow_network(test_hub: Hub, alice: str) -> None:
    def seconds(fault: Fault, words: str) -> float:
        test_hub.faults.add(fault)
        began = time.monotonic()
        commit_one(api(test_hub, alice), words)
        assert fault.hits == 1
        return time.monotonic() - began

    assert seconds(Fault("*/preupload/*", delay=0.3), "few") >= 0.3
    assert seconds(Fault("*/commit/*", bytes_per_second=100_000), "x" * 30_000) >= 0.3


@BOTH_WAYS
def test_a_killed_client_leaves_nothing(
    test_hub: Hub, alice: str, tmp_path: Path, xet: bool
) -> None:
    where = "/cas/v1/xorbs/*" if xet else "/storage/uploads/*"
    test_hub.faults.add(Fault(where, bytes_per_second=5_000_000, times=None))
    write_release(tmp_path / "v1", "Where?")
    env = test_hub.environment(alice, home=tmp_path / "home", xet=xet)
    running = subprocess.Popen(
        [*script(PUSH), str(tmp_path / "v1"), "v1"], env=env, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not any(exchange.uploaded for exchange in test_hub.log.select(where)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    while not all(exchange.finished for exchange in test_hub.log.exchanges):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    repository = test_hub.repository(REPO)
    assert len(repository.commits) == 1
    assert not repository.tags
    test_hub.faults.clear()
    client(PUSH, env, tmp_path / "v1", "v1")
    assert repository.at("v1").title == "v1"


def test_no_token_is_kept_in_the_log(test_hub: Hub, alice: str) -> None:
    commit_one(api(test_hub, alice))
    assert alice not in repr(test_hub.log)
    assert {exchange.user for exchange in test_hub.log.select("*/commit/*")} == {"alice"}


def test_environment_keeps_testers_settings_out(
    test_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HTTP_PROXY", "http://nowhere.test")
    env = test_hub.environment("hf_x", home=tmp_path, xet=False, EXTRA="1")
    assert env["HF_ENDPOINT"] == test_hub.url
    assert (env["HF_TOKEN"], env["HF_HOME"], env["EXTRA"]) == ("hf_x", str(tmp_path), "1")
    assert env["HF_HUB_DISABLE_XET"] == "1"
    assert not {"HF_HUB_OFFLINE", "HTTP_PROXY"} & env.keys()
    assert "HF_TOKEN" not in test_hub.environment(home=tmp_path)
