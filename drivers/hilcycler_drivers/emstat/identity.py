"""Who answers: asked before anything else is sent, and again after every reconnection."""

from __future__ import annotations

from dataclasses import dataclass

from hilcycler.clock import loop_time
from hilcycler.errors import LinkTimeout, WireError, WrongInstrument
from hilcycler.records import Instrument
from hilcycler_drivers.emstat import fault_codes
from hilcycler_drivers.emstat.session import ANSWER_WITHIN, Session, failed, unexpected
from hilcycler_drivers.emstat.wire import (
    AskCapabilities,
    AskFirmware,
    AskSerial,
    CapabilityBits,
    Failure,
    Firmware,
    Flush,
    Release,
    SerialNumber,
)
from hilcycler_drivers.emstat.wire.devices import DEVICES, Device


@dataclass(frozen=True, slots=True)
class Identity:
    """One instrument, fit for cycling. `bits`: the script commands its firmware knows."""

    device: Device
    serial: str
    firmware: str
    bits: int

    @property
    def instrument(self) -> Instrument:
        return Instrument("emstat", self.device.name, self.serial, self.firmware)


async def identify(session: Session) -> Identity | None:
    """Who is at the other end; None if it is running a script, for then it does not say.

    Everything is asked twice: a byte lost from a serial number makes another serial number.
    WrongInstrument for a model that must not cycle a cell, with the reason.
    """
    first = await _answers(session)
    second = None if first is None else await _answers(session)
    if first != second:
        raise WireError(f"{session.name}: asked twice who it is, it answers {first} and {second}")
    if first is not None:  # what a script said before belongs to nobody now
        session.forget()
    return first


async def _answers(session: Session) -> Identity | None:
    firmware = await _firmware(session)
    if firmware is None:
        return None
    device = _fit(firmware, session.name)
    serial = await session.ask(AskSerial())
    if not isinstance(serial, SerialNumber):
        raise unexpected(session.name, "asked for its serial number", serial)
    bits = await session.ask(AskCapabilities("script"))
    if not isinstance(bits, CapabilityBits):
        raise unexpected(session.name, "asked for its capabilities", bits)
    return Identity(device, serial.text, f"{firmware.version} ({firmware.build})", bits.bits)


async def _firmware(session: Session) -> Firmware | None:
    try:
        reply = await session.ask(AskFirmware())
    except LinkTimeout:
        # It may have been left in the middle of a command; an empty line ends any. Only now: to a
        # running script an empty line is a question too.
        session.trusted = True
        await session.send(Flush())
        await session.drain()
        reply = await session.ask(AskFirmware())
    match reply:
        case Firmware():
            release = await session.answer(loop_time() + ANSWER_WITHIN)
            if not isinstance(release, Release):
                raise unexpected(session.name, "asked for its firmware", release)
            return reply
        case Failure(code=fault_codes.WRONG_MODE):
            return None
        case Failure():
            raise failed(session.name, "asked for its firmware", reply)
        case _:
            raise unexpected(session.name, "asked for its firmware", reply)


def _fit(firmware: Firmware, name: str) -> Device:
    device = DEVICES.get(firmware.device)
    if device is None:
        known = ", ".join(d.name for d in DEVICES.values() if not d.refusal)
        raise WrongInstrument(f"{name}: unknown device {firmware.device!r}; this driver knows {known}")
    if device.refusal:
        raise WrongInstrument(f"{name}: the {device.name} must not cycle a cell: {device.refusal}")
    return device
