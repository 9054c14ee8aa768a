"""docs/sources.md: its source works as it stands there; plugins that fail are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robotmcqa import open_source
from robotmcqa.sources import Selection
from tests.conftest import Run, rows_of
from tests.test_readme import ROOT, blocks

PAGE = ROOT / "docs/sources.md"


def plugin(site: Path, code: str, name: str = "npz", value: str = "my_source:open_npz") -> str:
    """A package with one module and one entry point, as installed in ``site``; its PYTHONPATH."""
    info = site / "my_package-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[robotmcqa.sources]\n{name} = {value}\n")
    (site / "my_source.py").write_text(code)
    return f"{site}:{ROOT}"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    (code,) = blocks(PAGE, "python")
    return {"PYTHONPATH": plugin(tmp_path_factory.mktemp("site"), code)}


@pytest.fixture(scope="module")
def episodes(demos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demos of variation 0 as the page's source wants them."""
    root = tmp_path_factory.mktemp("episodes")
    source = open_source(f"rlbench:{demos}")
    for ref in source.refs(Selection(variation=0)):
        demo = source.load(ref, ())
        file = root / ref.task / f"{Path(ref.locator).name}.npz"
        file.parent.mkdir(exist_ok=True)
        np.savez(
            file,
            gripper_pose=demo.gripper_pose,
            gripper_open=demo.gripper_open,
            joint_velocities=np.array(demo.joint_velocities),
            instruction=demo.instructions[0],
        )
        pictures = file.with_suffix("") / "front"
        pictures.mkdir(parents=True)
        for frame in range(len(demo)):
            (pictures / f"{frame}.png").write_bytes(demo.image("front", frame))
    return root


def test_the_source_of_the_page_is_extracted(
    script: Run, env: dict[str, str], demos: Path, episodes: Path, tmp_path: Path
) -> None:
    """In two processes, so that it has to pickle; the questions are those of the same demos."""
    source, out = f"npz:{episodes}", tmp_path / "out"
    done = script("extract", "--source", source, "--out", out, "--workers", 2, "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failures"] == []
    other = tmp_path / "other"
    words = ("--source", f"rlbench:{demos}", "--variation", "0", "--out", other)
    assert script("extract", *words).returncode == 0
    mine, theirs = (
        sorted(
            (row["task"], row["frame"], row["state"], row["target"], row["images"][0]["bytes"])
            for row in rows_of(folder)
        )
        for folder in (out, other)
    )
    assert mine == theirs
    made = json.loads((out / "meta/provenance.json").read_text("utf-8"))["source"]
    assert (made["scheme"], made["licence"]) == ("npz", "CC-BY-4.0")
    assert script("validate", out).returncode == 0


def test_the_source_of_the_page_is_inspected_and_listed(
    robotmcqa: Run, env: dict[str, str], episodes: Path
) -> None:
    done = robotmcqa("inspect", f"npz:{episodes}", "--json", env=env)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["usable"] == sum(task["demos"] for task in seen["tasks"].values()) == 6
    assert seen["failures"] == seen["problems"] == []
    listed = json.loads(robotmcqa("tasks", "--source", f"npz:{episodes}", "--json", env=env).stdout)
    assert set(listed) == set(seen["tasks"])
    missing = robotmcqa("inspect", f"npz:{episodes}", "--task", "fly", env=env)
    assert missing.returncode == 3
    assert "no task 'fly'" in missing.stderr


def test_what_is_wrong_with_its_demos_is_named(
    robotmcqa: Run, env: dict[str, str], tmp_path: Path
) -> None:
    for name, state in (("short", np.zeros((1, 7))), ("flat", np.zeros((9, 3)))):
        file = tmp_path / "pick" / f"{name}.npz"
        file.with_suffix("").mkdir(parents=True)
        np.savez(
            file,
            gripper_pose=state,
            gripper_open=np.ones(len(state)),
            joint_velocities=np.zeros(state.shape),
            instruction="pick",
        )
    (tmp_path / "pick/cut.npz").write_bytes(b"PK")
    done = robotmcqa("inspect", f"npz:{tmp_path}", env=env)
    assert done.returncode == 3
    for words in ("pick/cut.npz: ", "gripper_pose has shape (9, 3)", "the demo has 1 frame(s)"):
        assert words in done.stdout
    assert "Demos that cannot be used: 3 of 3" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_page_says_how_long_a_source_is() -> None:
    (code,) = blocks(PAGE, "python")
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 48


@pytest.mark.parametrize(
    ("code", "value", "cause", "remedy"),
    [
        ("import nothing_like_it", "my_source:open_npz", "ModuleNotFoundError", "my-package"),
        ("", "my_source:open_npz", "AttributeError", "my-package"),
        ("open_npz = 3", "my_source:open_npz", "is no function", "my-package"),
        ("def open_npz(rest):\n    pass", "my_source:open_npz", "TypeError", "my-package"),
        (
            "def open_npz(rest, options):\n    return 1 / 0",
            "my_source:open_npz",
            "ZeroDivisionError",
            "my-package",
        ),
        (
            "def open_npz(rest, options):\n    return 'demos'",
            "my_source:open_npz",
            "a str without scheme, location",
            "docs/sources.md",
        ),
    ],
    ids=["import", "name", "number", "arguments", "bug", "no source"],
)
def test_a_broken_plugin_is_named_when_it_is_asked_for(
    robotmcqa: Run, tmp_path: Path, code: str, value: str, cause: str, remedy: str
) -> None:
    env = {"PYTHONPATH": plugin(tmp_path / "site", code, value=value)}
    done = robotmcqa("tasks", "--source", "npz:there", env=env)
    assert done.returncode == 3
    assert cause in done.stderr
    assert remedy in done.stderr.partition("remedy:")[2]
    assert "Traceback" not in done.stderr


def test_a_broken_plugin_does_no_harm_to_the_listings(robotmcqa: Run, tmp_path: Path) -> None:
    env = {"PYTHONPATH": plugin(tmp_path / "site", "raise RuntimeError('at home only')")}
    assert robotmcqa("tasks", "--source", "sim", env=env).returncode == 0
    done = robotmcqa("doctor", "--json", env=env)
    assert done.returncode == 0
    (found,) = [one for one in json.loads(done.stdout) if one["what"] == "source npz:"]
    assert found["state"] == "optional"
    assert "RuntimeError: at home only" in found["found"]
    assert "my-package" in found["remedy"]
    known = robotmcqa("tasks", "--source", "nowhere", env=env)
    assert known.returncode == 2
    assert "npz:..." in known.stderr
