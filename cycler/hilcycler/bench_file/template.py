"""A bench file to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hilcycler.links.ports import Plugged

_HEAD: Final = """\
# The bench: `cycler doctor` examines it, `cycler schema bench` tells editors what may stand here.
name = "bench"
# data = "/var/lib/hilcycler"       # where runs are kept; your own data folder if not given

[envelope]                          # no run on this bench gets beyond these
voltage = "-1 V to 5 V"
current = "-20 mA to 20 mA"
charge = "50 mAh"
"""
_PACE: Final = "pace = 60                           # simulated seconds per second\n"


def simulated(channels: int) -> str:
    """A bench without hardware: potentiostats and an SMU with cells of different seeds."""
    text = _HEAD
    for number in range(1, channels + 1):
        model = "keithley-2450" if number == 2 else "emstat4-hr"
        text += (
            f'\n[channels.A{number}.simulated]\nmodel = "{model}"\ncell = "li-li/bn-pp"\nseed = {number}\n'
        )
        text += "" if number == 2 else _PACE  # its samples are timed by the host, in real time
    return text


def plugged_in(found: Sequence[Plugged]) -> str:
    """A bench of the serial devices that are plugged in; drivers are for people to fill in."""
    text = _HEAD
    for number, each in enumerate(found, start=1):
        where = (
            f'usb = "{each.vendor:04X}:{each.product:04X} {each.serial}"'
            if each.vendor is not None and each.serial
            else f'address = "{each.by_id or each.port}"'
        )
        text += (
            f"\n[instruments.instrument-{number}]           # {_one_line(each.description) or each.port}\n"
        )
        text += f'driver = "emstat"                   # or keithley\n{where}\n'
        text += '# serial = "..."                   # what must answer; cycler doctor shows it\n'
        text += f'\n[channels.A{number}]\ninstrument = "instrument-{number}"\n'
    if not found:
        text += "\n# Nothing is plugged in. An instrument on the network:\n"
        text += '# [instruments.smu]\n# driver = "keithley"\n# address = "tcp://10.0.0.7:5025"\n'
        text += '# [channels.A1]\n# instrument = "smu"\n'
    return text


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
