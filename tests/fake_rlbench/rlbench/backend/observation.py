from typing import Any


class Observation:
    """Fields as attributes; those that were not asked for are None."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)
