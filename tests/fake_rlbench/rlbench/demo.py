from typing import Any

from rlbench.backend.observation import Observation


class Demo:
    """Frames by number, as the real one has them: no iterator of its own."""

    random_seed: Any
    variation_number: int

    def __init__(self, observations: list[Observation]) -> None:
        self._observations = observations

    def __len__(self) -> int:
        return len(self._observations)

    def __getitem__(self, frame: int) -> Observation:
        return self._observations[frame]
