"""What is installed, what is missing, and how to get it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from packaging.requirements import Requirement

from robotmcqa.errors import RobotMCQAError
from robotmcqa.sources import SCHEMES
from robotmcqa.sources.plugins import plugin_problem, plugins
from robotmcqa.sources.rlbench_install import missing, pieces

__all__ = ["EXTRAS", "Finding", "diagnose"]


EXTRAS: Mapping[str, str] = {
    "lerobot": "videos of LeRobot data sets",
    "train": "training",
    "eval": "evaluation of models",
    "ray": "--engine ray",
    "s3": "data sets at s3://",
    "dev": "work on robotmcqa itself",
}
"""Extra -> what it is for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for.

    Attributes:
        what: was looked for.
        state: ``ok``; ``missing``, which robotmcqa needs; ``optional``, which it can do without.
        found: version or place.
        remedy: a command that gets it, empty where there is nothing to do.
        extra: of robotmcqa that asks for it, empty where robotmcqa itself does.
    """

    what: str
    state: Literal["ok", "missing", "optional"]
    found: str = ""
    remedy: str = ""
    extra: str = ""

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {name: text for name, text in asdict(self).items() if name != "extra"}


def diagnose() -> list[Finding]:
    """Look for everything."""
    return [*_python(), *_packages(), *_drawing(), *_live(), *_sources()]


def _python() -> Iterator[Finding]:
    right = sys.version_info >= (3, 11)
    yield Finding(
        "Python 3.11 or later",
        "ok" if right else "missing",
        platform.python_version(),
        "" if right else "install Python 3.11 and make a new virtual environment",
    )


def _packages() -> Iterator[Finding]:
    """Each requirement of the installed robotmcqa; those of extras are optional."""
    for line in requires("robotmcqa") or ():
        requirement = Requirement(line)
        extra = next(
            (
                name
                for name in EXTRAS
                if requirement.marker and requirement.marker.evaluate({"extra": name})
            ),
            "",
        )
        what = f"{requirement.name} {requirement.specifier}" + (f" ({extra})" if extra else "")
        remedy = f"pip install 'robotmcqa[{extra}]'" if extra else f"pip install '{line}'"
        absent: Literal["missing", "optional"] = "optional" if extra else "missing"
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(what, absent, "not installed", remedy, extra)
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        yield Finding(what, "ok" if fits else absent, found, "" if fits else remedy, extra)


def _drawing() -> Iterator[Finding]:
    """What draws simulated pictures. Rays need nothing, but OpenGL is faster."""
    from robotmcqa.sim.gl import GL_PACKAGES, choose_renderer

    try:
        backend = choose_renderer()
    except RobotMCQAError as error:
        yield Finding("renderer of the simulator", "missing", error.what, error.remedy)
        return
    slow = backend.kind == "rays"
    yield Finding(
        "renderer of the simulator",
        "optional" if slow else "ok",
        f"{backend.kind}: {backend.reason}",
        f"{GL_PACKAGES} draws faster" if slow else "",
    )


def _live() -> Iterator[Finding]:
    """What RLBench itself needs: nothing that robotmcqa cannot do without."""
    for piece in pieces():
        state: Literal["ok", "optional"] = "optional" if piece.remedy else "ok"
        yield Finding(f"{piece.what} (live RLBench)", state, piece.found, piece.remedy)


def _sources() -> Iterator[Finding]:
    for scheme in sorted(SCHEMES):
        if scheme == "rlbench-live" and missing():
            lacking = ", ".join(piece.what for piece in missing())
            how = missing()[0].remedy
            yield Finding(f"source {scheme}:", "optional", f"lacks {lacking}", how)
        else:
            yield Finding(f"source {scheme}:", "ok", "built in")
    for name, plugin in sorted(plugins().items()):
        problem = plugin_problem(plugin)
        remedy = f"mend or uninstall {plugin.dist.name}" if plugin.dist else "mend the plugin"
        if problem:  # robotmcqa itself can do without
            yield Finding(f"source {name}:", "optional", problem, remedy)
        else:
            yield Finding(f"source {name}:", "ok", plugin.value)
