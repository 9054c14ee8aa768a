"""The form of a completion: one block of thought, then one block with the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from robotmcqa.scoring.plain import plain

__all__ = ["Completion", "parse_completion"]

_TAG = re.compile(r"<(/?)(think|answer)>")
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end_of_text|end)\|>|<end_of_turn>|<eos>|</s>"
)
_FORM = ("<think>", "</think>", "<answer>", "</answer>")


@dataclass(frozen=True, slots=True)
class Completion:
    """What a completion consists of.

    Attributes:
        reasoning: inside the one ``<think>`` block; None where there is not exactly one.
        answer: inside the one ``<answer>`` block; None where there is not exactly one.
        problem: why it is not well-formed; "" where it is.
    """

    reasoning: str | None
    answer: str | None
    problem: str

    @property
    def well_formed(self) -> bool:
        """Exactly one think block followed by exactly one answer block, and nothing else."""
        return not self.problem


def parse_completion(text: str) -> Completion:
    """Take a completion apart. Never fails, whatever a model has written.

    Tags are those of the prompt, in lower case and without attributes. White space may stand
    around and between the blocks, and so may what nobody sees: characters without width. After
    the answer the model ends its turn; the tokens that say so are no text. The answer block may
    not be empty; the thought may.
    """
    tags = [(match[0], match.start(), match.end()) for match in _TAG.finditer(text)]
    return Completion(
        reasoning=_only_block("think", tags, text),
        answer=_only_block("answer", tags, text),
        problem=_problem(tags, text),
    )


_Tags = list[tuple[str, int, int]]


def _only_block(name: str, tags: _Tags, text: str) -> str | None:
    """What stands between the only opening and the only closing tag of this name."""
    opening = [tag for tag in tags if tag[0] == f"<{name}>"]
    closing = [tag for tag in tags if tag[0] == f"</{name}>"]
    if len(opening) != 1 or len(closing) != 1 or closing[0][1] < opening[0][2]:
        return None
    return text[opening[0][2] : closing[0][1]].strip()


def _problem(tags: _Tags, text: str) -> str:
    names = tuple(tag[0] for tag in tags)
    for tag in _FORM:
        if tag not in names:
            return f"{tag} is missing"
        if names.count(tag) > 1:
            return f"{tag} stands there {names.count(tag)} times"
    if names != _FORM:
        return f"the tags stand in another order: {' '.join(names)}"
    (_, first, _), (_, _, thought), (_, answer, inside), (_, end, last) = tags
    for where, rest in (
        ("before the thought", text[:first]),
        ("between thought and answer", text[thought:answer]),
        ("after the answer", _END_OF_TURN.sub("", text[last:])),
    ):
        if plain(rest).strip():
            return f"there is text {where}"
    return "" if plain(text[inside:end]).strip() else "the answer is empty"
