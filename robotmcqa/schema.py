"""Validation against the JSON Schemas in ``schemas/``, compiled once per process."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

__all__ = ["first_problem", "is_valid", "schema_document", "schema_text"]


_LOOKED_AT = 100
"""Problems among which the one to tell is chosen; a hostile document may have any number."""


def schema_text(name: str) -> str:
    """The schema called ``name`` (item, scene, manifest, provenance, failure, ground_truth)."""
    return files("robotmcqa.schemas.v1").joinpath(f"{name}.schema.json").read_text("utf-8")


def schema_document(name: str) -> Any:
    """The schema called ``name``, parsed."""
    return json.loads(schema_text(name))


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema_document(name))


def is_valid(name: str, document: Any) -> bool:
    """Whether ``document`` fits the schema; the fast question, asked of every row."""
    return _validator(name).is_valid(document)


def first_problem(name: str, document: Any) -> str | None:
    """``"field.path: what is wrong"`` for a problem, None when there is none.

    A field that the schema does not know comes before one that is missing: it is the same one,
    misspelt.
    """
    try:
        found = islice(_validator(name).iter_errors(document), _LOOKED_AT)
        for error in sorted(found, key=lambda one: not one.message.startswith("Additional")):
            path = ".".join(str(part) for part in error.instance_path) or "document"
            return _shortened(f"{path}: {error.message}")
    except ValueError as error:  # what JSON has not, such as keys that are no text; too deep
        return f"document: {error}"
    return None


def _shortened(text: str) -> str:
    """Without the middle of a long one: messages quote what is wrong, which may be a whole file."""
    return text if len(text) <= 600 else f"{text[:300]} ... {text[-300:]}"
