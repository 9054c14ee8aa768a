"""Every exception that robotmcqa raises on purpose.

::

    RobotMCQAError                what happened, where, and what to do about it
    ├── UsageError                the arguments do not fit together          (exit code 2)
    ├── DataError                 the input or the data is at fault          (exit code 3)
    │   ├── SourceError           a source as a whole cannot be read
    │   ├── DemoError             one demo cannot be used; the others can
    │   │   └── ForbiddenPickle   a pickle asks for something outside the allow-list
    │   ├── SceneError            a scene metadata document is wrong
    │   ├── MappingError          a mapping of columns is wrong, or does not fit the data
    │   ├── TemplateError         a prompt template is wrong
    │   ├── RecordError           a row breaks the item schema
    │   ├── ExtractionFailed      no demo was usable, or more failed than were allowed
    │   └── DatasetError          a data set on disk is missing, unfinished or damaged
    ├── HubError                  the Hub refuses, fails or cannot be reached (exit code 4)
    ├── ModelError                a model or its server fails or cannot be reached (exit code 4)
    ├── StoreError                an object store fails or cannot be reached (exit code 4)
    ├── EngineError               a cluster fails or cannot be reached (exit code 4)
    └── TooFewCandidates          a distractor law ran dry; the item is skipped and recorded

The command line turns each into one line on stderr and the exit code above.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "DataError",
    "DatasetError",
    "DemoError",
    "EngineError",
    "ExtractionFailed",
    "ForbiddenPickle",
    "HubError",
    "MappingError",
    "ModelError",
    "RecordError",
    "RobotMCQAError",
    "SceneError",
    "SourceError",
    "StoreError",
    "TemplateError",
    "TooFewCandidates",
    "UsageError",
]


class RobotMCQAError(Exception):
    """Base of the tree: ``what`` went wrong, and the ``remedy`` if there is one."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


class UsageError(RobotMCQAError):
    """The arguments do not fit together, or do not fit what is on disk."""


class DataError(RobotMCQAError):
    """The input or the data is at fault."""


class SourceError(DataError):
    """A source of demos as a whole cannot be read."""


class DemoError(DataError):
    """One demo cannot be used.

    ``files`` names every broken file as ``(path relative to the source, cause)``.
    """

    def __init__(
        self, what: str, remedy: str = "", files: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(what, remedy)
        self.files = files


class ForbiddenPickle(DemoError):
    """A pickle names a global outside the allow-list. Nothing of it was executed."""


class SceneError(DataError):
    """A scene metadata document breaks its schema."""


class MappingError(DataError):
    """A mapping of columns breaks its schema, or does not fit the data set."""


class TemplateError(DataError):
    """A prompt template cannot be read, parsed or rendered."""


class RecordError(DataError):
    """A row breaks the item schema."""


class ExtractionFailed(DataError):
    """No demo was usable, or more failed than were allowed.

    ``failures`` holds a line of ``meta/failures.jsonl`` for each.
    """

    def __init__(self, what: str, remedy: str, failures: list[dict[str, Any]]) -> None:
        super().__init__(what, remedy)
        self.failures = failures


class DatasetError(DataError):
    """A data set on disk is missing, unfinished or damaged."""


class HubError(RobotMCQAError):
    """An outside service is at fault: the Hub refuses, fails or cannot be reached."""


class ModelError(RobotMCQAError):
    """An outside service is at fault: a model, or the server it runs on."""


class StoreError(RobotMCQAError):
    """An outside service is at fault: the object store that a data set lies in."""


class EngineError(RobotMCQAError):
    """An outside service is at fault: the cluster that jobs were to run on."""


class TooFewCandidates(RobotMCQAError):
    """A distractor law could not supply enough distractors for one question."""
