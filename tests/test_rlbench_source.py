"""Saved RLBench demos: found at every depth, in both layouts, selected and numbered alike."""

from __future__ import annotations

import copy
import pickle
import shutil
from pathlib import Path

import pytest

from robotmcqa.errors import SourceError, UsageError
from robotmcqa.rlbench_layout import save_demo
from robotmcqa.sources import Selection, open_source
from robotmcqa.sources.rlbench import RLBenchSource
from tests.factory import make_demo, write_demos
from tests.rlbench_helpers import EVERYTHING, SMALL, load_all, names, refs, same


@pytest.fixture(scope="module")
def all_variations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same demos in the other layout."""
    root = tmp_path_factory.mktemp("all_variations")
    tasks = {"reach_target": 4, "push_button": 4}
    write_demos(root, tasks, "all_variations", variations=2, **SMALL)
    return root


def test_the_root_gives_every_demo_in_order(tree: Path) -> None:
    assert names(tree) == [
        f"{task}/variation{variation}/episodes/episode{number}"
        for task in ("push_button", "reach_target")
        for variation in (0, 1)
        for number in (0, 1)
    ]
    assert RLBenchSource(str(tree)).tasks() == ["push_button", "reach_target"]


@pytest.mark.parametrize("layout", ["tree", "all_variations"])
def test_every_depth_gives_the_same_demos(layout: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(layout)
    whole = {ref.name: RLBenchSource(str(root)).load(ref, ()) for ref in refs(root)}
    for name, demo in whole.items():
        task, variation, _, _ = name.split("/")
        for depth in (root / task, root / task / variation, root / name):
            source = RLBenchSource(str(depth))
            (ref,) = [ref for ref in source.refs(EVERYTHING) if ref.name == name]
            assert same(source.load(ref, ()), demo)
        assert names(root / name) == [name]


def test_both_layouts_hold_the_same_demos(tree: Path, all_variations: Path) -> None:
    left, right = load_all(tree), load_all(all_variations)
    assert len(left) == len(right) == 8
    assert all(map(same, left, right))
    assert [ref.variation for ref in refs(tree)] == [ref.variation for ref in refs(all_variations)]


def test_names_and_digests_survive_a_copy(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "a copy, elsewhere — ünïcödé 机器人"
    shutil.copytree(tree, other)
    assert names(other) == names(tree)
    assert [d.digest() for d in load_all(other)] == [d.digest() for d in load_all(tree)]
    assert len({d.digest() for d in load_all(tree)}) == 8


def test_relative_and_home_paths(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert names(Path()) == names(tree)
    assert names(Path("reach_target/")) == names(tree / "reach_target")
    monkeypatch.setenv("HOME", str(tree))
    assert RLBenchSource("~").path == str(tree)


def test_the_scheme_opens_it(tree: Path) -> None:
    source = open_source(f"rlbench:{tree}")
    assert source.scheme == "rlbench"
    assert source.location == str(tree)
    assert "non-commercial" in source.licence
    assert source.replayable


def test_selection(tree: Path, all_variations: Path) -> None:
    assert all(n.startswith("push") for n in names(tree, Selection(tasks=("push_button",))))
    assert all("/variation1/" in n for n in names(tree, Selection(variation=1)))
    assert names(tree, Selection(variation=7)) == []
    first = names(tree, Selection(episodes=1))
    assert first == [
        f"{task}/variation0/episodes/episode0" for task in RLBenchSource(str(tree)).tasks()
    ]
    second = names(all_variations, Selection(tasks=("reach_target",), variation=1, episodes=1))
    assert second == ["reach_target/all_variations/episodes/episode1"]


def test_an_unknown_task_lists_the_known(tree: Path) -> None:
    with pytest.raises(SourceError, match="open_drawer") as caught:
        names(tree, Selection(tasks=("open_drawer",)))
    assert "push_button, reach_target" in caught.value.remedy


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        RLBenchSource(str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="is a file"):
        RLBenchSource(str(tmp_path / "file"))
    with pytest.raises(UsageError, match="no folder given"):
        RLBenchSource("")


def test_an_empty_folder_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no demos there") as caught:
        names(tmp_path)
    assert "variation<N>/episodes/episode<K>" in caught.value.remedy


def test_a_folder_above_the_root_says_which_one_is_meant(tmp_path: Path) -> None:
    save_demo(tmp_path / "set", make_demo(**SMALL), 0, cameras={})
    with pytest.raises(SourceError, match="no demos there") as caught:
        names(tmp_path)
    assert str(tmp_path / "set") in caught.value.remedy


def test_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    demo = make_demo(**SMALL)
    for number in (10, 2, 0):
        save_demo(tmp_path, demo, number, cameras={})
    assert [name.rsplit("/", 1)[1] for name in names(tmp_path)] == [
        "episode0",
        "episode2",
        "episode10",
    ]
    for variation in (10, 9):
        save_demo(tmp_path, make_demo(variation=variation, **SMALL), 0, cameras={})
    assert [ref.variation for ref in refs(tmp_path)] == [0, 0, 0, 9, 10]


def test_other_files_and_folders_are_no_demos(one: Path) -> None:
    for stranger in ("episode", "episode1.bak", "xepisode1", ".episode7.123.tmp", "episode-1"):
        (one.parent / stranger).mkdir()
    (one.parents[3] / "README.txt").touch()
    assert len(names(one.parents[3])) == 1


def test_the_revision_follows_the_pickle(one: Path) -> None:
    (before,) = refs(one)
    (one / "low_dim_obs.pkl").write_bytes(b"changed")
    (after,) = refs(one)
    assert before.revision != after.revision
    (one / "low_dim_obs.pkl").unlink()
    (gone,) = refs(one)
    assert gone.revision.startswith("missing")
    assert gone.revision != after.revision
    (one.parents[1] / "variation_descriptions.pkl").write_bytes(b"changed")
    (reworded,) = refs(one)
    assert reworded.revision != gone.revision


def test_the_source_goes_to_workers(tree: Path) -> None:
    source = pickle.loads(pickle.dumps(RLBenchSource(str(tree))))
    assert list(source.refs(EVERYTHING)) == refs(tree)
    assert copy.copy(source) == source
