"""The card of a trained model: what it learned from, how, and what its logs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from robotmcqa import __version__

__all__ = ["render_model_card"]

_COLUMNS = (
    ("step", "step"),
    ("reward", "reward"),
    ("well_formed", "well-formed"),
    ("completions/mean_length", "tokens"),
    ("agreement", "agreement"),
    ("loss", "loss"),
)
_ROWS = 12
"""Lines of the table of the run; the whole log is in trainer_state.json."""


_EVALUATED = ("reward", "well_formed", "agreement", "mean_token_accuracy")


def render_model_card(document: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    """The model's ``README.md``.

    Args:
        document: of ``recipe.json``.
        history: the trainer's log, an entry for each time it logged.
    """
    template = files("robotmcqa.cards").joinpath("model.md.jinja").read_text("utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    header, rows = _table([one for one in history if "loss" in one or "reward" in one])
    tests = [one for one in history if any(name.startswith("eval_") for name in one)]
    return environment.from_string(template).render(
        front_matter=yaml.safe_dump(_front_matter(document), sort_keys=False, width=1000),
        document=document,
        header=header,
        rows=rows,
        tests=[_evaluated(one) for one in tests[:1] + tests[1:][-1:]],
        version=__version__,
        packages={name: version(name) for name in ("trl", "transformers", "torch", "datasets")},
    )


def _front_matter(document: Mapping[str, Any]) -> dict[str, Any]:
    licences = {source["licence"] for source in document["sources"]}
    hub = [
        source["named"].removeprefix("hf://").partition("@")[0]
        for source in document["sources"]
        if source["named"].startswith("hf://")
    ]
    return {
        "library_name": "transformers",
        "pipeline_tag": "image-text-to-text",
        **({"datasets": hub} if hub else {}),
        **(
            {"license": "apache-2.0"}
            if licences == {"Apache-2.0"}
            else {"license": "other", "license_name": "of-the-demonstrations-and-the-base-model"}
        ),
        "tags": ["robotmcqa", "robotics", "embodied-reasoning"],
    }


def _table(history: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The log's columns that are there, and at most ``_ROWS`` of its lines, evenly spread."""
    accuracies = sorted({name for one in history for name in one if name.startswith("accuracy/")})
    columns = [column for column in _COLUMNS if any(column[0] in one for one in history)]
    columns[3:3] = [(name, name.partition("/")[2]) for name in accuracies]
    last = len(history) - 1
    places = (
        sorted({round(place * last / (_ROWS - 1)) for place in range(_ROWS)}) if last > 0 else [0]
    )
    rows = [[_cell(history[place].get(name)) for name, _ in columns] for place in places if history]
    return [title for _, title in columns], rows


def _evaluated(one: Mapping[str, Any]) -> dict[str, str]:
    kept = {
        name.removeprefix("eval_"): _cell(value)
        for name, value in one.items()
        if name.startswith("eval_")
        and (
            "accuracy" in name
            or name in ("eval_reward", "eval_well_formed", "eval_agreement", "eval_loss")
        )
    }
    return {"step": _cell(one.get("step")), **kept}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
