"""The broker as the rest sees it: connect, publish, subscribe, receive. The one module that knows aiomqtt.

MQTT 5, QoS 1. A publish that returns was taken by the broker, which is not the same as kept (a broker
that is killed forgets what it has confirmed), so nobody here calls it delivered. TCP_NODELAY is set:
without it a message over TLS waits some 40 ms for the acknowledgement of the packet before.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from hilcycler.errors import LinkError, RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry import expiry
from hilcycler.telemetry.secrets import Secret, credential, private, read_secret

log = logging.getLogger("hilcycler.telemetry")
_wire = logging.getLogger("hilcycler.telemetry.mqtt")
_wire.setLevel(logging.ERROR)  # it says below what is ours to say, and would tear a terminal screen

KEEPALIVE: Final = 15
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class BrokerError(LinkError):
    """The broker is not there, does not answer, or does not let us in."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to get in. `patience`: how long an answer may take."""

    host: str
    port: int
    tls: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: Secret | None = None
    patience: Second = 10.0
    keepalive: int = KEEPALIVE

    @classmethod
    def at(
        cls,
        url: str,
        *,
        user: str | None = None,
        password_file: Path | None = None,
        authority: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        patience: Second = 10.0,
    ) -> Broker:
        """From `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]` and files. RequestError.

        A password never travels in the clear, but to this machine itself.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.path.strip("/"):
            raise RequestError("broker address: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
        if parts.username is not None or parts.password is not None:
            raise RequestError("broker address: user and password do not belong there; use a password file")
        tls = parts.scheme == "mqtts"
        if not tls and password_file is not None and parts.hostname not in LOOPBACK:
            raise RequestError(f"a password for {parts.hostname} would travel in the clear: use mqtts://")
        if not tls and (authority or certificate or key):
            raise RequestError("certificates need mqtts://")
        if key is not None:
            private(credential(key))
        password = read_secret(password_file) if password_file is not None else None
        port = parts.port or (8883 if tls else 1883)
        return cls(parts.hostname, port, tls, authority, certificate, key, user, password, patience)

    def context(self) -> ssl.SSLContext | None:
        """TLS that verifies certificate, name and dates, or None. RequestError for unusable files."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.authority)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                key = credential(self.key) if self.key is not None else None
                context.load_cert_chain(self.certificate, key)
        except OSError as error:
            raise RequestError(f"certificates for {self.host}: {error}") from None
        return context


class Received(NamedTuple):
    """A message that came."""

    topic: str
    payload: bytes
    retained: bool


class Session(Protocol):
    """A connection that stands."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry: int = 0) -> None:
        """Return when the broker has taken it. `expiry` in seconds; 0: never. BrokerError."""
        ...

    async def subscribe(self, *filters: str) -> None:
        """Ask for what matches. BrokerError.

        What is published to be retained says so even to those who were there already.
        """
        ...

    def messages(self) -> AsyncGenerator[Received]:
        """What comes, until the connection breaks: BrokerError."""
        ...

    def waiting(self) -> int:
        """How many have come that nobody has taken yet."""
        ...

    def warnings(self) -> list[str]:
        """What somebody should see to while this connection stands: certificates that end soon."""
        ...


class Will(NamedTuple):
    """What the broker says for us when we are gone without a word; retained."""

    topic: str
    payload: bytes


@asynccontextmanager
async def connect(
    broker: Broker, name: str, *, will: Will | None = None, room: int = 1_000
) -> AsyncIterator[Session]:
    """A session under the client id `name`; `room`: messages kept that nobody has taken, the rest is lost.

    BrokerError.
    """
    last = None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=True)
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.user,
        password=broker.password.reveal() if broker.password else None,
        identifier=name,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=last,
        clean_start=True,
        timeout=broker.patience,
        keepalive=broker.keepalive,
        tls_context=broker.context(),
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        max_queued_incoming_messages=room,
        logger=_wire,
    )
    client.pending_calls_threshold = room
    try:
        await client.__aenter__()
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        raise BrokerError(f"broker {broker.host}:{broker.port}: {error}") from None
    try:
        yield _Session(client, broker)
    finally:
        try:
            await client.__aexit__(None, None, None)
        except (aiomqtt.MqttError, OSError) as error:
            log.debug("leaving the broker: %s", error)


class _Session:
    """See Session."""

    def __init__(self, client: aiomqtt.Client, broker: Broker) -> None:
        self._client, self._broker = client, broker

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry: int = 0) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.PayloadFormatIndicator = 1
        if expiry:
            properties.MessageExpiryInterval = expiry
        try:
            await self._client.publish(
                topic, payload, qos=1, retain=retain, properties=properties, timeout=self._broker.patience
            )
        except (aiomqtt.MqttError, OSError) as error:
            raise self._lost(error) from None

    async def subscribe(self, *filters: str) -> None:
        try:
            await self._client.subscribe(
                [(each, SubscribeOptions(qos=1, retainAsPublished=True)) for each in filters],
                timeout=self._broker.patience,
            )
        except (aiomqtt.MqttError, OSError) as error:
            raise self._lost(error) from None

    async def messages(self) -> AsyncGenerator[Received]:
        try:
            async for message in self._client.messages:
                yield Received(str(message.topic), bytes(message.payload), bool(message.retain))
        except (aiomqtt.MqttError, OSError) as error:
            raise self._lost(error) from None

    def waiting(self) -> int:
        return len(self._client.messages)

    def warnings(self) -> list[str]:
        broker = self._broker
        known = {"our authority's certificate": broker.authority, "our own certificate": broker.certificate}
        found = [
            expiry.warning(what, expiry.soonest(path)) for what, path in known.items() if path is not None
        ]
        line = self._client._client.socket()  # noqa: SLF001  (aiomqtt shows no way to it)
        if isinstance(line, ssl.SSLSocket) and (theirs := line.getpeercert(binary_form=True)):
            name = f"the certificate of the broker {broker.host}:{broker.port}"
            found.append(expiry.warning(name, expiry.ends(theirs)))
        return [each for each in found if each is not None]

    def _lost(self, error: Exception) -> BrokerError:
        return BrokerError(f"broker {self._broker.host}:{self._broker.port}: {error}")


def pauses(rng: random.Random, first: Second = 0.5, longest: Second = 60.0) -> Iterator[Second]:
    """How long to wait before each further attempt: doubling, and no two benches alike."""
    pause = first
    while True:
        yield pause * rng.uniform(0.5, 1.0)
        pause = min(2.0 * pause, longest)
