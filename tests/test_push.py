from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard

from tests.conftest import rows_of
from tests.extractions import manifest_of
from tests.hub_server.fixture import Hub, test_hub
from tests.releases import (
    REPO,
    Client,
    anna,
    presented,
    reworded,
    rewritten,
    served,
    simulated,
    written,
)

__all__ = ["anna", "simulated", "test_hub"]


def by_lfs(client: Client) -> Client:
    return Client(client.hub, client.token, client.home, xet=False)


def stranger(client: Client, name: str, **options: str) -> Client:
    """Another person, with a cache of their own."""
    hub = client.hub
    return Client(hub, hub.accounts.add_user(name, **options), client.home.with_name(name))  # type: ignore[arg-type]


def tags(hub: Hub) -> dict[str, str]:
    return dict(hub.repository(REPO).tags)


# -------------------------------------------------------------------------------- the first release


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_a_release_is_one_commit_and_one_tag(anna: Client, dataset: Path, xet: bool) -> None:
    client = anna if xet else by_lfs(anna)
    done = client.json("push", dataset, "--repo", REPO, "--message", "The first.")
    assert (done["version"], done["action"]) == ("v1.0.0", "released")
    repository = anna.hub.repository(REPO)
    titles = [commit.title for commit in repository.commits.values()]
    assert titles.count("Release v1.0.0") == 1
    assert len(titles) == 2  # and the one that makes the repository
    assert tags(anna.hub) == {"v1.0.0": done["commit"]}
    assert repository.branches["main"] == done["commit"]

    files = served(anna.hub, REPO, "v1.0.0")
    manifest = manifest_of(dataset)
    for file in manifest["files"]:
        assert hashlib.sha256(files[file["path"]]).hexdigest() == file["sha256"]
        assert len(files[file["path"]]) == file["bytes"]
    assert files["meta/manifest.json"] == (dataset / "meta/manifest.json").read_bytes()
    listed = {file["path"] for file in manifest["files"]}
    own = {"README.md", "CHANGELOG.md", "meta/manifest.json"}
    assert set(files) - {".gitattributes"} == listed | own
    assert sorted(done["new"]) == sorted(listed | own)
    assert b"## v1.0.0\n\nThe first.\n" in files["CHANGELOG.md"]


def test_the_released_card_names_its_version(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO)
    card = served(anna.hub, REPO, "v1.0.0")["README.md"].decode()
    assert f'load_dataset("{REPO}", revision="v1.0.0")' in card
    assert "@misc{lab_questions_v1_0_0," in card
    assert "Not released" not in card
    assert vars(DatasetCard(card).data)["license"] == "other"
    assert "Not released yet" in (dataset / "README.md").read_text(
        "utf-8"
    )  # the folder's is as it was


def test_the_same_content_again_changes_nothing(anna: Client, dataset: Path) -> None:
    first = anna.json("push", dataset, "--repo", REPO)
    mark = anna.hub.log.mark()
    again = anna.json("push", dataset, "--repo", REPO)
    assert (again["action"], again["version"]) == ("unchanged", "v1.0.0")
    assert again["commit"] == first["commit"]
    assert len(anna.hub.repository(REPO).commits) == 2
    assert not anna.hub.log.select("*/commit/*", "POST", mark)
    assert not anna.hub.log.select("*/tag/*", "POST", mark)
    assert "has this content already" in anna.run("push", dataset, "--repo", REPO).stdout


def test_a_dry_run_says_everything_and_does_nothing(anna: Client, copy: Path) -> None:
    mark = anna.hub.log.mark()
    done = anna.json("push", copy, "--repo", REPO, "--dry-run")
    assert (done["action"], done["version"]) == ("planned", "v1.0.0")
    assert ("dataset", REPO) not in anna.hub.site.storage.repositories
    real = anna.json("push", copy, "--repo", REPO)
    assert done["upload"] == real["upload"]

    reworded(copy)
    mark = anna.hub.log.mark()
    planned = anna.json("push", copy, "--repo", REPO, "--dry-run")
    assert {one.method for one in anna.hub.log.select(since=mark)} <= {"GET", "HEAD"}
    assert planned["version"] == "v1.0.1"
    assert "data/train-00000.parquet" in planned["changed"]
    assert "data/test-00000.parquet" in planned["unchanged"]
    told = anna.run("push", copy, "--repo", REPO, "--dry-run").stdout
    for file in planned["upload"]:
        assert f"{file['path']}  {file['bytes']} bytes" in told
    assert tags(anna.hub).keys() == {"v1.0.0"}
    assert anna.json("push", copy, "--repo", REPO)["upload"] == planned["upload"]


def test_what_does_not_validate_is_refused(anna: Client, copy: Path) -> None:
    (copy / "meta/failures.jsonl").write_text("oops\n")
    mark = anna.hub.log.mark()
    for option in ((), ("--dry-run",)):
        done = anna.run("push", copy, "--repo", REPO, *option)
        assert done.returncode == 3
        assert "meta/failures.jsonl: differs from the manifest" in done.stderr
        assert "remedy: robotmcqa validate" in done.stderr
    assert not [one for one in anna.hub.log.select(since=mark) if one.method != "GET"]


def test_a_relabelled_licence_is_refused(anna: Client, copy: Path) -> None:
    """Demos of RLBench's own are for non-commercial research; no card may say otherwise."""
    card = copy / "README.md"
    card.write_text(card.read_text("utf-8").replace("license: other", "license: mit"), "utf-8")
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 3
    assert "the demonstrations' licence makes it 'other'" in done.stderr


# --------------------------------------------------------------------------------- the next release


def test_reworded_questions_make_a_patch_and_send_little(
    anna: Client, simulated: Path, tmp_path: Path
) -> None:
    """Both versions load with their own content, streaming and not."""
    copy = tmp_path / "copy"
    shutil.copytree(simulated, copy)
    before = rows_of(copy)
    anna.json("push", copy, "--repo", REPO)
    first = anna.hub.log.uploaded()
    reworded(copy)
    mark = anna.hub.log.mark()
    done = anna.json("push", copy, "--repo", REPO)
    assert done["version"] == "v1.0.1"
    assert anna.hub.log.uploaded(since=mark) < 0.1 * first
    after = rows_of(copy)
    changed = [one["question"] != two["question"] for one, two in zip(before, after, strict=True)]
    assert sum(changed) == 10

    told = anna.python(LOAD, REPO=REPO)
    assert told.returncode == 0, told.stderr
    loaded = json.loads(told.stdout.splitlines()[-1])
    for version, rows in (("v1.0.0", before), ("v1.0.1", after)):
        expected = [(row["id"], row["question"]) for row in rows]
        for how in ("plain", "streamed", "robotmcqa"):
            assert list(map(tuple, loaded[version][how])) == expected
        assert loaded[version]["sizes"] == [[224, 224]]
    text = served(anna.hub, REPO, "v1.0.1")["CHANGELOG.md"].decode()
    assert text.index("## v1.0.1") < text.index("rows have changed in 1 of 2 data files")
    assert text.index("rows have changed") < text.index("## v1.0.0") < text.index("first release")


LOAD = """
import json, os
import robotmcqa
from datasets import load_dataset
repo, told = os.environ["REPO"], {}
for version in ("v1.0.0", "v1.0.1"):
    plain = load_dataset(repo, revision=version)
    stream = load_dataset(repo, revision=version, streaming=True)
    ours = robotmcqa.load(repo, version=version)
    told[version] = {
        how: [(row["id"], row["question"]) for split in ("train", "test") for row in rows[split]]
        for how, rows in (("plain", plain), ("streamed", stream), ("robotmcqa", ours))
    }
    told[version]["sizes"] = [plain["train"][0]["images"][0].size]
latest = robotmcqa.load(repo)["train"][0]["question"]
assert latest == told["v1.0.1"]["plain"][0][1]
print(json.dumps(told))
"""


def test_another_spec_makes_a_minor_version(
    anna: Client, dataset: Path, demos: Path, robotmcqa: Callable[..., object], tmp_path: Path
) -> None:
    """Files that the new version lacks go in the same commit; others' files stay."""
    anna.json("push", dataset, "--repo", REPO)
    anna.hub.commit(REPO, {"LICENSE": b"ours", "figures/one.txt": b"ours"})
    out = tmp_path / "open"
    robotmcqa("extract", "--source", f"rlbench:{demos}", "--format", "open", "--out", out)
    done = anna.json("push", out, "--repo", REPO)
    assert done["version"] == "v1.1.0"
    assert "eval.yaml" in done["removed"]
    assert "assets/letters.svg" in done["removed"]
    files = served(anna.hub, REPO, "v1.1.0")
    assert not {"eval.yaml", "assets/letters.svg"} & files.keys()
    assert {"LICENSE", "figures/one.txt"} <= files.keys()
    assert b"spec: format choice is now open" in files["CHANGELOG.md"]
    assert "eval.yaml" in served(anna.hub, REPO, "v1.0.0")


def test_another_card_alone_makes_a_patch(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    written(copy / "README.md", "about", "Made for the lab.")
    done = anna.json("push", copy, "--repo", REPO)
    assert done["version"] == "v1.0.1"
    assert done["changed"] == ["CHANGELOG.md", "README.md"]
    assert b"- only the card" in served(anna.hub, REPO, "v1.0.1")["CHANGELOG.md"]


def test_what_people_wrote_on_the_hub_survives(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    card = copy.with_name("card")
    card.write_bytes(served(anna.hub, REPO, "main")["README.md"])
    written(card, "limits", "Only two hands were watched.")
    anna.hub.commit(REPO, {"README.md": card.read_bytes()})
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    text = served(anna.hub, REPO, "v1.0.1")["README.md"].decode()
    assert "Only two hands were watched." in text
    written(copy / "README.md", "limits", "Three.")
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 0, done.stderr  # only we have written since v1.0.1
    written(card, "limits", "Four.")
    anna.hub.commit(REPO, {"README.md": card.read_bytes()})
    written(copy / "README.md", "limits", "Five.")
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 3
    assert "'yours: limits' was written here and on the Hub" in done.stderr


# ------------------------------------------------------------------------------- versions by hand


def test_a_version_by_hand(anna: Client, copy: Path) -> None:
    assert anna.json("push", copy, "--repo", REPO, "--version", "v0.3.0")["version"] == "v0.3.0"
    reworded(copy)
    assert anna.json("push", copy, "--repo", REPO, "--version", "v2.0.0")["version"] == "v2.0.0"
    reworded(copy, word="You lead")
    assert anna.json("push", copy, "--repo", REPO)["version"] == "v2.0.1"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("v1.0.0", "v1.0.0 is released with other content"),
        ("v1.0.1", "v1.0.1 is released with other content"),
        ("v0.9.0", "v0.9.0 does not come after v1.0.1"),
        ("2.0", "'2.0' is no version"),
    ],
)
def test_a_release_is_never_changed(anna: Client, copy: Path, version: str, words: str) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    before = tags(anna.hub)
    reworded(copy, word="You lead")
    done = anna.run("push", copy, "--repo", REPO, "--version", version)
    assert done.returncode == 2
    assert words in done.stderr
    assert tags(anna.hub) == before
    assert anna.hub.repository(REPO).branches["main"] == before["v1.0.1"]


def test_a_version_that_has_this_content_is_left_alone(anna: Client, copy: Path) -> None:
    first = copy.with_name("first")
    shutil.copytree(copy, first)
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    done = anna.json("push", first, "--repo", REPO, "--version", "v1.0.0")
    assert (done["action"], done["version"]) == ("unchanged", "v1.0.0")
    # Without a version it is the next release: what readers of the latest get is the old content.
    assert anna.json("push", first, "--repo", REPO)["version"] == "v1.0.2"


def test_unchanged_content_may_get_a_version_by_hand(anna: Client, dataset: Path) -> None:
    anna.json("push", dataset, "--repo", REPO, "--version", "v0.9.0")
    done = anna.json("push", dataset, "--repo", REPO, "--version", "v1.0.0")
    assert (done["action"], done["changed"]) == ("released", ["CHANGELOG.md", "README.md"])
    assert b"the content is unchanged" in served(anna.hub, REPO, "v1.0.0")["CHANGELOG.md"]


# ------------------------------------------------------------------------------------- permissions


def test_without_a_token_nothing_is_tried(anna: Client, dataset: Path) -> None:
    nobody = Client(anna.hub, None, anna.home.with_name("nobody"))
    done = nobody.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert "you are not logged in" in done.stderr
    assert "hf auth login" in done.stderr
    assert not anna.hub.log.exchanges


def test_a_wrong_token(anna: Client, dataset: Path) -> None:
    wrong = Client(anna.hub, "hf_" + "x" * 34, anna.home.with_name("wrong"))
    done = wrong.run("push", dataset, "--repo", REPO)
    assert done.returncode == 4
    assert "does not accept your token (401)" in done.stderr
    assert str(wrong.token) not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("who", ["rob", "eve"])
def test_somebody_who_may_only_read(anna: Client, copy: Path, who: str) -> None:
    """Refused before anything is uploaded, where the repository exists and where it does not."""
    other = stranger(anna, who)
    for repo in (REPO, "lab/another"):
        anna.json("push", copy, "--repo", REPO)
        mark = anna.hub.log.mark()
        done = other.run("push", copy, "--repo", repo)
        assert done.returncode == 4
        assert "this token may not do that (403" in done.stderr
        assert "remedy: take a token with write permission" in done.stderr
        assert not anna.hub.log.select("*/preupload/*", since=mark)
    assert ("dataset", "lab/another") not in anna.hub.site.storage.repositories


def test_a_private_data_set_stays_closed_to_others(anna: Client, dataset: Path) -> None:
    done = anna.run("push", dataset, "--repo", REPO, "--private")
    assert done.returncode == 0, done.stderr
    assert "private data set" in done.stderr
    assert anna.hub.repository(REPO).private
    eve = stranger(anna, "eve")
    code = f"import robotmcqa; robotmcqa.load({REPO!r}, version='v1.0.0')"
    for refused in (eve.python(code), Client(anna.hub, None, eve.home).python(code)):
        assert refused.returncode != 0
        assert "your token may not see it" in refused.stderr or "not logged in" in refused.stderr
    for words, why in (
        (("push", dataset, "--repo", REPO), "eve is no member"),
        (("validate", f"hf://{REPO}@v1.0.0"), "your token may not see it"),
    ):
        refused = eve.run(*words)
        assert refused.returncode == 4
        assert why in refused.stderr
    assert anna.python(code).returncode == 0
    rob = stranger(anna, "rob")
    assert rob.run("validate", f"hf://{REPO}@v1.0.0").returncode == 0


def test_private_does_not_publish_into_the_open(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    done = anna.run("push", copy, "--repo", REPO, "--private")
    assert done.returncode == 2
    assert "exists and is public" in done.stderr
    assert tags(anna.hub).keys() == {"v1.0.0"}


@pytest.mark.parametrize("repo", ["questions", "a/b/c", "/b", "lab/", "lab/no good", "lab/a..b"])
def test_a_malformed_name(anna: Client, dataset: Path, repo: str) -> None:
    done = anna.run("push", dataset, "--repo", repo)
    assert done.returncode == 2, done.stderr
    assert "org/name" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_data_is_not_written_over(anna: Client, dataset: Path) -> None:
    anna.python(
        f"from huggingface_hub import create_repo\ncreate_repo({REPO!r}, repo_type='dataset')"
    )
    anna.hub.commit(REPO, {"data/theirs.parquet": b"PAR1"})
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 2
    assert "holds other things already (data/theirs.parquet" in done.stderr
    assert not tags(anna.hub)


# ------------------------------------------------------------------------------ several in one


def test_several_data_sets_are_configs_of_one_repository(
    anna: Client, dataset: Path, tmp_path: Path
) -> None:
    """As ``paper`` and ``grounded`` of one release; each part is a data set of its own."""
    from robotmcqa.card.presentation import present_collection

    both = tmp_path / "both"
    for name in ("paper", "grounded"):
        shutil.copytree(dataset, both / name)
    rewritten(both / "grounded", lambda number, row: row.update(question=row["question"] + "\n"))
    present_collection(both)
    report = anna.json("validate", both)
    assert report["rows"] == 2 * len(rows_of(dataset))
    done = anna.json("push", both, "--repo", REPO)
    assert done["version"] == "v1.0.0"
    assert "paper/data/train-00000.parquet" in done["new"]
    front = yaml.safe_load(served(anna.hub, REPO, "v1.0.0")["README.md"].decode().split("---\n")[1])
    assert [config["config_name"] for config in front["configs"]] == ["grounded", "paper"]
    told = anna.python(LOAD_BOTH, REPO=REPO)
    assert told.returncode == 0, told.stderr
    plain, paper, grounded = json.loads(told.stdout.splitlines()[-1])
    assert plain == paper == [row["question"] for row in rows_of(dataset, "train")]
    assert grounded == [f"{question}\n" for question in paper]
    assert anna.run("validate", f"hf://{REPO}@v1.0.0").returncode == 0
    shutil.rmtree(both / "grounded")
    present_collection(both)
    done = anna.json("push", both, "--repo", REPO)
    assert done["version"] == "v1.1.0"
    assert "grounded/data/train-00000.parquet" in done["removed"]
    assert not [path for path in served(anna.hub, REPO, "main") if path.startswith("grounded/")]


LOAD_BOTH = """
import json, os
import robotmcqa
from datasets import load_dataset
repo = os.environ["REPO"]
told = [
    load_dataset(repo, revision="v1.0.0"),
    load_dataset(repo, "paper", revision="v1.0.0"),
    robotmcqa.load(repo, version="v1.0.0", config="grounded"),
]
print(json.dumps([list(one["train"]["question"]) for one in told]))
"""


# ------------------------------------------------------------------------------- odds and ends


@pytest.mark.parametrize("title", ["Release v2024.01.15", "Release v01.0.0", "Release notes"])
def test_a_title_like_a_version_stops_nobody(anna: Client, copy: Path, title: str) -> None:
    anna.json("push", copy, "--repo", REPO)
    code = (
        "from huggingface_hub import HfApi\n"
        "HfApi().upload_file(path_or_fileobj=b'x', path_in_repo='x', repo_type='dataset',"
        f" repo_id={REPO!r}, commit_message={title!r})"
    )
    assert anna.python(code).returncode == 0
    reworded(copy)
    assert anna.json("push", copy, "--repo", REPO)["version"] == "v1.0.1"


def test_a_private_dry_run_promises_nothing_that_is_refused(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    reworded(copy)
    done = anna.run("push", copy, "--repo", REPO, "--private", "--dry-run")
    assert done.returncode == 2
    assert "exists and is public" in done.stderr


def test_a_reworded_card_keeps_the_folder_pushable(anna: Client, copy: Path) -> None:
    """Tags and words of the card are anybody's to change; what follows from data is not."""
    card = copy / "README.md"
    text = card.read_text("utf-8")
    card.write_text(text.replace("- benchmark\n", "- benchmark\n- ours\n"), "utf-8")
    anna.json("push", copy, "--repo", REPO)
    assert "- ours" in served(anna.hub, REPO, "v1.0.0")["README.md"].decode()
    presented(copy)
    assert "- ours" in card.read_text("utf-8")
