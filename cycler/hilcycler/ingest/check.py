"""`cycler ingest --check`: the run file and what the database holds of it, side by side, row by row.

Rows, points of spectra, and all other events, each by its number and to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from hilcycler.errors import RequestError
from hilcycler.ingest.store import Connection, StoreError, opened
from hilcycler.journal import open_run
from hilcycler.telemetry.allowed import Allowed, allowed, published
from hilcycler.telemetry.feed import to_celsius

AT_ONCE: Final = 20_000

_SAMPLES: Final = (
    "SELECT seq, test_time_second, voltage_volt, current_ampere, ambient_temperature_celsius,"
    " cycle_count, step_count, step_id, current_range, status FROM sample WHERE run_id = %s ORDER BY seq"
)
_EVENTS: Final = "SELECT number, record FROM event WHERE run_id = %s ORDER BY number"
_SPECTRA: Final = (
    "SELECT number, test_time_second, frequency_hertz, real_impedance_ohm, imaginary_impedance_ohm,"
    " step_count, current_range, voltage_range, status FROM impedance WHERE run_id = %s ORDER BY number"
)


@dataclass(slots=True)
class Comparison:
    """Of one kind: how many the file and the database hold, and what is wrong with those of the database."""

    kind: str
    file: int = 0
    database: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    first: str = ""

    @property
    def equal(self) -> bool:
        return self.missing == self.extra == self.different == 0


async def check(path: Path, database: str, password_file: Path | None = None) -> list[Comparison]:
    """Compare the run file at `path` with the database. RequestError if the run is not there."""
    run = open_run(path)
    try:
        async with opened(database, password_file) as connection:
            cursor = await connection.execute(
                "SELECT id, meta->'allow' FROM run WHERE run = %s", (run.header.run,)
            )
            found = await cursor.fetchall()
            if len(found) != 1:
                raise RequestError(f"run {run.header.run}: {len(found)} runs of that id in the database")
            number, allow = int(found[0][0]), allowed(found[0][1] or ())
            async with connection.transaction():
                samples = await _compare(
                    "rows", _file_rows(path), _numbers(connection, "samples", _SAMPLES, number)
                )
            async with connection.transaction():
                spectra = await _compare(
                    "spectra", _file_spectra(path), _numbers(connection, "spectra", _SPECTRA, number)
                )
            async with connection.transaction():
                events = await _compare("events", _file_events(path, allow), _events(connection, number))
            return [samples, spectra, events]
    except psycopg.Error as error:
        raise StoreError(f"database: {error}") from None


async def _compare(
    kind: str, wanted: Iterator[tuple[int, Any]], found: AsyncIterator[tuple[int, Any]]
) -> Comparison:
    """Two streams in order of their numbers, side by side."""
    result = Comparison(kind)
    ahead = next(wanted, None)
    async for number, value in found:
        result.database += 1
        while ahead is not None and ahead[0] < number:
            _wrong(result, "missing", ahead[0])
            ahead = next(wanted, None)
        if ahead is None or ahead[0] > number:
            _wrong(result, "extra", number)
            continue
        result.file += 1
        if ahead[1] != value:
            result.different += 1
            result.first = result.first or f"{number}: file {ahead[1]}, database {value}"
        ahead = next(wanted, None)
    for number, _ in chain(() if ahead is None else (ahead,), wanted):
        _wrong(result, "missing", number)
    return result


def _wrong(result: Comparison, how: str, number: int) -> None:
    setattr(result, how, getattr(result, how) + 1)
    result.file += how == "missing"
    result.first = result.first or f"{number}: {how}"


def _file_rows(path: Path) -> Iterator[tuple[int, tuple[Any, ...]]]:
    at = 0
    for chunk in open_run(path).chunks():
        warm = "temperature" in chunk
        columns = [
            _bits(chunk["test_time"]),
            _bits(chunk["voltage"]),
            _bits(chunk["current"]),
            _bits(to_celsius(chunk["temperature"])) if warm else [None] * len(chunk["test_time"]),
            *(chunk[name].tolist() for name in ("cycle", "step_count", "step_index", "range", "status")),
        ]
        for row in zip(*columns, strict=True):
            yield at, row
            at += 1


async def _numbers(
    connection: Connection, name: str, query: str, run: int
) -> AsyncIterator[tuple[int, tuple[Any, ...]]]:
    """The number of each row, and what it holds: four real numbers, then whole ones."""
    async with connection.cursor(name, binary=True) as cursor:
        cursor.itersize = AT_ONCE
        await cursor.execute(query, (run,))
        async for number, *values in cursor:
            floats = _bits(np.array([np.nan if each is None else each for each in values[:4]]))
            yield int(number), (*floats, *values[4:])


def _file_spectra(path: Path) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The points of all spectra, numbered as the events they are."""
    for link in open_run(path).links():
        if link.kind == "impedance-point":
            record = json.loads(link.record)
            reals = [float(record[name]) for name in ("test_time", "frequency", "real", "imaginary")]
            counts = [record[name] for name in ("step_count", "current_range", "voltage_range", "status")]
            yield link.number, (*_bits(np.array(reals)), *counts)


def _file_events(path: Path, allow: frozenset[Allowed]) -> Iterator[tuple[int, Any]]:
    for link in open_run(path).links():
        if link.kind != "impedance-point":
            yield link.number, published(json.loads(link.record), allow)


async def _events(connection: Connection, run: int) -> AsyncIterator[tuple[int, Any]]:
    async with connection.cursor("events") as cursor:
        cursor.itersize = AT_ONCE
        await cursor.execute(_EVENTS, (run,))
        async for number, record in cursor:
            yield int(number), record


def _bits(values: Any) -> list[int | None]:  # noqa: ANN401
    """Doubles by their bits; whatever is no number is None, as there are many ways to be none."""
    column = np.ascontiguousarray(values, np.float64)
    patterns: list[int | None] = column.view(np.int64).tolist()
    for at in np.flatnonzero(np.isnan(column)).tolist():
        patterns[at] = None
    return patterns
