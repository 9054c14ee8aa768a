"""What live RLBench needs on this machine, found without importing any of it.

Importing RLBench imports PyRep, which loads CoppeliaSim into the process: that is left to a
process of its own (:mod:`robotmcqa.sources.rlbench_live`).
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from robotmcqa.display import INSTALL_XVFB, display

__all__ = ["Piece", "environment", "missing", "pieces", "task_names", "versions"]

_ROOT = "COPPELIASIM_ROOT"
_COPPELIASIM = "CoppeliaSim_Edu_V4_1_0_Ubuntu20_04"
_INSTALL_COPPELIASIM = (
    f"curl -LO https://downloads.coppeliarobotics.com/V4_1_0/{_COPPELIASIM}.tar.xz && "
    f"tar xf {_COPPELIASIM}.tar.xz && export {_ROOT}=$PWD/{_COPPELIASIM}"
)
_INSTALL_PYREP = (
    f"export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:${_ROOT} QT_QPA_PLATFORM_PLUGIN_PATH=${_ROOT} && "
    "pip install git+https://github.com/stepjam/PyRep.git"
)
_INSTALL_RLBENCH = "pip install git+https://github.com/stepjam/RLBench.git"


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that live RLBench needs.

    Attributes:
        what: it is.
        found: its version or place, or why it cannot be used.
        remedy: the command that gets it; empty where it is there.
    """

    what: str
    found: str
    remedy: str = ""


def pieces() -> list[Piece]:
    """Everything that is needed, there or not."""
    linux = sys.platform.startswith("linux")
    return [
        *([] if linux else [Piece("Linux", sys.platform, "PyRep works on Linux only")]),
        _coppeliasim(),
        _pyrep(),
        _rlbench(),
        _display(),
    ]


def missing() -> list[Piece]:
    """What is not there."""
    return [piece for piece in pieces() if piece.remedy]


def versions() -> dict[str, str]:
    """Of RLBench, PyRep and CoppeliaSim, each ``unknown`` where nothing says it."""
    name = re.search(r"V(\d+)_(\d+)_(\d+)", Path(os.environ.get(_ROOT, "")).resolve().name)
    return {
        "coppeliasim": ".".join(name.groups()) if name else "unknown",
        "pyrep": _version("pyrep"),
        "rlbench": _version("rlbench"),
    }


def task_names() -> list[str]:
    """The tasks of the installed RLBench: a file for each. Sorted."""
    return sorted(
        file.stem
        for folder in _folders("rlbench")
        for file in (folder / "tasks").glob("*.py")
        if not file.name.startswith("_")
    )


def environment() -> dict[str, str]:
    """Of a process that is to load CoppeliaSim, whose libraries are looked for as it starts."""
    root = os.path.abspath(os.environ[_ROOT])
    there = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    variables = {**os.environ, _ROOT: root}
    if root not in there:
        variables["LD_LIBRARY_PATH"] = os.pathsep.join([*filter(None, there), root])
    # Another package may have set it for a Qt of its own, such as OpenCV's.
    variables["QT_QPA_PLATFORM_PLUGIN_PATH"] = root
    if variables.get("QT_QPA_PLATFORM") == "offscreen":
        del variables["QT_QPA_PLATFORM"]  # CoppeliaSim crashes in it as soon as a camera draws
    return variables


def _coppeliasim() -> Piece:
    what = "CoppeliaSim 4.1"
    root = os.environ.get(_ROOT)
    if not root:
        return Piece(what, f"{_ROOT} is not set", _INSTALL_COPPELIASIM)
    if not any(Path(root).glob("libcoppeliaSim.so*")):
        return Piece(what, f"{root} holds no libcoppeliaSim.so", _INSTALL_COPPELIASIM)
    return Piece(what, root)


def _pyrep() -> Piece:
    """The package of this name on PyPI is another one: it keeps objects in folders."""
    folders = _folders("pyrep")
    if not folders:
        return Piece("PyRep", "not installed", _INSTALL_PYREP)
    if not any(
        (folder / "const.py").is_file() and (folder / "robots").is_dir() for folder in folders
    ):
        return Piece(
            "PyRep",
            f"another package is installed under its name: PyPI's pyrep {_version('pyrep')}",
            f"pip uninstall -y pyrep && {_INSTALL_PYREP}",
        )
    return Piece("PyRep", _version("pyrep"))


def _rlbench() -> Piece:
    if not task_names():
        return Piece("RLBench", "not installed", _INSTALL_RLBENCH)
    return Piece("RLBench", _version("rlbench"))


def _display() -> Piece:
    found = display()
    if found is None:
        return Piece("a display", "DISPLAY is not set and there is no Xvfb", INSTALL_XVFB)
    return Piece("a display", found)


def _folders(package: str) -> list[Path]:
    """Where a package lies; nowhere if it is not installed."""
    spec = find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
