"""``extract --append``: old rows stay as they are, new demos get questions under the same spec."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robotmcqa import Spec, extract, open_source, validate
from robotmcqa.dataset import Dataset
from robotmcqa.errors import UsageError
from robotmcqa.evaluation.questions import questions_of
from robotmcqa.files import sha256_of
from robotmcqa.generations import generations_of
from robotmcqa.sources import Selection
from robotmcqa.spec import preset
from tests.conftest import Run, rows_of, tree
from tests.extractions import broken, failures_of, manifest_of
from tests.factory import write_demos
from tests.fake_simulator import FakeSimulator, Unseeded
from tests.hub_server.fixture import test_hub
from tests.releases import REPO, Client, anna
from tests.runs import Killed, command, killed_at, made

__all__ = ["anna", "test_hub"]

TASKS = {"reach_target": 10, "push_button": 10}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    write_demos(folder, TASKS, frames=60, size=16)
    return folder


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demos of each task that ``first`` has too, and ten others; a third task."""
    folder = tmp_path_factory.mktemp("more")
    write_demos(folder, dict.fromkeys(TASKS, 12), frames=60, size=16, seed=8)
    write_demos(folder, {"stack_blocks": 10}, frames=70, size=16)
    return folder


def both(first: Path, more: Path, out: Path, spec: Spec, **options: Any) -> Path:
    made(first, out, spec)
    return made(more, out, spec, append=True, **options)


SPECS = {
    "paper": Spec(test_fraction=0.3),
    "matched": Spec(distractors="matched", cameras=(), test_fraction=0.3),
    "grounded": preset("grounded", cameras=(), test_fraction=0.3),
    "open": Spec(format="open", cameras=()),
}


@pytest.mark.parametrize("name", SPECS)
def test_old_rows_stay_and_new_ones_come_behind_them(
    first: Path, more: Path, tmp_path: Path, name: str
) -> None:
    spec = SPECS[name]
    old = made(first, tmp_path / "old", spec)
    out = both(first, more, tmp_path / "out", spec)
    assert validate(out).problems == []
    for shard in Dataset.open(old).shards():
        assert sha256_of(out / shard["path"]) == shard["sha256"]
    before = {row["id"]: row for row in rows_of(old)}
    after = {row["id"]: row for row in rows_of(out)}
    assert before.items() <= after.items()
    new = [row for row in after.values() if row["id"] not in before]
    assert {row["task"] for row in new} == {*TASKS, "stack_blocks"}
    assert not {row["episode"] for row in new} & {row["episode"] for row in before.values()}
    one, two = generations_of(manifest_of(out))
    assert (one["rows"], two["rows"]) == (len(before), len(new))
    assert two["repeated"] == 4
    assert two["episodes"] == 30
    made_of = json.loads((out / "meta/provenance.json").read_text("utf-8"))
    assert [made_of["source"]["episodes"], made_of["appended"][0]["source"]["episodes"]] == [20, 30]


def test_the_pool_of_matched_is_recorded_and_held_to(
    first: Path, more: Path, tmp_path: Path
) -> None:
    out = both(first, more, tmp_path / "out", SPECS["matched"])
    assert generations_of(manifest_of(out))[1]["pools"] == "meta/pools-00001.parquet"
    old = {row["episode"] for row in rows_of(made(first, tmp_path / "old", SPECS["matched"]))}
    answers = {
        tuple(round(1000 * one) for one in row["target"][:3])
        for row in rows_of(out)
        if row["episode"] in old
    }
    new = [row for row in rows_of(out) if row["episode"] not in old and row["family"] == "waypoint"]
    drawn = {
        tuple(round(1000 * one) for one in point) for row in new for point in row["distractors"]
    }
    assert drawn & answers, "new questions draw from old demos too"


def test_a_distractor_from_outside_the_recorded_pool_is_found(
    first: Path, more: Path, tmp_path: Path
) -> None:
    out = both(first, more, tmp_path / "out", SPECS["matched"])
    pools = out / "meta/pools-00001.parquet"
    pq.write_table(pq.read_table(pools).slice(0, 1), pools)
    manifest = manifest_of(out)
    for file in manifest["files"]:
        if file["path"] == "meta/pools-00001.parquet":
            file |= {"bytes": pools.stat().st_size, "sha256": sha256_of(pools)}
    (out / "meta/manifest.json").write_text(json.dumps(manifest))
    problems = validate(out).problems
    assert len(problems) > 20
    assert all("recorded pool" in one.what for one in problems)


@pytest.mark.parametrize("name", ["paper", "grounded"])
def test_the_bytes_do_not_hang_on_the_workers(
    first: Path, more: Path, tmp_path: Path, name: str
) -> None:
    one = both(first, more, tmp_path / "one", SPECS[name])
    two = tmp_path / "two"
    shutil.copytree(made(first, tmp_path / "old", SPECS[name]), two)
    extract(open_source(f"rlbench:{more}"), SPECS[name], two, workers=2, append=True)
    assert tree(one) == tree(two)


def test_nothing_new_is_said_and_changes_nothing(
    robotmcqa: Run, first: Path, tmp_path: Path
) -> None:
    out = made(first, tmp_path / "out", Spec())
    before = tree(out)
    done = robotmcqa(*command(first, out, "--append")[1:])
    assert done.returncode == 0, done.stderr
    assert "Nothing new" in done.stderr
    assert "20 demos had been there before" in done.stderr
    assert tree(out) == before


def test_failures_of_both_are_listed(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        write_demos(tmp_path / name, {"reach_target": 5}, frames=60, size=16, seed=50 * number)
        broken(tmp_path / name)
    out = both(tmp_path / "one", tmp_path / "two", tmp_path / "out", Spec())
    assert validate(out).problems == []
    lines = failures_of(out)
    assert manifest_of(out)["failures"] == len(lines)
    assert len({json.dumps(line) for line in lines}) == len(lines) >= 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seed", "5"], "seed: 0 there, 5 now"),
        (["--choices", "5"], "choices: 4 there, 5 now"),
        (["--no-images"], "cameras"),
    ],
)
def test_another_spec_is_refused_by_field(
    robotmcqa: Run, first: Path, tmp_path: Path, options: list[str], named: str
) -> None:
    out = made(first, tmp_path / "out", Spec())
    before = tree(out)
    done = robotmcqa(*command(first, out, "--append", *options)[1:])
    assert done.returncode == 2
    assert named in done.stderr
    assert tree(out) == before


def test_what_cannot_be_added_to_is_refused(robotmcqa: Run, first: Path, tmp_path: Path) -> None:
    done = robotmcqa(*command(first, tmp_path / "none", "--append")[1:])
    assert done.returncode == 2
    assert "no data set to add to" in done.stderr
    done = robotmcqa(*command(first, tmp_path / "none", "--append", "--overwrite")[1:])
    assert done.returncode == 2
    assert "exclude each other" in done.stderr


def test_demos_under_another_licence_are_refused(first: Path, tmp_path: Path) -> None:
    out = made(first, tmp_path / "out", Spec())
    before = tree(out)
    with pytest.raises(UsageError, match="under"):
        extract(open_source("sim"), Spec(), out, append=True)
    assert tree(out) == before


def test_stopped_at_a_rename_it_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At some while more is made, and at most of those that put it in place."""
    spec = Spec(cameras=(), families=("current_state",), distractors="matched")
    demos, more = tmp_path / "demos", tmp_path / "more"
    write_demos(demos, {"reach_target": 10}, frames=60, size=16)
    write_demos(more, {"reach_target": 3}, frames=60, size=16, seed=20)
    old = made(demos, tmp_path / "old", spec)
    new = tmp_path / "new"
    shutil.copytree(old, new)
    renames: list[object] = []
    rename = os.replace

    def counted(*paths: Any) -> None:
        renames.append(paths)
        rename(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted)
        made(more, new, spec, append=True)
    before, after = tree(old), tree(new)
    last, seen = len(renames), set()
    for step in (1, 6, last // 2, *range(last - 12, last + 3, 2)):
        out = tmp_path / f"out{step}"
        shutil.copytree(old, out)
        run = partial(made, more, out, spec, append=True)
        assert killed_at(step, run, monkeypatch) == (step <= last + 1)
        there = {name: one for name, one in tree(out).items() if not name.startswith(".extract")}
        if (out / "meta/manifest.json").exists():
            assert there in (before, after)
            assert validate(out).ok
            seen.add("old" if there == before else "new")
        begun = (out / ".extract/plan.json").exists()
        if begun:
            with pytest.raises(UsageError, match="interrupted --append"):
                made(more, out, spec, append=True)
        assert tree(made(more, out, spec, append=True, resume=begun)) == after, f"step {step}"
    assert seen == {"old", "new"}


def _killed_clearing_away(monkeypatch: pytest.MonkeyPatch, what: str, run: partial[Path]) -> None:
    """Have a run die when all is in place: before it forgets its plan, or right after."""

    module = os if what == "unlink" else shutil
    really = getattr(module, what)

    def dies(path: Any, *_: Any, **__: Any) -> None:
        if Path(path).name in ("plan.json", ".extract"):
            raise Killed
        really(path)

    with monkeypatch.context() as patched:
        patched.setattr(module, what, dies)
        patched.setattr(os, "getpid", lambda: 1)  # the one that resumes is another process
        with pytest.raises(Killed):
            run()


def test_killed_when_all_is_in_place_nothing_is_in_the_way(
    first: Path, more: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec(cameras=())
    out = made(first, tmp_path / "out", spec)
    run = partial(made, more, out, spec, append=True)
    _killed_clearing_away(monkeypatch, "unlink", run)
    after = tree(out)
    there = {name: one for name, one in after.items() if not name.startswith(".extract")}
    source = open_source(f"rlbench:{more}")
    summary = extract(source, spec, out, append=True, resume=True)
    newest = generations_of(summary.manifest)[-1]
    assert summary.added == {"rows": newest["rows"], "episodes": 30, "repeated": 4}
    assert tree(out) == there
    shutil.rmtree(out)
    made(first, out, spec)
    _killed_clearing_away(monkeypatch, "rmtree", run)
    assert (out / ".extract").exists()
    summary = extract(source, spec, out, append=True)
    assert summary.added == {"rows": 0, "episodes": 0, "repeated": 34}
    assert tree(out) == there


def test_cards_and_pages_tell_of_all_sources(
    robotmcqa: Run, first: Path, more: Path, tmp_path: Path
) -> None:
    for name, options in (("one", ()), ("two", ("--family", "waypoint"))):
        for demos, task, add in ((first, "reach_target", ()), (more, "all", ("--append",))):
            done = robotmcqa(
                *("extract", "--source", f"rlbench:{demos}", "--task", task, "--no-images"),
                *("--out", tmp_path, "--config", name, *options, *add),
            )
            assert done.returncode == 0, done.stderr
    assert robotmcqa("validate", tmp_path).returncode == 0
    page = tmp_path / "page.html"
    assert robotmcqa("show", tmp_path / "one", "--out", page).returncode == 0
    card = (tmp_path / "README.md").read_text()
    assert card.count("--task reach_target") == card.count("--task all") == 2
    assert card.count("| 42, ") == 2
    for text in ((tmp_path / "one/README.md").read_text(), page.read_text()):
        assert "--task reach_target" in text
        assert "--task all" in text


def test_demos_of_a_live_simulator_are_told_when_they_are_added(tmp_path: Path) -> None:
    spec, words = Spec(cameras=()), "cannot be made again"
    for number, kind in enumerate((FakeSimulator, Unseeded)):
        selection = Selection(("reach_target",), number, 4)
        extract(kind(), spec, tmp_path / "out", selection, append=number > 0)
        card = (tmp_path / "out/README.md").read_text()
        assert (words in card) == (number > 0)


def test_evaluation_and_training_read_what_was_added(
    first: Path, more: Path, tmp_path: Path
) -> None:
    questions = pytest.importorskip("robotmcqa.train_recipes.questions")
    arguments = pytest.importorskip("robotmcqa.train_recipes.arguments")
    out = both(first, more, tmp_path / "out", SPECS["paper"])
    splits = {name: one["rows"] for name, one in manifest_of(out)["splits"].items()}
    assert len(generations_of(manifest_of(out))) == 2
    for split, rows in splits.items():
        assert len(questions_of(str(out), split=split).rows) == rows
    learned = questions.load_questions(
        arguments.RecipeArguments(dataset=[str(out)], test_questions=0)
    )
    assert {"train": len(learned.train), "test": len(learned.test)} == splits


def test_a_law_is_told_once(first: Path, more: Path, tmp_path: Path) -> None:
    laws = manifest_of(both(first, more, tmp_path / "out", Spec(cameras=())))["laws"]
    assert len(laws) == len({tuple(sorted(law.items())) for law in laws})


def test_where_every_question_is_left_out_nothing_changes(
    robotmcqa: Run, first: Path, more: Path, tmp_path: Path
) -> None:
    out = made(first, tmp_path / "out", Spec(cameras=(), families=("waypoint",)))
    document = json.loads((out / "meta/manifest.json").read_text())
    document["spec"]["min_displacement_mm"] = 99_000  # mm; nothing moves so far
    (out / "meta/manifest.json").write_text(json.dumps(document))
    before = tree(out)
    options = ("--no-images", "--family", "waypoint", "--min-displacement", "99", "--append")
    run = robotmcqa("extract", "--source", f"rlbench:{more}", "--out", out, *options)
    assert run.returncode == 3
    assert f"nothing was added, and {out} is as it was" in " ".join(run.stderr.split())
    assert tree(out) == before


def test_shards_keep_the_size_that_was_asked_for(robotmcqa: Run, tmp_path: Path) -> None:
    write_demos(tmp_path / "one", {"reach_target": 6}, size=224)
    write_demos(tmp_path / "two", {"reach_target": 6}, size=224, seed=50)
    out = tmp_path / "out"
    for name, options in (("one", ["--shard-size", "1MiB"]), ("two", ["--append"])):
        done = robotmcqa(*command(tmp_path / name, out, *options)[1:])
        assert done.returncode == 0, done.stderr
    assert manifest_of(out)["shard_bytes"] == 1 << 20
    shards = Dataset.open(out).shards()
    assert max(shard["bytes"] for shard in shards) < 2 << 20
    done = robotmcqa(*command(tmp_path / "one", out, "--shard-size", "lots", "--overwrite")[1:])
    assert done.returncode == 2
    assert "64MB" in done.stderr


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_what_is_added_never_touches_what_was_there(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """append(A, B) has A's rows as they were, B's others, and each episode once."""
    scratch = tmp_path_factory.mktemp("law")
    ranges = [data.draw(st.tuples(st.integers(0, 6), st.integers(2, 6))) for _ in range(3)]
    law = data.draw(st.sampled_from(["uniform", "near", "level"]))
    spec = Spec(cameras=(), distractors=law, state="withheld", test_fraction=0.3, stride=20)
    out = scratch / "out"
    known: dict[str, Any] = {}
    seeds: set[int] = set()
    for number, (start, count) in enumerate(ranges):
        demos = scratch / str(number)
        write_demos(demos, {"reach_target": count}, size=16, frames=60, seed=start)
        made(demos, out, spec, append=number > 0)
        seeds |= set(range(start, start + count))
        rows = {row["id"]: row for row in rows_of(out)}
        assert len(rows) == len(rows_of(out))
        assert known.items() <= rows.items()
        known = rows
        report = validate(out)
        assert report.problems == []
    assert len({row["episode"] for row in known.values()}) == len(seeds)


def test_pushed_it_is_a_patch_and_old_shards_are_not_sent_again(
    anna: Client, first: Path, more: Path, tmp_path: Path
) -> None:
    out = made(first, tmp_path / "out", SPECS["matched"])
    assert anna.json("push", out, "--repo", REPO)["version"] == "v1.0.0"
    old = {shard["path"] for shard in Dataset.open(out).shards()}
    made(more, out, SPECS["matched"], append=True)
    done = anna.json("push", out, "--repo", REPO)
    assert done["version"] == "v1.0.1"
    sent = {file["path"] for file in done["upload"]}
    assert not sent & old
    assert {"data/train-00001.parquet", "meta/pools-00001.parquet"} <= sent
    changelog = anna.hub.read(REPO, "CHANGELOG.md").decode()
    assert "data files are new; those that were there are unchanged" in changelog
