"""inspect's tasks: ``inspect eval robotmcqa/waypoint -T dataset=DIR --model ...``, and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import LimitExceededError

from robotmcqa.errors import UsageError
from robotmcqa.evaluation.questions import questions_of
from robotmcqa.evaluation.samples import Pictures, samples_of
from robotmcqa.evaluation.scorer import answered
from robotmcqa.evaluation.trouble import NoAnswer

__all__ = ["ask", "current_state", "every_family", "listening", "motion", "waypoint"]

DEFAULT = "robotmcqa-dataset"


@task
def waypoint(
    dataset: str = DEFAULT,
    config: str | None = None,
    split: str = "test",
    limit: int | None = None,
    pictures: Pictures = "shown",
) -> Task:
    """Where the gripper has to go next. Arguments as for :func:`every_family`."""
    return _task("waypoint", dataset, config, split, ["waypoint"], limit, pictures)


@task
def current_state(
    dataset: str = DEFAULT,
    config: str | None = None,
    split: str = "test",
    limit: int | None = None,
    pictures: Pictures = "shown",
) -> Task:
    """Where the gripper is now. Arguments as for :func:`every_family`."""
    return _task("current_state", dataset, config, split, ["current_state"], limit, pictures)


@task
def motion(
    dataset: str = DEFAULT,
    config: str | None = None,
    split: str = "test",
    limit: int | None = None,
    pictures: Pictures = "shown",
) -> Task:
    """Which way the gripper has to move. Arguments as for :func:`every_family`."""
    return _task("motion", dataset, config, split, ["motion"], limit, pictures)


@task(name="all")
def every_family(
    dataset: str = DEFAULT,
    config: str | None = None,
    split: str = "test",
    families: str | Sequence[str] = (),
    limit: int | None = None,
    pictures: Pictures = "shown",
) -> Task:
    """Every question of a data set.

    Args:
        dataset: a folder, ``org/name@v1.2.0`` or ``hf://org/name@v1.2.0``.
        config: of a repository with several.
        split: ``test``, ``train`` or ``all``.
        families: only these; all by default.
        limit: at most so many of each family.
        pictures: ``shown``; ``removed`` or ``blank`` for what can be answered without looking.
    """
    chosen = [families] if isinstance(families, str) else families
    return _task("all", dataset, config, split, chosen, limit, pictures)


def _task(
    name: str,
    dataset: str,
    config: str | None,
    split: str,
    families: Sequence[str],
    limit: int | None,
    pictures: Pictures,
) -> Task:
    questions = questions_of(dataset, config=config, split=split, families=families, limit=limit)
    if questions.open_ended and "motion" in questions.families:
        raise UsageError(
            "open-ended questions about motion have no position to be measured by",
            "--family waypoint --family current_state",
        )
    return Task(
        dataset=MemoryDataset(samples_of(questions, pictures), name=name),
        solver=ask(),
        scorer=answered(),
        config=GenerateConfig(temperature=0.0),
        metadata={"content": questions.digest(), "config": questions.config, "split": split},
    )


@solver
def ask() -> Solver:
    """Put the question; each further time (epoch) with the next seed, from 0."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        try:
            asked: TaskState = await generate(state, seed=state.epoch - 1)
        except LimitExceededError:  # inspect's own business
            raise
        except Exception as error:
            raise NoAnswer(error) from None
        for hear in _listeners:
            hear(1)
        return asked

    return solve


_listeners: list[Callable[[int], None]] = []


@contextmanager
def listening(hear: Callable[[int], None]) -> Iterator[None]:
    """Have ``hear`` called with 1 for every answer. (inspect's hooks announce themselves.)"""
    _listeners.append(hear)
    try:
        yield
    finally:
        _listeners.remove(hear)
