"""Keyed draws: exactly uniform, and fixed by their key alone.

Seeds are fixed, so the statistical tests give the same p-value on every run.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from robotmcqa.draws import Draws

P = 1e-3
"""Below this a fair stream would fall once in a thousand keys; the keys here are not such."""

key_parts = st.lists(st.one_of(st.text(max_size=5), st.integers(0, 99)), max_size=4)


def words(*key: str | int, count: int = 20) -> list[int]:
    draws = Draws(*key)
    return [draws.word() for _ in range(count)]


@pytest.mark.parametrize("n", [2, 3, 4, 7, 10, 64, 100, 1001])
def test_below_is_uniform(n: int) -> None:
    draws = Draws("uniform", n)
    counts = Counter(draws.below(n) for _ in range(20 * n + 5000))
    assert set(counts) <= set(range(n))
    assert chisquare([counts[value] for value in range(n)]).pvalue > P


@settings(max_examples=300)
@given(n=st.integers(1, 2**64), seed=st.integers(0, 1000))
def test_below_stays_below(n: int, seed: int) -> None:
    assert 0 <= Draws(seed).below(n) < n


def test_words_past_the_last_whole_multiple_are_rejected() -> None:
    """With n = 3/4 of the words, folding the rest back would double the lower third."""
    n = 3 * 2**62
    draws = Draws("rejection")
    thirds = Counter(draws.below(n) // 2**62 for _ in range(6000))
    assert chisquare([thirds[third] for third in range(3)]).pvalue > P


def test_below_one_is_nought_and_below_nought_is_refused() -> None:
    assert Draws("one").below(1) == 0
    for n in (0, -1, 2**64 + 1):
        with pytest.raises(ValueError, match="needs n from 1"):
            Draws("none").below(n)


def test_between_reaches_both_ends() -> None:
    draws = Draws("between")
    assert {draws.between(-2, 3) for _ in range(500)} == {-2, -1, 0, 1, 2, 3}
    assert draws.between(5, 5) == 5


def test_choice_is_uniform() -> None:
    draws = Draws("choice")
    counts = Counter(draws.choice("abcde") for _ in range(5000))
    assert set(counts) == set("abcde")
    assert chisquare(list(counts.values())).pvalue > P


def test_every_order_is_equally_likely() -> None:
    orders: Counter[tuple[int, ...]] = Counter()
    for index in range(12_000):
        orders[tuple(Draws("order", index).without_replacement(range(4)))] += 1
    assert set(orders) == set(permutations(range(4)))
    assert chisquare(list(orders.values())).pvalue > P


@settings(max_examples=200)
@given(size=st.integers(0, 60), seed=st.integers(0, 100))
def test_without_replacement_gives_each_item_once(size: int, seed: int) -> None:
    items = list(range(size))
    assert sorted(Draws(seed).without_replacement(items)) == items


def test_without_replacement_makes_every_order_equally_likely() -> None:
    orders = Counter(
        tuple(Draws("order", index).without_replacement("abcd")) for index in range(12_000)
    )
    assert set(orders) == set(permutations("abcd"))
    assert chisquare(list(orders.values())).pvalue > P


def test_first_of_without_replacement_is_uniform() -> None:
    firsts = Counter(
        next(Draws("first", index).without_replacement(range(10))) for index in range(5000)
    )
    assert chisquare([firsts[item] for item in range(10)]).pvalue > P


def test_without_replacement_pays_only_for_what_is_taken() -> None:
    """A few items of an endless-looking pool: drawing them all would never come back."""
    taken = list(islice(Draws("lazy").without_replacement(range(10**15)), 5))
    assert len(set(taken)) == 5
    # Three items use up three words, so what follows in the stream is the fourth.
    draws = Draws("lazy")
    list(islice(draws.without_replacement(range(2**20)), 3))
    assert draws.word() == words("lazy", count=4)[3]


@given(key=key_parts)
def test_the_same_key_gives_the_same_stream(key: list[str | int]) -> None:
    assert words(*key) == words(*key)


@settings(max_examples=300)
@given(a=key_parts, b=key_parts)
def test_different_keys_give_different_streams(a: list[str | int], b: list[str | int]) -> None:
    same = [str(part) for part in a] == [str(part) for part in b]
    assert (words(*a) == words(*b)) == same


def test_where_a_key_is_divided_matters() -> None:
    streams = [words("ab", "c"), words("a", "bc"), words("abc"), words("abc", ""), words("", "abc")]
    assert len({tuple(stream) for stream in streams}) == len(streams)


def test_order_of_a_key_matters() -> None:
    assert words("waypoint", 10) != words(10, "waypoint")


def test_a_stream_does_not_depend_on_other_draws() -> None:
    """Whatever was asked before, and however streams are interleaved."""
    one, other = Draws("one"), Draws("other")
    seen = []
    for _ in range(20):
        seen.append(one.word())
        list(other.without_replacement([1, 2, 3, 4]))
        Draws("third").below(10)
    assert seen == words("one")


def test_a_stream_goes_on_without_repeating() -> None:
    """Past the first block of eight words the counter moves on."""
    stream = words("long", count=1000)
    assert len(set(stream)) == 1000
    assert stream[:20] == words("long")


def test_streams_stay_what_they_are() -> None:
    """Published data sets depend on these very numbers: changing them changes every question."""
    draws = Draws(0, "1", "waypoint", "0123456789abcdef", 10, "options")
    assert [draws.below(1000) for _ in range(8)] == KNOWN


KNOWN = [273, 979, 421, 146, 276, 938, 425, 487]
