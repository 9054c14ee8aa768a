"""Question families: one file each, with its prompt in ``templates/``.

A new family is a class like the three here (see :class:`~robotmcqa.questions.family.Family`), a
template with its name, and a line in :data:`FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from robotmcqa.questions.current_state import CurrentState
from robotmcqa.questions.family import Family
from robotmcqa.questions.motion import Motion
from robotmcqa.questions.waypoint import Waypoint

__all__ = ["FAMILIES", "Family"]

FAMILIES: Mapping[str, Family] = {
    family.name: family for family in (Waypoint(), CurrentState(), Motion())
}
"""Name -> family, in the order in which rows stand."""
