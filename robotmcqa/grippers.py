"""Is open open? What an inverted gripper, or a threshold beside the values, looks like.

A demo that takes something starts open, closes where the thing is, and may open again. Inverted it
starts closed, opens down at the thing, and closes again. Nobody approaches a thing with a closed
gripper to open it there, so that is certain where a demo has both changes. One that starts closed
and opens for good may be putting down what it held from the start: certain only where several tasks
are like that. A gripper that never changes is right for reaching and pushing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from robotmcqa.arrays import FloatArray

__all__ = ["GripperCheck"]

WHERE = "state[7]"

FEW_EPISODES = 5
"""Fewer say nothing."""

SEVERAL_TASKS = 3

NEARLY_ALL = 0.9

LOW = 0.5
"""Of an episode's way from its lowest to its highest point. Opening above is no grasping."""


class GripperCheck:
    """Takes in the grippers of episodes, then says how they may have been misread."""

    def __init__(self, mapping: Mapping[str, Any] | None) -> None:
        """For grippers read by ``mapping``, or by a source of which nothing is known."""
        self._mapping = mapping
        self._seen: Counter[str] = Counter()
        self._opening_tasks: set[str] = set()
        self._other_tasks: set[str] = set()

    def add(self, task: str, heights: FloatArray, gripper: FloatArray) -> None:
        """Take in one episode: ``(N,)`` heights in metres, ``(N,)`` 1 open and 0 closed."""
        changes = np.flatnonzero(gripper[1:] != gripper[:-1]) + 1
        self._seen["episodes"] += 1
        self._seen["changing"] += bool(len(changes))
        self._seen["open"] += bool(gripper[0])
        opening = not gripper[0] and len(changes) > 0 and _is_low(heights, int(changes[0]))
        self._seen["opening"] += opening
        self._seen["closing again"] += opening and len(changes) > 1
        (self._opening_tasks if opening else self._other_tasks).add(task)

    def findings(self) -> Iterator[tuple[str, str, bool]]:
        """(where, what, sure) for each way in which they seem to be misread."""
        seen, episodes = self._seen, self._seen["episodes"]
        if episodes < FEW_EPISODES:
            return
        if not seen["changing"] and seen["open"] in (0, episodes):
            state = "open" if seen["open"] else "closed"
            change = "check that the source tells open from closed"
            if self._mapping:
                change = "check gripper.range, gripper.threshold and gripper.index in the mapping"
            what = f"the gripper is {state} all the time in all {episodes} episodes"
            yield WHERE, f"{what}; unless the task needs no gripper, {change}", False
        elif (
            seen["changing"] >= FEW_EPISODES
            and seen["opening"] >= NEARLY_ALL * seen["changing"]
            and seen["open"] <= (1 - NEARLY_ALL) * episodes
        ):
            only = self._opening_tasks - self._other_tasks
            again = seen["closing again"] >= NEARLY_ALL * seen["opening"]
            sure = again or len(only) >= SEVERAL_TASKS
            change = "a source gives 1 for open and 0 for closed"
            if self._mapping:
                inverted = not self._mapping.get("gripper", {}).get("inverted", False)
                change = f"set gripper.inverted: {str(inverted).lower()} in the mapping"
            what = (
                f"the gripper starts closed and opens down at the things in {seen['opening']} of "
                f"the {seen['changing']} episodes in which it changes"
            )
            unless = "" if sure else "unless the demos start with something in hand, "
            yield WHERE, f"{what}{', then closes again' if again else ''}; {unless}{change}", sure


def _is_low(heights: FloatArray, frame: int) -> bool:
    """Whether the tip is in the lower half of its way."""
    low, high = float(heights.min()), float(heights.max())
    return float(heights[frame]) <= low + LOW * (high - low)
