"""Commands by MQTT: none by default, and where a bench allows them, only what takes current away.

A command is JSON on `cmd` of a channel: verb (pause, stop, safe), run, actor, issued and expires (UTC seconds,
at most 30 s apart), nonce, and a signature, the HMAC-SHA256 of all of it under the bench's key. Retained,
late, early, replayed, forged or misdirected ones are refused, and every one is audited, durably, before it
is carried out. There is no verb that starts or raises anything: those are not refused, they do not exist.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilcycler.errors import RequestError
from hilcycler.quantities import Second
from hilcycler.telemetry.messages import Text
from hilcycler.telemetry.secrets import Secret

LIFE: Final = 30.0
"""Seconds that a command may live at most."""
LONGEST: Final = 4096


class Verb(StrEnum):
    """All that can be asked for from afar."""

    PAUSE = "pause"
    STOP = "stop"
    SAFE = "safe"


class Command(BaseModel):
    """What somebody asks for, signed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Verb
    run: Text
    actor: Text
    issued: float
    expires: float
    nonce: Annotated[str, Field(min_length=16, max_length=64)]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CommandRefused(RequestError):
    """A command that is not carried out; the message says why."""


class Control(Protocol):
    """Whoever can carry a command out."""

    async def ask(self, verb: Verb, run: str, actor: str) -> None:
        """CommandRefused if it cannot."""
        ...


class NoControl:
    """Of a bench where nobody can be asked: `cycler run` answers to its own terminal only."""

    async def ask(self, verb: Verb, run: str, actor: str) -> None:  # noqa: ARG002
        """See Control."""
        raise CommandRefused(f"{verb}: no service runs on this bench that could be asked")


def sign(key: Secret, fields: dict[str, str | float]) -> str:
    """The signature of a command without one."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Audit:
    """One line a command, on disk before anything is done."""

    path: Path

    def write(self, **said: object) -> None:
        """Append; OSError if the disk does not take it, and then nothing is carried out."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            os.write(descriptor, (json.dumps(said) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Gate:
    """Judges commands. `since`: when it began to; what was issued earlier may be a replay it cannot know."""

    def __init__(self, key: Secret, audit: Audit, control: Control, since: Second) -> None:
        self._key, self._audit, self._control, self._since = key, audit, control, since
        self._seen: dict[str, Second] = {}

    async def hear(self, payload: bytes, *, retained: bool, runs: frozenset[str], now: Second) -> Verb:
        """Judge, audit, carry out. CommandRefused; `runs` are those of the channel that it came for."""
        try:
            command = self._judge(payload, retained=retained, runs=runs, now=now)
        except CommandRefused as refusal:
            self._audit.write(at=now, verdict="refused", why=str(refusal), bytes=len(payload))
            raise
        said = command.model_dump(mode="json", exclude={"signature"})
        self._audit.write(at=now, verdict="accepted", command=said)
        try:
            await self._control.ask(command.verb, command.run, command.actor)
        except CommandRefused as refusal:
            self._audit.write(at=now, verdict="refused", why=str(refusal), command=said)
            raise
        self._audit.write(at=now, verdict="done", command=said)
        return command.verb

    def _judge(self, payload: bytes, *, retained: bool, runs: frozenset[str], now: Second) -> Command:
        if retained:
            raise CommandRefused("retained: a command is for now, not for whoever comes")
        if len(payload) > LONGEST:
            raise CommandRefused(f"{len(payload)} bytes; expected at most {LONGEST}")
        try:
            command = Command.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise CommandRefused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        fields = command.model_dump(mode="json", exclude={"signature"})
        try:
            wanted = sign(self._key, fields)
        except ValueError:
            raise CommandRefused("a time that is not a number") from None
        if not hmac.compare_digest(wanted, command.signature):
            raise CommandRefused("the signature is not of this bench's key")
        if not 0.0 < command.expires - command.issued <= LIFE:
            raise CommandRefused(f"lives {command.expires - command.issued:g} s; expected up to {LIFE:g} s")
        if not max(self._since, now - LIFE) <= command.issued <= now + 1.0 or not now < command.expires:
            raise CommandRefused("late, early, or issued before this bench listened")
        self._seen = {nonce: expires for nonce, expires in self._seen.items() if expires >= now}
        if command.nonce in self._seen:
            raise CommandRefused("replayed: this nonce has been used")
        self._seen[command.nonce] = command.expires
        if command.run not in runs:
            raise CommandRefused(f"run {command.run!r} is not on this channel")
        return command
