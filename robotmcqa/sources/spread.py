"""How a simulator's demos of a task are spread over its variations."""

from __future__ import annotations

from math import gcd

from robotmcqa.errors import SourceError

__all__ = ["spread"]


def spread(task: str, variations: int, only: int | None, count: int) -> list[tuple[int, int]]:
    """Variation and number of each of ``count`` episodes, in that order.

    All variations have their turn before one comes again, in an order in which the first few
    differ much. More episodes are the same ones and others.

    Args:
        task: for the error's text.
        variations: how many the task has.
        only: the one variation that is asked for, or None for all.
        count: of episodes.

    Raises:
        SourceError: there is no such variation.
    """
    if only is not None:
        if not 0 <= only < variations:
            raise SourceError(
                f"{task} has no variation {only}", f"--variation takes 0 to {variations - 1}"
            )
        return [(only, episode) for episode in range(count)]
    step = next(
        step
        for step in range(round(variations * 0.618) or 1, variations + 1)
        if gcd(step, variations) == 1
    )
    turns = [(number * step % variations, number // variations) for number in range(count)]
    return sorted(turns)
