"""What a bench is, as frozen facts. How it is written in a file stands in `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hilcycler.protocol import Envelope
from hilcycler.telemetry.allowed import Allowed


class AfterRestart(StrEnum):
    """What becomes of a run that was cut off and whose instrument no longer carries on by itself."""

    RESUME = "resume"
    SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Usb:
    """A device by who it is, not by the port that it was given: vendor, product, serial number."""

    vendor: int
    product: int
    serial: str

    def __str__(self) -> str:
        return f"{self.vendor:04X}:{self.product:04X} {self.serial}"


@dataclass(frozen=True, slots=True)
class InstrumentAt:
    """An instrument: its driver family, where it is, and who must answer there.

    Either `address` or `usb` says where. `model` and `serial` are what it must say of itself; empty:
    whatever answers is taken. `baud`: None is the driver's own.
    """

    name: str
    driver: str
    address: str = ""
    usb: Usb | None = None
    baud: int | None = None
    model: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated instrument with a simulated cell in place of a real one.

    `pace` is simulated seconds per second; None: as fast as the instrument can (host-stepped ones
    keep real time).
    """

    model: str
    cell: str
    seed: int = 1
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class ChannelAt:
    """A pair of leads, on channel `number` of an `instrument` of the bench, or `simulated`.

    Exactly one of the two is given. `envelope` holds for this channel, the bench's already
    intersected. `chamber` is the one that the cell stands in, if any.
    """

    name: str
    instrument: InstrumentAt | None
    number: int
    envelope: Envelope
    after_restart: AfterRestart = AfterRestart.RESUME
    simulated: Simulated | None = None
    chamber: str = ""


@dataclass(frozen=True, slots=True)
class ChamberAt:
    """A temperature chamber: which one, where, and what it may be set to."""

    name: str
    driver: str
    address: str
    serial: str = ""
    envelope: Envelope = field(default_factory=Envelope)


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes: `low`, free space below which the bench warns; `reserve`, kept aside for the end of each run.

    `fallback`: a folder on another disk, for what the first no longer takes. `flight`: how much of the
    conversation with its instrument is kept beside each run; 0: nothing.
    """

    low: int = 1 << 30
    reserve: int = 1 << 20
    fallback: Path | None = None
    flight: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Telemetry:
    """How to reach the lab's broker. Secrets are in the files that are named here, never here."""

    broker: str
    user: str | None = None
    password_file: Path | None = None
    authority: Path | None = None
    certificate: Path | None = None
    key_file: Path | None = None
    root: str = "cycler"
    allow: frozenset[Allowed] = frozenset()
    acks: bool = True
    results: bool = True
    home_assistant: str | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """Where the control sockets lie, and which groups of the system may use them; None: only their owner.

    `folder`: None is the service's runtime folder.
    """

    folder: Path | None = None
    operators: str | None = None
    viewers: str | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """A whole bench. `file` is where it was read from."""

    name: str
    site: str
    data: Path
    envelope: Envelope
    instruments: Mapping[str, InstrumentAt]
    channels: Mapping[str, ChannelAt]
    chambers: Mapping[str, ChamberAt] = field(default_factory=dict)
    storage: Storage = field(default_factory=Storage)
    telemetry: Telemetry | None = None
    control: Control = field(default_factory=Control)
    file: Path | None = None
