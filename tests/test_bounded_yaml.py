"""YAML of strangers: read, or refused in one line, soon."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from robotmcqa.bounded_yaml import YAMLProblem, read_yaml
from robotmcqa.card.front_matter import front_matter_of
from robotmcqa.sources.lerobot import source
from robotmcqa.sources.lerobot.folder import open_folder

BOMB = "a0: &a0 {k: v}\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]\n" for i in range(30))
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{i + 1}: &a{i + 1} {{<<: [*a{i}, *a{i}]}}\n" for i in range(30)
)
HOSTILE = {
    "aliases": (BOMB, r"line \d+: longer than 1,048,576 characters with its aliases written out"),
    "merges": (MERGES, "with its aliases written out"),
    "an alias of much": ("- &a " + "a" * 9999 + "\n- *a" * 999, "with its aliases written out"),
    "a circle": ("a: &a [*a]", "refers to itself"),
    "many digits": ("a: " + "9" * 101, "line 1: a number of more than 100 characters"),
    "base 60": ("\n- " + "1:" * 30_000 + "1", "line 2: a number of more than 100 characters"),
    "deep": ("[" * 100_000, "."),
    "deeper": ("- " * 100_000, "."),
    "long": ("a" * (1 << 20) + "a", "longer than 1,048,576 characters"),
    "no number": ("!!int", "cannot be read"),
    "no truth": ("!!bool perhaps", "cannot be read"),
    "no time": ("!!timestamp soon", "cannot be read"),
    "no date": ("2001-99-99", "cannot be read"),
    "code": ("!!python/object/apply:os.system [id]", "not YAML"),
    "two documents": ("a\n---\nb", "not YAML"),
}


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(YAMLProblem, match=words) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)
    assert front_matter_of(f"---\n{text}\n---\n") is None


@pytest.mark.parametrize(("text", "_words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_front_matter_of_a_data_set_that_is_refused(text: str, _words: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"---\nlicense: mit\nmore:\n{text}\n---\n")
    assert source._licence(open_folder(str(tmp_path))) == source.UNKNOWN_LICENCE


def test_what_is_taken() -> None:
    assert read_yaml("a: &a [1, 2]\nb: *a\nc: 2020-02-03\n1: {<<: {d: e}}") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": date(2020, 2, 3),
        1: {"d": "e"},
    }
    assert read_yaml("") is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_the_same_as_pyyaml_says(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert repr(read_yaml(text)) == repr(yaml.safe_load(text))
