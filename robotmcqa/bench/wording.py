"""Spatial relations in words: a question and its reference answer, in one of several phrasings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from robotmcqa.bench.spatial import Fact
from robotmcqa.bench.things import TASKS
from robotmcqa.bench.view import HAND, View
from robotmcqa.draws import Draws

__all__ = ["RELATIONS", "first_upper", "in_words", "listed"]

Pair = tuple[str, str]
"""A question and its answer."""

_Names = Mapping[str, str]

_OF = {
    "left": "to the left of",
    "right": "to the right of",
    "forward": "in front of",
    "backward": "behind",
}
_TOWARDS = {
    "left": "to the left",
    "right": "to the right",
    "forward": "towards the camera",
    "backward": "away from the camera",
}


def in_words(fact: Fact, view: View, draws: Draws) -> Pair:
    """Question and reference answer for a fact."""
    names = {HAND: "the gripper", **{key: seen.name for key, seen in view.things.items()}}
    return RELATIONS[fact.relation](fact, names, view, draws)


def first_upper(text: str) -> str:
    """With a capital at the front; the rest stays."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str], word: str = "and") -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _pick(draws: Draws, questions: Sequence[str], answers: Sequence[str]) -> Pair:
    return first_upper(draws.choice(questions)), first_upper(draws.choice(answers))


def _side(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, other, side = names[fact.subject], names[fact.others[0]], fact.value[0]
    return _pick(
        draws,
        (
            f"is {one} to the left or to the right of {other}?",
            f"on which side of {other} is {one}, as seen in the picture: left or right?",
            f"looking at the picture, does {one} lie left or right of {other}?",
        )
        if fact.subject != HAND
        else (
            f"is the gripper to the left or to the right of {other}?",
            f"on which side of {other} are the fingers of the gripper, left or right?",
        ),
        (
            f"{one} is {_OF[side]} {other}.",
            f"it is {_OF[side]} {other}.",
            f"on the {side}: {one} is {_OF[side]} {other}.",
        ),
    )


def _depth(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, other, depth = names[fact.subject], names[fact.others[0]], fact.value[0]
    near, far = (one, other) if depth == "forward" else (other, one)
    if draws.below(2):
        return _pick(
            draws,
            (
                f"is {one} in front of {other} or behind it, seen from the camera?",
                f"does {one} stand in front of {other} or behind it?",
            ),
            (
                f"{one} is {_OF[depth]} {other}.",
                f"it is {_OF[depth]} {other}, {'nearer to' if near == one else 'farther from'} "
                "the camera.",
            ),
        )
    return _pick(
        draws,
        (
            f"which is nearer to the camera, {one} or {other}?",
            f"of {one} and {other}, which one is closer to the camera?",
        ),
        (f"{near}.", f"{near} is nearer to the camera than {far}."),
    )


def _place(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, other = names[fact.subject], names[fact.others[0]]
    side, *depth = fact.value
    short = f"{_OF[side]} {other}"
    if depth:
        short += " and behind it" if depth[0] == "backward" else " and in front of it"
    return _pick(
        draws,
        (
            f"where is {one} in relation to {other}?",
            f"seen from the camera, where is {one} relative to {other}?",
            f"describe where {one} is, compared with {other}.",
        ),
        (f"{one} is {short}.", f"it is {short}."),
    )


def _height(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, other, value = names[fact.subject], names[fact.others[0]], fact.value[0]
    high, low = (one, other) if value == "higher" else (other, one)
    if draws.below(2):
        return _pick(
            draws,
            (
                f"is {one} higher or lower than {other}?",
                f"compared with {other}, is {one} higher up or lower down?",
            ),
            (f"{one} is {value} than {other}.", f"{value}."),
        )
    return _pick(
        draws,
        (
            f"which is higher above the table, {one} or {other}?",
            f"which of the two is farther from the table: {one} or {other}?",
        ),
        (f"{high}.", f"{high} is higher above the table than {low}."),
    )


def _order(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    shuffled = list(draws.without_replacement([names[key] for key in sorted(fact.others)]))
    right = [names[key] for key in fact.value]
    return _pick(
        draws,
        (
            f"name these from left to right: {listed(shuffled)}.",
            f"in which order, from the left of the picture to the right, are {listed(shuffled)}?",
        ),
        (
            f"from left to right: {', '.join(right)}.",
            f"{right[0]}, then {', then '.join(right[1:])}.",
        ),
    )


def _outermost(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    kind = TASKS[view.task].things[fact.value[0]].kind
    count = {2: "two", 3: "three"}.get(len(fact.others), "")
    these = f"the {count} {kind}" if count else f"the {kind}"
    more, most = {
        "left": ("farther to the left", "farthest to the left"),
        "right": ("farther to the right", "farthest to the right"),
        "forward": ("nearer to the camera", "nearest to the camera"),
        "backward": ("farther from the camera", "farthest from the camera"),
    }[fact.subject]
    degree = more if len(fact.others) == 2 else most
    answer = names[fact.value[0]]
    return _pick(
        draws,
        (f"which of {these} is {degree}?", f"of {these}, which one is {degree}?"),
        (f"{answer}.", f"{answer} is {degree}."),
    )


def _nearer(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    target = names[fact.subject]
    one, other = draws.without_replacement([names[key] for key in fact.others])
    near = names[fact.value[0]]
    far = next(names[key] for key in fact.others if key not in fact.value)
    return _pick(
        draws,
        (
            f"what is {target} nearer to, {one} or {other}?",
            f"which is closer to {target}: {one} or {other}?",
        ),
        (f"{near}.", f"{near} is closer to {target} than {far}."),
    )


def _over(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    other, value = names[fact.others[0]], fact.value[0]
    question = draws.choice(
        (
            f"Is the gripper directly above {other}, or off to one side?",
            f"Where is the gripper in relation to {other}: straight above, or to one side of it?",
        )
    )
    if value == "over":
        answers = [f"the gripper is directly above {other}.", "straight above it."]
    else:
        answers = [
            f"off to one side: it is {_OF[value]} {other}.",
            f"it is to one side of {other}, {_TOWARDS[value]}, not directly above.",
        ]
    return question, first_upper(draws.choice(answers))


def _half(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, side = names[fact.subject], fact.value[0]
    return _pick(
        draws,
        (
            f"is {one} in the left half or in the right half of the picture?",
            f"in which half of the picture is {one}, the left or the right one?",
        ),
        (f"{one} is in the {side} half of the picture.", f"the {side} half."),
    )


def _support(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    one, value = names[fact.subject], fact.value[0]
    if value == HAND:
        answers = [
            f"the gripper holds {one}.",
            f"{one} is held by the gripper.",
            "the gripper is holding it.",
        ]
    else:
        answers = [f"{one} is on {value}.", f"{value} supports it; the gripper does not hold it."]
    return _pick(
        draws,
        (
            f"what is holding or supporting {one} at this moment?",
            f"where is {one} right now: what does it rest on, or what holds it?",
        ),
        answers,
    )


def _handle(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    way = _TOWARDS[fact.value[0]]
    return _pick(
        draws,
        (
            "in which direction does the saucepan's long handle point, as seen in the picture?",
            "which way does the handle stick out from the saucepan: left, right, towards the "
            "camera or away from it?",
        ),
        (f"the handle points {way}.", f"{way}."),
    )


def _drawers(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    value = fact.value[0]
    question = draws.choice(
        (
            "Is one of the three drawers pulled out, and if so which one?",
            "Which drawer of the chest is open, if any?",
        )
    )
    if value == "none":
        answers = ("all three drawers are shut.", "none: the drawers are all closed.")
    else:
        answers = (f"the {value} drawer is pulled out.", f"the {value} one is open.")
    return question, first_upper(draws.choice(answers))


def _at(fact: Fact, names: _Names, view: View, draws: Draws) -> Pair:
    value = fact.value[0]
    return _pick(
        draws,
        (
            "at which of the three drawers is the gripper: the top, the middle or the bottom one?",
            "which drawer is the gripper level with: the top, the middle or the bottom drawer?",
        ),
        (f"the {value} drawer.", f"the gripper is at the {value} drawer."),
    )


RELATIONS: Mapping[str, Callable[[Fact, _Names, View, Draws], Pair]] = {
    "side": _side,
    "depth": _depth,
    "place": _place,
    "height": _height,
    "order": _order,
    "outermost": _outermost,
    "nearer": _nearer,
    "over": _over,
    "half": _half,
    "support": _support,
    "handle": _handle,
    "drawers": _drawers,
    "at": _at,
}
"""Relation -> its words."""
