"""Recording: a simulator's demos in RLBench's layout, and the same questions from them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robotmcqa import Spec, extract, validate
from robotmcqa.demo import Demo
from robotmcqa.errors import ExtractionFailed, SourceError, UsageError
from robotmcqa.recording import Recording, record
from robotmcqa.rlbench_layout import Layout
from robotmcqa.sources import DemoRef, Selection, SourceOptions
from robotmcqa.sources.rlbench import RLBenchSource, _observations
from robotmcqa.sources.rlbench_pickle import array
from robotmcqa.sources.rlbench_tree import RECORDING
from tests.conftest import Run, rows_of, tree
from tests.fake_simulator import VARIATIONS, FakeSimulator, installed, plain
from tests.rlbench_helpers import refs, same
from tests.runs import Enough, StopAfter

FIVE = Selection(("push_button",), None, 5)


def recorded(
    out: Path, source: FakeSimulator | None = None, selection: Selection = FIVE, **options: Any
) -> Recording:
    return record(source or FakeSimulator(), out, selection, **options)


def demos_of(source: FakeSimulator, selection: Selection) -> list[Demo]:
    return [source.load(ref, ()) for ref in source.refs(selection)]


def episode(out: Path, variation: int = 0, number: int = 0) -> Path:
    return out / f"push_button/variation{variation}/episodes/episode{number}"


def demos_in(out: Path) -> dict[str, str]:
    """Every file below but the list of what is where."""
    return {name: digest for name, digest in tree(out).items() if name != RECORDING}


# ---------------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("layout", ["variations", "all_variations"])
def test_every_demo_is_read_back_as_it_was(tmp_path: Path, layout: Layout) -> None:
    source = FakeSimulator()
    made = recorded(tmp_path, layout=layout, cameras=("front", "overhead"))
    assert (dict(made.written), dict(made.kept), made.failures) == ({"push_button": 5}, {}, [])
    saved = RLBenchSource(str(tmp_path))
    found = [saved.load(ref, ("front",)) for ref in saved.refs(Selection())]
    assert len(found) == 5
    for demo, back in zip(demos_of(source, FIVE), found, strict=True):
        assert same(demo, back)
        assert back.notes == ()
        assert set(back.images) == {"front", "overhead"}
        for frame in (0, len(demo) - 1):
            assert back.image("overhead", frame) == demo.image("overhead", frame)
        assert demo.ground_truth
        assert back.ground_truth
        assert back.ground_truth.document() == demo.ground_truth.document()


def test_episodes_count_within_their_variation_or_their_task(tmp_path: Path) -> None:
    recorded(tmp_path / "one")
    recorded(tmp_path / "all", layout="all_variations")
    assert [ref.name for ref in refs(tmp_path / "one")] == [
        f"push_button/variation{variation}/episodes/episode{number}"
        for variation, number in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    ]
    assert [(ref.name, ref.variation) for ref in refs(tmp_path / "all")] == [
        (f"push_button/all_variations/episodes/episode{number}", variation)
        for number, variation in enumerate([0, 0, 1, 1, 2])
    ]


def test_the_pickle_has_what_rlbench_writes(tmp_path: Path) -> None:
    """Matrices per frame for the recorded cameras only, fingers, and the objects' poses."""
    source = FakeSimulator()
    recorded(tmp_path, cameras=("overhead",))
    (ref, *_) = refs(tmp_path)
    (demo, *_) = demos_of(source, FIVE)
    assert demo.ground_truth
    stored = _observations(Path(ref.locator) / "low_dim_obs.pkl")
    assert len(stored) == len(demo)
    for frame in (0, 30, len(demo) - 1):
        fields = stored[frame].__dict__
        assert set(fields["misc"]) == {
            "variation_index",
            *(f"overhead_camera_{name}" for name in ("extrinsics", "intrinsics", "near", "far")),
        }
        assert fields["misc"]["overhead_camera_near"] == 0.01
        place = array(fields["misc"]["overhead_camera_extrinsics"])
        assert place.tolist() == demo.cameras["overhead"].pose(frame).tolist()
        assert array(fields["gripper_joint_positions"]).tolist() == pytest.approx(
            [0.04 * demo.gripper_open[frame], 0.03 * demo.gripper_open[frame]]
        )
        assert array(fields["task_low_dim_state"]).tolist() == [
            *demo.ground_truth.objects["tip"][frame],
            *demo.ground_truth.objects["base"][frame],
        ]


def test_camera_models_come_back(tmp_path: Path) -> None:
    recorded(tmp_path, cameras=("front", "overhead"))
    saved = RLBenchSource(str(tmp_path))
    for ref, demo in zip(saved.refs(Selection()), demos_of(FakeSimulator(), FIVE), strict=True):
        models = saved.camera_models(ref)
        assert set(models) == {"front", "overhead"}
        for name, model in models.items():
            tip = demo.gripper_pose[40, :3]
            assert model.project(tip, 40) == pytest.approx(demo.cameras[name].project(tip, 40))
            assert (model.near, model.far) == (demo.cameras[name].near, demo.cameras[name].far)


def test_depth_and_masks_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    recorded(tmp_path / "plain")
    recorded(tmp_path / "rich", depth=True, mask=True)
    folders = {path.name for path in episode(tmp_path / "plain").iterdir() if path.is_dir()}
    assert folders == {"front_rgb"}
    rich = episode(tmp_path / "rich")
    assert {path.name for path in rich.iterdir() if path.is_dir()} == {
        *("front_rgb", "front_depth", "front_mask")
    }
    assert (rich / "front_depth/7.png").read_bytes() == plain(32, 90, 7)
    assert (rich / "front_mask/7.png").read_bytes() == plain(32, 20, 7)
    count = len(list((rich / "front_rgb").iterdir()))
    assert len(list((rich / "front_mask").iterdir())) == count


def test_states_alone_can_be_recorded(tmp_path: Path) -> None:
    recorded(tmp_path, cameras=(), depth=True)
    assert {path.name for path in episode(tmp_path).iterdir()} == {
        *("low_dim_obs.pkl", "ground_truth.json")
    }


def test_the_recording_says_how_it_was_made(tmp_path: Path) -> None:
    recorded(tmp_path, FakeSimulator(SourceOptions(4, 48)))
    told = json.loads((tmp_path / RECORDING).read_text("utf-8"))
    assert told["scheme"] == "fake"
    assert told["licence"] == "made up"
    assert told["settings"] == {"seed": 4, "image_size": 48, "shadows": False}
    assert len(told["episodes"]) == 5
    assert told["episodes"]["push_button/variation1/episodes/episode1"].startswith(
        "push_button/variation1/demo4"
    )
    assert not list(tmp_path.glob(".*"))


# ------------------------------------------------------------------- the same questions from them


@pytest.mark.parametrize("layout", ["variations", "all_variations"])
def test_recorded_demos_give_the_same_rows_as_the_simulator(tmp_path: Path, layout: Layout) -> None:
    """Byte for byte: only the provenance and what is made of it differ."""
    source = FakeSimulator()
    selection = Selection(("reach_target", "push_button"), None, 5)
    spec = Spec(cameras=("front", "overhead"))
    record(source, tmp_path / "demos", selection, layout=layout, cameras=spec.cameras)
    extract(source, spec, tmp_path / "live", selection)
    extract(RLBenchSource(str(tmp_path / "demos")), spec, tmp_path / "saved")
    live, saved = tree(tmp_path / "live"), tree(tmp_path / "saved")
    differing = {name for name in live | saved if live.get(name) != saved.get(name)}
    assert differing == {"README.md", "meta/manifest.json", "meta/provenance.json"}
    assert all(row["reasoning"] for row in rows_of(tmp_path / "saved"))


def test_recorded_demos_keep_their_licence(tmp_path: Path, demos: Path) -> None:
    """Unless others have been put among them."""
    recorded(tmp_path, cameras=())
    assert RLBenchSource(str(tmp_path)).licence == "made up"
    assert RLBenchSource(str(tmp_path)).recorded_by == "fake"
    extract(RLBenchSource(str(tmp_path)), Spec(cameras=()), tmp_path.with_name("out"))
    assert validate(tmp_path.with_name("out")).ok
    assert RLBenchSource(str(demos)).recorded_by is None
    assert "RLBench" in RLBenchSource(str(demos)).licence
    shutil.copytree(demos / "reach_target", tmp_path / "reach_target")
    assert "RLBench" in RLBenchSource(str(tmp_path)).licence
    shutil.rmtree(tmp_path / "reach_target")
    (tmp_path / RECORDING).write_text("[]")
    assert "RLBench" in RLBenchSource(str(tmp_path)).licence


# ----------------------------------------------------------------------------- going on, and again


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_byte(tmp_path: Path, workers: int) -> None:
    recorded(tmp_path / "one")
    recorded(tmp_path / "other", workers=workers)
    assert tree(tmp_path / "other") == tree(tmp_path / "one")


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    recorded(tmp_path / "whole")
    log, out = tmp_path / "log", tmp_path / "out"
    source = FakeSimulator(log=log)
    with pytest.raises(Enough):
        recorded(out, source, listener=StopAfter("Recording demos", 2))
    assert not list(out.glob(".*"))
    shutil.rmtree(episode(out))
    (episode(out).parent / ".episode0.1.tmp").mkdir()  # what a killed run leaves behind
    made = recorded(out, source)
    assert (dict(made.written), dict(made.kept)) == ({"push_button": 4}, {"push_button": 1})
    assert tree(out) == tree(tmp_path / "whole")
    again = recorded(out, source)
    assert (dict(again.written), dict(again.kept)) == ({}, {"push_button": 5})
    assert len(log.read_text().splitlines()) == 2 + 4


def test_more_can_be_asked_for_later(tmp_path: Path) -> None:
    more = Selection(("push_button", "reach_target"), None, 8)
    recorded(tmp_path / "whole", selection=more)
    recorded(tmp_path / "out")
    made = recorded(tmp_path / "out", selection=more)
    assert dict(made.kept) == {"push_button": 5}
    assert dict(made.written) == {"push_button": 3, "reach_target": 8}
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@pytest.mark.parametrize(
    ("source", "options", "what"),
    [
        (FakeSimulator(SourceOptions(1)), {}, "settings was"),
        (FakeSimulator(SourceOptions(0, 64)), {}, "settings was"),
        (FakeSimulator(), {"cameras": ("overhead",)}, "cameras was ['front']"),
        (FakeSimulator(), {"depth": True}, "depth was False, and is True now"),
        (FakeSimulator(), {"layout": "all_variations"}, "layout was 'variations'"),
    ],
)
def test_demos_made_otherwise_are_not_mixed_in(
    tmp_path: Path, source: FakeSimulator, options: dict[str, Any], what: str
) -> None:
    recorded(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(UsageError) as caught:
        recorded(tmp_path, source, **options)
    assert what in caught.value.what
    assert tree(tmp_path) == before


def test_an_episode_keeps_its_demo(tmp_path: Path) -> None:
    """In one folder for all variations, more episodes come after those that are there."""
    recorded(tmp_path, layout="all_variations")
    before = tree(tmp_path)
    made = recorded(tmp_path, selection=replace(FIVE, episodes=8), layout="all_variations")
    assert sum(made.kept.values()) > 0
    assert sum(made.written.values()) > 0
    after = tree(tmp_path)
    assert {name: after[name] for name in before if name != "recording.json"} == {
        name: before[name] for name in before if name != "recording.json"
    }
    folders = [path for path in tmp_path.rglob("episode[0-9]*") if path.is_dir()]
    assert len(folders) == sum(made.kept.values()) + sum(made.written.values())


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds no recording"):
        recorded(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="takes a folder"):
        raise_for_a_file(tmp_path / "thesis.tex")


def raise_for_a_file(path: Path) -> None:
    try:
        recorded(path)
    except UsageError as error:
        raise UsageError(f"{error.what}: {error.remedy}") from None


@pytest.mark.parametrize("text", ["", "[]", '{"version": "1"}', "{"])
def test_a_damaged_list_is_named(tmp_path: Path, text: str) -> None:
    recorded(tmp_path)
    (tmp_path / RECORDING).write_text(text)
    with pytest.raises(UsageError, match=RECORDING):
        recorded(tmp_path)


# ---------------------------------------------------------------------------------- what goes wrong


def test_a_demo_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    made = recorded(tmp_path, FakeSimulator(failing=("demo1",)), workers=2)
    (line,) = made.failures
    assert line["where"] == "push_button/variation1/demo1"
    assert line["why"] == "no way to the target was found"
    assert dict(made.written) == {"push_button": 4}
    assert not episode(tmp_path, 1, 0).exists()
    assert episode(tmp_path, 1, 1).exists()  # numbers do not depend on luck
    mended = recorded(tmp_path)
    assert dict(mended.written) == {"push_button": 1}


def test_where_none_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed, match="none of the 5 demos") as caught:
        recorded(tmp_path, FakeSimulator(failing=("",)))
    assert len(caught.value.failures) == 5


class Buggy(FakeSimulator):
    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        raise ZeroDivisionError("a bug")


def test_a_bug_in_a_source_is_its_demos_failure(tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed) as caught:
        recorded(tmp_path, Buggy())
    assert caught.value.failures[0]["why"] == "ZeroDivisionError: a bug"


class Colourless(FakeSimulator):
    def load(self, ref: DemoRef, cameras: tuple[str, ...]) -> Demo:
        return replace(super().load(ref, cameras), depths={})


def test_what_a_source_does_not_give_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no camera 'wrist' in fake"):
        recorded(tmp_path / "a", cameras=("wrist",))
    with pytest.raises(UsageError, match="gives no depth of camera 'front'") as caught:
        recorded(tmp_path / "b", Colourless(), depth=True)
    assert "none" in caught.value.remedy
    with pytest.raises(SourceError, match="no task 'fly'"):
        recorded(tmp_path / "c", selection=Selection(("fly",)))
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "c").exists()


def test_saved_demos_are_not_recorded_again(tmp_path: Path, demos: Path) -> None:
    with pytest.raises(UsageError, match="saved already"):
        record(RLBenchSource(str(demos)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------ the command line


def test_the_command(robotmcqa: Run, tmp_path: Path) -> None:
    env = installed(tmp_path / "site")
    out = tmp_path / "with space"
    words = ("record", "--source", "fake", "--task", "push_button", "--episodes", 5, "--out", out)
    done = robotmcqa(*words, "--image-size", 24, "--seed", 2, "--camera", "all", env=env)
    assert done.returncode == 0, done.stderr
    assert f"Recorded into {out}" in done.stderr
    assert f"robotmcqa extract --source 'rlbench:{out}'" in done.stderr
    options = SourceOptions(2, 24)
    recorded(tmp_path / "own", FakeSimulator(options), cameras=("front", "overhead"))
    assert demos_in(out) == demos_in(tmp_path / "own")
    again = robotmcqa(*words, "--image-size", 24, "--seed", 2, "--camera", "all", "--json", env=env)
    told = json.loads(again.stdout)
    assert told["kept"] == {"push_button": 5}
    assert told["written"] == {}
    other = robotmcqa(*words, "--image-size", 32, env=env)
    assert other.returncode == 2
    assert "recorded otherwise" in other.stderr


def test_the_command_without_pictures(robotmcqa: Run, tmp_path: Path) -> None:
    env = installed(tmp_path / "site")
    out = tmp_path / "out"
    done = robotmcqa(
        *("record", "--source", "fake", "--variation", 1, "--episodes", 1, "--no-images"),
        *("--out", out, "--layout", "all_variations"),
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert len(refs(out)) == 4
    assert {ref.variation for ref in refs(out)} == {1} < set(range(VARIATIONS))
    assert not list(out.rglob("*.png"))


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("--task", "fly"), 3, "no task 'fly'"),
        (("--camera", "wrist"), 2, "no camera 'wrist'"),
        (("--variation", "red"), 2, "--variation takes a number"),
        (("--episodes", "0"), 2, "--episodes"),
        (("--layout", "flat"), 2, "--layout"),
    ],
)
def test_wrong_words(
    robotmcqa: Run, tmp_path: Path, words: tuple[str, ...], code: int, what: str
) -> None:
    env = installed(tmp_path / "site")
    done = robotmcqa("record", "--source", "fake", "--out", tmp_path / "out", *words, env=env)
    assert done.returncode == code
    assert what in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_saved_demos_in_the_command(robotmcqa: Run, demos: Path, tmp_path: Path) -> None:
    for scheme in ("rlbench", "lerobot"):
        done = robotmcqa("record", "--source", f"{scheme}:{demos}", "--out", tmp_path / "out")
        assert done.returncode == 2
        assert "saved already" in done.stderr
