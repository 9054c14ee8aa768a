"""What the tests share: demos, a data set made of them, the command line as a process, guards."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from robotmcqa.rlbench_layout import save_demo
from tests import warm
from tests.factory import make_demo, write_demos
from tests.rlbench_helpers import SMALL

if TYPE_CHECKING:
    from tests.live import Machine

Run = Callable[..., "subprocess.CompletedProcess[str]"]
"""``robotmcqa(*arguments)``, run to its end in a process of its own."""

Row = dict[str, Any]

SCRIPT = Path(sys.executable).with_name("robotmcqa")
TASKS = ("pick_up_block", "push_button", "reach_target")


def pytest_configure() -> None:
    """``--source auto`` is the embedded simulator, whatever the tester has installed."""
    os.environ.pop("COPPELIASIM_ROOT", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests and benchmarks run only when ``-m`` names them."""
    asked = config.getoption("markexpr") or ""
    for item in items:
        for mark in ("slow", "bench"):
            # Not item.keywords: those hold the names of folders too, which may be called bench.
            if item.get_closest_marker(mark) and mark not in asked:
                item.add_marker(pytest.mark.skip(reason=f"{mark}: runs with -m {mark}"))


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder: Path, *splits: str) -> list[Row]:
    """Rows as they lie in the parquet files, read without robotmcqa."""
    found: list[Row] = []
    for split in splits or ("train", "test"):
        for shard in sorted(folder.glob(f"data/{split}-*.parquet")):
            found.extend(pq.ParquetFile(shard).read().to_pylist())
    return found


def environment(**changes: str) -> dict[str, str]:
    """That of a plain terminal; no setting of the tester's own gets in the way."""
    kept = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return kept | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"} | changes


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The installed command, started as a shell starts it.

    In an empty folder unless ``cwd`` says otherwise.
    """
    elsewhere = tmp_path_factory.mktemp("cwd")

    def run(
        *arguments: object, cwd: Path = elsewhere, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), *map(str, arguments)],
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def robotmcqa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The same in a forked process, which takes a quarter of the time: see :mod:`tests.warm`."""
    elsewhere = tmp_path_factory.mktemp("cwd")

    def run(
        *arguments: object, cwd: Path = elsewhere, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        words = [str(SCRIPT), *map(str, arguments)]
        return warm.run(words, cwd=cwd, env=environment(**(env or {})))

    yield run
    warm.stop()


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks of four episodes in two variations, seen by two cameras. Read only."""
    folder = tmp_path_factory.mktemp("demos")
    write_demos(
        folder, dict.fromkeys(TASKS, 4), variations=2, size=64, cameras=("front", "overhead")
    )
    return folder


@pytest.fixture(scope="session")
def many_demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One task of fourteen episodes without pictures: enough for the law ``matched``. Read only."""
    folder = tmp_path_factory.mktemp("many")
    write_demos(folder, {"reach_target": 14}, cameras=())
    return folder


@pytest.fixture(scope="session")
def dataset(demos: Path, robotmcqa: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``robotmcqa extract`` makes of ``demos`` by default. Read only."""
    out = tmp_path_factory.mktemp("dataset") / "questions"
    done = robotmcqa("extract", "--source", f"rlbench:{demos}", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def rows(dataset: Path) -> list[Row]:
    return rows_of(dataset)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """The data set, to be tampered with."""
    folder = tmp_path / "copy"
    shutil.copytree(dataset, folder)
    return folder


@pytest.fixture
def extracted(demos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``extracted(*options)``: the rows of a data set made with them, and its folder.

    The command's own entry point, called in this process: half a second saved each time.
    """
    main = importlib.import_module("robotmcqa.cli.app").main

    def run(*options: object, source: Path = demos) -> tuple[list[Row], Path]:
        out = tmp_path / "out"
        words = ("extract", "--source", f"rlbench:{source}", "--out", out, *options)
        monkeypatch.setattr(sys, "argv", ["robotmcqa", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return rows_of(out), out

    return run


# ------------------------------------------------------------------------------ saved RLBench demos


@pytest.fixture(scope="session", name="tree")
def saved_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, variations 0 and 1, two episodes each."""
    root = tmp_path_factory.mktemp("demos")
    write_demos(root, {"reach_target": 4, "push_button": 4}, variations=2, **SMALL)
    return root


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The folder of the only episode of a data set."""
    return save_demo(tmp_path, make_demo(cameras=("front", "overhead"), **SMALL), 0)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Five episodes that a test may break."""
    folder = tmp_path / "small"
    write_demos(folder, {"reach_target": 5}, frames=60, size=16)
    return folder


@pytest.fixture(scope="session")
def rlbench_data() -> Path:
    """Demos that RLBench itself has recorded, where the tester has some."""
    folder = os.environ.get("ROBOTMCQA_RLBENCH_DATA")
    if not folder:
        pytest.skip("ROBOTMCQA_RLBENCH_DATA does not name a folder of RLBench's own demos")
    return Path(folder)


# --------------------------------------------------------------------------- pickles from strangers


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing may make this file: attacks run in its folder and make it by its bare name."""
    folder = tmp_path / "canary"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == [], "a pickle was executed"


@pytest.fixture
def memory() -> Iterator[None]:
    """At most 2 GiB more than now: an attack on memory fails instead of taking the machine."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource  # Windows has none

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + (2 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# -------------------------------------------------------------------------- a benchmark to answer


@pytest.fixture(scope="session")
def bench(robotmcqa: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``robotmcqa bench build`` makes. Read only."""
    out = tmp_path_factory.mktemp("bench") / "bench"
    done = robotmcqa("bench", "build", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


# ---------------------------------------------------------------------------------- live RLBench


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Where live RLBench seems to be installed."""
    from tests.live import Machine

    folder = tmp_path / "machine"
    folder.mkdir()
    return Machine(folder)
