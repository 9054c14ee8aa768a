"""A machine with live RLBench on it, or so it seems: the stand-ins of ``tests/fake_rlbench``."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.runs import wait_until

ROOT = Path(__file__).parents[1]
STAND_INS = Path(__file__).parent / "fake_rlbench"

XVFB = f"""#!{sys.executable} -SE
import os, sys, time
display = sys.argv[sys.argv.index("-displayfd") + 1]
with open(os.environ["FAKE_RLBENCH"] + "/log", "a") as log:
    log.write(f"{{os.getpid()}} xvfb\\n")
os.write(int(display), b"4711\\n")
time.sleep(1000)
"""


@dataclass
class Machine:
    """The stand-ins, what they are to do, and what they have done.

    Attributes:
        folder: where all of it lies.
        env: variables of a process that finds them.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        packages = self.folder / "packages"
        for name, version in (("PyRep", "4.1.0.3"), ("rlbench", "1.2.0")):
            info = packages / f"{name}-{version}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
        root = self.folder / "CoppeliaSim_Edu_V4_1_0_Ubuntu20_04"
        root.mkdir()
        (root / "libcoppeliaSim.so.1").touch()
        for name in ("faults", "spent", "made", "bin"):
            (self.folder / name).mkdir()
        self.env = {
            "COPPELIASIM_ROOT": str(root),
            "PYTHONPATH": f"{packages}:{STAND_INS}:{ROOT}",
            "FAKE_RLBENCH": str(self.folder),
            "DISPLAY": ":0",
            "LD_LIBRARY_PATH": "",
            "QT_QPA_PLATFORM": "offscreen",
        }

    def without_display(self, *, xvfb: bool) -> dict[str, str]:
        """The variables where there is no display, and perhaps no Xvfb either."""
        folder = self.folder / "bin"
        if xvfb:
            (folder / "Xvfb").write_text(XVFB)
            (folder / "Xvfb").chmod(0o755)
        return {**self.env, "DISPLAY": "", "PATH": str(folder)}

    def fault(self, task: str, variation: int, fault: str, times: int | None = None) -> None:
        """Have a variation's demos fail: always, or so many times."""
        name = f"{task}-{variation}-{fault}"
        for token in [name] if times is None else [f"{name}-{count}" for count in range(times)]:
            (self.folder / "faults" / token).touch()

    def mend(self) -> None:
        """No more faults."""
        for token in (self.folder / "faults").iterdir():
            token.unlink()

    def events(self, what: str) -> list[list[str]]:
        """The words after ``what`` in the log's lines of that kind."""
        lines = [line.split() for line in self._log()]
        return [words for _, name, *words in lines if name == what]

    def made(self) -> Counter[tuple[str, str]]:
        """(task, variation) -> demos that were made."""
        return Counter((task, variation) for task, variation in self.events("demo"))

    def pids(self) -> set[int]:
        """Of every process that has left a word: simulators and displays."""
        return {int(line.split()[0]) for line in self._log()}

    def _log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_the_end(self) -> None:
        """Until none of these processes is there: dead, not forgotten."""
        assert self.pids()
        wait_until(lambda: not any(_there(pid) for pid in self.pids()), 20)


def _there(pid: int) -> bool:
    """Whether a process lives; one that is dead and not yet waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
