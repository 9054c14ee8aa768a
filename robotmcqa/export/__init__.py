"""Data sets in the formats of other trainers: :func:`robotmcqa.export.run.export`.

Each format is a file of this package with a ``FORMAT`` in it, and a line in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FORMATS"]

FORMATS: Mapping[str, str] = {
    "trl": "parquet for TRL",
    "easyr1": "parquet for EasyR1",
    "llava": "JSON lines and PNG files for VLM-R1 and LLaVA's descendants",
    "sharegpt": "JSON lines and PNG files for LLaMA-Factory",
}
"""Name, which is that of its module -> what it is."""
