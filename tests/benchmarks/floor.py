"""The least that any extraction has to do: the floor that ours is measured against.

Unpickle the same demos into numpy arrays, read the same pictures, write the same rows to parquet
with the same options. No question is worked out, nothing is checked, nothing is made resumable.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robotmcqa.shards import SCHEMA
from robotmcqa.sources import DemoRef, Selection, open_source


class _Anything:
    pass


class _PlainReader(pickle.Unpickler):
    """What anyone would write: an allow-list, and numpy's own classes."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("rlbench."):
            return _Anything
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return {"ndarray": np.ndarray, "dtype": np.dtype}[name]


@dataclass(frozen=True)
class Floor:
    """The floor of one extraction.

    Attributes:
        refs: the demos.
        shards: per shard the rows without pictures, and the path of each row's pictures.
    """

    refs: Sequence[DemoRef]
    shards: Sequence[Sequence[tuple[dict[str, Any], list[str]]]]

    def run(self, out: Path) -> None:
        """Do it."""
        for ref in self.refs:
            data = Path(ref.locator, "low_dim_obs.pkl").read_bytes()
            _PlainReader(io.BytesIO(data)).load()
        for number, rows in enumerate(self.shards):
            pictures = {path: Path(path).read_bytes() for _, paths in rows for path in paths}
            whole = [
                {**row, "images": [{"bytes": pictures[path], "path": None} for path in paths]}
                for row, paths in rows
            ]
            pq.write_table(
                pa.Table.from_pylist(whole, schema=SCHEMA),
                out / f"floor-{number}.parquet",
                compression="zstd",
                dictionary_pagesize_limit=64 << 20,
                use_content_defined_chunking=True,
                write_page_index=True,
            )


def floor_of(source_text: str, dataset: Path) -> Floor:
    """The floor for the extraction that made ``dataset``."""
    source = open_source(source_text)
    refs = list(source.refs(Selection()))
    folders = {source.load(ref, ()).digest(): ref.locator for ref in refs}
    shards = []
    for path in sorted((dataset / "data").glob("*.parquet")):
        rows = []
        for row in pq.read_table(path).to_pylist():
            del row["images"]
            folder = folders[row["episode"]]
            paths = [f"{folder}/{camera}_rgb/{row['frame']}.png" for camera in row["cameras"]]
            rows.append((row, paths))
        shards.append(rows)
    return Floor(refs, shards)
