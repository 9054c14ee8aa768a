"""LeRobot data sets as a source of demos, read with pyarrow and PyAV alone.

:mod:`~robotmcqa.sources.lerobot.layout` finds the episodes,
:mod:`~robotmcqa.sources.lerobot.columns` reads their numbers and
:mod:`~robotmcqa.sources.lerobot.video` their pictures; a
:mod:`~robotmcqa.sources.lerobot.mapping` says which numbers are what, and
:mod:`~robotmcqa.sources.lerobot.pose` makes poses of them.
"""

from robotmcqa.sources.lerobot.source import LeRobotSource, open_lerobot

__all__ = ["LeRobotSource", "open_lerobot"]
