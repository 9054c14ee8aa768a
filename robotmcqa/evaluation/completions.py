"""A completion as the model has written it, for the one parser to read."""

from __future__ import annotations

from typing import Any

__all__ = ["written"]

_TAGGED = (None, "think")
"""How inspect marks a thought that it has cut out of the text, where its tags stood."""


def written(output: Any) -> str:
    """The whole text of an inspect ``ModelOutput``, thought included.

    inspect cuts the first ``<think>`` block out of a text; it is put back in front. Models that
    return their thought apart (a server's ``reasoning_content``) get it joined the same way,
    unless they have written a think block into their text as well: then that one counts, for it
    is what the prompt asked for.

    Where a think block stood *after* the answer, or its tag had attributes, is lost by the
    cutting: such a completion counts as well-formed though it was not. Its answer is not touched.
    """
    if not output.choices:
        return ""
    content = output.choices[0].message.content
    if isinstance(content, str):
        return content
    thoughts = [part for part in content if part.type == "reasoning"]
    text = "".join(part.text for part in content if part.type == "text")
    cut_out = any(part.internal in _TAGGED and not part.signature for part in thoughts)
    if not thoughts or ("<think>" in text and not cut_out):
        return text
    thought = "\n".join(_thought(part) for part in thoughts).strip()
    return f"<think>\n{thought}\n</think>\n{text}"


def _thought(part: Any) -> str:
    """Readable text of a thought; what a provider has encrypted is only there as a summary."""
    return str(part.summary or "") if part.redacted else str(part.reasoning)
