"""A client of the control API: what the command line, the screen and other programs speak through."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from hilcycler.control.places import CONTROL, VIEW, places, within
from hilcycler.errors import LinkLost, RequestError
from hilcycler.quantities import Second
from hilcycler.service.desk import Answer, Command, Verb
from hilcycler.service.status import BenchStatus, ChannelStatus

PATIENCE: Final[Second] = 90.0
"""Longer than the service itself waits for what it was asked."""
_BASE: Final = "http://bench"


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a stream: its kind, its data, and where to take up the stream after it."""

    kind: str
    data: Any
    cursor: str


class Client:
    """`with Client(data_folder) as service`; `acting`: over the control socket, else over the view socket.

    Raises RequestError for what is refused, LinkLost if the service is gone.
    """

    def __init__(self, data: Path, *, acting: bool = False, patience: Second = PATIENCE) -> None:
        self._data, self._name, self._patience = data, CONTROL if acting else VIEW, patience
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        found = places(self._data)
        folder = self._stack.enter_context(within(Path(found.folder)))
        transport = httpx.HTTPTransport(uds=f"{folder}/{self._name}")
        self._http = self._stack.enter_context(
            httpx.Client(transport=transport, base_url=_BASE, timeout=self._patience, trust_env=False)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def status(self) -> BenchStatus:
        """The whole bench, now."""
        return BenchStatus.model_validate(self._asked("GET", "/status").json())

    def channel(self, name: str) -> ChannelStatus:
        """One channel, now. RequestError if there is none of that name."""
        for each in self.status().channels:
            if each.channel == name:
                return each
        raise RequestError(f"no channel {name!r} on this bench")

    def ask(self, channel: str, verb: Verb, command: Command) -> Answer:
        """Ask for `command`; RequestError, with the reason, if it is refused."""
        response = self._asked("POST", f"/channels/{channel}/{verb.value}", command.model_dump_json())
        answer = Answer.model_validate(response.json())
        if not answer.done:
            raise RequestError(f"{channel}: {answer.answer}")
        return answer

    def safe_all(self, actor: str, reason: str) -> list[Answer]:
        """Every output off; the answers say which are."""
        body = json.dumps({"actor": actor, "reason": reason, "key": new_key()})
        return [Answer.model_validate(each) for each in self._asked("POST", "/safe", body).json()]

    def events(self, since: int | None = None) -> Iterator[Told]:
        """Entries of the bench's chain from number `since` on (None: from now), and its status."""
        yield from self._stream("/events", None if since is None else str(since))

    def run_events(self, run: str, since: str = "0.0") -> Iterator[Told]:
        """What is written of a run, from the place `since` on."""
        yield from self._stream(f"/runs/{run}/events", since)

    def _asked(self, method: str, path: str, body: str | None = None) -> httpx.Response:
        try:
            response = self._http.request(method, path, content=body)
        except httpx.HTTPError as error:
            raise LinkLost(f"the service does not answer: {error}") from error
        if response.status_code in {200, 409}:
            return response
        raise RequestError(_why(response))

    def _stream(self, path: str, since: str | None) -> Iterator[Told]:
        headers = {} if since is None else {"Last-Event-ID": since}
        try:
            with self._http.stream("GET", path, headers=headers, timeout=None) as response:
                if response.status_code != 200:
                    response.read()
                    raise RequestError(_why(response))
                yield from _told(response.iter_lines())
        except httpx.HTTPError as error:
            raise LinkLost(f"the service is gone: {error}") from error


def command_for(status: ChannelStatus, **asked: Any) -> Command:  # noqa: ANN401
    """A command that means the run and the state that `status` shows."""
    seen = {"run": status.run, "state": status.state, "revision": status.revision if status.run else None}
    return Command(**{**seen, "key": new_key(), **asked})


def new_key() -> str:
    """A key for one request."""
    return secrets.token_hex(16)


def _why(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"the service answered {response.status_code}"


def _told(lines: Iterator[str]) -> Iterator[Told]:
    """Server-sent events, as the service writes them: id, event, data, an empty line."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Told(fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id", ""))
            fields = {}
