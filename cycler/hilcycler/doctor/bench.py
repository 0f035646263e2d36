"""The bench: its file, its secrets, its latches, and who answers at each address."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from hilcycler import registry
from hilcycler.bench_file import Bench, ChannelAt, InstrumentAt, reach, refuse_stranger, twin_of
from hilcycler.bench_state import BenchState
from hilcycler.channel import Capabilities
from hilcycler.doctor.verdicts import Checked, bad, fine, look
from hilcycler.errors import CyclerError, JournalError, RequestError
from hilcycler.quantities import Second, engineering
from hilcycler.records import Instrument
from hilcycler.telemetry.secrets import read_secret

ANSWER_WITHIN: Final[Second] = 20.0


async def examine_bench(bench: Bench, *, ask: bool = True) -> AsyncIterator[Checked]:
    """What is written, then, where `ask`, who answers. Instruments are identified, never energised."""
    for each in _written(bench):
        yield each
    for channel in bench.channels.values():
        if channel.instrument is None:
            yield _simulated(channel)
    for instrument in bench.instruments.values():
        if why := _out_of_reach(instrument):
            yield bad(f"instrument {instrument.name}", why)
        elif ask:
            yield await _asked(instrument, bench)
    for chamber in bench.chambers.values():
        if chamber.driver not in registry.names("drivers"):
            yield look(f"chamber {chamber.name}", f"no driver {chamber.driver!r} is installed")


def _written(bench: Bench) -> Iterator[Checked]:
    if bench.file is not None:
        mode = bench.file.stat().st_mode & 0o777
        if mode & 0o022:
            yield look(
                "bench file", f"{bench.file}: mode {mode:04o}; others can change the limits (chmod go-w)"
            )
        else:
            yield fine("bench file", f"{bench.file}: {len(bench.channels)} channels")
    unlimited = [
        name for name in ("voltage", "current") if not all(map(math.isfinite, getattr(bench.envelope, name)))
    ]
    if unlimited:
        yield look(
            "envelope", f"the bench sets no limit of {' and '.join(unlimited)}: only instruments and runs do"
        )
    telemetry = bench.telemetry
    for secret in (telemetry.password_file, telemetry.key_file) if telemetry is not None else ():
        if secret is not None:
            yield _secret(secret)
    yield from _latches(bench)


def _secret(path: Path) -> Checked:
    try:
        read_secret(path)
    except RequestError as error:
        return bad("secret", str(error))
    return fine("secret", f"{path}: only its owner can read it")


def _latches(bench: Bench) -> Iterator[Checked]:
    state = BenchState(bench.data)
    try:
        latched = {name: latch for name in bench.channels if (latch := state.latched(name)) is not None}
    except JournalError as error:
        yield bad("latches", str(error))
        return
    for name, latch in latched.items():
        yield look(f"channel {name}", f"latched by a trip of run {latch.run} ({latch.violation})")


def _simulated(channel: ChannelAt) -> Checked:
    try:
        _, twin = twin_of(channel)
    except RequestError as error:
        return bad(f"channel {channel.name}", str(error))
    assert channel.simulated is not None
    return fine(f"channel {channel.name}", f"simulated {channel.simulated.model} with {twin.cell.name}")


def _out_of_reach(at: InstrumentAt) -> str:
    """Why this user cannot even open the port; "" if nothing speaks against it."""
    if not at.address.startswith("/"):
        return ""
    if not Path(at.address).exists():
        return f"{at.address}: no such port (cycler ports lists what is plugged in)"
    if not os.access(at.address, os.R_OK | os.W_OK):
        return f"{at.address}: no permission (on Debian, members of group dialout have it)"
    return ""


async def _asked(at: InstrumentAt, bench: Bench) -> Checked:
    what = f"instrument {at.name}"
    try:
        async with asyncio.timeout(ANSWER_WITHIN), registry.driver(at.driver).open(reach(at)) as channel:
            who, able = channel.instrument, channel.capabilities
    except TimeoutError:
        return bad(what, f"no answer within {ANSWER_WITHIN:g} s")
    except CyclerError as error:
        return bad(what, str(error))
    if not who.serial:
        return look(what, f"{who.model}; it does not say who it is")
    try:
        refuse_stranger(at, who)
    except CyclerError as error:
        return bad(what, str(error))
    on_it = [each for each in bench.channels.values() if each.instrument == at]
    beyond = [f"{each.name}: {why}" for each in on_it if (why := _beyond(each, able))]
    if beyond:
        return look(what, f"{_in_words(who, able)}; {'; '.join(beyond)}")
    return fine(what, _in_words(who, able))


def _beyond(channel: ChannelAt, able: Capabilities) -> str:
    """Which limit of the channel the instrument cannot judge, because it cannot measure so far."""
    most = max((each.full_scale for each in able.current_ranges), default=0.0)
    for name, unit, allowed, reach_ in (
        ("voltage", "V", channel.envelope.voltage, able.voltage),
        ("current", "A", channel.envelope.current, (-most, most)),
    ):
        for limit in allowed:
            if math.isfinite(limit) and not reach_[0] <= limit <= reach_[1]:
                return f"the {name} limit {engineering(limit, unit)} lies beyond what it measures"
    return ""


def _in_words(who: Instrument, able: Capabilities) -> str:
    low, high = able.voltage
    ranges = [each.full_scale for each in able.current_ranges]
    spans = f", {engineering(min(ranges), 'A')} to {engineering(max(ranges), 'A')}" if ranges else ""
    return (
        f"{who.model} {who.serial} ({who.firmware}), {engineering(low, 'V')} to {engineering(high, 'V')}{spans}, "
        f"at best every {engineering(able.fastest_sampling, 's')}; if this computer dies: {able.host_death.in_words}"
    )
