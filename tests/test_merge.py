"""``merge``: data sets with one spec as one, each episode once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.dataset import Dataset
from robotmcqa.errors import DatasetError, UsageError
from robotmcqa.generations import generations_of
from robotmcqa.merge import merge
from robotmcqa.sources import Selection
from robotmcqa.spec import preset
from tests.conftest import Row, Run, rows_of, tree
from tests.extractions import failures_of, manifest_of
from tests.factory import write_demos
from tests.runs import killed_at, made

PLAIN = Spec(cameras=(), test_fraction=0.3, stride=20)


def demos(folder: Path, first: int, count: int, task: str = "reach_target") -> Path:
    write_demos(folder, {task: count}, size=16, frames=60, seed=first)
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Data sets of demos 0 to 5, 4 to 9, and of another task."""
    return [
        made(demos(tmp_path / "demos-a", 0, 6), tmp_path / "a", PLAIN),
        made(demos(tmp_path / "demos-b", 4, 6), tmp_path / "b", PLAIN),
        made(demos(tmp_path / "demos-c", 0, 5, "push_button"), tmp_path / "c", PLAIN),
    ]


def by_id(folder: Path) -> dict[str, Row]:
    found = {row["id"]: row for row in rows_of(folder)}
    assert len(found) == len(rows_of(folder))
    return found


def test_each_row_comes_from_the_first_that_has_its_episode(
    parts: list[Path], tmp_path: Path
) -> None:
    done = merge(parts, tmp_path / "out")
    assert validate(tmp_path / "out").problems == []
    wanted: dict[str, Row] = {}
    for part in reversed(parts):
        wanted |= by_id(part)
    assert by_id(tmp_path / "out") == wanted
    assert done.dropped == [0, 2, 0]
    notes = [line for line in failures_of(tmp_path / "out") if line["kind"] == "note"]
    assert len(notes) == 2
    assert len(generations_of(manifest_of(tmp_path / "out"))) == 3


def test_a_file_whose_rows_all_stay_keeps_its_bytes(parts: list[Path], tmp_path: Path) -> None:
    done = merge([parts[0], parts[2]], tmp_path / "out")
    hashes = [shard["sha256"] for part in parts for shard in Dataset.open(part).shards()]
    assert {shard["sha256"] for shard in Dataset.open(tmp_path / "out").shards()} <= set(hashes)
    assert done.rewritten == 0


def test_a_part_that_is_a_download_is_no_link_afterwards(parts: list[Path], tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    for file in sorted((parts[0] / "data").iterdir()):
        blobs.mkdir(exist_ok=True)
        file.rename(blobs / file.name)
        file.symlink_to(f"../../blobs/{file.name}")
    out = merge(parts, tmp_path / "elsewhere/out").out
    assert validate(out).problems == []
    assert not any(path.is_symlink() for path in (out / "data").iterdir())


def test_merged_with_itself_it_is_itself(parts: list[Path], tmp_path: Path) -> None:
    merge([parts[0], parts[0]], tmp_path / "out")
    assert by_id(tmp_path / "out") == by_id(parts[0])
    assert "generations" not in manifest_of(tmp_path / "out")
    assert validate(tmp_path / "out").problems == []


def test_one_that_was_added_to_keeps_its_generations(parts: list[Path], tmp_path: Path) -> None:
    matched = Spec(cameras=(), distractors="matched", test_fraction=0, stride=20)
    one = made(demos(tmp_path / "d1", 0, 12), tmp_path / "one", matched)
    made(demos(tmp_path / "d2", 20, 3), one, matched, append=True)
    two = made(demos(tmp_path / "d3", 30, 12), tmp_path / "two", matched)
    merge([two, one], tmp_path / "out")
    found = generations_of(manifest_of(tmp_path / "out"))
    assert [one.get("pools") for one in found] == [None, None, "meta/pools-00002.parquet"]
    assert validate(tmp_path / "out").problems == []
    made(demos(tmp_path / "d4", 40, 3), tmp_path / "out", matched, append=True)
    assert validate(tmp_path / "out").problems == []
    assert len(generations_of(manifest_of(tmp_path / "out"))) == 4


def test_an_exchange_is_not_broken(tmp_path: Path) -> None:
    spec = preset("grounded", cameras=(), distractors="swapped", stride=20, test_fraction=0)
    one = made(demos(tmp_path / "d1", 0, 12), tmp_path / "one", spec)
    two = made(demos(tmp_path / "d2", 6, 12), tmp_path / "two", spec)
    with pytest.raises(DatasetError, match="swapped") as caught:
        merge([one, two], tmp_path / "out")
    assert "--append" in caught.value.remedy
    assert not (tmp_path / "out").exists()
    other = made(demos(tmp_path / "d3", 40, 12), tmp_path / "three", spec)
    merge([one, other, two.parent / "one"], tmp_path / "out")
    assert validate(tmp_path / "out").problems == []


def test_the_command_counts_what_it_leaves_out(
    robotmcqa: Run, parts: list[Path], tmp_path: Path
) -> None:
    done = robotmcqa("merge", *parts, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["dropped"] == [0, 2, 0]
    assert summary["rows"] == len(rows_of(tmp_path / "out"))
    before = tree(tmp_path / "out")
    again = robotmcqa("merge", *parts, "--out", tmp_path / "out")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    done = robotmcqa("merge", *parts, "--out", tmp_path / "out", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "2 demos left out" in done.stdout
    assert tree(tmp_path / "out") == before


def test_parts_at_urls_are_fetched_and_a_store_is_no_place_for_the_whole(
    robotmcqa: Run, parts: list[Path], tmp_path: Path
) -> None:
    urls = [part.as_uri() for part in parts]
    assert robotmcqa("merge", *urls, "--out", (tmp_path / "a b").as_uri()).returncode == 0
    assert validate(tmp_path / "a b").problems == []
    for verb in (
        ("merge", *urls),
        ("export", urls[0], "--to", "trl"),
        ("record", "--task", "reach_target"),
    ):
        refused = robotmcqa(*verb, "--out", "memory://bucket/whole", cwd=tmp_path)
        assert refused.returncode == 2
        assert "only extract writes to a store" in refused.stderr
        assert not (tmp_path / "memory:").exists()


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"append": True}])
def test_an_interrupted_merge_is_called_that(
    parts: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, bool],
) -> None:
    out = tmp_path / "out"
    assert killed_at(4, lambda: merge(parts, out), monkeypatch)
    with pytest.raises(UsageError, match="interrupted merge"):
        made(tmp_path / "demos-a", out, PLAIN, **options)
    merge(parts, out)
    assert validate(out).problems == []


def test_what_cannot_be_merged_is_refused(parts: list[Path], tmp_path: Path) -> None:
    other = made(tmp_path / "demos-a", tmp_path / "seed", Spec(cameras=(), seed=1))
    with pytest.raises(UsageError, match="seed: 0 there, 1 now"):
        merge([parts[0], other], tmp_path / "out")
    with pytest.raises(UsageError, match="two or more"):
        merge(parts[:1], tmp_path / "out")
    with pytest.raises(UsageError, match="one of the data sets"):
        merge(parts[:2], parts[0])
    with pytest.raises(DatasetError, match="no data set here"):
        merge([parts[0], tmp_path / "none"], tmp_path / "out")
    simulated = tmp_path / "sim"
    chosen = Selection(tasks=("reach_target",), episodes=2)
    extract(open_source("sim"), PLAIN, simulated, chosen)
    with pytest.raises(UsageError, match="under"):
        merge([parts[0], simulated], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_order_matters_only_where_there_are_duplicates(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("law")
    sets = []
    for number in range(data.draw(st.integers(2, 3))):
        first, count = data.draw(st.tuples(st.integers(0, 8), st.integers(2, 4)))
        made_of = demos(scratch / f"demos{number}", first, count)
        sets.append(made(made_of, scratch / f"set{number}", PLAIN))
    order = data.draw(st.permutations(range(len(sets))))
    merge(sets, scratch / "one")
    merge([sets[number] for number in order], scratch / "other")
    one, other = by_id(scratch / "one"), by_id(scratch / "other")
    for folder in ("one", "other"):
        assert validate(scratch / folder).problems == []
    rows = [by_id(part) for part in sets]
    several = {name for name in {*one, *other} if sum(name in part for part in rows) > 1}
    # Under the law 'uniform' a demo has the same questions in whatever data set it is.
    assert one.keys() == other.keys() == {name for part in rows for name in part}
    assert all(one[name] == other[name] for name in one.keys() - several)


def test_the_command_says_what_was_done_and_what_comes_next(
    parts: list[Path], tmp_path: Path, robotmcqa: Run
) -> None:
    out = tmp_path / "out"
    done = robotmcqa("merge", *parts[:2], "--out", f"file://{out}")
    assert done.returncode == 0, done.stderr
    assert f"{parts[1]}: 2 demos left out, for an earlier data set has them." in done.stdout
    assert f"Next:\n  robotmcqa validate {out}\n  robotmcqa show {out}\n" in done.stderr
