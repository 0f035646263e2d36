"""The publisher: follows the run files of a data folder and tells the lab, for as long as it lives.

It only reads, so an outage of the network costs nothing: what was not confirmed is in the run files
and is sent when the broker is back, the newest first. One message is on its way to the broker at a time.
Where the bench takes commands they are heard here too, and go to the desk.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from hilcycler.clock import loop_time
from hilcycler.errors import JournalError, RequestError
from hilcycler.journal import State
from hilcycler.journal.names import SUFFIX, run_of
from hilcycler.quantities import Second
from hilcycler.telemetry import messages
from hilcycler.telemetry.alarm import Watch
from hilcycler.telemetry.allowed import Allowed
from hilcycler.telemetry.broker import Broker, BrokerError, Received, Session, Will, connect, pauses
from hilcycler.telemetry.cursor import PATIENCE
from hilcycler.telemetry.desk import Commands, Desk
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.home_assistant import discovery
from hilcycler.telemetry.messages import Ack, encode
from hilcycler.telemetry.proven import Confirmed
from hilcycler.telemetry.telling import Telling
from hilcycler.telemetry.topics import Leaf, Topics, level

log = logging.getLogger("hilcycler.telemetry")

LOOK: Final = 0.25
"""Seconds between looks at the run files; rows reach them about once a second."""
FOLDER: Final = 2.0
"""Seconds between looks for new runs."""
WINDOW: Final = 48
"""Messages of backfill that may be on their way at once, of all runs together."""
SLICE: Final = 4
"""Messages of backfill of one run before it is the next one's turn."""
GREETING: Final = 1.5
"""Seconds that a watermark may take before backfill begins without it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Whose runs are told to whom, and what of them.

    `acks`: subscribe to the lab's watermarks; without them (and without `commands`) nothing is subscribed
    to and delivery is unproven. `commands`: take them, from whoever has the key. `patience`: seconds without progress after which what is on its way is sent again.
    """

    folder: Path
    site: str
    bench: str
    topics: Topics = field(default_factory=Topics)
    allow: frozenset[Allowed] = frozenset()
    acks: bool = True
    commands: Commands | None = None
    results: bool = True
    home_assistant: str | None = None
    patience: Second = PATIENCE


class Publisher:
    """`await Publisher(settings, broker).run()`: until it is cancelled."""

    def __init__(self, settings: Settings, broker: Broker, rng: random.Random | None = None) -> None:
        self._settings, self._broker = settings, broker
        self._rng = rng or random.Random()  # noqa: S311  (jitter, not a secret)
        whom = f"{broker.host}:{broker.port}/{settings.topics.root}/{level(settings.site)}/{level(settings.bench)}"
        self._confirmed = Confirmed(settings.folder, whom)
        self._runs: dict[str, Telling] = {}
        self._over: set[str] = set()
        self._bad: dict[Path, str] = {}
        self._looked: Second = float("-inf")
        self._wake = asyncio.Event()
        self._watch = Watch()
        self.connected = False

    async def run(self) -> None:
        """Connect, tell, and begin again whenever the connection breaks."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._watch)
            desk = None
            if self._settings.commands is not None:
                desk = await stack.enter_async_context(Desk(self._settings.commands))
            await self._connected_again_and_again(desk)

    async def _connected_again_and_again(self, desk: Desk | None) -> NoReturn:
        waits = pauses(self._rng)
        while True:
            try:
                async with self._session() as session, asyncio.TaskGroup() as group:
                    if self._asks_for:
                        group.create_task(self._listen(session, desk))
                    await self._greet(session)
                    waits = pauses(self._rng)
                    await self._tell(session)
            except* BrokerError as broken:
                log.warning("%s", _first(broken))
            finally:
                self.connected = False
                self._keep()
            await asyncio.sleep(next(waits))

    @property
    def _asks_for(self) -> list[str]:
        """All that is ever subscribed to."""
        settings = self._settings
        leaves = [Leaf.ACK] if settings.acks else []
        leaves += [] if settings.commands is None else [Leaf.COMMAND]
        return [settings.topics.within(leaf, settings.site, settings.bench) for leaf in leaves]

    def _session(self) -> Any:  # noqa: ANN401  (an async context manager of a Session)
        topic = self._settings.topics.bench(self._settings.site, self._settings.bench, Leaf.STATUS)
        name = f"cycler-{level(self._settings.site)}-{level(self._settings.bench)}"
        return connect(self._broker, name, will=Will(topic, b"offline"))

    async def _greet(self, session: Session) -> None:
        """Subscribe to the watermarks; say that we are here and which runs are."""
        settings = self._settings
        if self._asks_for:
            await session.subscribe(*self._asks_for)
        self.connected = True
        status = settings.topics.bench(settings.site, settings.bench, Leaf.STATUS)
        await session.publish(status, b"online", retain=True)
        log.info("connected to %s:%d", self._broker.host, self._broker.port)
        for warning in session.warnings():
            log.warning("%s", warning)
        await self._each(lambda telling: self._birth(session, telling))

    async def _birth(self, session: Session, telling: Telling) -> bool:
        telling.begin(loop_time())
        await self._publish(session, telling, Leaf.META, telling.feed.meta(), retain=True)
        topic = self._settings.topics.topic(telling.feed.place, Leaf.STATUS)
        await session.publish(topic, b"online", retain=True)
        prefix = self._settings.home_assistant
        if prefix is not None:
            for where, payload in discovery(prefix, self._settings.topics, telling.feed.place).items():
                await session.publish(where, payload, retain=True)
        return False

    # --- telling ----------------------------------------------------------------------------

    async def _tell(self, session: Session) -> None:
        while True:
            await self._look_for_runs(session)
            began = loop_time()
            await self._each(lambda telling: self._tell_live(session, telling))
            while await self._each(lambda telling: self._tell_old(session, telling)):
                if loop_time() - began > LOOK:
                    break
            self._keep()
            await self._rest(max(0.0, began + LOOK - loop_time()))

    async def _each(
        self, tell: Callable[[Telling], Awaitable[bool]], runs: Iterable[str] | None = None
    ) -> bool:
        """For all of `runs`; whether one of them has more at once. A file that cannot be read is left out."""
        busy = False
        for run in list(self._runs if runs is None else runs):
            telling = self._runs[run]
            try:
                busy |= await tell(telling)
            except JournalError as error:
                log.warning("run %s is not told until this changes: %s", run, error)
                self._bad[telling.feed.path] = str(error)
                del self._runs[run]
        return busy

    async def _rest(self, longest: Second) -> None:
        """Until a watermark moved, or it is time to look again."""
        try:
            async with asyncio.timeout(longest):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _tell_live(self, session: Session, telling: Telling) -> bool:
        feed, now = telling.feed, loop_time()
        feed.refresh()
        for happening in feed.happenings(telling.events.new, feed.events):
            await self._happening(session, telling, happening, telling.events.sent_new)
        for data in feed.data(telling.rows.new, feed.rows):
            await self._publish(session, telling, Leaf.DATA, data)
            telling.rows.sent_new(data.sequence + data.rows)
            telling.newest = data
        if telling.newest is None and feed.rows:
            (telling.newest,) = feed.data(feed.rows - 1, feed.rows)
        await self._tell_state(session, telling, now)
        for cursor in (telling.rows, telling.events):
            if cursor.stalled(now):
                log.debug("run %s: no watermark, sending again from %d", feed.run, cursor.acked)
        if telling.findings is not None:
            for result in await telling.findings.look(now):
                await self._publish(session, telling, Leaf.RESULT, result)
        return False

    async def _tell_state(self, session: Session, telling: Telling, now: Second) -> None:
        """`state` when it changed, `latest` when there is something new; neither more than once a second."""
        if now - telling.told_latest < 1.0:
            return
        standing = telling.feed.standing(self._alarm(telling, now))
        if standing != telling.standing:
            await self._publish(session, telling, Leaf.STATE, standing, retain=True)
            telling.standing, telling.told_latest = standing, now
        if telling.newest is not None:
            latest = telling.feed.latest(telling.newest)
            if latest != telling.latest:
                await self._publish(session, telling, Leaf.LATEST, latest, retain=True)
                telling.latest, telling.told_latest = latest, now

    def _alarm(self, telling: Telling, now: Second) -> str | None:
        """What is wrong with a cell whose run goes on; afterwards the findings say it."""
        feed = telling.feed
        if self._settings.results and feed.state is State.RUNNING:
            return self._watch.look(feed.path, now)
        return None if telling.standing is None else telling.standing.alarm

    async def _tell_old(self, session: Session, telling: Telling) -> bool:
        """A few messages of backfill; whether there may be more at once."""
        if self._settings.acks and not telling.greeted and loop_time() - telling.born < GREETING:
            return False
        feed, told = telling.feed, False
        start, stop = telling.events.backfill
        if start < stop and self._room():
            for happening in feed.happenings(start, min(stop, start + messages.MOST)):
                await self._happening(session, telling, happening, telling.events.sent_old)
            told = True
        start, stop = telling.rows.backfill
        if start < stop and (room := self._room()):
            for data in feed.data(start, min(stop, start + min(room, SLICE) * messages.MOST)):
                await self._publish(session, telling, Leaf.DATA, data)
                telling.rows.sent_old(data.sequence + data.rows)
            told = True
        return told

    def _room(self) -> int:
        """How many more messages of backfill may be on their way; what is live must not queue behind them."""
        cursors = [each for run in self._runs.values() for each in (run.rows, run.events)]
        return max(0, WINDOW - sum(each.on_its_way for each in cursors))

    async def _happening(
        self,
        session: Session,
        telling: Telling,
        happening: messages.Events | messages.Spectrum,
        sent: Callable[[int], None],
    ) -> None:
        match happening:
            case messages.Events():
                leaf, count = Leaf.EVENT, len(happening.events)
            case messages.Spectrum():
                leaf, count = Leaf.EIS, happening.points
        await self._publish(session, telling, leaf, happening)
        sent(happening.number + count)

    async def _publish(
        self,
        session: Session,
        telling: Telling,
        leaf: Leaf,
        message: messages.Message,
        *,
        retain: bool = False,
    ) -> None:
        await session.publish(
            self._settings.topics.topic(telling.feed.place, leaf), encode(message), retain=retain
        )

    # --- watermarks and commands ------------------------------------------------------------

    async def _listen(self, session: Session, desk: Desk | None) -> None:
        async for received in session.messages():
            found = self._settings.topics.parse(received.topic)
            match found:
                case _, Leaf.ACK:
                    self._watermark(received)
                case place, Leaf.COMMAND if desk is not None:
                    self._command(session, desk, received, place.channel)
                case _:
                    pass

    def _watermark(self, received: Received) -> None:
        try:
            ack = messages.decode(Leaf.ACK, received.payload)
        except RequestError as error:
            log.warning("a watermark that is none: %s", error)
            return
        assert isinstance(ack, Ack)
        if ack.run in self._runs:
            self._hear(self._runs[ack.run], ack)

    def _command(self, session: Session, desk: Desk, received: Received, channel: str) -> None:
        """To the desk, with the runs that go on on the channel whose topic it came by."""
        topics = self._settings.topics
        here = [
            each.feed
            for each in self._runs.values()
            if topics.topic(each.feed.place, Leaf.COMMAND) == received.topic
            and each.feed.state is State.RUNNING
        ]
        if here:
            channel = here[0].place.channel  # a long name ends in a digest in its topic
        reply = f"{received.topic.removesuffix(Leaf.COMMAND)}{Leaf.REPLY}"
        desk.take(session, received, channel, frozenset(each.run for each in here), reply)

    def _hear(self, telling: Telling, ack: Ack) -> None:
        now = loop_time()
        telling.rows.ack(ack.acked_seq, telling.feed.rows, now)
        telling.events.ack(ack.acked_event, telling.feed.events, now)
        if telling.findings is not None:
            telling.findings.acked = ack.acked_results
        telling.greeted = True
        self._wake.set()

    # --- runs -------------------------------------------------------------------------------

    async def _look_for_runs(self, session: Session) -> None:
        """New run files; runs that are over are forgotten."""
        for run, telling in list(self._runs.items()):
            if telling.over:
                self._confirmed.set(run, telling.proven())
                self._over.add(run)
                self._watch.forget(telling.feed.path)
                del self._runs[run]
                topic = self._settings.topics.topic(telling.feed.place, Leaf.STATUS)
                await session.publish(topic, b"offline", retain=True)
        if loop_time() - self._looked < FOLDER:
            return
        self._looked = loop_time()
        for path in sorted(self._settings.folder.glob(f"*{SUFFIX}")):
            name = run_of(path)
            if name is None or name in self._runs or name in self._over or path.is_symlink():
                continue
            opened = self._open(path, name)
            if opened is not None:
                self._runs[name] = opened
                await self._each(lambda telling: self._birth(session, telling), [name])

    def _open(self, path: Path, run: str) -> Telling | None:
        proven = self._confirmed.of(run)
        if proven.done:
            self._over.add(run)
            return None
        settings = self._settings
        try:
            feed = RunFeed(path, settings.site, settings.bench, settings.allow)
        except JournalError as error:  # perhaps it is just being made
            if self._bad.get(path) != str(error):
                log.info("not told yet: %s", error)
                self._bad[path] = str(error)
            return None
        return Telling(feed, proven, acks=settings.acks, results=settings.results, patience=settings.patience)

    def _keep(self) -> None:
        for run, telling in self._runs.items():
            self._confirmed.set(run, telling.proven())
        self._confirmed.save()


def _first(group: BaseExceptionGroup[BrokerError]) -> BrokerError:
    """The first of the errors that came together."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
