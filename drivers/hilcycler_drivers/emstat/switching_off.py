"""Ending whatever runs, and proving that the cell is off.

The proof: `meas_loop_ocp` is refused with 0014 while the cell is on. A script that switches off and
then measures open circuit, and whose output is as it should be, has shown that the firmware holds
the cell for off. A relay may still be stuck: so the current is looked at too. A firmware that will
not measure it with the cell off says so by an error, which proves nothing either way.
"""

from __future__ import annotations

from typing import Final

from hilcycler.clock import loop_time
from hilcycler.errors import InstrumentError, LinkTimeout, WireError
from hilcycler.quantities import Ampere, Second
from hilcycler.records import Status
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.session import ANSWER_WITHIN, Session, unexpected
from hilcycler_drivers.emstat.wire import (
    Abort,
    Echo,
    EmptyLine,
    Execute,
    Failure,
    LoopEnded,
    LoopStarted,
    Packages,
    Reply,
)
from hilcycler_drivers.emstat.wire.script import Literal, Script, VarType, print_script

END_WITHIN: Final[Second] = 4.0
"""From the echo of an abort to the end of the script's output."""

OPEN_CIRCUIT: Final = 0x000B
"""The technique number of `meas_loop_ocp`."""

RESIDUAL: Final[Ampere] = 20e-6
"""More than this is a current, and no error of reading in the 1 mA range."""

OFF_SCRIPT: Final = print_script(
    Script(
        (
            *write.declare("ui"),
            write.call("set_pgstat_chan", Literal(0)),
            write.call("cell_off"),
            write.call("set_pgstat_mode", Literal(2)),
            write.measure(
                write.call("meas_loop_ocp", write.var("u"), Literal(50, "m"), Literal(50, "m")),
                write.package("u"),
            ),
            write.call("set_range", VarType("ba"), Literal(1, "m")),
            write.call("set_autoranging", VarType("ba"), Literal(1, "m"), Literal(1, "m")),
            write.call("meas", Literal(20, "m"), write.var("i"), VarType("ba")),
            *write.package("i"),
        ),
        (write.call("cell_off"),),
    )
)


async def abort(session: Session) -> None:
    """End the running script, if one runs, and whatever it still had to say.

    An abort is sent once more if nothing answers: one that falls into the deaf time after an error is
    not heard.
    """
    try:
        await _abort_once(session)
    except LinkTimeout:
        session.trusted = True
        await _abort_once(session)


async def _abort_once(session: Session) -> None:
    await session.send(Abort())
    deadline = loop_time() + ANSWER_WITHIN
    heard = False
    while True:
        match await session.next_of_any_kind(deadline):
            case Echo("Z") if not heard:
                heard = True
                deadline = loop_time() + END_WITHIN
            case Failure("Z"):
                break  # nothing was running
            case EmptyLine() if heard:
                break
            case _:  # what the script said before it ended, garbage included
                session.check(deadline)
    await session.drain()


async def prove_off(session: Session) -> None:
    """Switch off and read it back; whatever it raises, the cell may be on."""
    deadline = loop_time() + ANSWER_WITHIN
    await session.send(Execute(OFF_SCRIPT))
    await _expect(session, deadline, Echo("e"), LoopStarted(OPEN_CIRCUIT), ("ab",), LoopEnded())
    match await session.next(deadline):
        case Packages(vartypes=("ba",)) as reading:
            _check_no_current(session, reading)
            await _expect(session, deadline, EmptyLine())
        case Failure():
            await session.drain()
        case reply:
            raise _unexpected(session, reply)


async def _expect(session: Session, deadline: Second, *replies: Reply | tuple[str]) -> None:
    """These replies and no others; a tuple stands for one package of these variables."""
    for expected in replies:
        reply = await session.next(deadline)
        said = reply.vartypes if isinstance(reply, Packages) and len(reply) == 1 else reply
        if said != expected:
            raise _unexpected(session, reply)


def _unexpected(session: Session, reply: Reply) -> WireError | InstrumentError:
    session.trusted = session.trusted and isinstance(reply, Failure)
    return unexpected(session.name, "proving that the cell is off", reply)


def _check_no_current(session: Session, reading: Packages) -> None:
    """Written so that NaN is a current."""
    current = float(reading.values[0, 0])
    if reading.status[0, 0] & Status.OVERLOAD or not abs(current) <= RESIDUAL:
        raise InstrumentError(f"{session.name}: {current:g} A flow although the cell was switched off")
