"""A simulated cell straight on a channel, with what the driver says of the instrument it stands for."""

from __future__ import annotations

from spine import MODEL

from hilcycler import registry
from hilcycler.channel import Capabilities, Channel
from hilcycler.records import Instrument
from hilcycler.twin import TwinRequest
from hilcycler_simulators.virtual_time import run


def direct_channel(cell: str) -> tuple[Channel, Capabilities]:
    family, request = registry.twin("emstat"), TwinRequest(MODEL, cell)
    twin = family.make(request)

    async def ask() -> tuple[Capabilities, Instrument]:
        async with registry.driver(family.driver).open(twin.connect) as channel:
            return channel.capabilities, channel.instrument

    capabilities, instrument = run(ask())
    return family.direct(request, capabilities, instrument), capabilities
