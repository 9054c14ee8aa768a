from importlib import import_module
from typing import Any


class InvalidTaskName(Exception):
    pass


def name_to_task_class(task_file: str) -> Any:
    try:
        module = import_module(f"rlbench.tasks.{task_file}")
    except ModuleNotFoundError as error:
        raise InvalidTaskName(task_file) from error
    return getattr(module, "".join(word.capitalize() for word in task_file.split("_")))
