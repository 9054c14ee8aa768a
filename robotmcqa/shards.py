"""Parquet shards: the rows of a data set as pyarrow writes and ``datasets`` reads them.

The pictures' bytes go in as they came; questions about one frame share one copy through
dictionary encoding. Equal rows give equal bytes under one pyarrow version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robotmcqa.errors import DatasetError, RecordError
from robotmcqa.files import sha256_of
from robotmcqa.item import Item
from robotmcqa.places import make_folder, move_into_place, opened, temporary_beside
from robotmcqa.schema import first_problem, is_valid

__all__ = ["SCHEMA", "ShardWriter", "card_features", "find_rows", "read_rows"]

_STRINGS = pa.list_(pa.string())
_NUMBERS = pa.list_(pa.float64())
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SPEC = pa.struct([(name, pa.string()) for name in ("version", "digest", "format", "law", "state")])
_COLUMNS: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "family": pa.string(),
    "task": pa.string(),
    "variation": pa.int32(),
    "episode": pa.string(),
    "frame": pa.int32(),
    "keyframe": pa.int32(),
    "instruction": pa.string(),
    "question": pa.string(),
    "options": _STRINGS,
    "answer": pa.string(),
    "state": _NUMBERS,
    "target": _NUMBERS,
    "motion": pa.string(),
    "distractors": pa.list_(_NUMBERS),
    "cameras": _STRINGS,
    "images": pa.list_(_IMAGE),
    "reasoning": pa.string(),
    "spec": _SPEC,
}


def _feature(kind: pa.DataType) -> Any:
    """A column type in the words of ``datasets``, so that pictures load as pictures."""
    if kind.equals(_IMAGE):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": "float64" if kind.equals(pa.float64()) else str(kind), "_type": "Value"}


def card_features() -> list[dict[str, Any]]:
    """The columns as a card's ``dataset_info`` lists them."""
    return [{"name": name, **_listed(kind)} for name, kind in _COLUMNS.items()]


def _listed(kind: pa.DataType) -> dict[str, Any]:
    """A column type in the words of a card, which differ from those in the file."""
    if pa.types.is_list(kind):
        inner = _listed(kind.value_type)
        return {"list": inner.get("dtype", inner)}
    if kind.equals(_IMAGE):
        return {"dtype": "image"}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **_listed(field.type)} for field in kind]}
    return {"dtype": "float64" if kind.equals(pa.float64()) else str(kind)}


def _features() -> str:
    features = {name: _feature(kind) for name, kind in _COLUMNS.items()}
    return json.dumps({"info": {"features": features}})


SCHEMA = pa.schema(list(_COLUMNS.items()), metadata={"huggingface": _features()})
"""Arrow schema of a shard as it is read, with the features that ``datasets`` looks for."""

_SHARED_IMAGE = pa.struct(
    [("bytes", pa.dictionary(pa.int32(), pa.binary())), ("path", pa.string())]
)
_WRITTEN = pa.schema({**_COLUMNS, "images": pa.list_(_SHARED_IMAGE)})
"""As it is written: pictures are handed over already shared, so that none is hashed or copied."""

_ROWS_PER_GROUP = 1000
_BYTES_PER_GROUP = 16 << 20
"""A row group ends at whichever comes first: this many rows, or bytes of distinct pictures.

Small enough that a group's decoded pictures stay far below the Hub viewer's 300 MB.
"""


class ShardWriter:
    """Writes one shard: rows go in, and at the end the file stands under its name.

    Used as a context manager; an exception leaves nothing behind.

    Attributes:
        bytes, sha256: of the file, once it is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = temporary_beside(path)
        self._items: list[Item] = []
        self.bytes, self.sha256 = 0, ""
        self._bytes = 0
        self._last_images: tuple[bytes, ...] | None = None

    def __enter__(self) -> ShardWriter:
        make_folder(self._path.parent)
        self._writer = pq.ParquetWriter(
            str(self._temporary.absolute()),  # pyarrow would take a relative a:b for a URI
            _WRITTEN,
            store_schema=False,  # or readers would meet the dictionary type
            compression="zstd",
            dictionary_pagesize_limit=64 << 20,  # smaller, and pictures are no longer shared
            use_content_defined_chunking=True,  # the Hub then uploads only what changed
            write_page_index=True,
        )
        self._writer.add_key_value_metadata({"huggingface": _features()})
        return self

    def add(self, item: Item) -> None:
        """Append one row.

        Raises:
            RecordError: the row breaks the item schema.
        """
        if not is_valid("item", item.document):
            problem = first_problem("item", item.document)
            raise RecordError(f"row {item.document.get('id')}: {problem}", "please report this")
        self._items.append(item)
        if item.images is not self._last_images:
            self._last_images = item.images
            self._bytes += sum(map(len, item.images))
        if len(self._items) >= _ROWS_PER_GROUP or self._bytes >= _BYTES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._items:
            self._writer.write_table(_table(self._items))
            self._items, self._bytes, self._last_images = [], 0, None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
            self._writer.close()
            if kind is None:
                self.bytes, self.sha256 = self._temporary.stat().st_size, sha256_of(self._temporary)
                move_into_place(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _table(items: Sequence[Item]) -> pa.Table:
    columns = []
    for name, kind in _COLUMNS.items():
        if name == "images":
            columns.append(_images([item.images for item in items]))
        else:
            columns.append(pa.array([item.document[name] for item in items], kind))
    return pa.Table.from_arrays(columns, schema=_WRITTEN)


def _images(rows: Sequence[tuple[bytes, ...]]) -> pa.Array:
    """Pictures of each row; rows that share one tuple of pictures share their bytes."""
    distinct: list[bytes] = []
    places: list[int] = []
    offsets = [0]
    before: tuple[bytes, ...] | None = None
    for row in rows:
        if row is not before:
            distinct.extend(row)
            before = row
        places.extend(range(len(distinct) - len(row), len(distinct)))
        offsets.append(len(places))
    shared = pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int32()), pa.array(distinct, pa.binary())
    )
    paths = pa.nulls(len(places), pa.string())
    values = pa.StructArray.from_arrays([shared, paths], fields=list(_SHARED_IMAGE))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


_ROWS_AT_ONCE = 100
"""Rows that are made Python objects together: these take ten times the memory of the table."""


def find_rows(path: Path, wanted: Set[str]) -> Iterator[dict[str, Any]]:
    """The rows of a shard with these ids. Pictures of other rows are not made Python objects.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(path) as file, pq.ParquetFile(file) as shard:
        for group in range(shard.num_row_groups):
            ids = shard.read_row_group(group, columns=["id"], use_threads=False)["id"].to_pylist()
            if wanted.isdisjoint(ids):
                continue
            # In parts: a picture is in memory once for each row that has it.
            for part in shard.iter_batches(_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
                for place, one in enumerate(part.column("id").to_pylist()):
                    if one in wanted:
                        yield part.slice(place, 1).to_pylist()[0]
    pa.default_memory_pool().release_unused()


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a shard, a row group at a time.

    Raises:
        DatasetError: the file is missing, no parquet, or not of this schema.
    """
    try:
        with opened(path) as file, pq.ParquetFile(file) as shard:
            missing = set(columns or _COLUMNS) - set(shard.schema_arrow.names)
            if missing:
                raise DatasetError(
                    f"{path}: no column {', '.join(sorted(missing))}",
                    "extract the data set again, or use the version that wrote it",
                )
            for group in range(shard.num_row_groups):
                # One thread: a group is small, and each thread would keep memory of its own.
                table = shard.read_row_group(group, columns=columns, use_threads=False)
                for start in range(0, len(table), _ROWS_AT_ONCE):
                    yield from table.slice(start, _ROWS_AT_ONCE).to_pylist()
        pa.default_memory_pool().release_unused()  # it keeps what a file has taken for the next
    except (OSError, pa.ArrowInvalid, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path}: {reason}", "extract it again, or fetch it again") from None
