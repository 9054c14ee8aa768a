"""YAML that a stranger wrote, read within bounds.

A few lines of aliases of aliases stand for more values than any memory holds, one number of many
digits takes minutes, and PyYAML raises half a dozen kinds of exception beside its own.
"""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["LONGEST", "YAMLProblem", "read_yaml"]

LONGEST = 1 << 20
"""Characters of a document: that of the largest card is a twentieth of it."""

_DIGITS = 100
"""Characters of a number: reading one takes a time that grows with their square."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C where PyYAML has it: ten times as fast."""
_TAG = "tag:yaml.org,2002:"


class YAMLProblem(ValueError):
    """What is wrong with a document, in one line."""


def read_yaml(text: str, longest: int = LONGEST, text_keys: bool = False) -> Any:
    """The one document that ``text`` is; None where it is empty.

    Args:
        text: of the document.
        longest: characters that it may have.
        text_keys: refuse keys that are not text, which YAML has and JSON has not.

    Raises:
        YAMLProblem: it is not YAML, or goes beyond a bound.
    """
    if len(text) > longest:
        raise YAMLProblem(f"longer than {longest:,} characters")
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _weigh(node, longest, text_keys, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise YAMLProblem("nested too deeply") from None
    except YAMLProblem:
        raise
    except yaml.YAMLError as error:
        raise YAMLProblem(f"not YAML: {' '.join(str(error).split())}") from None
    # Of a value that is not what its tag says, e.g. !!int without digits, or the 99th of a month.
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        raise YAMLProblem(f"a value that cannot be read ({error})") from None


def _weigh(node: yaml.Node, longest: int, text_keys: bool, known: dict[yaml.Node, int]) -> int:
    """How many characters and values a node stands for, with all that its aliases stand for.

    Raises:
        YAMLProblem: a value within it is refused.
    """
    if node in known:
        if not known[node]:
            raise _problem(node, "refers to itself")
        return known[node]
    known[node] = 0
    weight = 1
    if isinstance(node, yaml.ScalarNode):
        if node.tag in (_TAG + "int", _TAG + "float") and len(node.value) > _DIGITS:
            raise _problem(node, f"a number of more than {_DIGITS} characters")
        weight += len(node.value)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if text_keys and key.tag not in (_TAG + "str", _TAG + "merge"):
                raise _problem(key, "a key that is no text; put it into quotes")
            weight += _weigh(key, longest, text_keys, known)
            weight += _weigh(value, longest, text_keys, known)
    else:
        weight += sum(_weigh(value, longest, text_keys, known) for value in node.value)
    if weight > longest:
        raise _problem(node, f"longer than {longest:,} characters with its aliases written out")
    known[node] = weight
    return weight


def _problem(node: yaml.Node, what: str) -> YAMLProblem:
    return YAMLProblem(f"line {node.start_mark.line + 1}: {what}")
