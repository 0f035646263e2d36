"""From a channel of the bench to its instrument: what opens the link, and who may answer."""

from __future__ import annotations

from dataclasses import replace

from hilcycler import registry
from hilcycler.bench_file.bench import ChannelAt, InstrumentAt, Simulated
from hilcycler.errors import RequestError, WrongInstrument
from hilcycler.links import Connect, Link
from hilcycler.links.address import connect
from hilcycler.links.ports import port_of
from hilcycler.records import Instrument
from hilcycler.twin import Twin, TwinRequest


def reach(at: InstrumentAt) -> Connect:
    """What opens a link to this instrument, wherever it is plugged in by then. RequestError."""
    settings = registry.driver(at.driver).serial
    if at.baud is not None:
        settings = replace(settings, baud=at.baud)
    usb = at.usb
    if usb is None:
        return connect(at.address, settings)

    async def where_it_is_now() -> Link:
        return await connect(port_of(usb.vendor, usb.product, usb.serial), settings)()

    return where_it_is_now


def refuse_stranger(at: InstrumentAt, who: Instrument) -> None:
    """WrongInstrument unless `who` answered at this address is the one that the bench expects there.

    An instrument that is busy and does not say who it is (no serial number) is not judged here.
    """
    for what, expected, found in (("model", at.model, who.model), ("serial number", at.serial, who.serial)):
        if expected and who.serial and expected.casefold() != found.casefold():
            raise WrongInstrument(
                f"instrument {at.name}: {who.model} {who.serial} answers; expected {what} {expected}"
            )


def twin_of(at: ChannelAt) -> tuple[str, Twin]:
    """The driver family and a fresh twin for a simulated channel; RequestError for unknown model or cell."""
    simulated = at.simulated
    if simulated is None:
        raise RequestError(f"channel {at.name} is not simulated")
    family = registry.twin_family(simulated.model)
    return family.driver, family.make(_request(simulated))


def _request(simulated: Simulated) -> TwinRequest:
    return TwinRequest(simulated.model, simulated.cell, simulated.seed, simulated.pace)
