"""The models of the family: what each is called on the wire, what it can do, what it must not do.

Voltage windows, largest currents, range indices and overload factors: the vendor's MethodSCRIPT manual
as cited by independent drivers, and its published sources. The accuracies (0.2 % of the reading and
0.1 % of the range for currents, 0.1 % and 1 mV for voltages) and the lowest frequency are assumed for
the class; the data sheet of a unit says what holds for it. Nothing here was measured by us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# Bits of the answer to CM: which script commands the firmware knows.
SCRIPT_BITS: Final[dict[str, int]] = {
    "var": 1, "array": 2, "store_var": 3, "copy_var": 4, "add_var": 5, "sub_var": 6, "mul_var": 7,
    "div_var": 8, "set_e": 9, "set_int": 10, "await_int": 11, "wait": 12, "loop": 13, "endloop": 14,
    "breakloop": 15, "if": 16, "else": 17, "elseif": 18, "endif": 19, "meas": 21, "meas_loop_lsv": 23,
    "meas_loop_cv": 24, "meas_loop_ca": 28, "meas_loop_ocp": 30, "meas_loop_eis": 31,
    "set_autoranging": 32, "pck_start": 33, "pck_add": 34, "pck_end": 35, "set_max_bandwidth": 36,
    "cell_on": 38, "cell_off": 39, "set_pgstat_mode": 40, "send_string": 41, "set_pgstat_chan": 42,
    "file_open": 50, "file_close": 51, "set_script_output": 52, "abort": 62, "timer_start": 63,
    "timer_get": 64, "set_range": 65, "set_range_minmax": 66, "meas_loop_cp": 67, "set_i": 68,
    "meas_loop_lsp": 69, "meas_loop_geis": 70, "int_to_float": 71, "float_to_int": 72,
    "set_acquisition_frac": 80, "set_acquisition_frac_autoadjust": 91, "alter_vartype": 92, "mod_var": 96,
    "pow_var": 112, "log_var": 114, "linear_fit": 115, "mean": 116,
}  # fmt: skip

# Bits of the answer to CC: which commands outside scripts the firmware knows.
RUNTIME_BITS: Final[dict[str, int]] = {
    "t": 1, "CC": 32, "CM": 33, "S": 34, "G": 35, "l": 36, "r": 37, "e": 38, "i": 48, "v": 49, "m": 60,
    "h": 96, "H": 97, "Z": 98, "Y": 99, "R": 101,
}  # fmt: skip

_GALVANOSTATIC: Final = frozenset({"meas_loop_cp", "set_i", "meas_loop_lsp", "meas_loop_geis"})


@dataclass(frozen=True, slots=True)
class Range:
    """One current or potential range: its index in package metadata and its nominal full scale."""

    index: int
    nominal: float


@dataclass(frozen=True, slots=True)
class Device:
    """One model. `refusal` says why it must not cycle a cell; empty: it may.

    A current beyond `overload` times the nominal range is not measured but clipped and flagged;
    `warning` and `underload` likewise flag. `gain` and `offset` (of the nominal range) bound the
    error of a current reading; `voltage_gain` and `voltage_offset` (V) that of a voltage. `serial` is
    an example, which a simulated one answers.
    """

    code: str
    name: str
    voltage: tuple[float, float]
    max_current: float
    current_ranges: tuple[Range, ...]
    potential_ranges: tuple[Range, ...] = ()
    galvanostat_ranges: tuple[Range, ...] = ()  # where they differ from current_ranges
    refusal: str = ""
    galvanostat: bool = True
    overload: float = 2.92
    warning: float = 2.46
    underload: float = 0.123
    gain: float = 2e-3
    offset: float = 1e-3
    voltage_gain: float = 1e-3
    voltage_offset: float = 1e-3
    highest_frequency: float = 200e3
    lowest_frequency: float = 1e-4
    highest_amplitude: float = 0.9
    fastest: float = 1e-3
    tcp_port: int | None = None
    serial: str = field(default="", compare=False)

    @property
    def set_current_ranges(self) -> tuple[Range, ...]:
        """Ranges of the galvanostat."""
        return self.galvanostat_ranges or self.current_ranges

    @property
    def script_bits(self) -> int:
        """What this model answers to CM."""
        known = (bit for name, bit in SCRIPT_BITS.items() if self.galvanostat or name not in _GALVANOSTATIC)
        return sum(1 << bit for bit in known)

    @property
    def runtime_bits(self) -> int:
        """What this model answers to CC."""
        return sum(1 << bit for bit in RUNTIME_BITS.values())


def _decades(first_index: int, first: float, count: int, step: int) -> tuple[Range, ...]:
    """Ranges a decade apart, whose indices are `step` apart."""
    exponent = round(_log10(first))
    return tuple(Range(first_index + step * n, float(f"1e{exponent + n}")) for n in range(count))


def _log10(value: float) -> float:
    return float(f"{value:e}".partition("e")[2])


_NO_GALVANOSTAT: Final = (
    "it has no galvanostat (constant current is refused by its firmware) and at most 3 mA; "
    "cycling needs an EmStat4 HR, MultiEmStat4 HR or Nexus"
)
_BOOTLOADER: Final = "it is in its bootloader: no measuring firmware is running"

_PICO_RANGES: Final = tuple(
    Range(index, nominal)
    for index, nominal in enumerate(
        (100e-9, 2e-6, 4e-6, 8e-6, 16e-6, 32e-6, 63e-6, 125e-6, 250e-6, 500e-6, 1e-3, 5e-3)
    )
)
_LR_RANGES: Final = _decades(3, 1e-9, 8, 3)
_HR_RANGES: Final = _decades(9, 1e-7, 7, 3)
_EMSTAT4_POTENTIAL: Final = (
    Range(2, 50e-3),
    Range(3, 100e-3),
    Range(4, 200e-3),
    Range(5, 500e-3),
    Range(6, 1.0),
)
_NEXUS_RANGES: Final = (
    Range(16, 100e-12),
    *_decades(0, 1e-9, 6, 1),
    Range(8, 1e-3),
    Range(9, 10e-3),
    Range(10, 100e-3),
    Range(11, 1.0),
)
_NEXUS_GALVANOSTAT: Final = (
    *_decades(32, 1e-9, 6, 1),
    Range(40, 1e-3),
    Range(41, 10e-3),
    Range(42, 100e-3),
    Range(43, 1.0),
)
_NEXUS_POTENTIAL: Final = (Range(3, 1e-3), Range(2, 10e-3), Range(1, 100e-3), Range(0, 1.0))

DEVICES: Final[dict[str, Device]] = {
    device.code: device
    for device in (
        Device(
            "es4_hr", "EmStat4 HR", (-6.0, 6.0), 0.2, _HR_RANGES, _EMSTAT4_POTENTIAL,
            serial="ES4HR20B0008",
        ),
        Device(
            "es4_lr", "EmStat4 LR", (-3.0, 3.0), 0.03, _LR_RANGES, _EMSTAT4_POTENTIAL,
            serial="ES4LR20B0008",
        ),
        Device(
            "mes4hr", "MultiEmStat4 HR", (-6.0, 6.0), 0.2, _HR_RANGES, _EMSTAT4_POTENTIAL,
            serial="MES4HR22A0003",
        ),
        Device(
            "mes4lr", "MultiEmStat4 LR", (-3.0, 3.0), 0.03, _LR_RANGES, _EMSTAT4_POTENTIAL,
            serial="MES4LR22A0003",
        ),
        Device(
            "nexus1", "Nexus", (-10.0, 10.0), 1.0, _NEXUS_RANGES, _NEXUS_POTENTIAL, _NEXUS_GALVANOSTAT,
            highest_frequency=1e6, highest_amplitude=0.3, tcp_port=49152, serial="NX24C0011",
        ),
        Device(
            "espico", "EmStat Pico", (-1.7, 2.0), 3e-3, _PICO_RANGES, refusal=_NO_GALVANOSTAT,
            galvanostat=False, overload=0.6, warning=0.5, highest_amplitude=0.429, serial="ESPICO19C0042",
        ),
        Device(
            "senswb", "Sensit Wearable", (-1.7, 2.0), 3e-3, _PICO_RANGES, refusal=_NO_GALVANOSTAT,
            galvanostat=False, overload=0.6, warning=0.5, highest_amplitude=0.429, serial="SENSWB21F0007",
        ),
        Device("espbl", "EmStat Pico bootloader", (0.0, 0.0), 0.0, (), refusal=_BOOTLOADER, galvanostat=False),
    )
}  # fmt: skip
"""By the code that answers `t`."""
