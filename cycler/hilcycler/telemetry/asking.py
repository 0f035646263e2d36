"""The other end of a command: whoever holds a bench's key asks it to pause, stop or make safe a run."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing

from hilcycler.clock import wall_clock
from hilcycler.errors import LinkTimeout, RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry import messages
from hilcycler.telemetry.broker import Broker, Session, connect
from hilcycler.telemetry.commands import AHEAD, LIFE, sign
from hilcycler.telemetry.messages import Command, Reply, Unsigned, Verb
from hilcycler.telemetry.secrets import Secret
from hilcycler.telemetry.topics import Leaf, Topics


def command(
    key: Secret, verb: Verb, run: str, *, actor: str, reason: str, life: Second = LIFE - AHEAD
) -> Command:
    """A command that is issued now. RequestError."""
    now = wall_clock()
    try:
        asked = Unsigned(
            verb=verb,
            run=run,
            actor=actor,
            reason=reason,
            issued=now,
            expires=now + life,
            nonce=secrets.token_hex(16),
        )
    except ValueError as error:
        raise RequestError(f"command: {error}") from None
    return Command(**asked.model_dump(), signature=sign(asked, key))


async def ask(
    broker: Broker, signed: Command, *, topics: Topics, site: str, bench: str, patience: Second = 60.0
) -> Reply:
    """Send a command to where its run goes on; what became of it. BrokerError, LinkTimeout, RequestError."""
    async with connect(broker, f"cycler-ask-{secrets.token_hex(6)}") as session:
        births = topics.within(Leaf.META, site, bench)
        channel = await _channel(session, births, signed.run, broker.patience)
        await session.subscribe(f"{channel}/{Leaf.REPLY}")
        payload = messages.encode(signed)
        life = max(1, int(signed.expires - wall_clock()))
        await session.publish(f"{channel}/{Leaf.COMMAND}", payload, expiry=life)
        try:
            async with asyncio.timeout(patience), aclosing(session.messages()) as incoming:
                async for received in incoming:
                    answer = _reply(received.payload)
                    if answer is not None and answer.nonce == signed.nonce:
                        return answer
        except TimeoutError:
            pass
    raise LinkTimeout(
        f"{signed.verb} of run {signed.run}: no answer within {patience:g} s; what became of it is unknown"
    )


async def _channel(session: Session, births: str, run: str, patience: Second) -> str:
    """The topics of a run's channel without their last level, from the run's retained birth."""
    await session.subscribe(births)
    try:
        async with asyncio.timeout(patience), aclosing(session.messages()) as incoming:
            async for received in incoming:
                try:
                    meta = messages.decode(Leaf.META, received.payload)
                except RequestError:
                    continue
                if meta.run == run:
                    return received.topic.rpartition("/")[0]
    except TimeoutError:
        pass
    raise RequestError(f"run {run!r}: nothing is told of it under {births}")


def _reply(payload: bytes) -> Reply | None:
    try:
        reply = messages.decode(Leaf.REPLY, payload)
    except RequestError:
        return None
    assert isinstance(reply, Reply)
    return reply
