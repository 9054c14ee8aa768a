"""What may be done with demonstrations, by who made them. Data made from them inherits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["HUB_KNOWS", "RLBENCH", "SIM", "as_spdx", "licence_problem"]

RLBENCH = "RLBench: for non-commercial research only"
"""Of RLBench's scenes, and so of every demonstration in them (its LICENSE)."""

SIM = "Apache-2.0"
"""Of the embedded simulator's demonstrations: its scenes are robotmcqa's own."""

HUB_KNOWS = (
    *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "CC0-1.0", "ODbL", "PDDL"),
    *("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0"),
)
"""SPDX identifiers that the Hub knows by the same name in lower case."""

_OF_SCHEME: Mapping[str, str] = {"rlbench": RLBENCH, "rlbench-live": RLBENCH, "sim": SIM}


def licence_problem(source: Mapping[str, Any]) -> str | None:
    """Why a provenance's source cannot have the licence it states; None where it can.

    Args:
        source: of ``meta/provenance.json``. Demos that a simulator recorded on disk are read like
            RLBench's, and keep the licence of the simulator that is named in ``recorded_by``.
            What a plugin's demos are licensed under only the plugin knows.
    """
    maker = source.get("recorded_by", source["scheme"])
    due = _OF_SCHEME.get(maker)
    if due is None or source["licence"] == due:
        return None
    return f"says '{source['licence']}', but demonstrations of '{maker}' are under '{due}'"


def as_spdx(name: str) -> str:
    """The SPDX identifier that a card of the Hub means; what is none stays as it is."""
    return {known.lower(): known for known in HUB_KNOWS}.get(name.lower(), name)
