"""How demos are to be made by a simulator that runs in real time: RLBench's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robotmcqa.errors import UsageError

__all__ = ["LiveOptions", "Renderer"]

Renderer = Literal["opengl", "opengl3"]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What ``rlbench-live`` alone takes; None stands for its own choice.

    Attributes:
        renderer: ``opengl``, or ``opengl3``, which draws shadows and takes much longer.
        episode_timeout: seconds after which an episode counts as hung.
        retries: how often a failed episode is tried again.
        depth, mask: have depth pictures and segmentation masks made beside the coloured ones,
            because a live scene cannot be drawn later.
    """

    renderer: Renderer | None = None
    episode_timeout: float | None = None
    retries: int | None = None
    depth: bool = False
    mask: bool = False

    def refuse(self, source: str) -> None:
        """Say that another source does not take them.

        Raises:
            UsageError: one of the options was given.
        """
        for flag, value in (
            ("--renderer", self.renderer),
            ("--episode-timeout", self.episode_timeout),
            ("--retries", self.retries),
        ):
            if value is not None:
                raise UsageError(
                    f"{flag} with {source}: it is for live RLBench",
                    f"leave {flag} out, or take --source rlbench-live",
                )
