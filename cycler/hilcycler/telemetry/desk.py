"""Where commands arrive: judged at once, carried out, audited, answered.

What takes current away waits for no disk: a command is carried out first and written down afterwards.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from hilcycler.clock import loop_time, wall_clock
from hilcycler.errors import RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry.audit import Audit
from hilcycler.telemetry.broker import BrokerError, Received, Session
from hilcycler.telemetry.commands import Commanded, CommandRefused, Gate, carry_out
from hilcycler.telemetry.messages import Command, Reply, encode
from hilcycler.telemetry.secrets import Secret

log = logging.getLogger("hilcycler.telemetry")

TOGETHER: Final = 16
"""Commands in hand at once."""
PATIENCE: Final[Second] = 60.0
"""Seconds that one may take to be carried out."""
ANSWER_KEPT: Final = 30
"""Seconds that the broker keeps an answer for whoever asked."""


@dataclass(frozen=True, slots=True)
class Commands:
    """That this bench takes commands: under which key, who carries them out, where they are written down."""

    key: Secret
    commanded: Commanded
    audit: Audit


@dataclass(frozen=True, slots=True)
class _Case:
    """One payload that came: when, for which channel, and where the answer goes."""

    session: Session
    reply: str
    channel: str
    utc: Second


class Desk:
    """`async with Desk(commands) as desk`: what has been begun is written down before it is left."""

    def __init__(self, commands: Commands) -> None:
        self._commanded, self._audit = commands.commanded, commands.audit
        self._gate = Gate(commands.key, wall_clock())
        self._tasks = asyncio.TaskGroup()
        self._in_hand = 0

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    def take(
        self, session: Session, received: Received, channel: str, runs: frozenset[str], reply: str
    ) -> None:
        """A payload came for `channel`, on which `runs` go on. The answer goes to the topic `reply`."""
        case = _Case(session, reply, channel, wall_clock())
        try:
            command = self._judge(received, runs, case.utc)
        except CommandRefused as refusal:
            log.warning("a command for %r is refused: %s", channel, refusal)
            if self._audit.has_room(loop_time()):
                said = {"why": str(refusal), "bytes": len(received.payload)}
                answer = _answer(_nonce(received.payload), "refused", str(refusal))
                self._begin(self._close(case, answer, verdict="refused", **said))
        else:
            self._begin(self._carry_out(case, command))

    def _judge(self, received: Received, runs: frozenset[str], utc: Second) -> Command:
        if self._in_hand >= TOGETHER:
            raise CommandRefused(f"{TOGETHER} commands are in hand; send it again")
        payload, retained = received.payload, received.retained
        return self._gate.judge(payload, retained=retained, runs=runs, now=utc, stopwatch=loop_time())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._in_hand += 1
        self._tasks.create_task(work).add_done_callback(self._done)

    def _done(self, _: object) -> None:
        self._in_hand -= 1

    async def _carry_out(self, case: _Case, command: Command) -> None:
        said: dict[str, Any] = {"command": command.model_dump(mode="json", exclude={"signature"})}
        verdict = "refused"
        try:
            async with asyncio.timeout(PATIENCE):
                became = await carry_out(self._commanded, case.channel, command)
            verdict = "done"
        except RequestError as refusal:
            became = str(refusal)
        except TimeoutError:
            became = f"not known to be carried out within {PATIENCE:g} s"
        except asyncio.CancelledError:
            self._audit.write(at=case.utc, channel=case.channel, verdict="begun", **said)
            raise
        log.warning("%s of run %r by %r: %s: %s", command.verb, command.run, command.actor, verdict, became)
        await self._close(case, _answer(command.nonce, verdict, became), verdict=verdict, why=became, **said)

    async def _close(self, case: _Case, answer: Reply | None, **said: object) -> None:
        """Write down and answer."""
        try:
            await asyncio.to_thread(self._audit.write, at=case.utc, channel=case.channel, **said)
        except OSError as error:
            log.error("the audit %s cannot be written: %s", self._audit.path, error.strerror)  # noqa: TRY400
        if answer is None:
            return
        try:
            await case.session.publish(case.reply, encode(answer), expiry=ANSWER_KEPT)
        except BrokerError as error:
            log.warning("an answer is lost: %s", error)


def _answer(nonce: str | None, verdict: str, reason: str) -> Reply | None:
    """Nobody can be answered whose nonce is not known."""
    if nonce is None:
        return None
    return Reply(nonce=nonce, verdict="done" if verdict == "done" else "refused", reason=reason)


def _nonce(payload: bytes) -> str | None:
    """Of a refused payload that is at least JSON of a reasonable length."""
    try:
        nonce = json.loads(payload[:8192]).get("nonce")
    except (ValueError, AttributeError, RecursionError):
        return None
    return nonce if isinstance(nonce, str) and len(nonce) <= 64 else None
