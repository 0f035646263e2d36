"""The chain of events: each hash covers the one before it, so none can be changed, dropped or moved."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final, NamedTuple

START: Final = bytes(32)
"""The hash before the first event."""

_PLACE = struct.Struct("<qqI")
_COUNTS = struct.Struct("<qq")


class Link(NamedTuple):
    """One row of the table of events."""

    number: int
    rows: int
    kind: str
    record: str
    hash: bytes


def link(head: bytes, number: int, rows: int, kind: str, record: str) -> Link:
    """The event that follows the one whose hash is `head`."""
    name = kind.encode()
    digest = hashlib.sha256(head)
    digest.update(_PLACE.pack(number, rows, len(name)))
    digest.update(name)
    digest.update(record.encode())
    return Link(number, rows, kind, record, digest.digest())


def counts_checksum(rows: int, events: int, head: bytes) -> int:
    """CRC32 of a checkpoint."""
    return zlib.crc32(head, zlib.crc32(_COUNTS.pack(rows, events)))


def segment_checksum(run: str, number: int, sequence: int, event: int, head: bytes) -> int:
    """CRC32 of what a file says about its place in the run."""
    return zlib.crc32(run.encode(), counts_checksum(sequence, event, head) ^ number)
