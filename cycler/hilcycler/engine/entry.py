"""Is this the cell that was meant, the right way round, and well connected? Asked before a run begins.

A cell whose voltages lie outside the instrument's window is refused unseen. Then a rest shows the
open-circuit voltage and its drift, and a pulse each way, small and short, the resistance at the leads.
What does not fit the kind of cell is refused: no protocol is begun on it. The pulses leave no charge
behind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel, ConditionMet, EnvelopeCrossed, Samples
from hilcycler.errors import RequestError
from hilcycler.protocol import Envelope
from hilcycler.quantities import Ampere, Ohm, Second, Volt, VoltPerSecond
from hilcycler.records import OffState
from hilcycler.steps import ConstantCurrent, End, Rest, Sampling, Step, TimeReached

REST: Final[Second] = 10.0
PULSE: Final[Second] = 1.0
PULSE_CURRENT: Final[Ampere] = 1e-4
"""0.1 mA for a second is 28 nAh: a hundred-thousandth of a coin cell. Less where the limits allow less."""


@dataclass(frozen=True, slots=True)
class Fits:
    """What a kind of cell shows at its terminals: open circuit, drift at rest, resistance to a pulse.

    No resistance where an electrode blocks: a pulse would only charge its double layer. `half_charged`
    is the voltage of a full cell in the middle of its charge.
    """

    open_circuit: tuple[Volt, Volt]
    drift: VoltPerSecond
    resistance: tuple[Ohm, Ohm] | None
    half_charged: Volt = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What it did show."""

    open_circuit: Volt
    drift: VoltPerSecond
    resistance: Ohm | None
    pulse: Ampere = PULSE_CURRENT

    def __str__(self) -> str:
        pulse = "no pulse: an electrode blocks, or the limits allow none"
        if self.resistance is not None:
            pulse = f"{self.resistance:.3g} ohm to a pulse of {self.pulse * 1e3:.3g} mA"
        return f"open circuit {self.open_circuit:.4g} V, drift {self.drift * 1e3:.2g} mV/s, {pulse}"


_ALKALI: Final = {"Li", "Na", "K"}
_FULL: Final = {
    "LFP": (2.0, 3.45, 3.8),
    "NCM": (2.5, 3.8, 4.5),
    "NMC": (2.5, 3.8, 4.5),
    "NCA": (2.5, 3.8, 4.5),
    "LCO": (2.5, 3.9, 4.6),
    "S": (1.5, 2.2, 3.3),
}
"""Against lithium: lowest, in the middle of the charge, highest."""
_CONTACT: Final = (0.5, 2e4)
"""Less is a short circuit between the leads, more is a lead that hangs in the air."""
_LEAST_PULSE: Final[Ampere] = 1e-7


def expected(cell: Cell) -> Fits:
    """What `cell` ought to show, by its two electrodes; what is not known is bounded by no more than 5 V."""
    working, counter = cell.working.material, cell.counter.material
    if working == counter:
        alkali = working in _ALKALI
        return Fits((-0.1, 0.1) if alkali else (-0.5, 0.5), 5e-3, _CONTACT if alkali else None)
    positive = _FULL.get(working.upper().rstrip("0123456789"))
    if positive is not None and counter in _ALKALI:
        lowest, middle, highest = positive
        return Fits((lowest, highest), 5e-3, _CONTACT, middle)
    if counter in _ALKALI:
        return Fits((-0.1, 3.6), 2e-2, None)  # a bare metal against lithium
    return Fits((-5.0, 5.0), 2e-2, None)


def refuse_unless_within(capabilities: Capabilities, cell: Cell) -> None:
    """RequestError if a cell of this kind must leave the voltages that the channel can measure."""
    middle = expected(cell).half_charged
    least, most = capabilities.voltage
    if not least <= middle <= most:
        raise RequestError(
            f"{cell.name} ({cell.working.material} against {cell.counter.material}) is at about {middle:g} V "
            f"when half charged; this instrument measures {least:g} V to {most:g} V"
        )


async def refuse_unless_it_fits(channel: Channel, cell: Cell, envelope: Envelope) -> Shown:
    """What the cell shows; RequestError if that is not `cell`, and the output is off again either way.

    It rests within the instrument's own window, not within `envelope`: an instrument that rests with its
    output on would draw current from a cell whose voltage lies beyond the limits loaded into it.
    """
    fits = expected(cell)
    whole = replace(envelope, voltage=channel.capabilities.voltage)
    try:
        rest = await _measured(channel, Rest((End(TimeReached(REST)),), Sampling(0.5, 0.5)), whole)
        low, high = fits.open_circuit
        voltage = float(np.median(rest[1]))
        if not low <= voltage <= high:
            _refuse(
                cell, f"open circuit {voltage:.4g} V, expected {low:g} V to {high:g} V", -voltage, low, high
            )
        least, most = envelope.voltage
        if not least <= voltage <= most:
            _refuse(cell, f"open circuit {voltage:.4g} V, safety limits {least:g} V to {most:g} V")
        drift = float(np.polyfit(rest[0], rest[1], 1)[0])
        if not abs(drift) <= fits.drift:
            _refuse(
                cell, f"its voltage drifts by {drift * 1e3:.3g} mV/s, expected at most {fits.drift * 1e3:g}"
            )
        pulse = min(PULSE_CURRENT, *(0.9 * abs(each) for each in envelope.current))
        resistance = None
        if fits.resistance is not None and pulse >= _LEAST_PULSE:
            resistance = await _resistance(channel, pulse, envelope)
            low, high = fits.resistance
            if not low <= resistance <= high:
                _refuse(cell, f"{resistance:.3g} ohm to a small pulse, expected {low:g} to {high:g} ohm")
        return Shown(voltage, drift, resistance, pulse)
    finally:
        off = await asyncio.shield(channel.safe())
        if off is not OffState.OFF:
            raise RequestError(f"{cell.name}: after the check of its contacts the output is {off.value}")


async def _resistance(channel: Channel, most: Ampere, envelope: Envelope) -> Ohm:
    """Half the difference between the ends of two pulses, one each way: what stands still cancels."""
    ends = (End(TimeReached(PULSE)),)
    answers = []
    for current in (most, -most):
        pulse = await _measured(channel, ConstantCurrent(current, ends, Sampling(0.2, 0.2)), envelope)
        answers.append(float(pulse[1][-1]))
    return (answers[0] - answers[1]) / (2.0 * most)


async def _measured(
    channel: Channel, step: Step, envelope: Envelope
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and voltages of `step`."""
    times, voltages = [], []
    channel.check(step, envelope)
    await channel.start(step, envelope)
    async for each in channel.records():
        match each:
            case Samples():
                times.append(each.columns["step_time"])
                voltages.append(each.columns["voltage"])
            case EnvelopeCrossed(violation):
                raise RequestError(f"while its contacts were checked: {violation}")
            case ConditionMet():
                break
            case _:
                continue
    return np.concatenate(times), np.concatenate(voltages)


def _refuse(cell: Cell, what: str, reversed_: Volt | None = None, low: Volt = 0.0, high: Volt = 0.0) -> None:
    hint = ""
    if reversed_ is not None and low > 0.0 and low <= reversed_ <= high:
        hint = "; the leads are the wrong way round"
    raise RequestError(
        f"this does not look like {cell.name} ({cell.working.material} against {cell.counter.material}): "
        f"{what}{hint}; nothing was begun"
    )
