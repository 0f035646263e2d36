"""Which column of somebody's table is what, and in which unit: by name, or as the user maps it."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import RequestError

_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("test time", "time", "total time", "test_time_second"),
    "voltage": ("voltage", "ewe", "ecell", "potential", "cell voltage", "voltage_volt", "e"),
    "current": ("current", "i", "<i>", "current_ampere"),
    "cycle": ("cycle count", "cycle number", "cycle", "cycle index", "cycle_count"),
    "step": ("step index", "step count", "ns", "step", "step_index"),
    "frequency": ("freq", "frequency", "f", "frequency_hertz"),
    "real": ("re(z)", "z'", "zreal", "z real", "real", "z_re", "zre", "real impedance"),
    "imaginary": ("im(z)", "z''", "zimag", "z imag", "imaginary", "z_im", "zim", "imaginary impedance"),
    "minus imaginary": ("-im(z)", "-z''", "-zimag", "-imaginary"),
}
"""Names in lower case without their unit."""

_SCALE: Final[Mapping[str, float]] = {
    "": 1.0, "1": 1.0, "s": 1.0, "second": 1.0, "min": 60.0, "h": 3600.0, "v": 1.0, "volt": 1.0, "mv": 1e-3,
    "a": 1.0, "ampere": 1.0, "ma": 1e-3, "ua": 1e-6, "µa": 1e-6, "hz": 1.0, "khz": 1e3, "mhz": 1e6,
    "ohm": 1.0, "ω": 1.0, "Ω": 1.0, "mohm": 1e-3, "kohm": 1e3,
}  # fmt: skip
_UNIT: Final = re.compile(r"^(?P<name>.*?)\s*(?:/\s*(?P<slash>[^/()]+)|[\[(](?P<paren>[^\])]+)[\])])\s*$")


class Table(Protocol):
    """A header, and its columns as numbers."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def where(self) -> str:
        """The file, for messages."""
        ...

    def column(self, place: int) -> NDArray[np.float64]:
        """One column; what is missing is NaN; RequestError if it holds no numbers."""
        ...


@dataclass(frozen=True, slots=True)
class TableOfText:
    """A header and its rows, as read."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    where: str

    def column(self, place: int) -> NDArray[np.float64]:
        """One column as numbers; an empty field is NaN; RequestError names row and column."""
        out = np.empty(len(self.rows))
        for at, row in enumerate(self.rows):
            text = row[place].strip() if place < len(row) else ""
            try:
                out[at] = float(text.replace(",", ".")) if text else math.nan
            except ValueError:
                raise RequestError(
                    f"{self.where}, row {at + 1}, column {self.names[place]!r}: {text!r} is not a number"
                ) from None
        return out


@dataclass(frozen=True, slots=True)
class TableOfParquet:
    """A Parquet file; columns are read as they are asked for."""

    names: Sequence[str]
    file: Any
    where: str

    def column(self, place: int) -> NDArray[np.float64]:
        """See Table."""
        import pyarrow as pa

        read = self.file.read(columns=[self.names[place]]).column(0)
        try:
            numbers = read.cast(pa.float64()).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise RequestError(
                f"{self.where}, column {self.names[place]!r}: {read.type} is not a number"
            ) from None
        return np.asarray(numbers, dtype=np.float64)


def table_of(path: Path) -> Table:
    """The table in a file: Parquet by its name, else text."""
    return _parquet(path) if path.suffix.lower() == ".parquet" else _text(path)


def _parquet(path: Path) -> TableOfParquet:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RequestError(f"{path}: Parquet needs pyarrow: pip install 'hilcycler[parquet]'") from None
    try:
        file = parquet.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as error:
        raise RequestError(f"{path}: cannot be read as Parquet ({error})") from None
    return TableOfParquet(file.schema_arrow.names, file, str(path))


def _text(path: Path) -> TableOfText:
    """A CSV, a tab-separated text or a Bio-Logic `.mpt` (whose header says how long it is)."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="strict")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")  # what EC-Lab writes
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error})") from None
    lines = text.splitlines()
    skipped = 0
    for at, line in enumerate(lines[:3]):
        found = re.match(r"Nb header lines\s*:\s*(\d+)", line)
        if found is not None:
            skipped = max(int(found.group(1)) - 1, at)
    lines = [line for line in lines[skipped:] if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise RequestError(f"{path}: no table; expected a line of names and lines of numbers")
    separator = max("\t;,", key=lines[0].count)
    names, *rows = csv.reader(lines, delimiter=separator)
    return TableOfText([name.strip() for name in names if name.strip() or separator != "\t"], rows, str(path))


def found_columns(table: Table, mapping: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Every column that is known or mapped, in SI, by our name; RequestError for one that is not there."""
    unknown = set(mapping) - set(_KNOWN)
    if unknown:
        raise RequestError(
            f"no column of ours is named {', '.join(sorted(unknown))}; there are {', '.join(_KNOWN)}"
        )
    found: dict[str, NDArray[np.float64]] = {}
    for ours, names in _KNOWN.items():
        for place, theirs in enumerate(table.names):
            name, unit = _split(theirs)
            if (theirs == mapping[ours]) if ours in mapping else (name in names):
                found[ours] = _scale(unit, table, theirs) * table.column(place)
                break
        else:
            if ours in mapping:
                raise RequestError(
                    f"{table.where}: no column {mapping[ours]!r}; there are {', '.join(map(repr, table.names))}"
                )
    return found


def _split(name: str) -> tuple[str, str]:
    """`Voltage / V`, `Ewe/V`, `I (mA)`: name in lower case, unit."""
    whole = name.strip().lower()
    if whole in {each for names in _KNOWN.values() for each in names}:
        return whole, ""
    found = _UNIT.match(name.strip())
    if found is None:
        return whole, ""
    return found["name"].strip().lower(), (found["slash"] or found["paren"]).strip().lower()


def _scale(unit: str, table: Table, column: str) -> float:
    if unit not in _SCALE:
        raise RequestError(f"{table.where}: column {column!r} has the unknown unit {unit!r}")
    return _SCALE[unit]
