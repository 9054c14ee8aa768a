"""Of what kind is a folder? Whoever has one need not know the name of its scheme."""

from __future__ import annotations

import os
from pathlib import Path

from robotmcqa.errors import SourceError, UsageError
from robotmcqa.places import is_url
from robotmcqa.sources import SCHEMES
from robotmcqa.sources.plugins import plugins
from robotmcqa.workplace import MANIFEST, WORK

__all__ = ["recognised"]


def recognised(text: str) -> str:
    """What is to be inspected, as ``--source`` takes it: a folder's kind is recognised.

    Raises:
        UsageError: the folder is a data set of questions, not of demos; or it is a URL.
        SourceError: there is no such folder, or it holds nothing that is known.
    """
    scheme, colon, _ = text.partition(":")
    if scheme in {"auto", *SCHEMES, *plugins()}:
        return text
    if is_url(text):
        raise UsageError(
            f"{text}: demos are inspected where they lie on disk",
            "lerobot:hf://org/name@revision is fetched from the Hub; robotmcqa validate and show "
            "take a data set of questions at a URL",
        )
    folder = Path(text).expanduser()
    if not folder.exists():
        if colon:
            return text
        raise SourceError(f"{text}: no such folder", "name a folder of demos, or sim")
    if folder.is_file():
        raise SourceError(f"{text}: is a file", "name the folder that it lies in")
    questions = UsageError(
        f"{text} is a data set of questions, not of demos",
        f"robotmcqa show {text} or robotmcqa validate {text}",
    )
    if _is_ours(folder):
        raise questions
    if (folder / "meta/info.json").exists():
        return f"lerobot:{text}"
    from robotmcqa.sources.lerobot.folder import holding, nearby
    from robotmcqa.sources.rlbench_tree import find_variations

    if holding(folder):  # its meta/episodes would look like RLBench's
        raise SourceError(f"{text}: no demos of its own", nearby(folder))
    try:
        find_variations(folder)
    except SourceError as error:
        if any(map(_is_ours, folder.iterdir())):  # configs, pushed as one
            raise questions from None
        raise SourceError(
            f"{error.what}, neither RLBench's nor LeRobot's (meta/info.json)",
            nearby(folder) or error.remedy,
        ) from None
    return f"rlbench:{text}"


def _is_ours(folder: Path) -> bool:
    """Whether ``extract`` has written there, or has begun to."""
    return any(os.access(folder / name, os.F_OK) for name in (MANIFEST, WORK))
