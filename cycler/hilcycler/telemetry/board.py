"""The channels of a lab as they are known through the broker: what somebody who looks on is shown.

It only subscribes. What is retained is there at once; everything else as it comes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hilcycler.clock import loop_time
from hilcycler.errors import RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry import messages
from hilcycler.telemetry.broker import Broker, BrokerError, Received, connect, pauses
from hilcycler.telemetry.messages import Events, Latest, Message, State
from hilcycler.telemetry.notify import in_words
from hilcycler.telemetry.topics import BENCH, Leaf, Place, Topics

log = logging.getLogger("hilcycler.telemetry")

LEAVES: Final = (Leaf.STATUS, Leaf.STATE, Leaf.LATEST, Leaf.EVENT)
MOST: Final = 2_000
"""Channels; whoever invents more is not shown."""
TRAIL: Final = 40


@dataclass(slots=True)
class Seen:
    """One channel."""

    place: Place
    online: bool = False
    state: State | None = None
    latest: Latest | None = None
    told: str = ""
    came: Second | None = None
    trail: deque[float] = field(default_factory=lambda: deque(maxlen=TRAIL))
    """The newest voltages."""

    def reachable(self, benches: dict[tuple[str, str], bool]) -> bool:
        """Whether the bench is connected and still tells of this channel."""
        return self.online and benches.get((self.place.site, self.place.bench), False)


class Board:
    """A fold of messages; `channels` in the order of their names."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._seen: dict[Place, Seen] = {}
        self.benches: dict[tuple[str, str], bool] = {}

    @property
    def channels(self) -> list[Seen]:
        return [self._seen[place] for place in sorted(self._seen, key=_by_name)]

    def put(self, received: Received, now: Second) -> list[Seen]:
        """Take a message; the channels that it changed. Whatever is no message of ours changes none."""
        found = self._topics.parse(received.topic)
        if found is None or len(self._seen) + len(self.benches) > MOST:
            return []
        place, leaf = found
        if leaf is Leaf.STATUS:
            return self._status(place, received.payload == b"online")
        if leaf not in LEAVES:
            return []
        try:
            message = messages.decode(leaf, received.payload)
        except RequestError as error:
            log.info("%r: %s", received.topic, error)
            return []
        return [self._message(self._channel(place), message, now)]

    def _channel(self, place: Place) -> Seen:
        return self._seen.setdefault(place, Seen(place))

    def _status(self, place: Place, online: bool) -> list[Seen]:  # noqa: FBT001
        bench = place.site, place.bench
        if place.channel == BENCH:
            self.benches[bench] = online
            return [each for each in self.channels if (each.place.site, each.place.bench) == bench]
        seen = self._channel(place)
        seen.online = online
        return [seen]

    def _message(self, seen: Seen, message: Message, now: Second) -> Seen:
        match message:
            case State():
                seen.state = message
            case Latest():
                if seen.latest is not None and seen.latest.run != message.run:
                    seen.trail.clear()
                    seen.told = ""
                seen.latest, seen.came = message, now
                seen.trail.append(message.voltage_volt)
            case Events():
                for record in message.events:
                    said = in_words(record)
                    if said is not None:
                        seen.told = f"{said[0]}: {said[1]}"
            case _:
                pass
        return seen


async def follow(broker: Broker, board: Board, filters: list[str], changed: Callable[[Seen], None]) -> None:
    """Keep `board` up to date until cancelled; begin again whenever the broker goes away."""
    waits = pauses(random.Random())  # noqa: S311  (jitter, not a secret)
    name = f"cycler-watch-{secrets.token_hex(6)}"
    while True:
        try:
            async with connect(broker, name) as session:
                await session.subscribe(*filters)
                waits = pauses(random.Random())  # noqa: S311
                async for received in session.messages():
                    for seen in board.put(received, loop_time()):
                        changed(seen)
        except BrokerError as error:
            log.warning("%s", error)
        await asyncio.sleep(next(waits))


def _by_name(place: Place) -> tuple[str, str, str]:
    return place.site, place.bench, place.channel
