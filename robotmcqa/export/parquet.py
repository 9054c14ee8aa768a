"""Parquet files that ``datasets`` reads with pictures as pictures, in its older versions too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["IMAGES", "STRINGS", "ParquetFile"]

STRINGS = pa.list_(pa.string())
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGES = pa.list_(_IMAGE)
"""Pictures, as ``datasets`` holds them."""

_ROWS_PER_GROUP = 1000
_BYTES_PER_GROUP = 32 << 20
"""A row group ends at whichever comes first: this many rows, or bytes of pictures."""


def _feature(kind: pa.DataType) -> Any:
    """A column type in the words of ``datasets``.

    A list is written as one in brackets: ``"_type": "List"`` is known from version 4 on, but other
    trainers come with older ones.
    """
    if kind.equals(_IMAGE):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": str(kind), "_type": "Value"}


class ParquetFile:
    """Rows of one split, written a row group at a time. Equal pictures of a group are one."""

    def __init__(self, path: Path, columns: Mapping[str, pa.DataType]) -> None:
        features = {name: _feature(kind) for name, kind in columns.items()}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        self._schema = pa.schema(list(columns.items()), metadata=metadata)
        self._path = path
        self._rows: list[Mapping[str, Any]] = []
        self._bytes = 0

    def __enter__(self) -> ParquetFile:
        self._writer = pq.ParquetWriter(
            str(self._path),
            self._schema,
            compression="zstd",
            dictionary_pagesize_limit=2 * _BYTES_PER_GROUP,  # smaller, and pictures are repeated
        )
        return self

    def add(self, document: Mapping[str, Any]) -> None:
        """Append one row; of what it holds, the columns' fields are taken."""
        self._rows.append(document)
        self._bytes += sum(len(image["bytes"]) for image in document.get("images", ()))
        if len(self._rows) >= _ROWS_PER_GROUP or self._bytes >= _BYTES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows, self._bytes = [], 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._writer.close()
