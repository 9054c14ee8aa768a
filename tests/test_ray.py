"""Ray runs the jobs elsewhere, and what comes out is the same to the byte."""

from __future__ import annotations

import json
import os
import pickle
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from robotmcqa.engines import open_engine
from robotmcqa.engines.node import answer, conditions_of
from robotmcqa.engines.ray import RETRIES, function_for_nodes
from robotmcqa.errors import EngineError, UsageError
from robotmcqa.provenance import versions
from robotmcqa.workplace import Workplace, open_workplace
from tests.conftest import SCRIPT, Run, environment, tree
from tests.ray_cases import Job, Particular
from tests.ray_nodes import Cluster, cluster, descendants
from tests.runs import SLOW_RULE, alive, command, spooled, started, wait_until

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


def test_ray_with_two_workers_gives_the_same_bytes(
    script: Run, demos: Path, dataset: Path, tmp_path: Path
) -> None:
    """And leaves stdout to us, and neither a process nor a file of its own."""
    home, place = tmp_path / "home", tmp_path / "t"
    home.mkdir()
    place.mkdir()
    out = tmp_path / "out"
    options = ("--engine", "ray", "--workers", 2, "--json")
    variables = {"HOME": str(home), "TMPDIR": str(place)}
    done = script(*command(demos, out, *options)[1:], env=variables)
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(dataset)
    assert json.loads(done.stdout)["splits"]
    assert "engine: Ray, 2 cores\n" in done.stderr
    assert "raylet" not in done.stderr
    assert "WARN" not in done.stderr
    assert not [*home.iterdir(), *place.iterdir()]


# ------------------------------------------------------------------------------------- refusals


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'robotmcqa\[ray\]'"), open_engine("ray"):
        pass


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--engine", "ray", "--ray-address", "127.0.0.1:1"], 4, "127.0.0.1:1"),
        (["--engine", "ray", "--ray-address", "ray://127.0.0.1:1"], 4, "ray://127.0.0.1:1"),
        (["--engine", "ray", "--ray-address", "http://head"], 2, "HOST:PORT"),
        (["--ray-address", "auto"], 2, "--engine ray"),
    ],
)
def test_an_address_that_nobody_answers_at(
    robotmcqa: Run, demos: Path, tmp_path: Path, options: list[str], code: int, told: str
) -> None:
    done = robotmcqa(*command(demos, tmp_path / "out", *options)[1:])
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not (tmp_path / "out").exists()


def test_no_such_engine() -> None:
    with pytest.raises(UsageError, match="local, ray"):
        open_engine("dask")


@pytest.mark.parametrize("package", ["robotmcqa", "pyarrow", "numpy", "python", "unheard-of"])
def test_a_node_with_another_version_is_refused(package: str) -> None:
    asked = tuple({**dict(versions()), package: "0.0.1"}.items())
    there = function_for_nodes()(asked, "{}", pickle.dumps(str), [1])
    assert isinstance(there, str)
    assert package in there
    assert "0.0.1" in there
    assert platform.node() in there


def test_a_node_with_the_same_versions_works() -> None:
    there = function_for_nodes()(versions(), "{}", pickle.dumps(str), [1, 2])
    assert there[1] == ["1", "2"]


def test_a_node_that_would_make_other_bytes_is_refused() -> None:
    function = Particular()
    pickled = pickle.dumps(function)
    assert answer(conditions_of(function), pickled, [Job("one")])[1] == ["one"]
    with pytest.raises(EngineError, match="process is"):
        answer('{"process": 1}', pickled, [Job("one")])


def test_a_node_that_does_not_see_the_folder_is_named(tmp_path: Path) -> None:
    with open_workplace(tmp_path / "out", {"of": "a run"}, resume=False, overwrite=False) as place:
        assert place.mark() == place.mark()
        elsewhere = Workplace(tmp_path / "not there")
        with pytest.raises(UsageError, match=f"{platform.node()} does not see .*not there"):
            elsewhere.mark()


# ------------------------------------------------------------------------------- what may happen


@pytest.mark.slow
def test_what_becomes_of_jobs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ray_cases", str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = json.loads(done.stdout)  # not a word of Ray's on stdout
    assert "died" not in done.stderr
    assert found["refused"] == {
        "kind": "DemoError",
        "what": "one is broken",
        "remedy": "mend it",
        "notes": "",
    }
    assert found["full"]["kind"] == "OSError"
    assert "tests/ray_cases.py" in found["full"]["notes"]
    assert found["elsewhere"]["kind"] == "EngineError"
    assert "other bytes" in found["elsewhere"]["what"]
    assert found["nested"] == [f"job{number}" for number in range(6)]
    assert found["killed_twice"] == [f"job{number}" for number in range(6)]
    assert found["killed_always"]["kind"] == "EngineError"
    assert "one: its worker died" in found["killed_always"]["what"]
    assert "--resume" in found["killed_always"]["remedy"]
    assert found["attempts"] == 1 + RETRIES
    assert found["endless"]["distinct"] == 300
    assert found["endless"]["workers"] == 2
    assert found["endless"]["ahead"] < 400


# ------------------------------------------------------------------------------------ one digest

SIMULATED = (
    *("--source", "sim", "--task", "reach_target", "--task", "push_button"),
    *("--episodes", "14", "--image-size", "64", "--preset", "grounded"),
)
DEMOS = 28
ENGINES = {
    "serial": ("--workers", "1"),
    "two workers": ("--workers", "2"),
    "ray": ("--engine", "ray", "--workers", "2"),
}


@pytest.fixture(scope="module")
def whole(script: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of a data set that one process has made in one go, with their digests."""
    out = tmp_path_factory.mktemp("serial") / "out"
    done = script("extract", *SIMULATED, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    return tree(out)


def simulation(out: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    words = [str(SCRIPT), "extract", *SIMULATED, "--out", str(out), *options]
    return started(words, **variables)


def ended_well(driver: subprocess.Popen[str]) -> str:
    """What it has said on stderr."""
    _, stderr = driver.communicate(timeout=200)
    assert driver.returncode == 0, stderr
    return stderr


def kill_in_the_middle(driver: subprocess.Popen[str], out: Path, demos: int) -> None:
    wait_until(lambda: spooled(out) >= demos)
    assert driver.poll() is None
    driver.kill()
    driver.communicate()
    assert spooled(out) < DEMOS
    assert not (out / "meta/manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_one_digest(engine: str, whole: dict[str, str], tmp_path: Path) -> None:
    """In one go, and with the driver killed twice."""
    ended_well(simulation(tmp_path / "out", *ENGINES[engine]))
    assert tree(tmp_path / "out") == whole
    out = tmp_path / "interrupted"
    for demos in (4, 14):
        kill_in_the_middle(simulation(out, *ENGINES[engine], "--resume"), out, demos)
    ended_well(simulation(out, *ENGINES[engine], "--resume"))
    assert tree(out) == whole


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    with cluster() as made:
        made.add()
        made.add()
        yield made


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("how", ["in one go", "driver killed"])
def test_a_node_is_lost_in_the_middle(
    how: str, two_nodes: Cluster, whole: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--engine", "ray", "--ray-address", two_nodes.address)
    driver = simulation(out, *options, **two_nodes.variables)
    if how == "driver killed":
        kill_in_the_middle(driver, out, 4)
        driver = simulation(out, *options, "--resume", **two_nodes.variables)
    wait_until(lambda: spooled(out) >= 10)
    two_nodes.end(two_nodes.nodes[-1])
    assert driver.poll() is None
    assert spooled(out) < DEMOS
    ended_well(driver)
    assert tree(out) == whole


@pytest.mark.slow
@needs_proc
def test_a_node_that_joins_later_gets_work(tmp_path: Path, demos: Path) -> None:
    (tmp_path / "slow_rule.py").write_text(SLOW_RULE)
    out = tmp_path / "out"
    slow = {"PYTHONPATH": str(tmp_path), "SLOW_RULE": "3"}
    with cluster(**slow) as nodes:
        nodes.add()
        options = ("--engine", "ray", "--ray-address", nodes.address, "--no-images")
        words = command(demos, out, "--keyframes", "slow_rule:rule", *options)
        driver = started(words, **nodes.variables)
        wait_until(lambda: spooled(out) >= 1)
        late = nodes.add()
        wait_until(lambda: any("on_node" in name(pid) for pid in descendants(late.pid)))
        ended_well(driver)


def name(pid: int) -> str:
    """What a process calls itself."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def in_a_terminal(out: Path) -> subprocess.Popen[str]:
    """An extraction on a Ray of its own, at the head of a group of processes."""
    return subprocess.Popen(
        [str(SCRIPT), "extract", *SIMULATED, "--out", str(out), *ENGINES["ray"]],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def ended_by_ctrl_c(driver: subprocess.Popen[str]) -> str:
    """What it has said on stderr; every process of its group heard, as from a terminal."""
    family = descendants(driver.pid)
    os.killpg(driver.pid, signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=120)
    assert driver.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not stdout
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 20)
    return stderr


@pytest.mark.slow
@needs_proc
def test_ctrl_c_ends_ray_too(whole: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = in_a_terminal(out)
    wait_until(lambda: spooled(out) >= 4)
    assert len(descendants(driver.pid)) > 4
    assert "--resume" in ended_by_ctrl_c(driver)
    ended_well(simulation(out, "--resume"))
    assert tree(out) == whole


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("sign", ["gcs_server", "raylet/raylet", "ray::"])
def test_ctrl_c_while_ray_starts(tmp_path: Path, sign: str) -> None:
    driver = in_a_terminal(tmp_path / "out")
    wait_until(lambda: any(sign in name(pid) for pid in descendants(driver.pid)))
    ended_by_ctrl_c(driver)


@pytest.mark.slow
@needs_proc
def test_nothing_of_ray_outlives_a_killed_driver(tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = simulation(out, *ENGINES["ray"])
    wait_until(lambda: spooled(out) >= 4)
    family = descendants(driver.pid)
    driver.kill()
    driver.communicate()
    # Ray's agents look for their parent for a while before they believe that it is gone.
    wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 120)
