"""What the Robot-R1 paper (arXiv 2506.00070) reports, on its own questions that nobody has."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["AGREEMENT", "AGREEMENT_ANSWERS", "SCORES"]

_TYPES = ("planning", "high_level_action", "motion", "spatial")


def _row(*values: float) -> Mapping[str, float]:
    return dict(zip(_TYPES, values, strict=True))


SCORES: Mapping[str, Mapping[str, float]] = {
    "GPT-4o": _row(1.96, 2.02, 0.72, 1.43),
    "Qwen2.5-VL-7B": _row(1.66, 1.04, 0.58, 1.40),
    "Direct SFT": _row(0.0, 0.04, 0.06, 0.06),
    "CoT SFT": _row(0.60, 1.28, 0.70, 0.29),
    "Robot-R1": _row(1.44, 1.30, 0.76, 1.51),
    "Robot-R1, seed 2": _row(1.70, 1.46, 0.64, 1.66),
    "Robot-R1, seed 3": _row(1.56, 1.50, 0.54, 1.60),
    "RLOO": _row(1.56, 1.54, 0.68, 1.52),
    "REINFORCE++": _row(1.40, 1.08, 0.62, 1.38),
    "waypoint only": _row(1.44, 1.22, 0.40, 1.42),
    "waypoint + current_state": _row(1.50, 1.24, 0.54, 1.51),
    "open-ended waypoint": _row(1.60, 1.26, 0.68, 1.37),
}
"""Model -> mean score of each type, from 0 to 3."""

AGREEMENT: Mapping[str, float] = _row(0.33, 0.90, 0.89, 0.90)
"""Type -> Pearson correlation of its judge with people."""

AGREEMENT_ANSWERS = 80
"""Answers that people scored for it."""
