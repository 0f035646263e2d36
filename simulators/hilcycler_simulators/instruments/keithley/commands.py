"""What each command does to a simulated SMU: two tables, one a dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from hilcycler.errors import WireError
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.models import Dialect
from hilcycler_drivers.keithley.wire.scpi import Header, Unit, number

if TYPE_CHECKING:
    from hilcycler_simulators.instruments.keithley.firmware import Smu

Answer: TypeAlias = "Callable[[Smu, Unit], str | None]"

MEANINGS = {"HIMPEDANCE": "HIMP", "NORMAL": "NORM", "GUARD": "GUAR", "CURRENT": "CURR", "VOLTAGE": "VOLT"}
MEANINGS |= {
    "FRONT": "FRON",
    "CURRENT:DC": "CURR",
    "VOLTAGE:DC": "VOLT",
    "CURR:DC": "CURR",
    "VOLT:DC": "VOLT",
}


def word(unit: Unit) -> str:
    """The argument as a word in its short form."""
    said = unit.word()
    return MEANINGS.get(said, said)


def setting(read: Callable[[Smu], str], write: Callable[[Smu, Unit], None]) -> Answer:
    """A command that is asked with `?` and set without."""

    def answer(smu: Smu, unit: Unit) -> str | None:
        if unit.query:
            return read(smu)
        write(smu, unit)
        return None

    return answer


def on_smu(name: str, kind: Callable[[Unit], Any], show: Callable[[Any], str]) -> Answer:
    """A plain setting of the instrument."""
    return setting(lambda smu: show(getattr(smu, name)), lambda smu, unit: setattr(smu, name, kind(unit)))


def on_output(name: str, kind: Callable[[Unit], Any], show: Callable[[Any], str]) -> Answer:
    """A plain setting of the output."""
    return setting(
        lambda smu: show(getattr(smu.output, name)), lambda smu, unit: setattr(smu.output, name, kind(unit))
    )


def truth(unit: Unit) -> bool:
    return unit.number() != 0.0


def shown(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def bounded(low: float, high: float) -> Callable[[Unit], float]:
    def kind(unit: Unit) -> float:
        value = unit.number()
        if not low <= value <= high:
            raise WireError(f"{unit.header}: {value:g} is out of range")
        return value

    return kind


def ignored(_: Smu, unit: Unit) -> str | None:
    """Accepted, and of no consequence to a cell."""
    return "0" if unit.query else None


def _identity(smu: Smu, _: Unit) -> str:
    if smu.model.dialect is Dialect.LEGACY:
        return f"KEITHLEY INSTRUMENTS INC.,MODEL {smu.mishaps.announced or smu.model.name},SIM{smu.seed:07d},C30 Mar 17 2006 09:29:29/A02"
    return f"KEITHLEY INSTRUMENTS,MODEL {smu.mishaps.announced or smu.model.name},SIM{smu.seed:05d},1.7.12b"


def _reset(smu: Smu, _: Unit) -> None:
    smu.reset()


def _clear(smu: Smu, _: Unit) -> None:
    smu.clear_errors()


def _switch(smu: Smu, unit: Unit) -> None:
    if truth(unit):
        smu.mishaps.switched_on()
    elif smu.output.on and smu.mishaps.relay_sticks:
        smu.output.look()
        smu.output.stuck_at = smu.output.cell_current
    smu.output.on = truth(unit)


def _off_state(function: str) -> Answer:
    def write(smu: Smu, unit: Unit) -> None:
        said = word(unit)
        if said not in {"NORM", "HIMP", "ZERO", "GUAR"}:
            smu.fail(-224, "Illegal parameter value")
            return
        for each in ("CURR", "VOLT") if function == "BOTH" else (function,):
            smu.output.off_state[each] = said

    return setting(lambda smu: smu.output.off_state["CURR" if function == "BOTH" else function], write)


def _four_wire(smu: Smu, unit: Unit) -> None:
    smu.set_four_wire(truth(unit))


def _terminals(smu: Smu, unit: Unit) -> None:
    smu.terminals, smu.output.on = word(unit), False


def _level(name: str, most: Callable[[Smu], float]) -> Answer:
    return setting(
        lambda smu: number(getattr(smu.output, name)), lambda smu, unit: smu.set_level(unit, name, most(smu))
    )


def _limit(name: str, low: float, high: float) -> Answer:
    return on_output(name, bounded(low, high), number)


def _current_range(smu: Smu, unit: Unit) -> None:
    smu.set_current_range(unit)


def _voltage_range(smu: Smu, unit: Unit) -> None:
    smu.set_voltage_range(unit)


def _voltage_range_auto(smu: Smu, unit: Unit) -> None:
    smu.source_voltage_range = 0.0 if truth(unit) else smu.source_voltage_scale


def _sense_auto(smu: Smu, unit: Unit) -> None:
    smu.sense_current_range = 0.0 if truth(unit) else 1.0


def _tripped(smu: Smu, _: Unit) -> str:
    return str(int(smu.output.on and smu.output.limiting))


def _elements(smu: Smu, unit: Unit) -> None:
    names = {"VOLTAGE": "VOLT", "CURRENT": "CURR", "RESISTANCE": "RES", "STATUS": "STAT"}
    smu.elements = [names.get(each.strip().upper(), each.strip().upper()) for each in unit.arguments]


def _read(smu: Smu, unit: Unit) -> str:
    smu.measure()
    return _fetch(smu, unit)


def _fetch(smu: Smu, unit: Unit) -> str:
    """The latest reading once more, without measuring."""
    voltage, current = smu.last
    primary, source = (voltage, current) if smu.sense == "VOLT" else (current, voltage)
    if smu.output.function == smu.sense:
        source = voltage if smu.output.function == "VOLT" else current
    values = {
        "READ": primary,
        "SOUR": source,
        "REL": smu.seconds,
        "STAT": 0.0,
        "SOURSTAT": float(smu.output.limiting),
    }
    asked = [each.strip().strip('"').upper() for each in unit.arguments]
    short = {
        "READING": "READ",
        "SOURCE": "SOUR",
        "RELATIVE": "REL",
        "STATUS": "STAT",
        "SOURSTATUS": "SOURSTAT",
    }
    wanted = [short.get(each, each) for each in asked if not each.startswith("DEFBUFFER")] or ["READ"]
    unknown = [each for each in wanted if each not in values]
    if unknown:
        smu.fail(-224, "Illegal parameter value")
        return ""
    return ", ".join(number(values[each]) for each in wanted)


def _read_2400(smu: Smu, unit: Unit) -> str | None:
    if not smu.output.on:
        smu.fail(803, "Not permitted with OUTPUT off")
        return None
    smu.measure()
    return _fetch_2400(smu, unit)


def _fetch_2400(smu: Smu, _: Unit) -> str:
    voltage, current = smu.last
    values = {
        "VOLT": voltage,
        "CURR": current,
        "RES": float("nan"),
        "TIME": smu.seconds,
        "STAT": 8.0 * smu.output.limiting,
    }
    return ",".join(number(values[each]) for each in smu.elements if each in values)


def _measure(quantity: str) -> Answer:
    def answer(smu: Smu, unit: Unit) -> str:
        smu.sense = quantity
        voltage, current = smu.measure()
        if smu.model.dialect is Dialect.LEGACY:
            return _fetch_2400(smu, unit)
        return number(voltage if quantity == "VOLT" else current)

    return answer


def _error_count(smu: Smu, _: Unit) -> str:
    return str(smu.error_count)


_COMMON: list[tuple[Header, Answer]] = [
    (v.READ, _read),
    (v.FETCH, _fetch),
    (v.IDENTITY, _identity),
    (v.RESET, _reset),
    (v.CLEAR, _clear),
    (v.OPERATION_COMPLETE, lambda _, unit: "1" if unit.query else None),
    (v.EVENT_STATUS, ignored),
    (v.STATUS_BYTE, ignored),
    (v.WAIT, ignored),
    (v.STATUS_PRESET, ignored),
    (v.ERROR, lambda smu, _: smu.next_error()),
    (v.ERROR_COUNT, _error_count),
    (v.CLEAR_ERRORS, _clear),
    (v.OUTPUT, setting(lambda smu: str(int(smu.output.on)), _switch)),
    (v.TERMINALS, setting(lambda smu: smu.terminals, _terminals)),
    (
        v.SOURCE_FUNCTION,
        setting(lambda smu: smu.output.function, lambda smu, unit: smu.set_function(word(unit))),
    ),
    (v.CURRENT, _level("current", lambda smu: smu.model.most_current)),
    (v.CURRENT_RANGE, setting(lambda smu: number(smu.output.current_range), _current_range)),
    (v.CURRENT_RANGE_AUTO, ignored),
    (v.CURRENT_DELAY, ignored),
    (v.CURRENT_MODE_2400, ignored),
    (v.VOLTAGE, _level("voltage", lambda smu: smu.most_voltage)),
    (v.VOLTAGE_RANGE, setting(lambda smu: number(smu.source_voltage_scale), _voltage_range)),
    (
        v.VOLTAGE_RANGE_AUTO,
        setting(lambda smu: str(int(smu.source_voltage_range == 0.0)), _voltage_range_auto),
    ),
    (v.VOLTAGE_DELAY, ignored),
    (v.VOLTAGE_MODE_2400, ignored),
    (v.SENSE_FUNCTION, on_smu("sense", word, str)),
    (v.SENSE_COUNT, ignored),
    (v.SENSE_VOLTAGE_RANGE, on_smu("voltage_range", bounded(0.0, 210.0), number)),
    (v.SENSE_VOLTAGE_RANGE_AUTO, ignored),
    (v.SENSE_VOLTAGE_NPLC, on_smu("nplc", bounded(0.01, 10.0), number)),
    (v.SENSE_CURRENT_RANGE, on_smu("sense_current_range", bounded(-7.35, 7.35), number)),
    (v.SENSE_CURRENT_RANGE_AUTO, setting(lambda smu: str(int(smu.sense_current_range == 0.0)), _sense_auto)),
    (v.SENSE_CURRENT_NPLC, on_smu("nplc", bounded(0.01, 10.0), number)),
    (v.MEASURE_VOLTAGE, _measure("VOLT")),
    (v.MEASURE_CURRENT, _measure("CURR")),
    (v.ABORT, ignored),
    (v.TRACE_CLEAR, ignored),
    (v.TRACE_POINTS, ignored),
]

_FOUR_WIRE: Answer = setting(lambda smu: str(int(smu.four_wire)), _four_wire)

COMMANDS: dict[Dialect, list[tuple[Header, Answer]]] = {
    Dialect.MODERN: [
        *_COMMON,
        (v.LANGUAGE, on_smu("language", word, str)),
        (v.INTERLOCK, lambda _, __: "1"),
        (v.OFF_STATE_CURRENT, _off_state("CURR")),
        (v.OFF_STATE_VOLTAGE, _off_state("VOLT")),
        (v.VOLTAGE_LIMIT, _limit("voltage_limit", 0.02, 210.0)),
        (v.VOLTAGE_LIMIT_TRIPPED, _tripped),
        (v.CURRENT_READ_BACK, ignored),
        (v.VOLTAGE_READ_BACK, ignored),
        (v.CURRENT_LIMIT, _limit("current_limit", 1e-9, 7.35)),
        (v.CURRENT_LIMIT_TRIPPED, _tripped),
        (v.OVERVOLTAGE, on_smu("overvoltage", word, str)),
        (v.OVERVOLTAGE_TRIPPED, lambda _, __: "0"),
        (v.SENSE_VOLTAGE_FOUR_WIRE, _FOUR_WIRE),
        (v.SENSE_CURRENT_FOUR_WIRE, _FOUR_WIRE),
    ],
    Dialect.LEGACY: [
        (v.READ, _read_2400),
        (v.FETCH, _fetch_2400),
        *_COMMON,
        (v.OFF_STATE_2400, _off_state("BOTH")),
        (v.SENSE_CONCURRENT_2400, ignored),
        (v.VOLTAGE_PROTECTION_2400, _limit("voltage_limit", 0.0002, 210.0)),
        (v.VOLTAGE_PROTECTION_TRIPPED_2400, _tripped),
        (v.CURRENT_PROTECTION_2400, _limit("current_limit", 1e-9, 1.05)),
        (v.CURRENT_PROTECTION_TRIPPED_2400, _tripped),
        (v.OVERVOLTAGE, on_smu("overvoltage", word, str)),
        (v.FOUR_WIRE_2400, _FOUR_WIRE),
        (v.ELEMENTS_2400, _elements),
    ],
}
