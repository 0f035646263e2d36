"""From `bench.toml` to a Bench: every fault collected, each with its line, its key and what was expected."""

from __future__ import annotations

import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from hilcycler import registry
from hilcycler.bench_file import model
from hilcycler.bench_file.bench import (
    AfterRestart,
    Bench,
    ChamberAt,
    ChannelAt,
    Control,
    InstrumentAt,
    Simulated,
    Storage,
    Telemetry,
)
from hilcycler.bench_file.places import place
from hilcycler.errors import RequestError
from hilcycler.language.faults import Fault, FileError, Where, shown
from hilcycler.language.words import Span
from hilcycler.links import SerialSettings
from hilcycler.links.address import connect
from hilcycler.protocol import Envelope
from hilcycler.service.folder import data_folder
from hilcycler.telemetry.allowed import allowed
from hilcycler.telemetry.secrets import credential

VARIABLE: Final = "HILCYCLER_BENCH"
SYSTEM: Final = Path("/etc/hilcycler/bench.toml")
MOST_BYTES: Final = 256 * 1024

_SECRET: Final = re.compile(
    r"pass(word|wd|phrase|code)?|secret|token|credentials?|(api|private|access)[-_ ]?key|key", re.IGNORECASE
)
_IN_URL: Final = re.compile(r"[a-z+]+://[^/@\s]*@", re.IGNORECASE)


def bench_path(given: Path | None = None) -> Path:
    """The bench file: as given, else $HILCYCLER_BENCH, else in the data folder, else /etc/hilcycler.

    RequestError if there is none.
    """
    if given is not None:
        return given
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    own = data_folder() / "bench.toml"
    for each in (own, SYSTEM):
        if each.is_file():
            return each
    raise RequestError(
        f"no bench file: looked for ${VARIABLE}, {own} and {SYSTEM}; `cycler new-bench` prints one to begin with"
    )


def read_bench(path: Path) -> Bench:
    """The bench that the file at `path` describes. RequestError if it cannot be read, FileError if wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FileError(str(path), [Fault(Where(line), "is not UTF-8 text")]) from None
    return loads(text, path)


def loads(text: str, path: Path) -> Bench:
    """As `read_bench`, of a text; `path` is where it stands: relative paths begin at its folder."""
    name = str(path)
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise FileError(name, [Fault(Where(), f"is longer than {MOST_BYTES} bytes")])
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(name, [_unreadable(str(error))]) from None
    except RecursionError:
        raise FileError(name, [Fault(Where(), "not readable as TOML: nested too deep")]) from None
    faults = [Fault(place(text, at), why) for at, why in _secrets(tree, ())]
    if faults:
        raise FileError(name, faults)
    try:
        table = model.BenchTable.model_validate(tree)
    except ValidationError as error:
        raise FileError(name, [_fault(text, detail) for detail in error.errors(include_url=False)]) from None
    reader = _Reader(path.parent.resolve())
    bench = reader.bench(table, path)
    if reader.faults:
        raise FileError(name, [Fault(place(text, at), why) for at, why in reader.faults])
    return bench


class _Reader:
    """From the tables as written to facts; what does not fit together is collected in `faults`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.faults: list[tuple[tuple[str, ...], str]] = []

    def bench(self, table: model.BenchTable, path: Path) -> Bench:
        envelope = self._envelope(table.envelope, ("envelope",))
        instruments = {name: self._instrument(name, each) for name, each in table.instruments.items()}
        self._refuse_shared(instruments)
        chambers = {name: self._chamber(name, each) for name, each in table.chambers.items()}
        channels: dict[str, ChannelAt] = {}
        for name, each in table.channels.items():
            channels[name] = self._channel(name, each, envelope, instruments, chambers)
        if not channels:
            self._fault(("channels",), "is empty; expected at least one [channels.NAME]")
        self._refuse_doubled(channels)
        data = self._path(table.data)
        return Bench(
            name=table.name,
            site=table.site,
            data=data if data is not None else data_folder(),
            envelope=envelope,
            instruments=instruments,
            channels=channels,
            chambers=chambers,
            storage=self._storage(table.storage or model.StorageTable()),
            telemetry=None if table.telemetry is None else self._telemetry(table.telemetry),
            control=self._control(table.control or model.ControlTable()),
            file=path,
        )

    def _instrument(self, name: str, table: model.InstrumentTable) -> InstrumentAt:
        at = ("instruments", name)
        self._check_name(name, at)
        self._check_driver(table.driver, (*at, "driver"))
        if table.address is not None:
            self._check_address(table.address, (*at, "address"))
        return InstrumentAt(
            name=name,
            driver=table.driver,
            address=table.address or "",
            usb=table.usb,
            baud=table.baud,
            model=table.model or "",
            serial=table.serial or "",
        )

    def _channel(
        self,
        name: str,
        table: model.ChannelTable,
        bench: Envelope,
        instruments: Mapping[str, InstrumentAt],
        chambers: Mapping[str, ChamberAt],
    ) -> ChannelAt:
        at = ("channels", name)
        self._check_name(name, at)
        if table.instrument is not None and table.instrument not in instruments:
            self._unknown((*at, "instrument"), table.instrument, instruments, "instrument")
        if table.chamber is not None and table.chamber not in chambers:
            self._unknown((*at, "chamber"), table.chamber, chambers, "chamber")
        if table.number != 1:
            self._fault(
                (*at, "number"),
                f"{table.number}: the drivers offer one channel at an address; a device with several has an "
                "address for each, so make each an instrument of its own",
            )
        envelope = bench.intersect(self._envelope(table.envelope, (*at, "envelope")))
        if empty := _empty(envelope):
            self._fault((*at, "envelope"), f"leaves no {empty} that the bench's envelope allows too")
        return ChannelAt(
            name=name,
            instrument=instruments.get(table.instrument or ""),
            number=table.number,
            envelope=envelope,
            after_restart=AfterRestart(table.after_restart),
            simulated=_simulated(table.simulated),
            chamber=table.chamber or "",
        )

    def _chamber(self, name: str, table: model.ChamberTable) -> ChamberAt:
        at = ("chambers", name)
        self._check_name(name, at)
        self._check_address(table.address, (*at, "address"))
        limits = self._envelope(model.EnvelopeTable(temperature=table.temperature), at)
        return ChamberAt(name, table.driver, table.address, table.serial or "", limits)

    def _envelope(self, table: model.EnvelopeTable | None, at: tuple[str, ...]) -> Envelope:
        if table is None:
            return Envelope()
        return Envelope(
            voltage=self._span(table.voltage, -math.inf, (*at, "voltage")),
            current=self._span(table.current, -math.inf, (*at, "current")),
            charge=math.inf if table.charge is None else table.charge.si,
            temperature=self._span(table.temperature, 0.0, (*at, "temperature")),
        )

    def _span(self, span: Span | None, lowest: float, at: tuple[str, ...]) -> tuple[float, float]:
        low = lowest if span is None or span.low is None else span.low.si
        high = math.inf if span is None or span.high is None else span.high.si
        if not low < high:
            self._fault(at, f"'{span}': the lower limit is not below the upper one")
        return low, high

    def _storage(self, table: model.StorageTable) -> Storage:
        usual = Storage()
        return Storage(
            low=usual.low if table.warn_below is None else table.warn_below,
            reserve=usual.reserve if table.reserve is None else table.reserve,
            fallback=self._path(table.fallback),
            flight=usual.flight if table.flight_recorder is None else table.flight_recorder,
        )

    def _telemetry(self, table: model.TelemetryTable) -> Telemetry:
        try:
            allow = allowed(table.allow)
        except RequestError as error:
            self._fault(("telemetry", "allow"), str(error))
            allow = frozenset()
        if not re.fullmatch(r"mqtts?://[^/\s]+/?", table.broker):
            self._fault(
                ("telemetry", "broker"),
                f"{shown(table.broker)} is no broker; expected mqtts://HOST[:PORT] or mqtt://HOST[:PORT]",
            )
        return Telemetry(
            broker=table.broker,
            user=table.user,
            password_file=self._secret_file(table.password_file, "password-file"),
            authority=self._path(table.ca),
            certificate=self._path(table.certificate),
            key_file=self._secret_file(table.key_file, "key-file"),
            root=table.root or "cycler",
            allow=allow,
            acks=table.acks,
            results=table.results,
            home_assistant=table.home_assistant,
        )

    def _control(self, table: model.ControlTable) -> Control:
        return Control(self._path(table.folder), table.operators, table.viewers)

    # --- rules

    def _refuse_shared(self, instruments: Mapping[str, InstrumentAt]) -> None:
        """Two names for one instrument would be two masters of one output."""
        seen: dict[object, str] = {}
        for name, each in instruments.items():
            where = each.usb or each.address
            if where in seen:
                key = "usb" if each.usb else "address"
                self._fault(("instruments", name, key), f"{where} is already that of '{seen[where]}'")
            seen.setdefault(where, name)

    def _refuse_doubled(self, channels: Mapping[str, ChannelAt]) -> None:
        """A pair of leads has one name."""
        seen: dict[tuple[str, int], str] = {}
        for name, each in channels.items():
            if each.instrument is None:
                continue
            leads = each.instrument.name, each.number
            if leads in seen:
                self._fault(
                    ("channels", name, "instrument"),
                    f"channel {each.number} of '{leads[0]}' is already that of '{seen[leads]}'",
                )
            seen.setdefault(leads, name)

    def _check_name(self, name: str, at: tuple[str, ...]) -> None:
        try:
            model.NameOf().read(name, Where())
        except RequestError as error:
            self._fault(at, str(error))

    def _check_driver(self, driver: str, at: tuple[str, ...]) -> None:
        known = registry.names("drivers")
        if driver not in known:
            self._unknown(at, driver, dict.fromkeys(known), "driver")

    def _check_address(self, address: str, at: tuple[str, ...]) -> None:
        try:
            connect(address, SerialSettings())
        except RequestError as error:
            self._fault(at, str(error))

    def _unknown(self, at: tuple[str, ...], name: str, known: Mapping[str, object], what: str) -> None:
        close = next(iter(get_close_matches(name, known, n=1)), "")
        hint = f"did you mean '{close}'? there are" if close else "there are"
        self._fault(at, f"{shown(name)} is no {what} here; {hint}: {', '.join(known) or 'none'}")

    def _secret_file(self, path: Path | None, key: str) -> Path | None:
        """A secret that others can read is not one. That it is missing is for whoever needs it to say."""
        if path is None:
            return None
        found = credential(path)
        if found == path:
            found = self._folder / path
            try:
                mode = found.stat().st_mode
            except OSError:
                return found
            if not stat.S_ISREG(mode) or mode & 0o077:
                self._fault(
                    ("telemetry", key),
                    f"{found} has mode {stat.S_IMODE(mode):04o}; expected 0600 (chmod 600 {found})",
                )
        return found

    def _path(self, path: Path | None) -> Path | None:
        return None if path is None else self._folder / path.expanduser()

    def _fault(self, at: tuple[str, ...], why: str) -> None:
        self.faults.append((at, why))


def _secrets(tree: Mapping[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Keys and values that look like secrets; what they hold is never shown."""
    for key, value in tree.items():
        here = (*at, key)
        if isinstance(value, Mapping):
            yield from _secrets(value, here)
        elif _SECRET.fullmatch(key.rpartition("-")[2]) or _SECRET.fullmatch(key):
            named = "key-file" if "key" in key.lower() else "password-file"
            why = (
                "looks like a secret; write it into a file of mode 0600 (or a systemd credential) and name "
                f"that file here: {named} = '/etc/hilcycler/broker'"
            )
            yield here, why
        elif isinstance(value, str) and _IN_URL.match(value):
            yield here, "an address holds no user and no password; expected `user` and `password-file`"


def _simulated(table: model.SimulatedTable | None) -> Simulated | None:
    return None if table is None else Simulated(table.model, table.cell, table.seed, table.pace)


def _empty(envelope: Envelope) -> str:
    """Which quantity nothing is left of."""
    for name in ("voltage", "current", "temperature"):
        low, high = getattr(envelope, name)
        if not low < high:
            return name
    return ""


def _fault(text: str, detail: Any) -> Fault:  # noqa: ANN401  (pydantic's ErrorDetails)
    where = place(text, tuple(str(part) for part in detail["loc"]))
    return Fault(where, detail["msg"])


def _unreadable(message: str) -> Fault:
    """What tomllib says, with its line where ours stand."""
    match = re.search(r" \(at line (\d+), column \d+\)$", message)
    if match is None:
        return Fault(Where(), f"not readable as TOML: {message}")
    return Fault(Where(int(match[1])), f"not readable as TOML: {message[: match.start()]}")
