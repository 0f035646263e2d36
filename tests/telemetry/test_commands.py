"""Commands by MQTT: what is judged, what is refused, what is audited. Keys and times invented here."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.telemetry.commands import Audit, CommandRefused, Gate, NoControl, Verb, sign
from hilcycler.telemetry.secrets import Secret

KEY = Secret("the bench's key")
NOW = 1_000_000.0
RUNS = frozenset({"run-1"})


class Listening:
    """Somebody who can be asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Verb, str, str]] = []

    async def ask(self, verb: Verb, run: str, actor: str) -> None:
        self.asked.append((verb, run, actor))


def command(key: Secret = KEY, **changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "verb": "stop",
        "run": "run-1",
        "actor": "ada",
        "issued": NOW - 1.0,
        "expires": NOW + 5.0,
    }
    fields |= {"nonce": "0123456789abcdef"} | changed
    return json.dumps(fields | {"signature": sign(key, fields)}).encode()


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def hear(gate: Gate, payload: bytes, *, retained: bool = False, now: float = NOW) -> Verb:
    return asyncio.run(gate.hear(payload, retained=retained, runs=RUNS, now=now))


def test_a_good_command_is_carried_out_once_and_audited(audit: Path) -> None:
    control = Listening()
    gate = Gate(KEY, Audit(audit), control, NOW - 60.0)
    assert hear(gate, command()) is Verb.STOP
    with pytest.raises(CommandRefused, match="replayed"):
        hear(gate, command())
    assert control.asked == [(Verb.STOP, "run-1", "ada")]
    verdicts = [json.loads(line)["verdict"] for line in audit.read_text().splitlines()]
    assert verdicts == ["accepted", "done", "refused"]
    assert KEY.reveal() not in audit.read_text()


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (command(Secret("another key")), "signature"),
        (command().replace(b"stop", b"safe"), "signature"),
        (command(issued=NOW - 40.0, expires=NOW - 20.0), "late"),
        (command(issued=NOW + 10.0, expires=NOW + 20.0), "early"),
        (command(issued=NOW - 1.0, expires=NOW + 3600.0), "lives"),
        (command(issued=NOW - 25.0, expires=NOW + 1.0), "before this bench listened"),
        (command(run="run-2"), "not on this channel"),
        (command(verb="start"), "verb"),
        (command(verb="resume"), "verb"),
        (command(verb="pause", current=1.0), "current"),
        (command(nonce="short"), "nonce"),
        (b"[]", "object"),
        (b"x" * 5000, "5000 bytes"),
    ],
)
def test_what_is_refused(audit: Path, payload: bytes, why: str) -> None:
    control = Listening()
    gate = Gate(KEY, Audit(audit), control, NOW - 20.0)
    with pytest.raises(CommandRefused, match=why):
        hear(gate, payload)
    assert control.asked == []
    (line,) = audit.read_text().splitlines()
    assert json.loads(line)["verdict"] == "refused"


def test_a_retained_command_is_refused(audit: Path) -> None:
    with pytest.raises(CommandRefused, match="retained"):
        hear(Gate(KEY, Audit(audit), Listening(), 0.0), command(), retained=True)


def test_where_nobody_can_be_asked_the_refusal_says_so(audit: Path) -> None:
    with pytest.raises(CommandRefused, match="no service runs on this bench"):
        hear(Gate(KEY, Audit(audit), NoControl(), 0.0), command())


def test_without_an_audit_nothing_is_carried_out(tmp_path: Path) -> None:
    control = Listening()
    with pytest.raises(OSError, match="audit"):
        hear(Gate(KEY, Audit(tmp_path / "no" / "audit"), control, 0.0), command())
    assert control.asked == []


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(payload: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(CommandRefused):
        hear(Gate(KEY, Audit(Path(folder) / "audit"), Listening(), 0.0), payload)


def test_all_verbs_take_current_away() -> None:
    assert set(Verb) == {Verb.PAUSE, Verb.STOP, Verb.SAFE}
