"""The spec: every choice that decides what the questions of a data set are.

Two runs over the same episodes with equal specs write the same bytes. The spec stands in the
manifest, and its digest in every row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from robotmcqa.distractors import LAWS
from robotmcqa.errors import UsageError
from robotmcqa.keyframes import keyframe_rule, rule_code
from robotmcqa.scene import SceneMetadata, scene_preset

__all__ = ["PRESETS", "SPEC_VERSION", "Spec", "document_digest", "preset"]

SPEC_VERSION = "2"
"""Changes when the same arguments would give other questions."""

FAMILY_NAMES = ("waypoint", "current_state", "motion")

Visibility = Literal["shown", "withheld"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked, and how. Lengths in whole millimetres.

    Attributes:
        families: a subset of ``FAMILY_NAMES``, in that order.
        format: ``choice`` with lettered options, or ``open``: the row carries the target.
        choices: options per question, the right one included.
        distractors: law for positions, one of :data:`robotmcqa.distractors.LAWS`.
        state: whether waypoint prompts state the current position.
        motion_state: whether motion prompts do (with the fixed points and the gripper's size).
        min_displacement: leave out waypoint and motion questions whose target is closer.
        separation: least distance between any two options.
        dead_band: changes up to this are no movement in a motion label.
        stride: every how many frames a question is asked.
        keyframes: name of the keyframe rule.
        cameras: pictures that go with each question, in this order; empty for none.
        seed: of all draws.
        test_fraction: share of episodes in the test split.
        scene: what prompts say about the world.
        templates: family -> a user's own Jinja template, as text.
    """

    families: tuple[str, ...] = FAMILY_NAMES
    format: Literal["choice", "open"] = "choice"
    choices: int = 4
    distractors: str = "uniform"
    state: Visibility = "shown"
    motion_state: Visibility = "withheld"
    min_displacement: int = 0
    separation: int = 50
    dead_band: int = 0
    stride: int = 10
    keyframes: str = "arm"
    cameras: tuple[str, ...] = ("front",)
    seed: int = 0
    test_fraction: float = 0.1
    scene: SceneMetadata = field(default_factory=scene_preset)
    templates: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in self.families if name not in FAMILY_NAMES]
        families, laws = ", ".join(FAMILY_NAMES), ", ".join(LAWS)
        checks = (
            (
                bool(unknown),
                f"no family '{', '.join(unknown)}'",
                f"one of {families}",
            ),
            (not self.families, "no family chosen", f"one of {families}"),
            (self.format not in ("choice", "open"), f"no format '{self.format}'", "choice or open"),
            (not 2 <= self.choices <= 8, f"{self.choices} choices", "--choices takes 2 to 8"),
            (
                self.distractors not in LAWS,
                f"no law '{self.distractors}'",
                f"one of {laws}",
            ),
            (self.stride < 1, f"stride {self.stride}", "--stride takes 1 or more"),
            (
                not 0 <= self.test_fraction <= 0.9,
                f"test fraction {self.test_fraction}",
                "--test-fraction takes 0 to 0.9",
            ),
            (
                min(self.min_displacement, self.separation, self.dead_band) < 0,
                "a negative length",
                "lengths are 0 m or more",
            ),
            (
                len(set(self.cameras)) != len(self.cameras),
                f"a camera twice in {', '.join(self.cameras)}",
                "name each camera once",
            ),
            (
                bool(set(self.templates) - set(FAMILY_NAMES)),
                f"a template for {sorted(set(self.templates) - set(FAMILY_NAMES))}",
                f"templates are for {families}",
            ),
        )
        for wrong, what, remedy in checks:
            if wrong:
                raise UsageError(what, remedy)
        keyframe_rule(self.keyframes)
        in_order = tuple(name for name in FAMILY_NAMES if name in self.families)
        object.__setattr__(self, "families", in_order)

    def document(self) -> dict[str, Any]:
        """The spec as JSON; templates by their hash, the scene by its document's."""
        return {
            "version": SPEC_VERSION,
            "families": list(self.families),
            "format": self.format,
            "choices": self.choices,
            "distractors": self.distractors,
            "state": self.state,
            "motion_state": self.motion_state,
            "min_displacement_mm": self.min_displacement,
            "separation_mm": self.separation,
            "dead_band_mm": self.dead_band,
            "stride": self.stride,
            "keyframes": self.keyframes,
            "keyframe_code": rule_code(self.keyframes),
            "cameras": list(self.cameras),
            "seed": self.seed,
            "test_fraction": float(self.test_fraction),
            "scene": document_digest(self.scene.document),
            "templates": {
                name: document_digest(text) for name, text in sorted(self.templates.items())
            },
        }

    def digest(self) -> str:
        """16 hex digits that stand for the whole spec."""
        return document_digest(self.document())


def document_digest(value: Any) -> str:
    """16 hex digits for a JSON document, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8, person=b"robotmcqa.spec").hexdigest()


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"distractors": "uniform", "state": "shown"},
    "grounded": {"distractors": "auto", "state": "withheld"},
}
"""``paper`` is what Robot-R1 describes; ``grounded`` is meant to need the picture."""


def preset(name: str, **overrides: Any) -> Spec:
    """A preset's spec with single fields overridden.

    Raises:
        UsageError: there is no such preset, or the fields do not fit together.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset '{name}'", f"one of {', '.join(PRESETS)}")
    return replace(Spec(), **{**PRESETS[name], **overrides})
