"""What is plugged in: serial ports with who they are, and VISA resources."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports

from hilcycler.errors import LinkLost

_BY_ID: Final = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class Plugged:
    """A serial port: its name now, its lasting name (`by_id`), and what the USB device says of itself."""

    port: str
    by_id: str
    vendor: int | None
    product: int | None
    serial: str
    description: str


def plugged() -> list[Plugged]:
    """Serial ports of this computer that a device is behind."""
    names = _lasting_names()
    return [
        Plugged(
            port=each.device,
            by_id=names.get(os.path.realpath(each.device), ""),
            vendor=each.vid,
            product=each.pid,
            serial=each.serial_number or "",
            description=" ".join(filter(None, (each.manufacturer, each.product)))
            or (each.description if each.description != "n/a" else ""),
        )
        for each in sorted(list_ports.comports())
    ]


def port_of(vendor: int, product: int, serial: str) -> str:
    """Where the USB device with this identity is now. LinkLost if it is nowhere, or there are two."""
    wanted = f"USB device {vendor:04X}:{product:04X} {serial}"
    found = [e.port for e in plugged() if (e.vendor, e.product, e.serial) == (vendor, product, serial)]
    if not found:
        raise LinkLost(f"{wanted}: not plugged in")
    if len(found) > 1:
        raise LinkLost(f"{wanted}: {len(found)} ports have it ({', '.join(found)}); expected one")
    return found[0]


def visa_resources() -> list[str]:
    """VISA resources that pyvisa-py finds without being told where: USB and GPIB, and what the network announces.

    Serial ports are not among them: `plugged` knows more about those.
    """
    import pyvisa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional packages that it could look further with
        found = pyvisa.ResourceManager("@py").list_resources("?*::INSTR")
    return sorted(each for each in found if not each.startswith("ASRL"))


def _lasting_names() -> dict[str, str]:
    try:
        return {os.path.realpath(each): str(each) for each in _BY_ID.iterdir()}
    except OSError:
        return {}
