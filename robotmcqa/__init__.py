"""Robot demonstrations to multiple-choice questions.

Names below are loaded when first used, so that ``import robotmcqa`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.5.0"

if TYPE_CHECKING:
    from robotmcqa.dataset import Dataset
    from robotmcqa.demo import Demo
    from robotmcqa.errors import RobotMCQAError
    from robotmcqa.extraction import Summary, extract
    from robotmcqa.hub.publish import Pushed, push
    from robotmcqa.hub.pull import load
    from robotmcqa.keyframes import find_keyframes
    from robotmcqa.scene import SceneMetadata, load_scene, scene_preset
    from robotmcqa.sources import DemoRef, DemoSource, Selection, open_source
    from robotmcqa.spec import Spec, preset
    from robotmcqa.validation import Report, validate

_HOMES = {
    "Dataset": "dataset",
    "Demo": "demo",
    "DemoRef": "sources",
    "DemoSource": "sources",
    "Pushed": "hub.publish",
    "Report": "validation",
    "RobotMCQAError": "errors",
    "SceneMetadata": "scene",
    "Selection": "sources",
    "Spec": "spec",
    "Summary": "extraction",
    "extract": "extraction",
    "find_keyframes": "keyframes",
    "load": "hub.pull",
    "load_scene": "scene",
    "open_source": "sources",
    "preset": "spec",
    "push": "hub.publish",
    "scene_preset": "scene",
    "validate": "validation",
}

__all__ = [
    "Dataset",
    "Demo",
    "DemoRef",
    "DemoSource",
    "Pushed",
    "Report",
    "RobotMCQAError",
    "SceneMetadata",
    "Selection",
    "Spec",
    "Summary",
    "__version__",
    "extract",
    "find_keyframes",
    "load",
    "load_scene",
    "open_source",
    "preset",
    "push",
    "scene_preset",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'robotmcqa' has no attribute {name!r}")
    return getattr(import_module(f"robotmcqa.{_HOMES[name]}"), name)
