"""The document model: every key of `bench.toml`, its kind, and what it means.

The descriptions are what editors show beside a key; `cycler schema bench` is made from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from hilcycler import quantities
from hilcycler.bench_file.bench import Usb
from hilcycler.errors import QuantityError
from hilcycler.language.faults import Where, shown
from hilcycler.language.strict_model import Strict, wrong
from hilcycler.language.words import CountOf, Of, Reader, Span, SpanOf, Words, Written, YesNo

_SIZE: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([kMGT]i?)?B", re.ASCII)
_TIMES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY: Final = {"ki": 2**10, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_USB: Final = re.compile(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4}) (\S{1,64})", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class SizeOf(Reader):
    """A number of bytes: `10 GB`, `64 MiB`."""

    def read(self, text: str, _where: Where) -> int:
        match = _SIZE.fullmatch(text.strip().replace("KiB", "kiB"))
        if match is None:
            raise QuantityError(f"{shown(text)} is no amount of storage; expected {self._wanted()}")
        prefix = match[2] or ""
        return int(float(match[1]) * (_TIMES | _BINARY)[prefix])

    def _wanted(self) -> str:
        return "bytes with their unit, such as 10 GB or 64 MB"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\d+(\.\d+)? ?([kMGT]i?)?B$", "examples": ["10 GB"]}


@dataclass(frozen=True)
class UsbOf(Reader):
    """A USB device: vendor, product, serial number."""

    def read(self, text: str, _where: Where) -> Usb:
        match = _USB.fullmatch(text.strip())
        if match is None:
            raise QuantityError(f"{shown(text)} names no USB device; expected {self._wanted()}")
        return Usb(int(match[1], 16), int(match[2], 16), match[3])

    def _wanted(self) -> str:
        return "VENDOR:PRODUCT SERIAL, such as '04D8:000A EM4A0123' (cycler ports lists them)"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4} \S+$"}


@dataclass(frozen=True)
class NameOf(Reader):
    """A name that can stand on a command line, in a topic and in a table."""

    def read(self, text: str, _where: Where) -> str:
        if not _NAME.fullmatch(text):
            raise QuantityError(f"{shown(text)} is no name; expected {self._wanted()}")
        return text

    def _wanted(self) -> str:
        return "letters, digits, '_', '.' or '-', at most 40, such as A1"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_NAME.pattern}$"}


@dataclass(frozen=True)
class PaceOf(Reader):
    """Simulated seconds per second."""

    FASTEST: Final = "as fast as possible"

    def read(self, text: str, _where: Where) -> float | None:
        if text == self.FASTEST:
            return None
        if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII) or not float(text) > 0.0:
            raise QuantityError(f"{shown(text)} is no pace; expected {self._wanted()}")
        return float(text)

    def _validate(self, value: object) -> object:
        return None if value is None else super()._validate(value)

    def _wanted(self) -> str:
        return f"simulated seconds per second, such as 60, or '{self.FASTEST}'"

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": self.FASTEST}]}


@dataclass(frozen=True)
class PathOf(Reader):
    """A file or folder; relative ones begin at the folder of the bench file."""

    def read(self, text: str, _where: Where) -> Path:
        if not text or "\0" in text:
            raise QuantityError(f"{shown(text)} is no path")
        return Path(text)

    def _wanted(self) -> str:
        return "a path"


Size: TypeAlias = Annotated[int, SizeOf()]
UsbDevice: TypeAlias = Annotated[Usb, UsbOf()]
Name: TypeAlias = Annotated[str, NameOf()]
Text: TypeAlias = Annotated[str, Words()]
Flag: TypeAlias = Annotated[bool, YesNo()]
FilePath: TypeAlias = Annotated[Path, PathOf()]
VoltageSpan: TypeAlias = Annotated[Span, SpanOf((quantities.VOLTAGE,))]
CurrentSpan: TypeAlias = Annotated[Span, SpanOf((quantities.CURRENT,))]
TemperatureSpan: TypeAlias = Annotated[Span, SpanOf((quantities.TEMPERATURE,))]
Charge: TypeAlias = Annotated[Written, Of((quantities.CHARGE,))]


class Table(Strict):
    """A table of the file: keys are field names with hyphens for underscores."""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_").replace("_", "-"))


class EnvelopeTable(Table):
    """Limits that switch a cell off when crossed. A run's own limits narrow them, never widen them."""

    voltage: VoltageSpan | None = Field(None, description="such as -1 V to 5 V")
    current: CurrentSpan | None = Field(None, description="such as -20 mA to 20 mA")
    charge: Charge | None = Field(None, description="the most in one step, as magnitude, such as 20 mAh")
    temperature: TemperatureSpan | None = Field(None, description="such as 5 degC to 60 degC")


class InstrumentTable(Table):
    """An instrument: how to speak to it, where it is, and who must answer there."""

    driver: Name = Field(description="the driver family, such as emstat or keithley")
    address: Text | None = Field(
        None,
        description="/dev/serial/by-id/..., tcp://HOST:PORT or a VISA resource (TCPIP::HOST::5025::SOCKET)",
    )
    usb: UsbDevice | None = Field(
        None, description="in place of an address: VENDOR:PRODUCT SERIAL of a USB serial device"
    )
    baud: Annotated[int, CountOf(300, 10_000_000)] | None = Field(
        None, description="speed of a serial line; USB devices ignore it"
    )
    model: Text | None = Field(None, description="the model that must answer, such as 'Keithley 2450'")
    serial: Text | None = Field(None, description="the serial number that must answer")

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.address is None) == (self.usb is None):
            found = "both" if self.usb is not None else "neither"
            raise wrong(f"expected either 'address' or 'usb' (cycler ports lists both); found {found}")
        return self


class SimulatedTable(Table):
    """A simulated instrument with a simulated cell: a bench without hardware."""

    model: Text = Field("emstat4-hr", description="the model to simulate, such as emstat4-hr, keithley-2450")
    cell: Text = Field("li-li/bn-pp", description="a simulated cell; `cycler cells` lists them")
    seed: Annotated[int, CountOf(0, 10**9 - 1)] = Field(1, description="cells of one seed are identical")
    pace: Annotated[float | None, PaceOf()] = Field(
        None, description="simulated seconds per second, such as 60, or 'as fast as possible'"
    )


class ChannelTable(Table):
    """A pair of leads that a cell hangs on."""

    instrument: Name | None = Field(None, description="an instrument of this file")
    number: Annotated[int, CountOf(1, 1024)] = Field(1, description="which of the instrument's channels")
    simulated: SimulatedTable | None = Field(None, description="in place of an instrument")
    chamber: Name | None = Field(None, description="the chamber of this file that the cell stands in")
    after_restart: Annotated[Literal["resume", "safe"], Words(("resume", "safe"))] = Field(
        "resume",
        description="when the computer restarts and the instrument has stopped: go on with the run, or stay off",
    )
    envelope: EnvelopeTable | None = Field(None, description="limits of this channel, within the bench's")

    @model_validator(mode="after")
    def _on_something(self) -> Self:
        if (self.instrument is None) == (self.simulated is None):
            found = "both" if self.simulated is not None else "neither"
            raise wrong(f"expected either 'instrument' or 'simulated'; found {found}")
        return self


class ChamberTable(Table):
    """A temperature chamber."""

    driver: Name = Field(description="the driver family")
    address: Text = Field(description="where it is, as for instruments")
    serial: Text | None = Field(None, description="the serial number that must answer")
    temperature: TemperatureSpan | None = Field(None, description="what it may be set to")


class StorageTable(Table):
    """The disk that runs are written to."""

    warn_below: Size | None = Field(None, description="free space below which the bench warns; 1 GiB")
    reserve: Size | None = Field(None, description="kept aside for the end of each run; 1 MiB")
    fallback: FilePath | None = Field(None, description="a folder on another disk, if the first one fails")
    flight_recorder: Size | None = Field(
        None, description="of the conversation with the instrument, kept beside each run; 0 B: nothing; 64 MB"
    )


class TelemetryTable(Table):
    """The lab's broker. Passwords and keys stand in files of mode 0600 that are named here."""

    broker: Text = Field(description="mqtts://HOST[:PORT], or mqtt:// on this machine")
    user: Text | None = Field(None, description="user name at the broker")
    password_file: FilePath | None = Field(None, description="file (mode 0600) or systemd credential")
    ca: FilePath | None = Field(None, description="the authority that signed the broker's certificate")
    certificate: FilePath | None = Field(None, description="our own certificate (PEM)")
    key_file: FilePath | None = Field(None, description="its key: file (mode 0600) or systemd credential")
    root: Name | None = Field(None, description="first level of the topics; cycler")
    allow: tuple[Text, ...] = Field(
        (), description="metadata that may leave the bench: names, chemistry, protocol, people"
    )
    acks: Flag = Field(True, description="subscribe to the lab's watermarks; without, delivery is unproven")
    results: Flag = Field(True, description="send what evaluations find")
    home_assistant: Text | None = Field(None, description="discovery prefix, mostly homeassistant")


class ControlTable(Table):
    """Who may use the control sockets."""

    folder: FilePath | None = Field(None, description="where the sockets lie; the service's runtime folder")
    operators: Text | None = Field(None, description="a group of the system that may control; only the owner")
    viewers: Text | None = Field(None, description="a group of the system that may look; only the owner")


class BenchTable(Table):
    """A whole bench."""

    name: Name = Field(description="the bench's name, such as bench-2")
    site: Name = Field("lab", description="the laboratory's name, such as electrochemistry")
    data: FilePath | None = Field(None, description="where runs are kept; $HILCYCLER_DATA or your own")
    envelope: EnvelopeTable | None = Field(None, description="limits of every channel")
    instruments: dict[str, InstrumentTable] = Field({}, description="by name: [instruments.NAME]")
    channels: dict[str, ChannelTable] = Field(description="by name: [channels.NAME]")
    chambers: dict[str, ChamberTable] = Field({}, description="by name: [chambers.NAME]")
    storage: StorageTable | None = Field(None, description="the disk that runs are written to")
    telemetry: TelemetryTable | None = Field(None, description="the lab's broker")
    control: ControlTable | None = Field(None, description="who may use the control sockets")
