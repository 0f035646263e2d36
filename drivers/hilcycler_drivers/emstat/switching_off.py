"""Ending whatever runs, and proving that the cell is off.

The proof: `meas_loop_ocp` is refused with 0014 while the cell is on. A script that switches off and
then measures open circuit, and whose every line of output is as it should be, has shown both.
"""

from __future__ import annotations

from typing import Final

from hilcycler.clock import loop_time
from hilcycler.errors import LinkTimeout
from hilcycler.quantities import Second
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.session import ANSWER_WITHIN, Session, failed, unexpected
from hilcycler_drivers.emstat.wire import (
    Abort,
    Echo,
    EmptyLine,
    Execute,
    Failure,
    LoopEnded,
    LoopStarted,
    Packages,
)
from hilcycler_drivers.emstat.wire.script import Literal, Script, print_script

END_WITHIN: Final[Second] = 4.0
"""From the echo of an abort to the end of the script's output."""
_TIMES_ASKED: Final = 2

OFF_SCRIPT: Final = print_script(
    Script(
        (
            *write.declare("u"),
            write.call("set_pgstat_chan", Literal(0)),
            write.call("cell_off"),
            write.call("set_pgstat_mode", Literal(2)),
            write.measure(
                write.call("meas_loop_ocp", write.var("u"), Literal(50, "m"), Literal(100, "m")),
                write.package("u"),
            ),
        ),
        (write.call("cell_off"),),
    )
)


async def abort(session: Session) -> None:
    """End the running script, if one runs, and whatever it still had to say.

    An abort may be sent twice: one that falls into the deaf time after an error is not heard.
    """
    for _ in range(_TIMES_ASKED - 1):
        try:
            await _abort_once(session)
        except LinkTimeout:
            session.trusted = True
        else:
            return
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
            case _:
                continue  # what the script said before it ended, garbage included
    await session.drain()


async def prove_off(session: Session) -> None:
    """Switch off and read it back; whatever it raises, the cell may be on."""
    doing = "proving that the cell is off"
    deadline = loop_time() + ANSWER_WITHIN
    await session.send(Execute(OFF_SCRIPT))
    measured = False
    expected: list[type] = [Echo, LoopStarted, Packages, LoopEnded, EmptyLine]
    while expected:
        reply = await session.next(deadline)
        if isinstance(reply, Failure):
            raise failed(session.name, doing, reply)
        if isinstance(reply, Packages) and measured:
            continue
        if not isinstance(reply, expected[0]) or (isinstance(reply, Echo) and reply.command != "e"):
            session.trusted = False
            raise unexpected(session.name, doing, reply)
        measured = measured or isinstance(reply, Packages)
        expected.pop(0)
