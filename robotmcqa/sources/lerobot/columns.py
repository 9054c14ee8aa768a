"""Rows of one episode out of parquet files that may hold thousands of episodes.

Open files, the place of each episode in them and the row groups read last are kept per process,
within bounds: episodes are read one after the other, and mostly lie side by side.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robotmcqa.arrays import FloatArray
from robotmcqa.errors import DemoError

__all__ = ["episode_rows", "numbers"]

KEPT_FILES = 8
KEPT_GROUPS = 8
KEPT_BYTES = 128 << 20
"""Of row groups in memory; the one read last is kept whatever its size."""


class _File:
    """A parquet file: where its row groups begin, and which rows are whose."""

    def __init__(self, path: str) -> None:
        self.file = pq.ParquetFile(path)
        self.names = set(self.file.schema_arrow.names)
        sizes = [
            self.file.metadata.row_group(number).num_rows
            for number in range(self.file.num_row_groups)
        ]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.episodes = self._places()

    def _places(self) -> Mapping[int, tuple[int, int]]:
        """Episode -> its first row and the one after its last."""
        if "episode_index" not in self.names:
            return {}
        index_only = self.file.read(columns=["episode_index"], use_threads=False)
        column = index_only.column("episode_index")
        index = np.asarray(column.to_numpy())
        if not len(index):
            return {}
        cuts = np.flatnonzero(index[1:] != index[:-1]) + 1
        starts, stops = [0, *cuts.tolist()], [*cuts.tolist(), len(index)]
        places = {}
        for start, stop in zip(starts, stops, strict=True):
            episode = int(index[start])
            # An episode in two places keeps neither: (0, 0) is refused when it is asked for.
            places[episode] = (0, 0) if episode in places else (start, stop)
        return places


@lru_cache(maxsize=KEPT_FILES)
def _opened(path: str, stamp: tuple[int, int]) -> _File:
    return _File(path)


_groups: OrderedDict[tuple[Any, ...], pa.Table] = OrderedDict()


def _read(path: str, stamp: tuple[int, int], file: _File, groups: range, columns: list[str]) -> Any:
    """Columns of neighbouring row groups, from memory where they were read a moment ago."""
    key = (path, stamp, groups, tuple(columns))
    if key in _groups:
        _groups.move_to_end(key)
        return _groups[key]
    # A name selects every column that begins with it, so the others are dropped again.
    table = file.file.read_row_groups(list(groups), columns, use_threads=False).select(columns)
    _groups[key] = table
    while len(_groups) > 1 and (len(_groups) > KEPT_GROUPS or _kept_bytes() > KEPT_BYTES):
        _groups.popitem(last=False)
    return table


def _kept_bytes() -> int:
    return sum(table.nbytes for table in _groups.values())


def episode_rows(path: str, name: str, episode: int, columns: Sequence[str]) -> pa.Table:
    """The rows of one episode, in order.

    Args:
        path: of the parquet file.
        name: of it in messages.
        episode: its ``episode_index``.
        columns: names of the wanted columns.

    Raises:
        DemoError: the file is missing or broken, or lacks the columns or the episode.
    """
    wanted = sorted(set(columns))
    try:
        stamp = _stamp(path)
        file = _opened(path, stamp)
        missing = [column for column in wanted if column not in file.names]
        if missing:
            raise DemoError(
                f"{name}: no column '{missing[0]}'", f"it has: {', '.join(sorted(file.names))}"
            )
        start, stop = file.episodes.get(episode, (0, 0))
        if start == stop:
            raise DemoError(
                f"{name}: episode {episode} is not in it, or not in one piece",
                "fetch or convert the data set again",
            )
        first = int(np.searchsorted(file.starts, start, side="right")) - 1
        last = int(np.searchsorted(file.starts, stop, side="left"))
        table = _read(path, stamp, file, range(first, last), wanted)
        return table.slice(start - int(file.starts[first]), stop - start)
    except FileNotFoundError:
        raise DemoError(f"{name}: missing", _AGAIN) from None
    except (OSError, pa.ArrowException) as error:
        raise DemoError(f"{name}: broken parquet file ({_line(error)})", _AGAIN) from None


_AGAIN = "fetch or record it again"


def _stamp(path: str) -> tuple[int, int]:
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def numbers(rows: pa.Table, name: str) -> FloatArray:
    """A column as ``(N, K)`` float64; lists of lists are flattened row by row.

    Raises:
        DemoError: it holds something else than numbers, gaps, or rows of different lengths.
    """
    column = rows.column(name)
    values: Any = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    count = len(values)
    while True:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if values.null_count:
            raise DemoError(f"column '{name}' has gaps")
        kind = values.type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed(kind)):
            break
        if not _is_fixed(kind):
            lengths = np.diff(np.asarray(values.offsets))
            if len(lengths) and (lengths != lengths[0]).any():
                raise DemoError(f"column '{name}' has rows of different lengths")
        values = values.flatten()
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise DemoError(f"column '{name}' holds {kind}, not numbers")
    flat = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    return flat.reshape(count, -1) if count else flat.reshape(0, 0)


def _is_fixed(kind: Any) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))
