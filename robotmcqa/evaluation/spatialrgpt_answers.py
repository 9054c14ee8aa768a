"""Answers to SpatialRGPT-Bench's questions, read without a judge.

The benchmark (Cheng et al., NeurIPS 2024) asks about regions of a picture: relations (is one left
of the other? which one is?), lengths and distances, and directions on a clock face. Its authors
have a language model compare answer and truth; here both are read by rule, so that a figure can be
had again, and what cannot be read counts as wrong and is told. A length is right within 25 % of
the truth, a direction within one hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["TOLERANCE", "Reading", "hour_of", "metres_of", "polarity_of", "read", "region_of"]

T = TypeVar("T")

TOLERANCE = 0.25
"""Share of the true length that an answer may be off."""

INCH, FOOT = 0.0254, 0.3048

_UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 0.001),
    **dict.fromkeys(("in", "inch", "inches", '"'), INCH),
    **dict.fromkeys(("ft", "foot", "feet", "'"), FOOT),
    **dict.fromkeys(("yd", "yard", "yards"), 0.9144),
}
_WORDS = {
    **{"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"},
    **{"seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12"},
}
_REGION = re.compile(r"\bregions?\s*(?:\[(\d+)\]|(\d+)\b)|\[(\d+)\]", re.IGNORECASE)
_LENGTH = re.compile(
    r"(?<![\w.])(\d{1,6}(?:\.\d{1,9})?|\.\d{1,9})\s*-?\s*"
    rf"({'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?![A-Za-z])",
    re.IGNORECASE,
)
_HOUR = re.compile(r"(?<![\d.:])(\d{1,2})(?:\s*o\s*['\u2019`]?\s*clock|:00)\b", re.IGNORECASE)
_POLARITY = re.compile(
    r"(?:that\s+is\s+|it\s+is\s+|this\s+is\s+)?"
    r"(?:(?P<yes>yes|yeah|indeed|correct|true)|"
    r"(?P<no>no|nope|not|incorrect|false|in\s+fact|actually))\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"^(?:between|of|comparing|compared)\b[^,:]*[,:]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says, and whether it is right.

    Attributes:
        said: as it was read; "" where nothing could be read.
        right: likewise False.
    """

    said: str
    right: bool


def read(answer: str, truth: str, category: str) -> Reading:
    """Hold an answer against the truth.

    Args:
        answer: the model's words.
        truth: the benchmark's.
        category: the benchmark's, e.g. ``left_predicate``, ``tall_choice``, ``width_data``,
            ``direction``.

    Raises:
        ValueError: the truth itself cannot be read.
    """
    if category == "direction":
        hour, true_hour = hour_of(answer), _known(hour_of(truth), truth)
        if hour is None:
            return Reading("", False)
        apart = abs(hour - true_hour) % 12
        return Reading(f"{hour} o'clock", min(apart, 12 - apart) <= 1)
    if category.endswith("_data"):
        length, true_length = metres_of(answer), _known(metres_of(truth), truth)
        if length is None:
            return Reading("", False)
        off = abs(length - true_length)
        return Reading(f"{length:.3g} m", off <= TOLERANCE * true_length + 1e-9)
    if category.endswith("_choice"):
        region, true_region = region_of(answer), _known(region_of(truth), truth)
        said = "" if region is None else f"region {region}"
        return Reading(said, region == true_region)
    says, true = polarity_of(answer), _known(polarity_of(truth), truth)
    return Reading("" if says is None else ("yes" if says else "no"), says == true)


def metres_of(text: str) -> float | None:
    """The one length that a text names: ``"6.91 feet"`` -> 2.106; None where it names none, or
    several that differ by more than rounding. Feet and inches one after the other are one."""
    plain = _with_digits(_REGION.sub(" ", text).replace("\u2032", "'").replace("\u2033", '"'))
    found: list[float] = []
    feet_end = -1
    for match in _LENGTH.finditer(plain):
        unit = _UNITS[match[2].lower()]
        goes_on = feet_end >= 0 and plain[feet_end : match.start()].strip(" ,") in ("", "and")
        if goes_on and unit == INCH:
            found[-1] += float(match[1]) * unit
        else:
            found.append(float(match[1]) * unit)
        feet_end = match.end() if unit == FOOT else -1
    if not found or max(found) - min(found) > 0.05 * max(found):
        return None
    return found[0]


def hour_of(text: str) -> int | None:
    """The one hour of a clock face that a text names, 1 to 12."""
    plain = _with_digits(_REGION.sub(" ", text))
    hours = {int(hour) for hour in _HOUR.findall(plain)}
    if len(hours) != 1:
        return None
    (hour,) = hours
    return hour if 1 <= hour <= 12 else None


def region_of(text: str) -> int | None:
    """The region that a text is about: the first that it names, after "Between A and B,"."""
    found = _REGION.search(_LEAD_IN.sub("", text.strip()))
    return None if found is None else int(next(number for number in found.groups() if number))


def polarity_of(text: str) -> bool | None:
    """Whether a text starts by saying yes (True) or no (False); None where it says neither."""
    found = _POLARITY.match(text.strip().lstrip("*_\"'([ "))
    return None if found is None else found["yes"] is not None


def _with_digits(text: str) -> str:
    return re.sub(
        rf"\b({'|'.join(_WORDS)})\b",
        lambda match: _WORDS[match[1].lower()],
        text,
        flags=re.IGNORECASE,
    )


def _known(value: T | None, truth: str) -> T:
    if value is None:
        raise ValueError(f"the truth cannot be read: {truth!r}")
    return value
