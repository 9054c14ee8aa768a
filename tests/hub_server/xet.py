"""The two binary formats of Xet, as far as a server must read them.

A *xorb* is a sequence of compressed chunks: a header of 8 bytes (version, compressed length in 3
bytes, scheme, plain length in 3 bytes, little-endian) and the bytes. A *shard* says how files are
made of ranges of chunks. Both are described in the Xet protocol's public specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from tests.hub_server.errors import HubError

CHUNK_HEADER = 8
SHARD_HEADER = 48
RECORD = 48
END = b"\xff" * 32
HAS_VERIFICATION = 1 << 31
HAS_SHA256 = 1 << 30


@dataclass(frozen=True)
class Chunk:
    """A chunk of a xorb: where its header begins and its bytes end; its plain length in bytes."""

    start: int
    end: int
    scheme: int
    length: int


@dataclass(frozen=True)
class Term:
    """A piece of a file: the chunks ``first`` to ``last`` (excluded) of a xorb, in plain bytes."""

    xorb: str
    length: int
    first: int
    last: int


@dataclass(frozen=True)
class XetFile:
    """A file by its Xet hash, its SHA-256 and the pieces that it is made of."""

    name: str
    sha256: str
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        """Length in bytes."""
        return sum(term.length for term in self.terms)


def chunks_of(xorb: bytes) -> tuple[Chunk, ...]:
    """The chunks of a xorb.

    Raises:
        HubError: 400, where it is cut short.
    """
    found, start = [], 0
    while start < len(xorb):
        header = xorb[start : start + CHUNK_HEADER]
        end = start + CHUNK_HEADER + int.from_bytes(header[1:4], "little")
        if len(header) < CHUNK_HEADER or end > len(xorb):
            raise HubError(400, "The xorb is cut short")
        found.append(Chunk(start, end, header[4], int.from_bytes(header[5:8], "little")))
        start = end
    return tuple(found)


def plain(xorb: BinaryIO, chunk: Chunk) -> bytes:
    """The bytes of a chunk, read from its xorb.

    They lie there as they are (scheme 0), as LZ4 (1), or as LZ4 of bytes sorted by four (2).

    Raises:
        HubError: 400, for another scheme.
    """
    xorb.seek(chunk.start + CHUNK_HEADER)
    packed = xorb.read(chunk.end - chunk.start - CHUNK_HEADER)
    if chunk.scheme == 0:
        return packed
    if chunk.scheme not in (1, 2):
        raise HubError(400, f"Unknown compression scheme {chunk.scheme}")
    unpacked: bytes = pa.decompress(packed, chunk.length, codec="lz4", asbytes=True)
    return unpacked if chunk.scheme == 1 else _interleave(unpacked)


def _interleave(grouped: bytes) -> bytes:
    """Undo the sorting by four: first the bytes 0, 4, 8, ..., then 1, 5, 9, ... and so on."""
    source = np.frombuffer(grouped, np.uint8)
    out = np.empty_like(source)
    start = 0
    for phase in range(4):
        length = len(out[phase::4])
        out[phase::4] = source[start : start + length]
        start += length
    return out.tobytes()


def files_of(shard: bytes) -> Iterator[XetFile]:
    """The files that a shard describes.

    Raises:
        HubError: 400, where it is cut short, or a file has no SHA-256.
    """
    position = SHARD_HEADER
    while shard[position : position + 32] != END:
        header = shard[position : position + RECORD]
        if len(header) < RECORD:
            raise HubError(400, "The shard is cut short")
        flags, count = struct.unpack_from("<II", header, 32)
        position += RECORD
        terms = tuple(_term(shard, position + RECORD * index) for index in range(count))
        position += RECORD * count * (2 if flags & HAS_VERIFICATION else 1)
        if not flags & HAS_SHA256:
            raise HubError(400, "A file of the shard has no SHA-256")
        yield XetFile(_hash(header), _hash(shard[position : position + 32]), terms)
        position += RECORD


def _term(shard: bytes, position: int) -> Term:
    _, length, first, last = struct.unpack_from("<IIII", shard, position + 32)
    return Term(_hash(shard[position : position + 32]), length, first, last)


def _hash(content: bytes) -> str:
    """Xet writes a hash as four little-endian numbers of 8 bytes."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", content))
