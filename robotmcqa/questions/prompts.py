"""Prompts: Jinja templates filled with what a question is about.

Each family has a template of its name. It may use

- ``instruction``: what the demo was told to do;
- ``state``: text of the current position, None where the prompt withholds it;
- ``options``: pairs of letter and text, empty for open-ended questions;
- ``world``, ``axes``, ``pictures``: paragraphs, themselves templates, rendered once per data set;
- ``scene`` (:class:`~robotmcqa.scene.SceneMetadata`), ``robot`` (its robot) and ``cameras`` (each
  in words).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import TracebackType
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from robotmcqa import errors
from robotmcqa.spec import Spec

__all__ = ["LETTERS", "Prompter"]

LETTERS = "ABCDEFGH"

_SETTINGS: Mapping[str, Any] = {
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "autoescape": False,  # prompts are plain text
}


@cache
def _shipped_templates() -> BaseLoader:
    folder = files("robotmcqa.questions").joinpath("templates")
    return DictLoader(
        {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.is_file()}
    )


@cache
def _shipped() -> Environment:
    """Our own templates; compiled once per process."""
    return Environment(loader=_shipped_templates(), **_SETTINGS)


def _own(templates: Mapping[str, str]) -> Environment:
    """A user's templates over ours, in a sandbox: a template may come from a stranger."""
    own = DictLoader({f"{name}.jinja": text for name, text in templates.items()})
    loader = ChoiceLoader([own, _shipped_templates()])
    return ImmutableSandboxedEnvironment(loader=loader, **_SETTINGS)


class Prompter:
    """The prompts of one spec: the shipped templates, overridden by the user's own.

    Raises:
        TemplateError: a template of the user's does not parse, or fails on a trial question.
    """

    def __init__(self, spec: Spec) -> None:
        own = _own(spec.templates)
        always: dict[str, Any] = {
            "scene": spec.scene,
            "robot": spec.scene.robot,
            "cameras": [spec.scene.camera_text(camera) for camera in spec.cameras],
        }
        for paragraph in ("axes", "world", "pictures"):
            template = _shipped().get_template(f"{paragraph}.jinja")
            always[paragraph] = template.render(always).strip()
        self._templates: dict[str, Template] = {}
        for family in spec.families:
            environment = own if family in spec.templates else _shipped()
            try:
                self._templates[family] = environment.get_template(f"{family}.jinja")
            except TemplateError as error:
                raise _at_fault(family, error) from None
        self._always = always
        self._own = frozenset(spec.templates)
        for family in self._own.intersection(spec.families):
            options = ("first option", "second option") if spec.format == "choice" else ()
            for state in ("[0, 0, 0]", None):
                prompt = self.render(family, "a trial", state, options)
                if any(option not in prompt for option in options):
                    raise _at_fault(family, ValueError("the prompt does not show the options"))

    def render(
        self, family: str, instruction: str, state: str | None, options: Sequence[str]
    ) -> str:
        """The whole prompt of one question.

        Raises:
            TemplateError: the template uses something that does not exist.
        """
        try:
            return self._templates[family].render(
                self._always,
                instruction=instruction,
                state=state,
                options=list(zip(LETTERS, options, strict=False)),
            )
        except Exception as error:  # a template of the user's can fail in any way Python can
            if family in self._own:
                raise _at_fault(family, error) from None
            raise


def _at_fault(family: str, error: Exception) -> errors.TemplateError:
    line = getattr(error, "lineno", None) or _line_in_template(error.__traceback__)
    where = f"template of '{family}'" + (f", line {line}" if line else "")
    return errors.TemplateError(
        f"{where}: {error}",
        "a template may use instruction, state, options, world, axes, pictures, scene, robot and "
        "cameras; robotmcqa/questions/templates/ shows three",
    )


def _line_in_template(trace: TracebackType | None) -> int | None:
    """Where in a template an error of its rendering began: Jinja puts its lines into the trace."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
