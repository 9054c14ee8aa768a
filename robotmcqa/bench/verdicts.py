"""What a judge's reply says. Judges do not keep to a form, so many are understood.

A reply counts when it gives exactly one score, a whole number from 0 to 3. Where it gives several
different ones, the one that it calls final counts; without that nobody can tell which is meant,
and the verdict is unparsable. So is a number outside the scale, or between two steps of it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["TOP", "Verdict", "parse_verdict"]

TOP = 3
"""The best score."""

_WORDS = {"zero": "0", "one": "1", "two": "2", "three": "3"}

_LABEL = r"\b(?P<final>(?:final|overall|total)\s+)?(?:score|rating|grade)\b"
_SCALE = r"(?:\s*\(?\s*(?:0\s*(?:-|to|\.\.)\s*3|out\s+of\s+3|/\s*3)\s*\)?)?"
_BETWEEN = (
    r"(?:\s+(?:given|assigned|awarded|for\s+(?:this|the)\s+answer))?"
    r"\s*(?:is|of|as|be)?\s*[:=>-]*\s*"
)
_NUMBER = r"(?P<number>-?\d+(?:[.,]\d+)?|zero\b|one\b|two\b|three\b)"
_TAIL = r"(?P<tail>\s*(?:/|out\s+of|of)\s*(?P<top>\d+(?:\.\d+)?)|\s*(?:-|to|or|,)\s*\d)?"
_SCORE = re.compile(_LABEL + _SCALE + _BETWEEN + _NUMBER + _TAIL, re.IGNORECASE)
_TAG = re.compile(r"<score>\s*" + _NUMBER + _TAIL + r"\s*</score>", re.IGNORECASE)
_BARE = re.compile(_NUMBER + _TAIL + r"[.!]?", re.IGNORECASE)
_LEADING = re.compile(_NUMBER + _TAIL + r"\s*(?:[:,]|-+|\n|reason\b)", re.IGNORECASE)
_OUT_OF = re.compile(_NUMBER + r"(?P<tail>\s*(?:/|out\s+of)\s*(?P<top>3)\b)", re.IGNORECASE)
_DEMANDED = re.compile(r"\s*score\s*:\s*" + _NUMBER + _TAIL + r"[\s.;,|]*reason\s*:", re.IGNORECASE)
"""The form that the judge is asked for: what its reason mentions further on is no verdict."""

_REASON = re.compile(r"\b(?:reason|rationale|explanation|justification)\b\W*(.+)", re.I | re.S)
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"[*_`\"'\[\]{}#~$\\]|<(?=\d>)|(?<=<\d)>|boxed|\\text")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reply says.

    Attributes:
        score: from 0 to 3; None where the reply does not tell.
        reason: the judge's, on one line; what it wrote where it gives none.
        problem: why there is no score; "" where there is one.
    """

    score: int | None
    reason: str
    problem: str


def parse_verdict(reply: str) -> Verdict:
    """Take a judge's reply apart. Never fails, whatever it says."""
    text = unicodedata.normalize("NFKC", _THOUGHT.sub(" ", reply))
    text = re.sub("[\u2010-\u2015\u2212]", "-", text)
    plain = _MARKUP.sub(" ", text)
    reason = _reason(plain)
    found = list(_TAG.finditer(text)) or list(_SCORE.finditer(plain))
    if not found:
        whole = _BARE.fullmatch(plain.strip()) or _LEADING.match(plain.strip())
        found = [whole] if whole else list(_OUT_OF.finditer(plain))
    if not found:
        return Verdict(None, reason, "no score" if reply.strip() else "an empty reply")
    final = [match for match in found if match.groupdict().get("final")]
    demanded = _DEMANDED.match(plain)
    if demanded and not final:
        found = [demanded]
    scores = {_value(match) for match in final or found}
    if len(scores) > 1:
        return Verdict(None, reason, f"several scores: {', '.join(sorted(map(str, scores)))}")
    (score,) = scores
    if isinstance(score, str):
        return Verdict(None, reason, score)
    return Verdict(score, reason, "")


def _value(match: re.Match[str]) -> int | str:
    """The score, or what is wrong with it."""
    said = match["number"].lower()
    number = float(_WORDS.get(said, said).replace(",", "."))
    if match["tail"] and not match["top"]:
        return f"a range: {match[0].strip()}"
    if match["top"] and float(match["top"]) != TOP:
        return f"on another scale: {match[0].strip()}"
    if number != int(number):
        return f"between two scores: {said}"
    return int(number) if 0 <= number <= TOP else f"out of range: {said}"


def _reason(plain: str) -> str:
    found = _REASON.search(plain)
    text = found[1] if found else plain
    return " ".join(text.split())[:500]
