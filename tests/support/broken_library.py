"""A process that runs a protocol over VISA, whose vendor's library crashes or hangs at a reading.

python broken_library.py crash|hang ADDRESS FOLDER PROTOCOL
"""

from __future__ import annotations

import ctypes
import sys
import threading
from dataclasses import replace
from pathlib import Path

from spine import make_twin, order

from hilcycler import registry
from hilcycler.links import SerialSettings, visa
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler.service.foreground import perform

READS = 90
"""By then the first step is under way."""


def break_at(reads: int, how: str) -> None:
    """The first session's library is sound for so many reads."""
    sound = visa._Session.read
    first: list[object] = []
    done = 0

    def read(session: visa._Session, within: float) -> bytes:
        nonlocal done
        if not first:
            first.append(session)
        done += session is first[0]
        if session is first[0] and done > reads:
            if how == "crash":
                ctypes.string_at(0)
            threading.Event().wait()
        return sound(session, within)

    visa._Session.read = read  # type: ignore[method-assign, assignment]


def main(how: str, address: str, folder: str, text: str) -> None:
    break_at(READS, how)
    twin = make_twin("keithley-2450")
    wanted = replace(
        order(twin, connect(address, SerialSettings()), Path(folder), text),
        driver=registry.driver("keithley"),
    )
    performed = run(perform(wanted))
    print(performed.ended.outcome.value, performed.ended.off.value, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
