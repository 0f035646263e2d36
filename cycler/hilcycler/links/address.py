"""Addresses as people write them: a serial port, a host and port, or a VISA resource."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from hilcycler.errors import RequestError
from hilcycler.links import Connect, Link, SerialSettings
from hilcycler.links.serial import open_serial
from hilcycler.links.tcp import open_tcp

EXPECTED = "a serial port (/dev/ttyACM0, COM3), tcp://HOST:PORT or a VISA resource (GPIB0::18::INSTR)"
_COM = re.compile(r"COM[1-9]\d{0,2}", re.IGNORECASE)


def connect(address: str, serial: SerialSettings) -> Connect:
    """What opens a link to `address`; RequestError if it is no address. Nothing is opened yet."""
    if address.startswith("tcp://"):
        host, port = _host_and_port(address)

        async def over_tcp() -> Link:
            return await open_tcp(host, port)

        return over_tcp
    if "::" in address:
        return _over_visa(address, serial)
    if (address.startswith("/") and len(address) > 1) or _COM.fullmatch(address):

        async def over_serial() -> Link:
            return await open_serial(address, serial)

        return over_serial
    raise RequestError(f"{address!r} is no address; expected {EXPECTED}")


def _over_visa(address: str, serial: SerialSettings) -> Connect:
    """VISA resources as VISA names them; `GPIB0::4::INSTR@PRLGX-TCPIP0::HOST::PORT::INTFC` by an adapter."""
    from pyvisa import rname

    from hilcycler.links.visa import visa  # pyvisa takes a while to import, and most benches need none

    resource, _, adapter = address.partition("@")
    try:
        for each in (resource, adapter) if adapter else (resource,):
            rname.ResourceName.from_string(each)
    except ValueError as error:
        raise RequestError(f"{address!r} is no VISA resource: {error}; expected {EXPECTED}") from None
    if adapter and not (adapter.upper().startswith("PRLGX") and resource.upper().startswith("GPIB")):
        raise RequestError(
            f"{address!r}: expected GPIB0::18::INSTR@PRLGX-TCPIP0::HOST::1234::INTFC behind an adapter"
        )
    return visa(resource, adapter=adapter, library="@py" if adapter else "", serial=serial)


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError(f"{address!r}: {error}; expected tcp://HOST:PORT") from None
    if not host or not port or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise RequestError(f"{address!r} is no address; expected tcp://HOST:PORT")
    return host, port
