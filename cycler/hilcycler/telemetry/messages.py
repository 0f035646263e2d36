"""The messages: what stands in the payloads. The JSON Schemas in the docs are made from these classes.

Keys are the machine names of the Battery Data Format 1.3.0 where it has one, so that the unit travels
with the name; positive current charges the cell. JSON has no word for numbers that are none: they are
the strings "NaN", "Infinity" and "-Infinity", as in the run files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from hilcycler.errors import RequestError
from hilcycler.telemetry.topics import Leaf

MOST: Final = 1_000
"""Rows or points in one message."""

_NUMBER: Final = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}

Text = Annotated[str, Field(max_length=200)]
Real = Annotated[float, WithJsonSchema(_NUMBER)]
Reals = Annotated[list[float], Field(max_length=MOST), WithJsonSchema({"type": "array", "items": _NUMBER})]
Number = Annotated[int, Field(ge=0, lt=2**62)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Byte = Annotated[int, Field(ge=0, lt=256)]
Bytes = Annotated[list[Byte], Field(max_length=MOST)]


class Message(BaseModel):
    """One payload."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", frozen=True)

    run: Text


class Data(Message):
    """Rows of one step, as columns of equal length. Rows of a run are numbered from 0 without gaps.

    `unix_time_zero_second` is UTC, in seconds since 1970, where the test time of these rows is zero. A
    range or status that is one number stands for every row.
    """

    sequence: Number
    rows: Annotated[int, Field(gt=0, le=MOST)]
    unix_time_zero_second: float
    cycle_count: Count
    step_count: Count
    step_id: Count
    step_type: Text
    test_time_second: Reals
    voltage_volt: Reals
    current_ampere: Reals
    ambient_temperature_celsius: Reals | None = None
    current_range: Byte | Bytes
    status: Byte | Bytes


class Spectrum(Message):
    """Impedance points as columns, numbered as the events they are in the run, without gaps.

    The imaginary part has the physical sign: capacitive is negative.
    """

    number: Number
    points: Annotated[int, Field(gt=0, le=MOST)]
    unix_time_zero_second: float
    step_count: Count
    test_time_second: Reals
    frequency_hertz: Reals
    real_impedance_ohm: Reals
    imaginary_impedance_ohm: Reals
    current_range: list[Count]
    voltage_range: list[Count]
    status: list[Count]


class Events(Message):
    """Events in the order in which they happened, numbered without gaps from `number` on.

    Each holds its `kind`, mostly a `stamp` (UTC and monotonic seconds) and what belongs to it. What the
    bench does not allow to leave it is missing.
    """

    number: Number
    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST)]


class Result(Message):
    """What an evaluation found, numbered by run and evaluation. Sent when the run has ended."""

    evaluation: Text
    number: Count
    of: Count
    finding: dict[str, Any]


class Meta(Message):
    """A run is here: retained, sent again at each connection. `allow`: see Allowed."""

    site: Text
    bench: Text
    channel: Text
    started_unix_second: float
    driver: Text
    model: Text
    simulated: bool
    voltage: Text
    area_square_metre: float | None
    protocol_sha256: Text
    planned_steps: int | None
    versions: dict[str, str]
    allow: list[Text]
    header: dict[str, Any]


class State(Message):
    """Where the run stands: retained, sent when it changes.

    `state`: running, interrupted (its process is gone), ended or sealed. `outcome` once it has ended.
    `alarm`: what an evaluation that watches found wrong with the cell, such as a short.
    """

    state: Literal["running", "interrupted", "ended", "sealed"]
    step_count: Count
    step_id: Count
    step_type: Text
    cycle_count: Count
    rows: Number
    events: Number
    outcome: Text | None = None
    alarm: Text | None = None


class Latest(Message):
    """The newest row as one flat object, at most once a second: for Telegraf, Grafana, Home Assistant."""

    site: Text
    bench: Text
    channel: Text
    state: Text
    step_type: Text
    step_id: Count
    step_count: Count
    cycle_count: Count
    unix_time_second: float
    test_time_second: Real
    voltage_volt: Real
    current_ampere: Real
    ambient_temperature_celsius: Real | None = None


class Ack(Message):
    """From the lab: rows before `acked_seq` and events before `acked_event` are stored for good.

    `results`: how many findings of the run are.
    """

    acked_seq: Number
    acked_event: Number
    acked_results: Number = 0


class Verb(StrEnum):
    """All that can be asked for from afar: nothing here starts or raises a current."""

    PAUSE = "pause"
    STOP = "stop"
    SAFE = "safe"


class Unsigned(Message):
    """What somebody asks for; `issued` and `expires` are UTC in seconds since 1970."""

    verb: Verb
    actor: Annotated[Text, Field(min_length=1)]
    reason: Text
    issued: float
    expires: float
    nonce: Annotated[str, Field(min_length=16, max_length=64)]


class Command(Unsigned):
    """A command, signed: HMAC-SHA256, under the bench's key, of its other fields as JSON.

    Their keys are sorted, nothing stands between them, and what is not ASCII is escaped.
    """

    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Reply(BaseModel):
    """What became of a command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nonce: Text
    verdict: Literal["done", "refused"]
    reason: str


STATUS: Final = ("online", "offline")
"""The payloads of `status`: plain text, not JSON, as home automation expects them."""

MESSAGES: Final[dict[Leaf, type[BaseModel]]] = {
    Leaf.META: Meta,
    Leaf.STATE: State,
    Leaf.DATA: Data,
    Leaf.EIS: Spectrum,
    Leaf.EVENT: Events,
    Leaf.RESULT: Result,
    Leaf.LATEST: Latest,
    Leaf.ACK: Ack,
    Leaf.COMMAND: Command,
    Leaf.REPLY: Reply,
}

_ADAPTERS: Final = {leaf: TypeAdapter(model) for leaf, model in MESSAGES.items()}


def encode(message: BaseModel) -> bytes:
    """The payload of a message."""
    return message.model_dump_json().encode()


def decode(leaf: Leaf, payload: bytes) -> Any:  # noqa: ANN401  (the class that MESSAGES names)
    """The message in a payload; RequestError for anything else, whoever sent it."""
    if b"\\u0000" in payload or b"\0" in payload:
        raise RequestError(f"{leaf}: a payload with the character NUL")
    try:
        message = _ADAPTERS[leaf].validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise RequestError(f"{leaf}: {where}: {first['msg']}") from None
    match message:
        case Data():
            _equal(message, message.rows)
        case Spectrum():
            _equal(message, message.points)
    return message


def _equal(message: Data | Spectrum, rows: int) -> None:
    for name in type(message).model_fields:
        values = getattr(message, name)
        if isinstance(values, list) and len(values) != rows:
            raise RequestError(f"{name}: {len(values)} values for {rows} rows")
