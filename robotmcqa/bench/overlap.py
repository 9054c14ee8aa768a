"""The offline judge: words and directions compared. For tests and smoke runs, no measure.

It knows no paraphrase beyond a few synonyms. ``docs/bench.md`` says how far it agrees with people;
a report that was made with it says so in its first line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from robotmcqa.bench.verdicts import TOP, Verdict

__all__ = ["OVERLAP", "overlap_verdict"]

OVERLAP = "offline/overlap"
"""Its name for ``--judge``."""

_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("grab", "grip", "hold", "take", "pick", "seize", "clasp"), "grasp"),
    **dict.fromkeys(("raise", "upward", "upwards"), "up"),
    **dict.fromkeys(("lower", "lowered", "downward", "downwards", "descend"), "down"),
    **dict.fromkeys(("forwards", "front"), "forward"),
    **dict.fromkeys(("backwards", "back", "behind"), "backward"),
    **dict.fromkeys(("put", "set", "lay", "deposit", "drop", "release", "stow"), "place"),
    **dict.fromkeys(("go", "position", "bring", "carry", "transport"), "move"),
    **dict.fromkeys(("over", "top"), "above"),
    **dict.fromkeys(("bin", "basket", "trash", "wastebasket"), "bin"),
    **dict.fromkeys(("pan", "pot"), "saucepan"),
    **dict.fromkeys(("phone", "telephone"), "phone"),
    **dict.fromkeys(("nearer", "nearest", "closer", "closest"), "near"),
    **dict.fromkeys(("farther", "further", "farthest"), "far"),
    **dict.fromkeys(("slight", "bit", "little", "somewhat"), "slightly"),
    **dict.fromkeys(("shut", "closed"), "close"),
    "higher": "high",
    "press": "push",
}

_STOP = frozenset(
    (
        *("a", "an", "the", "it", "its", "is", "are", "be", "to", "of", "in", "on", "at", "and"),
        *("or", "then", "that", "this", "with", "from", "by", "for", "as", "than", "into", "has"),
        *("have", "robot", "arm", "gripper", "should", "first", "next", "finally", "now", "must"),
        *("off", "one", "direction", "table"),
    )
)

_SIDES = ("left", "right", "up", "down", "forward", "backward")
_OPPOSITE = {"left": "right", "up": "down", "forward": "backward"}
_OPPOSITE |= {other: one for one, other in _OPPOSITE.items()}
_NOT = frozenset(("not", "isnt", "never", "no"))


def overlap_verdict(reference: str, answer: str) -> Verdict:
    """How much of the reference an answer repeats, from 0 to 3."""
    right, said = _words(reference), _words(answer)
    if not said:
        return Verdict(0, "no answer", "")
    wanted, given = _sides(right), _sides(said)
    if any(_OPPOSITE[side] in wanted and side not in wanted for side in given):
        return Verdict(0, "the opposite direction", "")
    shared = _shared(right, said)
    if wanted and not given and len(wanted) == len(set(right)):
        return Verdict(0, "no direction", "")
    if wanted and set(wanted) <= set(given) and set(given) <= set(wanted):
        same = all(wanted[side] == given[side] for side in wanted)
        score = TOP if same else TOP - 1
        return Verdict(score, "the same directions", "")
    if wanted and given:
        return Verdict(1, "some of the directions", "")
    score = sum(shared >= limit for limit in (0.3, 0.55, 0.8))
    return Verdict(score, f"shares {shared:.0%} of the words", "")


def _words(text: str) -> list[str]:
    found = re.findall(r"[a-z]+", text.lower().replace("'", ""))
    known = (_SYNONYMS.get(word, word) for word in found)
    return [_stem(word) for word in known if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _sides(words: list[str]) -> dict[str, bool]:
    """Direction -> whether it is called slight; denied ones are left out."""
    found: dict[str, bool] = {}
    for place, word in enumerate(words):
        before = words[max(0, place - 2) : place]
        if word in _SIDES and not _NOT & set(before):
            found[word] = "slightly" in before[-1:]
    return found


def _shared(right: list[str], said: list[str]) -> float:
    """F1 of the words."""
    common = sum((Counter(right) & Counter(said)).values())
    return 2 * common / (len(right) + len(said)) if common else 0.0
