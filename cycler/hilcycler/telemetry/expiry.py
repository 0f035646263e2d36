"""When certificates end: read from the certificate itself (X.509, RFC 5280 section 4.1), before it is too late."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hilcycler.clock import wall_clock
from hilcycler.quantities import Second

WARN: Final[Second] = 30 * 86_400.0

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18


def ends(certificate: bytes) -> Second:
    """UTC, in seconds since 1970, until which a certificate (DER) is valid. ValueError if it is none."""
    (_, whole), *_ = _elements(certificate)
    (_, signed), *_ = _elements(whole)
    fields = [content for kind, content in _elements(signed) if kind != _VERSION]
    _, (kind, text) = _elements(fields[3])  # after serial number, algorithm, issuer: not before, not after
    if kind not in {_UTC_TIME, _TIME}:
        raise ValueError(f"a time of kind {kind:#x}")
    layout = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), layout).replace(tzinfo=UTC).timestamp()


def soonest(path: Path) -> Second | None:
    """When the first of the certificates in a file (PEM) ends; None if there are none to be read."""
    try:
        found = [ends(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(path.read_text("ascii"))]
    except (OSError, ValueError, IndexError):
        return None
    return min(found, default=None)


def warning(what: str, until: Second | None) -> str | None:
    """What is to be said of a certificate that ends within 30 days."""
    if until is None or until - wall_clock() > WARN:
        return None
    day = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{what} ends in {(until - wall_clock()) / 86_400.0:.1f} days, on {day}; nothing is sent after that"
    )


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the DER elements in a row."""
    at = 0
    while at < len(data):
        kind, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("a certificate that is cut off")
        yield kind, data[at : at + length]
        at += length
