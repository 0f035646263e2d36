"""Payloads: what is published is what the schemas in the docs say; what comes from strangers is judged."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_stories import RUN, story, tell

from hilcycler.errors import RequestError
from hilcycler.journal import open_run
from hilcycler.records import Record, SampleBlock
from hilcycler.telemetry.allowed import Allowed
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.messages import MESSAGES, Data, Events, Spectrum, decode, encode
from hilcycler.telemetry.published import schema_text
from hilcycler.telemetry.topics import Leaf

SCHEMA = Path(__file__).parents[2] / "docs/telemetry.schema.json"


@pytest.fixture
def feed(runs: Path) -> RunFeed:
    return RunFeed(tell(runs, story()), "lab", "1", frozenset())


def valid(leaf: Leaf, payload: bytes) -> Any:
    """The payload, which the published schema accepts."""
    schema = json.loads(SCHEMA.read_text("utf-8"))["messages"][leaf]
    found = json.loads(payload)
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


def test_the_schema_in_the_docs_is_the_one_of_the_code() -> None:
    """To renew it: python -c 'from hilcycler.telemetry.published import *; print(schema_text(), end="")'."""
    assert SCHEMA.read_text("utf-8") == schema_text()


def test_every_message_of_a_run_is_as_published(feed: RunFeed) -> None:
    data = list(feed.data(0, feed.rows))
    for leaf, messages in (
        (Leaf.META, [feed.meta()]),
        (Leaf.STATE, [feed.standing()]),
        (Leaf.DATA, data),
        (Leaf.LATEST, [feed.latest(data[-1])]),
        (Leaf.EVENT, [each for each in feed.happenings(0, feed.events) if isinstance(each, Events)]),
        (Leaf.EIS, [each for each in feed.happenings(0, feed.events) if isinstance(each, Spectrum)]),
    ):
        assert messages
        for message in messages:
            payload = encode(message)
            valid(leaf, payload)
            assert decode(leaf, payload) == MESSAGES[leaf].model_validate(message.model_dump())


def test_rows_and_events_are_numbered_without_gaps(feed: RunFeed) -> None:
    data = list(feed.data(0, feed.rows))
    assert (data[0].sequence, data[-1].sequence + data[-1].rows) == (0, feed.rows)
    assert all(before.sequence + before.rows == after.sequence for before, after in pairwise(data))
    numbers = [
        (each.number, each.number + (len(each.events) if isinstance(each, Events) else each.points))
        for each in feed.happenings(0, feed.events)
    ]
    assert (numbers[0][0], numbers[-1][1]) == (0, feed.events)
    assert all(before[1] == after[0] for before, after in pairwise(numbers))


def test_a_number_arrives_to_the_last_bit(feed: RunFeed) -> None:
    told = [decode(Leaf.DATA, encode(data)) for data in feed.data(0, feed.rows)]
    kept = open_run(feed.path).columns()
    for name, column in (
        ("test_time_second", "test_time"),
        ("voltage_volt", "voltage"),
        ("current_ampere", "current"),
    ):
        values = np.concatenate([getattr(data, name) for data in told])
        assert values.tobytes() == kept[column].tobytes()


def test_what_is_no_number_travels_too(runs: Path) -> None:
    records: list[Record] = []
    for record in story(steps=1, rows=8, chunk=8):
        if isinstance(record, SampleBlock):
            columns = {name: column.copy() for name, column in record.columns.items()}
            columns["voltage"][:3] = [math.nan, math.inf, -math.inf]
            keys = record.sequence, record.step_count, record.step_index, record.cycle
            records.append(SampleBlock(*keys, columns))
        else:
            records.append(record)
    feed = RunFeed(tell(runs, records), "lab", "1", frozenset())
    (payload,) = (encode(data) for data in feed.data(0, 8))
    assert valid(Leaf.DATA, payload)["voltage_volt"][:3] == ["NaN", "Infinity", "-Infinity"]
    found = decode(Leaf.DATA, payload).voltage_volt
    assert math.isnan(found[0])
    assert found[1:3] == [math.inf, -math.inf]


GOOD = {
    "run": RUN, "sequence": 0, "rows": 1, "unix_time_zero_second": 0.0, "cycle_count": 0, "step_count": 1,
    "step_id": 1, "step_type": "REST", "test_time_second": [0.0], "voltage_volt": [0.1],
    "current_ampere": [0.0], "current_range": 1, "status": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": -1},
        {"sequence": 2**63},
        {"sequence": 1.5},
        {"rows": 2},
        {"rows": 0},
        {"voltage_volt": [0.1, 0.2]},
        {"voltage_volt": [None]},
        {"voltage_volt": ["4 V"]},
        {"current_range": 256},
        {"step_count": 2**31},
        {"run": "x" * 201},
        {"run": "a\0b"},
        {"more": 1},
        {"run": None},
    ],
)
def test_a_payload_that_is_wrong_is_refused_by_name(wrong: dict[str, Any]) -> None:
    assert isinstance(decode(Leaf.DATA, json.dumps(GOOD).encode()), Data)
    with pytest.raises(RequestError, match=r"data|voltage|test_time"):
        decode(Leaf.DATA, json.dumps(GOOD | wrong).encode())


@given(st.sampled_from(list(MESSAGES)), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_message_or_refused(leaf: Leaf, payload: bytes) -> None:
    try:
        decode(leaf, payload)
    except RequestError:
        return
    pytest.fail("bytes by chance are no message")


CANARY = "canary-"


def _canaries(value: Any, path: str = "") -> Any:
    """The header with a mark in every text that a person may have written."""
    match value:
        case dict():
            return {key: _canaries(entry, f"{path}.{key}") for key, entry in value.items()}
        case str() if path.startswith((".cell", ".protocol_name", ".protocol_text", ".instrument.serial")):
            return f"{CANARY}{value}"
        case _:
            return value


def _all_published(feed: RunFeed) -> bytes:
    data = list(feed.data(0, feed.rows))
    said = [feed.meta(), feed.standing(), *data, feed.latest(data[-1]), *feed.happenings(0, feed.events)]
    return b"\n".join(encode(each) for each in said)


def test_only_what_is_allowed_leaves_the_bench(runs: Path) -> None:
    """Names, chemistry, protocol and people: none by default, each with its word."""
    from hilcycler.clock import Stamp
    from hilcycler.records import Note, OperatorAction, RunStarted, from_json, to_json

    records = story(steps=1)
    header = from_json(json.dumps(_canaries(json.loads(to_json(records[0])))))  # type: ignore[arg-type]
    assert isinstance(header, RunStarted)
    stamp = Stamp(0.0, 0.0)
    said: list[Record] = [
        OperatorAction(f"{CANARY}ada", "stop", f"{CANARY}smoke", stamp, {"terminal": f"{CANARY}bench"}),
        Note(f"{CANARY}ada went home", stamp),
    ]
    path = tell(runs, [header, *records[1:-1], *said, records[-1]])
    silent = _all_published(RunFeed(path, "lab", "1", frozenset()))
    assert CANARY.encode() not in silent
    talking = _all_published(RunFeed(path, "lab", "1", frozenset(Allowed)))
    for word in (b"canary-ada", b"canary-smoke", b"canary-bench", b'"protocol_text":"canary-'):
        assert word in talking
