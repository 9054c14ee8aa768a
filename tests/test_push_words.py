"""What people write on the Hub and in folders: a push keeps it, and says where it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from robotmcqa.card.blocks import blocks, filled
from robotmcqa.card.front_matter import front_matter_of
from robotmcqa.card.presentation import present_collection
from tests.hub_server.fixture import test_hub
from tests.releases import REPO, Client, anna, presented, reworded, served, written

__all__ = ["anna", "test_hub"]


def card_of(client: Client, path: str = "README.md", revision: str = "main") -> str:
    return served(client.hub, REPO, revision)[path].decode()


def write_on_the_hub(client: Client, name: str, text: str, path: str = "README.md") -> None:
    """As somebody does on the Hub's page."""
    changed = filled(card_of(client, path), "yours", {name: text})
    client.hub.commit(REPO, {path: changed.encode()})


def test_the_hubs_words_outlive_a_folder_that_does_not_know_them(anna: Client, copy: Path) -> None:
    """The folder goes on saying what it said at its first push; that is no news."""
    written(copy / "README.md", "about", "Of the first push.")
    anna.json("push", copy, "--repo", REPO)
    write_on_the_hub(anna, "about", "Written on the page.")
    assert anna.json("push", copy, "--repo", REPO)["version"] == "v1.0.1"  # the card has changed
    again = anna.json("push", copy, "--repo", REPO)
    assert (again["action"], again["version"]) == ("unchanged", "v1.0.1")
    reworded(copy)
    assert anna.json("push", copy, "--repo", REPO)["version"] == "v1.0.2"
    assert blocks(card_of(anna), "yours")["about"] == "Written on the page."


def test_the_front_matter_keeps_what_was_added(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    text = card_of(anna).replace("pretty_name:", "extra_gated_prompt: Be kind.\npretty_name:", 1)
    text = text.replace("- benchmark\n", "- benchmark\n- ours\n").replace(
        "license: other", "license: mit"
    )
    anna.hub.commit(REPO, {"README.md": text.encode()})
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    front = front_matter_of(card_of(anna))
    assert front
    assert front["extra_gated_prompt"] == "Be kind."
    assert front["tags"][-1] == "ours"
    assert front["license"] == "other"  # follows from the demonstrations


def test_the_changelog_keeps_what_was_added(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    anna.hub.commit(
        REPO, {"CHANGELOG.md": card_of(anna, "CHANGELOG.md").encode() + b"\nErratum.\n"}
    )
    reworded(copy)
    anna.json("push", copy, "--repo", REPO)
    text = card_of(anna, "CHANGELOG.md")
    assert text.index("## v1.0.1") < text.index("## v1.0.0") < text.index("Erratum.")


def test_other_peoples_files_stay(anna: Client, copy: Path) -> None:
    anna.json("push", copy, "--repo", REPO)
    mine = {"assets/our-lab.svg": b"<svg/>", "data/notes.txt": b"x", "LICENSE": b"y"}
    anna.hub.commit(REPO, mine)
    reworded(copy)
    assert anna.json("push", copy, "--repo", REPO)["removed"] == []
    assert mine.items() <= served(anna.hub, REPO, "main").items()


@pytest.fixture(name="both")
def two_configs(dataset: Path, tmp_path: Path) -> Path:
    both = tmp_path / "both"
    for name in ("paper", "grounded"):
        shutil.copytree(dataset, both / name)
    present_collection(both)
    return both


def test_each_configs_card_tells_of_the_release(anna: Client, both: Path) -> None:
    anna.json("push", both, "--repo", REPO)
    for name in ("paper", "grounded"):
        card = card_of(anna, f"{name}/README.md")
        assert f'load_dataset("{REPO}", "{name}", revision="v1.0.0")' in card
        assert "ot released" not in card
        assert "has been released" not in card
    card = card_of(anna)
    assert f'load_dataset("{REPO}", "paper", revision="v1.0.0")' in card
    assert "![" in card
    assert "](paper/assets/example-waypoint-front.png)" in card
    write_on_the_hub(anna, "limits", "Of this config.", "grounded/README.md")
    write_on_the_hub(anna, "about", "Of both.")
    reworded(both / "paper")
    present_collection(both)
    assert anna.json("push", both, "--repo", REPO)["version"] == "v1.0.1"
    assert blocks(card_of(anna, "grounded/README.md"), "yours")["limits"] == "Of this config."
    assert blocks(card_of(anna), "yours")["about"] == "Of both."
    assert anna.json("push", both, "--repo", REPO)["action"] == "unchanged"


# ------------------------------------------------------------------------------------ damaged words


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!-- end -->", ""),
        ("<!-- yours: begin about -->", "<!-- yours: begin about-->"),
        ("<!-- yours: begin about -->\n", "<!-- yours: begin about -->\n<!-- yours: begin x -->\n"),
        ("<!-- yours: begin about -->", "Words. <!-- yours: begin about -->"),
    ],
)
def test_a_damaged_marker_is_refused(anna: Client, copy: Path, old: str, new: str) -> None:
    card = copy / "README.md"
    text = card.read_text("utf-8")
    assert old in text
    card.write_text(text.replace(old, new, 1), "utf-8")
    done = anna.run("push", copy, "--repo", REPO)
    assert done.returncode == 3
    assert f"{card}: the markers of its blocks are damaged" in done.stderr
    assert ("dataset", REPO) not in anna.hub.site.storage.repositories


def test_space_after_a_marker_is_no_damage(copy: Path) -> None:
    card = copy / "README.md"
    written(card, "about", "Human words.")
    text = card.read_text("utf-8")
    card.write_text(
        text.replace("Human words.\n<!-- end -->", "Human words.\n<!-- end --> "), "utf-8"
    )
    presented(copy)
    assert card.read_text("utf-8") == text


def test_a_message_may_say_anything(anna: Client, copy: Path) -> None:
    message = "Mended:\n## v9.9.9\n<!-- end -->\n<!-- yours: begin about -->"
    anna.json("push", copy, "--repo", REPO, "--message", message)
    assert anna.json("push", copy, "--repo", REPO)["action"] == "unchanged"


# ---------------------------------------------------------------------------- other people's places

CREATE = f"from huggingface_hub import create_repo; create_repo({REPO!r}, repo_type='dataset')"


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": b"---\nlicense: mit\n---\n# A year of words\n"},
        {"CHANGELOG.md": b"# ours\n"},
        {"train.csv": b"a,b\n"},
        {"data/a.parquet": b"PAR1"},
        {"meta/manifest.json": b'{"made by": "somebody else"}', "data/a.csv": b"1"},
        {"meta/manifest.json": b"no JSON"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_a_place_that_holds_other_things_is_left_alone(
    anna: Client, dataset: Path, files: dict[str, bytes]
) -> None:
    anna.python(CREATE)
    anna.hub.commit(REPO, files)
    before = served(anna.hub, REPO, "main")
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 2
    assert "holds other things already" in done.stderr
    assert served(anna.hub, REPO, "main") == before


def test_a_place_made_on_the_hubs_page_is_free(anna: Client, dataset: Path) -> None:
    anna.python(CREATE)
    anna.hub.commit(REPO, {"README.md": b"---\nlicense: mit\n---\n", "LICENSE": b"words"})
    assert anna.json("push", dataset, "--repo", REPO)["version"] == "v1.0.0"


def test_other_configs_are_not_replaced_by_mistake(anna: Client, both: Path, dataset: Path) -> None:
    anna.json("push", both, "--repo", REPO)
    done = anna.run("push", dataset, "--repo", REPO)
    assert done.returncode == 2
    assert f"{REPO} has the configs grounded, paper" in done.stderr
    assert anna.json("push", dataset, "--repo", REPO, "--version", "v2.0.0")["version"] == "v2.0.0"
