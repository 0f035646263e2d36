"""The firmware of a simulated 2450, 2460, 2461 or 2400: commands in, settings, readings and errors out.

A host-stepped instrument lives in real time: `now` is the caller's clock, `pace` simulated seconds
pass for each of its seconds. A reading takes its conversion time, and says nothing until then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

import numpy as np

from hilcycler.errors import LinkLost, WireError
from hilcycler.quantities import Second
from hilcycler_drivers.keithley.wire.models import Dialect, Model
from hilcycler_drivers.keithley.wire.scpi import Lines, Unit, units
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.instruments.emstat.mishaps import LeadOff
from hilcycler_simulators.instruments.keithley.commands import COMMANDS, Answer
from hilcycler_simulators.instruments.keithley.mishaps import Mishaps
from hilcycler_simulators.instruments.keithley.source import Output

LINE_HZ = 50.0
OVERHEAD: Second = 0.0015
"""Per reading, beside the integration itself: settling and the round through the trigger model."""
_QUEUE = 32


@lru_cache(maxsize=512)
def parsed(line: str) -> tuple[Unit, ...]:
    """The units of a line; clients say the same few things over and over."""
    return tuple(units(line))


@lru_cache(maxsize=512)
def answer_to(dialect: Dialect, header: str) -> Answer | None:
    """What `dialect` does at `header`."""
    return next((answer for known, answer in COMMANDS[dialect] if known.matches(header)), None)


@dataclass
class Smu:
    """One instrument with a cell on its terminals; a `serving.Device`."""

    model: Model
    cell: SimulatedCell
    seed: int = 1
    pace: float = 1.0
    language: str = "SCPI"
    sense: str = "CURR"
    nplc: float = 1.0
    four_wire: bool = False
    terminals: str = "FRON"
    voltage_range: float = 20.0
    sense_current_range: float = 0.0  # 0: by itself
    source_voltage_range: float = 0.0  # 0: by itself
    overvoltage: str = "NONE"
    elements: list[str] = field(default_factory=list)
    last: tuple[float, float] = (math.nan, math.nan)
    mishaps: Mishaps = field(default_factory=Mishaps)
    output: Output = field(init=False)

    def __post_init__(self) -> None:
        if self.mishaps.lead_off < math.inf:
            self.cell = LeadOff(self.cell, self.mishaps.lead_off)
        self.output = Output(self.model, self.cell)
        self._chance = np.random.Generator(np.random.Philox(self.seed))
        self._gain = {q: self._chance.uniform(-0.5, 0.5) for q in ("current", "voltage")}
        self._lines = Lines()
        self._errors: deque[tuple[int, str]] = deque()
        self._waiting: deque[tuple[Second, bytes]] = deque()
        self._clock: Second | None = None
        self._busy: Second = 0.0
        self._absent_until: Second = -math.inf
        self.reset()

    def reset(self) -> None:
        self.output.reset()
        self.sense = "VOLT" if self.model.dialect is Dialect.LEGACY else "CURR"
        self.nplc = 1.0
        self.four_wire = False
        self.terminals = "FRON"
        self.voltage_range = 20.0
        self.sense_current_range = 0.0
        self.source_voltage_range = 0.0
        self.overvoltage = "NONE"
        self.elements = ["VOLT", "CURR", "RES", "TIME", "STAT"]

    # --- serving.Device -----------------------------------------------------------------------

    def present(self, now: Second) -> bool:
        return now >= self._absent_until

    def connected(self, now: Second) -> None:
        self.catch_up(now)
        self._lines.clear()

    def disconnected(self, now: Second) -> None:
        """Its client is gone; the output stays as it is. That is the danger of these instruments."""
        self.catch_up(now)
        self._waiting.clear()

    def feed(self, data: bytes, now: Second) -> None:
        self._check_present(now)
        self.catch_up(now)
        self._busy = max(self._busy, now)
        try:
            lines = self._lines.feed(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        except WireError as error:
            self.fail(-101, f"Invalid character; {error}")
            return
        for line in lines:
            replies = self._message(line)
            if replies:
                self._waiting.append((self._busy, ";".join(replies).encode("ascii") + b"\n"))

    def emit(self, now: Second) -> bytes:
        self._check_present(now)
        said = b""
        while self._waiting and self._waiting[0][0] <= now:
            said += self._waiting.popleft()[1]
        return said

    def due(self) -> Second:
        return self._waiting[0][0] if self._waiting else math.inf

    def _check_present(self, now: Second) -> None:
        if now < self._absent_until:
            raise LinkLost("the power is off")

    def cut_power(self, seconds: Second) -> NoReturn:
        """Off for `seconds`; then as from the factory: output off, but in the state that discharges a cell."""
        self._absent_until = (self._clock or 0.0) + seconds
        self._waiting.clear()
        self._errors.clear()
        self.reset()
        raise LinkLost("the power is off")

    def catch_up(self, now: Second) -> None:
        """Let what has passed since the last call happen to the cell."""
        if self._clock is not None and now > self._clock:
            self.output.let_pass((now - self._clock) * self.pace)
        if self._clock is None or now > self._clock:
            self._clock = now

    # --- messages -----------------------------------------------------------------------------

    def _message(self, line: str) -> list[str]:
        replies: list[str] = []
        try:
            for unit in parsed(line):
                reply = self._unit(unit)
                if reply is not None:
                    replies.append(reply)
        except WireError as error:
            self.fail(-113 if "header" in str(error) else -102, str(error))
        return replies

    def _unit(self, unit: Unit) -> str | None:
        answer = answer_to(self.model.dialect, unit.header)
        if answer is None:
            self.fail(-113, "Undefined header")
            return None
        return answer(self, unit)

    def fail(self, code: int, text: str) -> None:
        if len(self._errors) >= _QUEUE:
            self._errors[-1] = (-350, "Queue overflow")
            return
        self._errors.append((code, text))

    def next_error(self) -> str:
        code, text = self._errors.popleft() if self._errors else (0, "No error")
        if self.model.dialect is Dialect.LEGACY:
            return f'{code},"{text}"'
        return f'{code},"{text};{int(code != 0)};0 0"'

    @property
    def error_count(self) -> int:
        return len(self._errors)

    def clear_errors(self) -> None:
        self._errors.clear()

    # --- settings with consequences -----------------------------------------------------------

    def set_function(self, function: str) -> None:
        """Changing what is sourced opens the output relay."""
        if function not in {"CURR", "VOLT"}:
            self.fail(-224, "Illegal parameter value")
            return
        if function != self.output.function:
            self.output.on = False
        self.output.function = function

    def set_four_wire(self, on: bool) -> None:  # noqa: FBT001  (a setting)
        """Changing the wiring opens the output relay."""
        if on != self.four_wire:
            self.output.on = False
        self.four_wire = on

    def set_level(self, unit: Unit, name: str, most: float) -> None:
        """A source level; out of range is an error and changes nothing."""
        value = unit.number()
        if abs(value) > most:
            self.fail(-222, "Data out of range")
            return
        setattr(self.output, name, value)

    def set_current_range(self, unit: Unit) -> None:
        """The smallest range that holds the value; one that does not hold the present level is refused."""
        _, wanted = self.model.current_range(unit.number())
        if abs(unit.number()) > self.model.most_current:
            self.fail(-222, "Data out of range")
        elif abs(self.output.current) > wanted.most:
            self.fail(-221, "Settings conflict")
        else:
            self.output.current_range = wanted.full_scale

    @property
    def source_voltage_scale(self) -> float:
        """Full scale of the range that voltage is sourced on, and then measured on too."""
        return self.source_voltage_range or self.model.voltage_range(self.output.voltage)[1].full_scale

    @property
    def most_voltage(self) -> float:
        """The largest level that may be sourced: on a fixed range that range's."""
        if self.source_voltage_range:
            return self.model.voltage_range(self.source_voltage_range)[1].most
        return self.model.most_voltage

    def set_voltage_range(self, unit: Unit) -> None:
        """The smallest range that holds the value; one that does not hold the present level is refused."""
        _, wanted = self.model.voltage_range(unit.number())
        if abs(unit.number()) > self.model.most_voltage:
            self.fail(-222, "Data out of range")
        elif abs(self.output.voltage) > wanted.most:
            self.fail(-221, "Settings conflict")
        else:
            self.source_voltage_range = wanted.full_scale

    # --- readings -----------------------------------------------------------------------------

    def measure(self) -> tuple[float, float]:
        """Voltage and current as converted: by range, with the instrument's errors and noise.

        Over range is infinite. Takes the conversion time.
        """
        self.mishaps.reading(self)
        taken = self.nplc / LINE_HZ + OVERHEAD
        self._busy += taken / self.pace
        self.output.look()
        if not self.output.connected:
            self.output.cell_voltage = self.output.cell_current = 0.0  # the sense leads are open too
        current = self.output.cell_current
        voltage = self.output.cell_voltage + (0.0 if self.four_wire else current * self.output.lead)
        _, i_range = self.model.current_range(
            (self.sense_current_range or current) if self.output.function == "VOLT" else self.output.current
        )
        _, v_range = self.model.voltage_range(
            self.source_voltage_scale
            if self.output.function == "VOLT"
            else self.voltage_range
            if self.sense == "VOLT"
            else voltage
        )
        read = (
            self._converted(voltage, v_range.full_scale, v_range.gain, v_range.offset, "voltage"),
            self._converted(current, i_range.full_scale, i_range.gain, i_range.offset, "current"),
        )
        self.last = self.mishaps.spoil(read, self.last)
        return self.last

    def _converted(self, value: float, full_scale: float, gain: float, offset: float, quantity: str) -> float:
        if abs(value) > 1.05 * full_scale:
            return math.inf
        off = self._gain[quantity]
        noise = float(self._chance.standard_normal()) * 1e-6 * full_scale / math.sqrt(max(self.nplc, 0.01))
        step = full_scale * 1e-6
        return round((value * (1.0 + off * gain) + off * offset + noise) / step) * step

    @property
    def seconds(self) -> Second:
        """Its own clock, for time stamps."""
        return (self._clock or 0.0) * self.pace
