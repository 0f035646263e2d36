"""How each dialect says what a driver needs. The driver speaks to this, and to no header itself."""

from __future__ import annotations

from dataclasses import dataclass

from hilcycler.errors import WireError
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.models import Dialect, Model
from hilcycler_drivers.keithley.wire.scpi import Header, reading

OVERVOLTAGE_STEPS = (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its command, the value sent, and what reading it back must show, `within` what share."""

    header: Header
    value: str
    shows: float | str | None
    within: float = 1e-4

    @property
    def command(self) -> str:
        return f"{self.header.text} {self.value}"

    @property
    def question(self) -> str:
        return f"{self.header.text}?"

    def shown_by(self, reply: str) -> bool:
        """Whether `reply` to the question confirms the setting."""
        if self.shows is None:
            return True
        if isinstance(self.shows, str):
            return reply.strip().strip('"').upper().startswith(self.shows)
        return abs(reading(reply) - self.shows) <= self.within * abs(self.shows) + 1e-12


def numeric(header: Header, value: float) -> Setting:
    return Setting(header, f"{value:.9g}", value)


def scale(header: Header, full_scale: float) -> Setting:
    """A range; some firmware tells it by its full scale, some by what it reaches, 5 % beyond."""
    return Setting(header, f"{full_scale:.9g}", full_scale, within=0.0501)


def switch(header: Header, *, on: bool) -> Setting:
    return Setting(header, "ON" if on else "OFF", "1" if on else "0")


def off_states(model: Model) -> list[Setting]:
    """High impedance when off: in the factory's NORMal state an output that is off discharges the cell."""
    if model.dialect is Dialect.LEGACY:
        return [Setting(v.OFF_STATE_2400, "HIMP", "HIMP")]
    return [Setting(v.OFF_STATE_CURRENT, "HIMP", "HIMP"), Setting(v.OFF_STATE_VOLTAGE, "HIMP", "HIMP")]


def wiring(model: Model) -> list[Setting]:
    """Four wires. Changing it opens the output, so it is set before anything is switched on."""
    if model.dialect is Dialect.LEGACY:
        return [switch(v.FOUR_WIRE_2400, on=True)]
    return [switch(v.SENSE_VOLTAGE_FOUR_WIRE, on=True), switch(v.SENSE_CURRENT_FOUR_WIRE, on=True)]


BOTH_2400 = (
    Setting(v.SENSE_CONCURRENT_2400, "ON", None),
    Setting(v.SENSE_FUNCTION, '"VOLT", "CURR"', None),
    Setting(v.ELEMENTS_2400, "VOLT, CURR", None),
)
"""A 2400 that measures one quantity tells the set-point in place of the other."""


def voltage_limit(model: Model, limit: float) -> Setting:
    """How far the voltage may go while current is sourced."""
    legacy = model.dialect is Dialect.LEGACY
    return numeric(v.VOLTAGE_PROTECTION_2400 if legacy else v.VOLTAGE_LIMIT, limit)


def integration(function: str, cycles: float) -> Setting:
    """For how many cycles of the power line a reading of what is not sourced is averaged."""
    return numeric(v.SENSE_VOLTAGE_NPLC if function == "CURR" else v.SENSE_CURRENT_NPLC, cycles)


def current_source(model: Model, full_scale: float, limit: float, voltage_range: float) -> list[Setting]:
    """Source current at 0 A, with the voltage limit behind it, and measure voltage.

    0 A comes before the range, which is refused while it does not hold the level of an earlier step.
    """
    settings = [
        Setting(v.SOURCE_FUNCTION, "CURR", "CURR"),
        numeric(v.CURRENT, 0.0),
        scale(v.CURRENT_RANGE, full_scale),
        voltage_limit(model, limit),
    ]
    if model.dialect is Dialect.LEGACY:
        return [*settings, *BOTH_2400, scale(v.SENSE_VOLTAGE_RANGE, voltage_range)]
    return [
        *settings,
        Setting(v.CURRENT_READ_BACK, "ON", None),
        Setting(v.SENSE_FUNCTION, '"VOLT"', "VOLT"),
        scale(v.SENSE_VOLTAGE_RANGE, voltage_range),
    ]


def voltage_source(
    model: Model, voltage: float, voltage_range: float, limit: float, full_scale: float
) -> list[Setting]:
    """Source voltage on one fixed range, the current limited and measured on another: no glitches.

    The range is refused while it does not hold the level of an earlier step, and the level where it
    lies beyond the range; the output is off meanwhile.
    """
    settings = [
        Setting(v.SOURCE_FUNCTION, "VOLT", "VOLT"),
        Setting(v.VOLTAGE, "0", None),
        scale(v.VOLTAGE_RANGE, voltage_range),
        numeric(v.VOLTAGE, voltage),
    ]
    if model.dialect is Dialect.LEGACY:
        settings += BOTH_2400
    else:
        settings += [
            Setting(v.VOLTAGE_READ_BACK, "ON", None),
            Setting(v.SENSE_FUNCTION, '"CURR"', "CURR"),
        ]
    return settings + current_limit(model, limit, full_scale)


def current_limit(model: Model, limit: float, full_scale: float) -> list[Setting]:
    """How much current may pass while voltage is sourced, and the range it is measured on."""
    seen = scale(v.SENSE_CURRENT_RANGE, full_scale)
    if model.dialect is Dialect.LEGACY:
        return [numeric(v.CURRENT_PROTECTION_2400, limit), seen]
    return [seen, numeric(v.CURRENT_LIMIT, limit)]


def overvoltage(model: Model, voltage: float) -> list[Setting]:
    """The next step of the source's own overvoltage protection above `voltage`."""
    if model.dialect is Dialect.LEGACY:
        return []
    step = next((each for each in OVERVOLTAGE_STEPS if each >= voltage), None)
    return [] if step is None else [Setting(v.OVERVOLTAGE, f"PROT{step}", f"PROT{step}")]


def read_both(model: Model) -> str:
    """The question for voltage and current at once, measured once and told twice.

    A reading has no checksum, and one that has lost its sign on the way is still a reading.
    """
    elements = "" if model.dialect is Dialect.LEGACY else ' "defbuffer1", SOUR, READ'
    return f"{v.READ.text}?{elements};{v.FETCH.text}?{elements}"


def both(model: Model, function: str, reply: str) -> tuple[float, float]:
    """Voltage and current from the reply; WireError unless it is the same two numbers twice."""
    once, _, again = reply.partition(";")
    parts = once.split(",")
    if once != again or len(parts) != 2:
        raise WireError(f"expected two readings, told twice alike, got {reply[:80]!r}")
    first, second = reading(parts[0]), reading(parts[1])
    if model.dialect is Dialect.LEGACY or function == "VOLT":
        return first, second  # VOLT, CURR of a 2400; SOUR (volts), READ (amperes) of the others
    return second, first
