"""Where a data set is to lie: a folder, or a URL that fsspec knows.

A place of either kind is a :class:`pathlib.Path` to the rest: ``universal-pathlib`` gives URLs its
methods. The few operations that differ stand below. A file appears whole in both: in a folder by a
rename, in an object store because that is how a store takes an object.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from robotmcqa.errors import RobotMCQAError, StoreError, UsageError

__all__ = [
    "answering",
    "copy",
    "fsync",
    "is_remote",
    "is_url",
    "located",
    "make_folder",
    "move",
    "move_into_place",
    "opened",
    "remove_if_empty",
    "remove_tree",
    "rename",
    "temporary_beside",
]

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_FOREIGN = ("aiobotocore", "aiohttp", "botocore", "fsspec", "huggingface_hub", "s3fs")


def is_url(text: str) -> bool:
    """Whether ``text`` is no name of a folder."""
    return bool(_URL.fullmatch(text))


def located(text: str) -> Path:
    """The place that ``--out`` names.

    Args:
        text: a folder, or a URL: ``s3://bucket/name``, ``file:///data/name``, or of any other
            store that fsspec has a package for.

    Raises:
        UsageError: there is no package for it, or secrets stand in it.
    """
    match = _URL.fullmatch(text)
    if not match:
        return Path(text)
    scheme, rest = match["scheme"].lower(), match["rest"]
    if "@" in rest.partition("/")[0]:
        raise UsageError(
            f"a {scheme}:// URL with a user or a password in it",
            "keep secrets out of commands and logs: give them in the environment or in the "
            "store's own configuration (for s3: AWS_ACCESS_KEY_ID, ~/.aws/credentials)",
        )
    if scheme == "file":
        return Path(unquote(rest.removeprefix("localhost")))
    if scheme == "hf" and not rest.startswith("buckets/"):
        raise UsageError(
            f"{text}: each file would be a commit of its own",
            "write to a folder; robotmcqa push makes a release of it in one commit",
        )
    if not rest.strip("/"):
        raise UsageError(f"{text} names no folder", f"one looks like {scheme}://bucket/name")
    try:
        from upath import UPath

        # No listings cache: others write there too.
        place = UPath(text.rstrip("/"), use_listings_cache=False)
        place.fs  # noqa: B018 - opens the store's package
    except ImportError:
        raise UsageError(
            f"nothing here can write to {scheme}:// URLs", _installing(scheme)
        ) from None
    except ValueError as error:
        raise UsageError(f"{text}: {error}", "--out takes a folder or a URL") from None
    return cast(Path, place)


def _installing(scheme: str) -> str:
    """The command that gets what a store needs, or what fsspec says about it."""
    from fsspec.registry import known_implementations  # type: ignore[import-untyped]

    if scheme in ("s3", "s3a"):
        return "pip install 'robotmcqa[s3]'"
    if scheme not in known_implementations:
        return "--out takes a folder, or a URL of a store that fsspec knows (s3://, gs://, abfs://)"
    said = known_implementations[scheme].get("err", "")
    return "pip install universal-pathlib" + (f", and for {scheme}://: {said}" if said else "")


def is_remote(place: Path) -> bool:
    """Whether a place is no folder of a file system."""
    return not isinstance(place, Path)


@contextmanager
def answering(place: Path) -> Iterator[None]:
    """Say in a line what goes wrong with a store.

    Raises:
        StoreError: it refuses, fails, or cannot be reached.
    """
    try:
        yield
    except (RobotMCQAError, KeyboardInterrupt):
        raise
    except Exception as error:
        foreign = type(error).__module__.partition(".")[0] in _FOREIGN
        if not is_remote(place) or not (foreign or isinstance(error, OSError)):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise StoreError(
            f"{place}: {reason}",
            "check the name, the credentials in the environment, and that the store answers; "
            "--resume goes on with what is there",
        ) from None


def temporary_beside(place: Path) -> Path:
    """Where to write a file that is to be moved to ``place``.

    A name that no other writer has, on whatever machine it runs: in the same folder, or in a local
    one where ``place`` is in a store.
    """
    name = f".{uuid.uuid4().hex[:12]}.tmp"
    folder = Path(tempfile.gettempdir()) if is_remote(place) else place.parent
    return folder / name


def move(temporary: Path, place: Path) -> None:
    """Have a local file at ``place``, whole or not at all, and nowhere else."""
    if is_remote(place):
        remote = cast(Any, place)
        remote.fs.put_file(str(temporary), remote.path)
        temporary.unlink()
    else:
        os.replace(temporary, place)


def move_into_place(temporary: Path, place: Path) -> None:
    """As :func:`move`, with the data on the disk before its name is.

    After a power failure a folder may have lost the new name, but never shows half a file.
    """
    if not is_remote(place):
        fsync(temporary)
    move(temporary, place)


def rename(before: Path, after: Path) -> None:
    """Rename a file; in a store, which has no names to change, it is copied there and removed."""
    if is_remote(after):
        remote = cast(Any, after)
        remote.fs.mv(cast(Any, before).path, remote.path)
    else:
        os.replace(before, after)


def copy(before: Path, after: Path) -> None:
    """Copy a file within a store."""
    remote = cast(Any, after)
    remote.fs.cp_file(cast(Any, before).path, remote.path)


def fsync(place: Path) -> None:
    """Have a file, or the names in a folder, on the disk before going on."""
    if is_remote(place):
        return  # a store has taken what it has acknowledged
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(place: Path) -> None:
    """Make a folder where there are such things: stores have none."""
    if not is_remote(place):
        place.mkdir(parents=True, exist_ok=True)


def remove_tree(place: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder and everything in it."""
    if not is_remote(place):
        shutil.rmtree(place, ignore_errors=ignore_errors)
    elif place.exists():
        remote = cast(Any, place)
        remote.fs.rm(remote.path, recursive=True)


def remove_if_empty(place: Path) -> None:
    """Remove a folder that has nothing in it; in a store there is then none."""
    if not is_remote(place):
        with suppress(OSError):
            place.rmdir()


@contextmanager
def opened(place: Path) -> Iterator[Any]:
    """What pyarrow and numpy take for a file to read: a name, or something to seek in."""
    if is_remote(place):
        with place.open("rb") as file:
            yield file
    else:
        yield place
