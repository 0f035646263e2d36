"""The database: messages in, watermarks out, one transaction for as many messages as came together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from hilcycler.errors import CyclerError, RequestError
from hilcycler.ingest.migrations import MIGRATIONS
from hilcycler.telemetry.messages import Ack, Data, Events, Message, Meta, Result, Spectrum, State
from hilcycler.telemetry.secrets import read_secret
from hilcycler.telemetry.topics import Place

Connection: TypeAlias = psycopg.AsyncConnection[Any]

_LOCK: Final = 0x6379636C
"""Only one ingester migrates at a time."""

_EPOCH: Final = 946_684_800.0
"""2000-01-01 in seconds since 1970: where PostgreSQL counts from."""

_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END: Final = b"\xff\xff"


class StoreError(CyclerError):
    """The database is not there, or does not take what it is given."""


class Refused(CyclerError):
    """The database refuses one of the messages for what is in it."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message and where it came from."""

    place: Place
    message: Message


Run: TypeAlias = tuple[str, str, str]
"""Site, bench, run."""


@asynccontextmanager
async def opened(database: str, password_file: Path | None = None) -> AsyncIterator[Connection]:
    """A connection whose tables are of this version. StoreError; RequestError for a bad description.

    A statement that takes longer than a minute, or waits longer than 20 s for a lock, is given up.
    """
    options: dict[str, Any] = {"connect_timeout": 10, "application_name": "cycler ingest"}
    options |= {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    options["options"] = "-c statement_timeout=60000 -c lock_timeout=20000 -c timezone=UTC"
    try:
        known = conninfo_to_dict(database)
    except psycopg.ProgrammingError:
        raise RequestError("database: expected postgresql://... or key=value pairs") from None
    if known.get("password") is not None:
        raise RequestError("database: a password does not belong there; use a password file")
    secret = None if password_file is None else read_secret(password_file)
    try:
        connection = await psycopg.AsyncConnection.connect(
            database, autocommit=True, password=None if secret is None else secret.reveal(), **options
        )
    except psycopg.Error as error:
        raise StoreError(f"database: {_said(error)}") from None
    try:
        await migrate(connection)
        yield connection
    finally:
        await connection.close()


async def migrate(connection: Connection) -> None:
    """Bring the tables to this version. StoreError if a newer ingester has been here."""
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migration"
                " (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
            )
            cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM migration")
            row = await cursor.fetchone()
            version = int(row[0]) if row else 0
            if version > len(MIGRATIONS):
                raise StoreError(f"database: version {version}; this cycler knows {len(MIGRATIONS)}")
            for number, step in enumerate(MIGRATIONS[version:], version + 1):
                await connection.execute(step)
                await connection.execute("INSERT INTO migration (version) VALUES (%s)", (number,))
        await connection.execute("CREATE TEMP TABLE staging (LIKE sample) ON COMMIT DELETE ROWS")
    except psycopg.Error as error:
        raise StoreError(f"database: {_said(error)}") from None


class Store:
    """Writes through one connection. Runs that it has seen keep their number."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[Run, int] = {}

    async def keep(self, arrived: Sequence[Arrived]) -> list[tuple[Place, Ack]]:
        """Store the messages for good; the watermarks of the runs they belong to.

        Refused if the contents of one of them cannot be stored (none is then), StoreError otherwise.
        """
        fresh: dict[Run, int] = {}
        try:
            async with self._connection.transaction():
                acks = await self._keep(arrived, fresh)
        except psycopg.DataError as error:
            raise Refused(f"database: {_said(error)}") from None
        except psycopg.Error as error:
            raise StoreError(f"database: {_said(error)}") from None
        self._ids |= fresh
        return acks

    async def _keep(self, arrived: Sequence[Arrived], fresh: dict[Run, int]) -> list[tuple[Place, Ack]]:
        runs: dict[int, tuple[Place, str]] = {}
        spans: defaultdict[int, list[tuple[str, int, int]]] = defaultdict(list)
        rows: list[bytes] = []
        for place, message in ((each.place, each.message) for each in arrived):
            run = await self._run(place, message.run, fresh)
            runs[run] = place, message.run
            match message:
                case Data():
                    rows.append(copy_rows(run, message))
                    spans[run].append(("s", message.sequence, message.sequence + message.rows))
                case Spectrum():
                    await self._spectrum(run, message)
                    spans[run].append(("e", message.number, message.number + message.points))
                case Events():
                    await self._events(run, message)
                    spans[run].append(("e", message.number, message.number + len(message.events)))
                case Result():
                    await self._result(run, message)
                case Meta():
                    await self._meta(run, message)
                case State():
                    await self._connection.execute(
                        "UPDATE run SET state = %s, seen = now() WHERE id = %s",
                        (Jsonb(message.model_dump()), run),
                    )
        await self._samples(rows)
        return [(runs[run][0], await self._watermark(run, runs[run][1], spans[run])) for run in sorted(runs)]

    async def _run(self, place: Place, run: str, fresh: dict[Run, int]) -> int:
        """The number of a run, which is made when it is first heard of."""
        key = place.site, place.bench, run
        known = self._ids.get(key) or fresh.get(key)
        if known is None:
            cursor = await self._connection.execute(
                "INSERT INTO run (site, bench, run, channel) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (site, bench, run) DO UPDATE SET seen = now() RETURNING id",
                (*key, place.channel),
            )
            row = await cursor.fetchone()
            assert row is not None
            known = fresh[key] = int(row[0])
        return known

    async def _samples(self, rows: Iterable[bytes]) -> None:
        if not rows:
            return
        async with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY staging FROM STDIN (FORMAT binary)") as copy,
        ):
            await copy.write(_HEAD)
            for part in rows:
                await copy.write(part)
            await copy.write(_END)
        await self._connection.execute("INSERT INTO sample SELECT * FROM staging ON CONFLICT DO NOTHING")

    async def _spectrum(self, run: int, message: Spectrum) -> None:
        columns = (
            message.test_time_second,
            message.frequency_hertz,
            message.real_impedance_ohm,
            message.imaginary_impedance_ohm,
            message.current_range,
            message.voltage_range,
            message.status,
        )
        async with self._connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO impedance VALUES (%s, %s, to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                [
                    (
                        run,
                        message.number + at,
                        message.unix_time_zero_second + row[0],
                        message.step_count,
                        *row,
                    )
                    for at, row in enumerate(zip(*columns, strict=True))
                ],
            )

    async def _events(self, run: int, message: Events) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO event VALUES (%s, %s, to_timestamp(%s), %s, %s) ON CONFLICT DO NOTHING",
                [
                    (run, message.number + at, _utc(record), str(record.get("kind", "")), Jsonb(record))
                    for at, record in enumerate(message.events)
                ],
            )

    async def _result(self, run: int, message: Result) -> None:
        await self._connection.execute(
            "INSERT INTO result VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (run, message.number, message.evaluation, Jsonb(message.finding)),
        )

    async def _meta(self, run: int, message: Meta) -> None:
        await self._connection.execute(
            "UPDATE run SET meta = %s, started = to_timestamp(%s), channel = %s, seen = now() WHERE id = %s",
            (Jsonb(message.model_dump()), message.started_unix_second, message.channel, run),
        )

    # --- watermarks -------------------------------------------------------------------------

    async def _watermark(self, run: int, name: str, spans: list[tuple[str, int, int]]) -> Ack:
        """Move the run's watermarks over everything that now joins on. Its row is locked to the commit."""
        cursor = await self._connection.execute(
            "SELECT acked_seq, acked_event, (SELECT count(*) FROM result WHERE run_id = id)"
            " FROM run WHERE id = %s FOR UPDATE",
            (run,),
        )
        row = await cursor.fetchone()
        assert row is not None
        marks = {"s": int(row[0]), "e": int(row[1])}
        cursor = await self._connection.execute(
            "SELECT stream::text, start, stop FROM ahead WHERE run_id = %s", (run,)
        )
        kept = [(str(stream), int(start), int(stop)) for stream, start, stop in await cursor.fetchall()]
        ahead: list[tuple[str, int, int]] = []
        for stream, start, stop in sorted({*kept, *spans}):
            if start <= marks[stream]:
                marks[stream] = max(marks[stream], stop)
            elif ahead and ahead[-1][0] == stream and start <= ahead[-1][2]:
                ahead[-1] = (stream, ahead[-1][1], max(stop, ahead[-1][2]))
            else:
                ahead.append((stream, start, stop))
        if marks != {"s": row[0], "e": row[1]}:
            await self._connection.execute(
                "UPDATE run SET acked_seq = %s, acked_event = %s, seen = now() WHERE id = %s",
                (marks["s"], marks["e"], run),
            )
        if sorted(kept) != ahead:
            await self._connection.execute("DELETE FROM ahead WHERE run_id = %s", (run,))
            for stream, start, stop in ahead:
                await self._connection.execute(
                    "INSERT INTO ahead VALUES (%s, %s, %s, %s)", (run, stream, start, stop)
                )
        return Ack(run=name, acked_seq=marks["s"], acked_event=marks["e"], acked_results=int(row[2]))


def copy_rows(run: int, data: Data) -> bytes:
    """The rows as PostgreSQL's binary COPY takes them, made as one table and not row by row."""
    time = np.asarray(data.test_time_second, np.float64)
    utc = np.where(np.isfinite(time), data.unix_time_zero_second + time, _EPOCH)
    columns: list[tuple[str, Any]] = [
        (">i8", run),
        (">i8", np.arange(data.sequence, data.sequence + data.rows)),
        (">i8", np.rint((utc - _EPOCH) * 1e6)),
        (">f8", time),
        (">f8", data.voltage_volt),
        (">f8", data.current_ampere),
        (">f8", data.ambient_temperature_celsius),
        (">i4", data.cycle_count),
        (">i4", data.step_count),
        (">i4", data.step_id),
        (">i2", data.current_range),
        (">i2", data.status),
    ]
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for at, (dtype, values) in enumerate(columns):
        layout.append((f"length{at}", ">i4"))
        if values is not None:
            layout.append((f"value{at}", dtype))
    table = np.zeros(data.rows, layout)
    table["fields"] = len(columns)
    for at, (dtype, values) in enumerate(columns):
        table[f"length{at}"] = -1 if values is None else int(dtype[2])
        if values is not None:
            table[f"value{at}"] = values
    return table.tobytes()


def _utc(record: dict[str, Any]) -> float | None:
    stamp = record.get("stamp")
    utc = stamp.get("utc") if isinstance(stamp, dict) else None
    return float(utc) if isinstance(utc, int | float) else None


def _said(error: psycopg.Error) -> str:
    """The first line of what the database said: no rows, no connection string."""
    return error.diag.message_primary or str(error).split("\n", 1)[0]
