"""Commands by MQTT: what is judged, what is refused, what is audited. Keys and times invented here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.clock import wall_clock
from hilcycler.errors import RequestError
from hilcycler.telemetry.audit import REFUSALS, Audit
from hilcycler.telemetry.broker import Received
from hilcycler.telemetry.commands import Commanded, CommandRefused, Gate, read_key, sign
from hilcycler.telemetry.desk import Commands, Desk
from hilcycler.telemetry.messages import Command, Unsigned, Verb
from hilcycler.telemetry.secrets import Secret

KEY = Secret("the key of this bench, not of another")
NOW = 1_000_000.0
RUNS = frozenset({"run-1"})


def command(key: Secret = KEY, **changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "verb": "stop",
        "run": "run-1",
        "actor": "ada",
        "reason": "smoke",
        "issued": NOW - 1.0,
        "expires": NOW + 5.0,
        "nonce": "0123456789abcdef",
    }
    known = {name: value for name, value in changed.items() if name in fields and name != "verb"}
    try:
        signature = sign(Unsigned(**fields | known), key)
    except ValueError:
        signature = 64 * "0"
    return json.dumps(fields | changed | {"signature": signature}).encode()


def judge(
    gate: Gate, payload: bytes, *, retained: bool = False, now: float = NOW, stopwatch: float = 0.0
) -> Command:
    return gate.judge(payload, retained=retained, runs=RUNS, now=now, stopwatch=stopwatch)


def test_a_good_command_passes_once() -> None:
    gate = Gate(KEY, NOW - 60.0)
    assert judge(gate, command()).verb is Verb.STOP
    with pytest.raises(CommandRefused, match="replayed"):
        judge(gate, command())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (command(Secret("another key")), "signature"),
        (command().replace(b'"stop"', b'"safe"'), "signature"),
        (command().replace(b"smoke", b"smuke"), "signature"),
        (command(issued=NOW - 10.0, expires=NOW - 5.0), "late: expired 5.0 s ago"),
        (command(issued=NOW + 10.0, expires=NOW + 20.0), "early"),
        (command(issued=NOW - 1.0, expires=NOW + 3600.0), "lives"),
        (command(issued=NOW + 1.0, expires=NOW - 1.0), "lives"),
        (command(issued=NOW - 25.0, expires=NOW + 1.0), "before this bench listened"),
        (command(run="run-2"), "does not go on on this channel"),
        (command(verb="start"), "verb"),
        (command(verb="resume"), "verb"),
        (command(current=1.0), "current"),
        (command(nonce="short"), "nonce"),
        (command(actor=""), "actor"),
        (b"[]", "object"),
        (b"x" * 5000, "5000 bytes"),
    ],
)
def test_what_is_refused(payload: bytes, why: str) -> None:
    with pytest.raises(CommandRefused, match=why):
        judge(Gate(KEY, NOW - 20.0), payload)


def test_a_retained_command_is_refused() -> None:
    with pytest.raises(CommandRefused, match="retained"):
        judge(Gate(KEY, 0.0), command(), retained=True)


def test_a_clock_that_is_set_back_lets_no_old_command_in() -> None:
    """The nonce is forgotten after a minute; what was issued with it is too old for ever."""
    gate = Gate(KEY, 0.0)
    judge(gate, command(), stopwatch=0.0)
    with pytest.raises(CommandRefused, match="replayed"):
        judge(gate, command(), stopwatch=59.0)
    later = command(issued=NOW + 99.0, expires=NOW + 101.0, nonce=16 * "b")
    judge(gate, later, now=NOW + 100.0, stopwatch=100.0)
    with pytest.raises(CommandRefused, match="late"):
        judge(gate, command(issued=NOW - 1.5, nonce=16 * "c"), stopwatch=200.0)  # the clock shows NOW again


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(CommandRefused):
        judge(Gate(KEY, 0.0), payload)


def test_a_key_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("secret\n")
    path.chmod(0o600)
    with pytest.raises(RequestError, match="6 characters; expected at least 32") as said:
        read_key(path)
    assert "secret" not in str(said.value).replace(str(path), "")


def test_nothing_can_be_asked_for_but_to_take_current_away() -> None:
    asked = {name for name in vars(Commanded) if not name.startswith("_")}
    assert asked == set(Verb) == {"pause", "stop", "safe"}


# --- the desk -------------------------------------------------------------------------------


class Listening:
    """Somebody who can be asked, and a session that keeps the answers."""

    def __init__(self, audit: Path) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.answers: list[dict[str, Any]] = []
        self.audit = audit
        self.written_before: list[bool] = []

    async def _hear(self, *said: str) -> str:
        self.asked.append(said)
        self.written_before.append(self.audit.exists())
        return "output OFF"

    async def pause(self, channel: str, run: str, actor: str, reason: str) -> str:
        raise CommandRefused("cannot pause")

    async def stop(self, channel: str, run: str, actor: str, reason: str) -> str:
        return await self._hear("stop", channel, run, actor, reason)

    async def safe(self, channel: str, run: str, actor: str, reason: str) -> str:
        return await self._hear("safe", channel, run, actor, reason)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry: int = 0) -> None:
        assert (topic, retain) == ("reply", False)
        assert expiry
        self.answers.append(json.loads(payload))

    async def subscribe(self, *filters: str) -> None:
        raise AssertionError(filters)

    async def messages(self) -> AsyncGenerator[Received]:
        raise AssertionError
        yield

    def waiting(self) -> int:
        return 0

    def warnings(self) -> list[str]:
        return []


def told(listening: Listening, *payloads: bytes, retained: bool = False) -> list[dict[str, Any]]:
    """Give the payloads to a desk; the lines of its audit."""

    async def hear() -> None:
        async with Desk(Commands(KEY, listening, Audit(listening.audit))) as desk:
            for payload in payloads:
                desk.take(listening, Received("cmd", payload, retained), "ch1", RUNS, "reply")

    asyncio.run(hear())
    return [json.loads(line) for line in listening.audit.read_text().splitlines()]


def now(**changed: Any) -> bytes:
    issued = wall_clock() + 0.5
    return command(issued=issued, expires=issued + 5.0, **changed)


def test_a_command_is_carried_out_first_and_written_down_then(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "audit")
    (line,) = told(listening, now())
    assert listening.asked == [("stop", "ch1", "run-1", "ada, by MQTT", "smoke")]
    assert listening.written_before == [False]
    assert (line["verdict"], line["why"], line["channel"]) == ("done", "output OFF", "ch1")
    assert line["command"]["actor"] == "ada"
    assert KEY.reveal() not in listening.audit.read_text()
    assert listening.answers == [{"nonce": "0123456789abcdef", "verdict": "done", "reason": "output OFF"}]


def test_a_replay_and_a_refusal_are_audited_and_answered(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "audit")
    good = now()
    lines = told(listening, good, good, b"not even JSON", now(nonce=16 * "p", verb="start"))
    assert sorted(line["verdict"] for line in lines) == ["done", "refused", "refused", "refused"]
    assert sum("replayed" in line.get("why", "") for line in lines) == 1
    assert len(listening.asked) == 1
    assert len(listening.answers) == 3  # whoever sends no JSON has no nonce to be answered by


def test_what_cannot_be_carried_out_says_so(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "audit")
    fields = json.loads(now())
    asked = Unsigned(**{name: fields[name] for name in Unsigned.model_fields} | {"verb": "pause"})
    signed = Command(**asked.model_dump(), signature=sign(asked, KEY))
    (line,) = told(listening, signed.model_dump_json().encode())
    assert (line["verdict"], line["why"]) == ("refused", "cannot pause")
    (answer,) = listening.answers
    assert answer["verdict"] == "refused"


def test_a_disk_that_takes_no_audit_does_not_keep_the_current_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listening = Listening(tmp_path / "no" / "audit")
    with pytest.raises(FileNotFoundError):  # of the reading, afterwards
        told(listening, now())
    assert len(listening.asked) == 1
    assert "cannot be written" in caplog.text


def test_a_flood_of_forgeries_does_not_fill_the_disk(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "audit")
    forged = [now(nonce=f"{number:016d}", reason="x") for number in range(3)]

    async def hear() -> None:
        async with Desk(Commands(Secret("another"), listening, Audit(listening.audit))) as desk:
            for number in range(REFUSALS + 500):
                desk.take(listening, Received("cmd", forged[number % 3], False), "ch1", RUNS, "reply")
                if number % 10 == 0:
                    await asyncio.sleep(0)

    asyncio.run(hear())
    assert len(listening.audit.read_text().splitlines()) == REFUSALS
    assert listening.asked == []
