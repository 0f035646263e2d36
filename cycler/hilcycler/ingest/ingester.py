"""The ingester: takes what benches publish, stores it, and only then says so.

While the database is away it leaves the broker too, so that another ingester of its group gets the
messages. What it has dropped comes again, because no watermark covers it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hilcycler.errors import RequestError
from hilcycler.ingest.store import Arrived, Refused, Store, StoreError, opened
from hilcycler.telemetry import messages
from hilcycler.telemetry.broker import Broker, BrokerError, Received, Session, connect, pauses
from hilcycler.telemetry.topics import Leaf, Topics

log = logging.getLogger("hilcycler.ingest")

TOGETHER: Final = 100
"""Messages in one transaction: at most so many rows as MOST allows each."""
ROOM: Final = 500
"""Messages that may wait in memory; what comes beyond is dropped, and comes again."""

SHARED: Final = (Leaf.DATA, Leaf.EIS, Leaf.EVENT, Leaf.RESULT)
"""The ingesters of a group divide these among them."""
ALL: Final = (Leaf.META, Leaf.STATE)
"""Retained ones, which a shared subscription would not get: every ingester takes them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to put what. `group`: ingesters of one name share the work."""

    database: str
    password_file: Path | None = None
    topics: Topics = field(default_factory=Topics)
    group: str = "cycler-ingest"


@dataclass(slots=True)
class Counts:
    """What has been done since the start."""

    messages: int = 0
    rows: int = 0
    transactions: int = 0
    refused: int = 0


class Ingester:
    """`await Ingester(settings, broker).run()`: until it is cancelled."""

    def __init__(self, settings: Settings, broker: Broker, rng: random.Random | None = None) -> None:
        self._settings, self._broker = settings, broker
        self._rng = rng or random.Random()  # noqa: S311  (jitter, not a secret)
        self._name = f"cycler-ingest-{secrets.token_hex(6)}"
        self.counts = Counts()
        self.connected = False

    async def run(self) -> None:
        """Store what comes; begin again whenever broker or database go away."""
        waits = pauses(self._rng)
        while True:
            try:
                async with (
                    opened(self._settings.database, self._settings.password_file) as connection,
                    connect(self._broker, self._name, room=ROOM) as session,
                ):
                    await self._subscribe(session)
                    self.connected = True
                    for each in session.warnings():
                        log.warning("%s", each)
                    waits = pauses(self._rng)
                    await self._serve(session, Store(connection))
            except (BrokerError, StoreError) as error:
                log.warning("%s", error)
            finally:
                self.connected = False
            await asyncio.sleep(next(waits))

    async def _subscribe(self, session: Session) -> None:
        topics, group = self._settings.topics, self._settings.group
        await session.subscribe(
            *(topics.everywhere(leaf, group) for leaf in SHARED), *(topics.everywhere(leaf) for leaf in ALL)
        )

    async def _serve(self, session: Session, store: Store) -> None:
        incoming = session.messages()
        while True:
            arrived = [each async for each in self._together(session, incoming)]
            if arrived:
                await self._keep(session, store, arrived)

    async def _together(self, session: Session, incoming: AsyncIterator[Received]) -> AsyncIterator[Arrived]:
        """The next message, and what else is there already."""
        for _ in range(TOGETHER):
            read = self._read(await anext(incoming))
            if read is not None:
                yield read
            if session.waiting() == 0:
                return

    def _read(self, received: Received) -> Arrived | None:
        """A message that may be stored; whatever else comes is counted and left out."""
        found = self._settings.topics.parse(received.topic)
        if found is None:
            return None
        place, leaf = found
        try:
            return Arrived(place, messages.decode(leaf, received.payload))
        except RequestError as error:
            self.counts.refused += 1
            log.warning("%r: %s", received.topic, error)
            return None

    async def _keep(self, session: Session, store: Store, arrived: list[Arrived]) -> None:
        """Store them together; if the database refuses one, each by itself, and leave that one out."""
        try:
            acks = await store.keep(arrived)
        except Refused as error:
            if len(arrived) == 1:
                self.counts.refused += 1
                log.warning("run %r: %s", arrived[0].message.run, error)
                return
            for each in arrived:
                await self._keep(session, store, [each])
            return
        self.counts.messages += len(arrived)
        self.counts.transactions += 1
        self.counts.rows += sum(
            each.message.rows for each in arrived if isinstance(each.message, messages.Data)
        )
        for place, ack in acks:
            await session.publish(self._settings.topics.topic(place, Leaf.ACK), messages.encode(ack))
