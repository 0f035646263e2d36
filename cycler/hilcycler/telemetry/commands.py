"""Commands by MQTT: none by default, and where a bench allows them, only what takes current away.

A command is JSON on `cmd` of a channel: verb (pause, stop, safe), run, actor, reason, issued and expires
(UTC seconds, at most 30 s apart), nonce, and a signature, the HMAC-SHA256 of all of it under the bench's
key. Retained, late, early, replayed, forged or misdirected ones are refused. There is no verb that starts
or raises anything: those are not refused, they do not exist.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Final, Protocol, assert_never

from pydantic import ValidationError

from hilcycler.errors import RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry.messages import Command, Unsigned, Verb
from hilcycler.telemetry.secrets import Secret, read_secret

LIFE: Final = 30.0
"""Seconds that a command may live at most."""
AHEAD: Final = 1.0
"""Seconds that the clock of whoever asks may be ahead of ours."""
LONGEST: Final = 4096
SHORTEST_KEY: Final = 32
"""Characters; `openssl rand -hex 32` makes 64."""


class CommandRefused(RequestError):
    """A command that is not carried out; the message says why."""


class Commanded(Protocol):
    """Whoever can carry commands out: a service, or the runs in the foreground of this bench.

    Each returns, in words, what is now true of the output, and raises CommandRefused if it could not.
    """

    async def pause(self, channel: str, run: str, actor: str, reason: str) -> str:
        """Hold the run with the output off, to be gone on with by somebody at the bench."""
        ...

    async def stop(self, channel: str, run: str, actor: str, reason: str) -> str:
        """End the run with the output off."""
        ...

    async def safe(self, channel: str, run: str, actor: str, reason: str) -> str:
        """As `stop`; and nothing begins on the channel until a named person has reset it."""
        ...


def sign(asked: Unsigned, key: Secret) -> str:
    """HMAC-SHA256 of the fields as JSON, sorted and without spaces. ValueError for times that are none."""
    fields = asked.model_dump(mode="json", include=set(Unsigned.model_fields))
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


async def carry_out(commanded: Commanded, channel: str, command: Command) -> str:
    """What became of it. CommandRefused."""
    said = channel, command.run, f"{command.actor}, by MQTT", command.reason
    match command.verb:
        case Verb.PAUSE:
            return await commanded.pause(*said)
        case Verb.STOP:
            return await commanded.stop(*said)
        case Verb.SAFE:
            return await commanded.safe(*said)
        case _:
            assert_never(command.verb)


def read_key(path: Path) -> Secret:
    """The key of a bench's commands. RequestError if it could be guessed."""
    key = read_secret(path)
    if len(key.reveal()) < SHORTEST_KEY:
        raise RequestError(
            f"key file {path}: {len(key.reveal())} characters; expected at least {SHORTEST_KEY} (openssl rand -hex 32)"
        )
    return key


class Gate:
    """Judges commands. `since`: when it began to; what was issued earlier may be a replay it cannot know."""

    def __init__(self, key: Secret, since: Second) -> None:
        self._key, self._since = key, since
        self._seen: dict[str, tuple[Second, Second]] = {}  # by nonce: issued, and when it came (stopwatch)

    def judge(
        self, payload: bytes, *, retained: bool, runs: frozenset[str], now: Second, stopwatch: Second
    ) -> Command:
        """The command; CommandRefused. `runs` are those of the channel that it came for.

        `now` is UTC, which may be set back; `stopwatch` never goes back.
        """
        if retained:
            raise CommandRefused("retained: a command is for now, not for whoever comes")
        command = self._read(payload)
        self._in_time(command, now)
        self._forget(stopwatch)
        if command.nonce in self._seen:
            raise CommandRefused("replayed: this nonce has been used")
        if command.run not in runs:
            raise CommandRefused(f"run {command.run!r} does not go on on this channel")
        self._seen[command.nonce] = command.issued, stopwatch
        return command

    def _read(self, payload: bytes) -> Command:
        if len(payload) > LONGEST:
            raise CommandRefused(f"{len(payload)} bytes; expected at most {LONGEST}")
        try:
            command = Command.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise CommandRefused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        try:
            wanted = sign(command, self._key)
        except ValueError:
            raise CommandRefused("a time that is not a number") from None
        if not hmac.compare_digest(wanted, command.signature):
            raise CommandRefused("the signature is not of this bench's key")
        return command

    def _in_time(self, command: Command, now: Second) -> None:
        if not 0.0 < command.expires - command.issued <= LIFE:
            raise CommandRefused(f"lives {command.expires - command.issued:g} s; expected up to {LIFE:g} s")
        if not self._since <= command.issued:
            raise CommandRefused(
                "late: issued before this bench listened, or before others that it has heard"
            )
        if not command.issued <= now + AHEAD:
            raise CommandRefused(f"early: issued {command.issued - now:.1f} s from now; see the clocks")
        if not now < command.expires:
            raise CommandRefused(f"late: expired {now - command.expires:.1f} s ago")

    def _forget(self, stopwatch: Second) -> None:
        """Nonces of long ago. Should the clock be set back, nothing as old as they are counts any more."""
        old = [nonce for nonce, (_, came) in self._seen.items() if stopwatch - came > 2.0 * LIFE]
        for nonce in old:
            issued, _ = self._seen.pop(nonce)
            self._since = max(self._since, issued)
