"""Models by name: inspect's, a server's, a folder's, a baseline; checked before they are asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from robotmcqa.errors import ModelError, UsageError
from robotmcqa.evaluation.trouble import first_line

__all__ = ["Named", "explained_prerequisites", "named", "opened", "ready"]

SERVICE = "robotmcqa"
"""Names a server given by its address: its key is read from ROBOTMCQA_API_KEY."""

KEYLESS = "none"

PATIENCE = 10.0
"""Seconds that a server may take to accept a connection."""


@dataclass(frozen=True, slots=True)
class Named:
    """A model.

    Attributes:
        name: as the user wrote it.
        inspect: as inspect calls it.
        base_url: of its server, where that was given.
    """

    name: str
    inspect: str
    base_url: str | None = None

    @property
    def is_baseline(self) -> bool:
        """Nothing is paid, and no temperature means anything."""
        return self.inspect.startswith("baseline/")


def named(name: str, base_url: str | None = None) -> Named:
    """What a name on the command line means.

    Args:
        name: ``baseline/random``; a folder with a checkpoint; with ``base_url`` the name that the
            server knows the model by; else ``provider/model`` as inspect has it.
        base_url: of an OpenAI-compatible server, e.g. ``http://localhost:8000/v1``.

    Raises:
        UsageError: it is none of these.
    """
    if name.startswith("baseline/"):
        from robotmcqa.evaluation.baselines import Baseline

        Baseline(name.removeprefix("baseline/"))
        return Named(name, name)
    folder = Path(name.removeprefix("robotmcqa/")).expanduser()
    if (folder / "config.json").is_file() and not base_url:
        return Named(name, f"robotmcqa/{folder.resolve()}")
    if base_url:
        _check_address(base_url)
        return Named(name, f"openai-api/{SERVICE}/{name}", base_url)
    if folder.is_dir() or name.startswith(("robotmcqa/", "/", "./", "../", "~")):
        raise UsageError(
            f"{name}: no checkpoint here (config.json is missing)",
            "name the folder that a trainer or save_pretrained wrote",
        )
    if "/" not in name:
        raise UsageError(
            f"no model '{name}'",
            "a model is provider/name (openai/gpt-4o, baseline/random), a folder with a "
            "checkpoint, or with --base-url a name that the server knows",
        )
    return Named(name, name)


def _check_address(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{base_url} is no address of a server", "one looks like http://localhost:8000/v1"
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            f"the address of {parts.hostname} carries more than a place, and addresses are logged",
            f"a key belongs in {SERVICE.upper()}_API_KEY",
        )


def opened(model: Named, arguments: dict[str, Any]) -> Any:
    """inspect's ``Model``; opened again it is the same one, and not loaded or started twice.

    Args:
        model: by name.
        arguments: of its provider.

    Raises:
        UsageError: no such provider; a key or a package of it is missing.
        ModelError: its server cannot be reached.
    """
    from inspect_ai.model import get_model

    ready(model)
    with explained_prerequisites(model):
        try:
            found = get_model(model.inspect, base_url=model.base_url, **arguments)
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"{model.name}: {first_line(str(error))}",
                "inspect.aisi.org.uk/providers.html lists providers and their arguments (-M)",
            ) from None
    if model.inspect.startswith("openai-api/"):
        _reach(model, str(found.api.base_url))
    return found


def ready(model: Named) -> None:
    """What has to be so before inspect opens a model.

    Raises:
        ModelError: its server cannot be reached.
    """
    if model.base_url:
        # inspect wants a key for every server, and many of one's own have none.
        os.environ.setdefault(f"{SERVICE.upper()}_API_KEY", KEYLESS)
        _reach(model, model.base_url)


@contextmanager
def explained_prerequisites(model: Named) -> Iterator[None]:
    """Have inspect say what is missing in a sentence.

    Raises:
        UsageError: a key or a package of the model's provider is missing.
    """
    from inspect_ai._util.error import PrerequisiteError
    from rich.text import Text

    try:
        yield
    except PrerequisiteError as error:
        words = " ".join(Text.from_markup(str(error.message)).plain.split())
        raise UsageError(
            f"{model.name}: {first_line(words.removeprefix('ERROR: '))}",
            "set or install what is missing",
        ) from None


def _reach(model: Named, address: str) -> None:
    """A refused connection is better told now than after every question was tried in vain."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        raise ModelError(
            f"{model.name}: the server {parts.scheme}://{host}:{port} cannot be reached "
            f"({error.strerror or error})",
            "start it, or mend the address",
        ) from None
