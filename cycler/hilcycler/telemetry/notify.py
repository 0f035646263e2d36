"""Who has to know: trips, failures, shorts, ends of runs, trouble with a disk, and benches that fall silent.

A subscriber of its own, mostly on the lab's server: a bench cannot say that it is gone. The broker notices
that within half a minute (one and a half keep-alives) and publishes the bench's last will.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import smtplib
import ssl
import urllib.request
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Final, NoReturn, Protocol, TypeAlias
from urllib.parse import urlsplit

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry import messages
from hilcycler.telemetry.alarm import shorted
from hilcycler.telemetry.broker import Broker, BrokerError, Received, Session, connect, pauses
from hilcycler.telemetry.secrets import Secret
from hilcycler.telemetry.topics import BENCH, Leaf, Place, Topics

log = logging.getLogger("hilcycler.notify")

TIMEOUT: Final = 10.0
HOUR: Final = 3600.0
TRIES: Final = 4
WAITING: Final = 100
"""Notices that an outlet may be behind."""
REMEMBERED: Final = 10_000
AWAY: Final = 15.0
"""Seconds without a broker after which somebody has to know."""
LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts to reach it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody has to know."""

    kind: str
    site: str
    bench: str
    channel: str
    text: str

    @property
    def title(self) -> str:
        return f"[cycler] {self.kind}: {self.bench} {'' if self.channel == BENCH else self.channel}".strip()


class Undelivered(LinkError):
    """A mail server or web address does not take a notice."""


class Outlet(Protocol):
    """Where notices go. Blocks, for at most a few times TIMEOUT."""

    def send(self, notice: Notice, suppressed: int) -> None:
        """Undelivered if it did not work."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """By SMTP; with STARTTLS, verified, unless the server is this machine."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: Secret | None = None
    starttls: bool = True

    def send(self, notice: Notice, suppressed: int) -> None:
        """See Outlet."""
        mail = EmailMessage()
        mail["Subject"] = plain(notice.title)
        mail["From"], mail["To"] = self.sender, ", ".join(self.recipients)
        mail.set_content(_body(notice, suppressed))
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT) as server:
                if self.starttls:
                    server.starttls(context=ssl.create_default_context())
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password.reveal())
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(f"mail by {self.host}:{self.port}: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Webhook:
    """As JSON by POST. `token` goes into the Authorization header."""

    url: str
    token: Secret | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise RequestError("webhook: expected https://..., or http:// on this machine")

    def send(self, notice: Notice, suppressed: int) -> None:
        """See Outlet."""
        said = {name: getattr(notice, name) for name in ("kind", "site", "bench", "channel", "text")}
        body = json.dumps(said | {"title": notice.title, "suppressed": suppressed}).encode()
        request = self._request(body)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
                pass
        except (OSError, ValueError) as error:
            raise Undelivered(f"webhook at {urlsplit(self.url).hostname}: {type(error).__name__}") from None

    def _request(self, body: bytes) -> urllib.request.Request:
        """On its own, so that the token is in no frame that fails."""
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        return urllib.request.Request(self.url, body, headers)  # noqa: S310  (scheme judged above)


@dataclass(slots=True)
class Limit:
    """One notice of a kind and channel in `each` seconds, `hourly` in all; the rest is counted."""

    each: Second = 600.0
    hourly: int = 30
    suppressed: int = 0
    _last: dict[tuple[str, str, str, str], Second] = field(default_factory=dict)
    _times: deque[Second] = field(default_factory=deque)

    def lets(self, notice: Notice, now: Second) -> bool:
        """Whether this one goes out."""
        key = notice.kind, notice.site, notice.bench, notice.channel
        self._last = {known: at for known, at in self._last.items() if now - at < self.each}
        while self._times and now - self._times[0] > HOUR:
            self._times.popleft()
        if key in self._last or len(self._times) >= self.hourly:
            self.suppressed += 1
            return False
        self._last[key] = now
        self._times.append(now)
        return True


class Reader:
    """From messages to notices; what was told before is not told again."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._told: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self._silent: set[tuple[str, str]] = set()

    def notices(self, received: Received) -> Iterator[Notice]:
        """What of this message somebody has to know."""
        found = self._topics.parse(received.topic)
        if found is None:
            return
        place, leaf = found
        if leaf is Leaf.STATUS:
            yield from self._status(place, received.payload)
        elif leaf in {Leaf.EVENT, Leaf.RESULT, Leaf.STATE}:
            try:
                message = messages.decode(leaf, received.payload)
            except RequestError as error:
                log.warning("%r: %s", received.topic, error)
                return
            yield from self._message(place, message)

    def _status(self, place: Place, payload: bytes) -> Iterator[Notice]:
        bench = place.site, place.bench
        if place.channel != BENCH:
            return
        if payload == b"offline" and bench not in self._silent:
            self._silent.add(bench)
            yield Notice("silence", *bench, BENCH, "the bench is no longer connected to the broker")
        elif payload == b"online" and bench in self._silent:
            self._silent.discard(bench)
            yield Notice("back", *bench, BENCH, "the bench is connected again")

    def _message(
        self, place: Place, message: messages.Events | messages.Result | messages.State
    ) -> Iterator[Notice]:
        match message:
            case messages.Events():
                for number, record in enumerate(message.events, message.number):
                    said = in_words(record)
                    if said is not None and self._new(place, message.run, "event", number):
                        yield Notice(said[0], *_names(place), f"run {message.run}: {said[1]}")
            case messages.Result():
                wrong = shorted(message.finding)
                if wrong is not None and self._new(place, message.run, "cell", wrong):
                    yield _cell(place, message.run, wrong)
            case messages.State():
                if message.alarm and self._new(place, message.run, "cell", message.alarm):
                    yield _cell(place, message.run, message.alarm)
                if message.state == "interrupted" and self._new(place, message.run, "gone", message.rows):
                    gone = f"run {message.run}: nobody records it any more; the output may be on"
                    yield Notice("interrupted", *_names(place), gone)

    def _new(self, *what: object) -> bool:
        if what in self._told:
            return False
        self._told[what] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True


Queue: TypeAlias = asyncio.Queue[tuple[Notice, int]]


class Notifier:
    """`await Notifier(...).run()`: until it is cancelled."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outlets: list[Outlet],
        limit: Limit,
        rng: random.Random | None = None,
    ) -> None:
        self._broker, self._topics, self._limit = broker, topics, limit
        self._queues: list[tuple[Outlet, Queue]] = [(each, asyncio.Queue(WAITING)) for each in outlets]
        self._rng = rng or random.Random()  # noqa: S311  (jitter, not a secret)
        self._reader = Reader(topics)
        self._heard: Second = float("-inf")
        self._away = False

    async def run(self) -> None:
        """Listen and tell; begin again whenever the broker goes away, and tell that if it stays away."""
        async with asyncio.TaskGroup() as group:
            for outlet, queue in self._queues:
                group.create_task(self._deliver_all(outlet, queue))
            await self._listen_again_and_again()

    async def _listen_again_and_again(self) -> None:
        waits = pauses(self._rng, longest=LONGEST_PAUSE)
        name = f"cycler-notify-{secrets.token_hex(6)}"
        heard = loop_time()
        while True:
            try:
                async with connect(self._broker, name) as session:
                    waits = pauses(self._rng, longest=LONGEST_PAUSE)
                    await self._listen(session)
            except BrokerError as error:
                log.warning("%s", error)
                heard = max(heard, self._heard)
            if loop_time() - heard > AWAY and not self._away:
                self._away = True
                self._tell(self._own("silence", "cannot be reached: nothing is known of any bench"))
            await asyncio.sleep(next(waits))

    async def _listen(self, session: Session) -> None:
        leaves = (Leaf.STATUS, Leaf.EVENT, Leaf.RESULT, Leaf.STATE)
        await session.subscribe(*(self._topics.everywhere(leaf) for leaf in leaves))
        if self._away:
            self._away = False
            self._tell(self._own("back", "can be reached again"))
        for each in session.warnings():
            self._tell(Notice("certificate", "", "notices", BENCH, each))
        try:
            async for received in session.messages():
                for notice in self._reader.notices(received):
                    self._tell(notice)
        finally:
            self._heard = loop_time()

    def _own(self, kind: str, text: str) -> Notice:
        where = f"{self._broker.host}:{self._broker.port}"
        return Notice(kind, "", "all benches", BENCH, f"the broker {where} {text}")

    def _tell(self, notice: Notice) -> None:
        if not self._limit.lets(notice, loop_time()):
            return
        suppressed, self._limit.suppressed = self._limit.suppressed, 0
        log.info("%s", plain(f"{notice.title}: {notice.text}"))
        for outlet, queue in self._queues:
            try:
                queue.put_nowait((notice, suppressed))
            except asyncio.QueueFull:
                log.error("%s does not keep up: a notice is lost", type(outlet).__name__)  # noqa: TRY400

    async def _deliver_all(self, outlet: Outlet, queue: Queue) -> NoReturn:
        """One outlet at its own pace: a mail server that hangs does not hold up a webhook."""
        while True:
            notice, suppressed = await queue.get()
            waits = pauses(self._rng)
            for _ in range(TRIES):
                try:
                    await asyncio.to_thread(outlet.send, notice, suppressed)
                    break
                except Undelivered as error:
                    log.warning("%s", error)
                    await asyncio.sleep(next(waits))


def _names(place: Place) -> tuple[str, str, str]:
    return place.site, place.bench, place.channel


def _cell(place: Place, run: str, wrong: str) -> Notice:
    kind = "polarisation" if wrong.startswith("polarisation") else "short"
    return Notice(kind, *_names(place), f"run {run}: {wrong}")


def in_words(record: dict[str, Any]) -> tuple[str, str] | None:
    """Kind and text of an event that somebody has to know."""
    match record.get("kind"):
        case "tripped":
            violation = record.get("violation")
            what = violation if isinstance(violation, dict) else {}
            limit = f"{what.get('quantity')} {what.get('value')}, limits {what.get('lowest')} to {what.get('highest')}"
            return "trip", f"{limit}; output {record.get('off')}"
        case "failed":
            return "failure", f"{record.get('error')} {record.get('message', '')}; output {record.get('off')}"
        case "run-ended":
            return "end", f"{record.get('outcome')} {record.get('reason', '')}; output {record.get('off')}"
        case "note" if "disk" in record.get("about", ()):
            return "disk", str(record.get("text", "see the run's notes"))
        case _:
            return None


def plain(text: str) -> str:
    """One line of printable characters: what comes by MQTT may hold anything."""
    return "".join(c if c.isprintable() else " " for c in text)[:500]


def _body(notice: Notice, suppressed: int) -> str:
    more = f"\n\n{suppressed} further notices were held back." if suppressed else ""
    where = f"site {plain(notice.site)}, bench {plain(notice.bench)}, channel {plain(notice.channel)}"
    return f"{plain(notice.text)}\n\n{where}{more}\n"
