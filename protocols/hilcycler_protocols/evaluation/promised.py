"""What an instrument promised of its readings, taken from the header of a run."""

from __future__ import annotations

from hilcycler.records import RunStarted
from hilcycler_protocols.evaluation.uncertainty import PERFECT, Accuracy


def promised(header: RunStarted | None, current_range: int | None = None) -> Accuracy:
    """The accuracy on `current_range`; a perfect current where the header does not know that range."""
    if header is None:
        return PERFECT
    known = {each.index: each for each in header.current_ranges}
    used = None if current_range is None else known.get(current_range)
    return Accuracy(
        current_gain=used.gain if used else 0.0,
        current_offset=used.offset if used else 0.0,
        voltage_gain=header.voltage_gain,
        voltage_offset=header.voltage_offset,
    )
