"""`cycler publish`, `ingest`: from the bench to the lab's servers."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON, run_path
from hilcycler.cli.output import inert, table
from hilcycler.errors import RequestError
from hilcycler.service.folder import data_folder
from hilcycler.service.signals import on_ending
from hilcycler.telemetry.allowed import allowed
from hilcycler.telemetry.broker import Broker
from hilcycler.telemetry.topics import Topics

BROKER = Annotated[str, typer.Option("--broker", help="mqtts://HOST[:PORT], or mqtt:// on this machine.")]
USER = Annotated[str | None, typer.Option("--user", help="User name at the broker.")]
PASSWORD = Annotated[
    Path | None, typer.Option("--password-file", help="File (mode 0600) or systemd credential.")
]
CA = Annotated[Path | None, typer.Option("--ca", help="The authority that signed the broker's certificate.")]
CERT = Annotated[Path | None, typer.Option("--cert", help="Our own certificate (PEM).")]
KEY = Annotated[Path | None, typer.Option("--key", help="Its key: file (mode 0600) or systemd credential.")]
TIMEOUT = Annotated[float, typer.Option(min=0.5, help="Seconds that an answer of the broker may take.")]
ROOT = Annotated[str, typer.Option("--root", help="First level of the topics.")]
DATABASE = Annotated[
    str, typer.Option("--database", help="postgresql://USER@HOST/NAME; the password comes from a file.")
]
DATABASE_PASSWORD = Annotated[
    Path | None, typer.Option("--database-password-file", help="File (mode 0600) or systemd credential.")
]


@app.command()
def publish(
    broker: BROKER,
    site: Annotated[str, typer.Option(help="Name of the laboratory.")],
    bench: Annotated[str, typer.Option(help="Name of this bench; each has its own.")],
    data: DATA = None,
    user: USER = None,
    password_file: PASSWORD = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    root: ROOT = "cycler",
    timeout: TIMEOUT = 10.0,
    allow: Annotated[
        str, typer.Option(help="Metadata that may leave the bench: names,chemistry,protocol,people.")
    ] = "",
    acks: Annotated[
        bool,
        typer.Option(
            "--acks/--no-acks", help="Subscribe to the lab's watermarks; without, delivery is unproven."
        ),
    ] = True,
    results: Annotated[
        bool, typer.Option("--results/--no-results", help="Send what evaluations find.")
    ] = True,
    home_assistant: Annotated[
        str | None, typer.Option("--home-assistant", help="Discovery prefix, mostly `homeassistant`.")
    ] = None,
) -> None:
    """Tell the lab, by MQTT, what the runs of this bench do. Reads the run files only; ends with Ctrl-C."""
    from hilcycler.telemetry.publisher import Publisher, Settings

    settings = Settings(
        folder=data_folder(data),
        site=site,
        bench=bench,
        topics=Topics(root),
        allow=allowed(filter(None, allow.split(","))),
        acks=acks,
        results=results,
        home_assistant=home_assistant,
    )
    reach = Broker.at(
        broker,
        user=user,
        password_file=password_file,
        authority=ca,
        certificate=cert,
        key=key,
        patience=timeout,
    )
    reach.context()
    _until_ended(lambda: Publisher(settings, reach).run())


@app.command()
def ingest(
    database: DATABASE,
    broker: Annotated[str | None, typer.Option("--broker", help="mqtts://HOST[:PORT].")] = None,
    check: Annotated[
        str | None, typer.Option(help="Compare this run file with the database, row by row, and exit.")
    ] = None,
    data: DATA = None,
    user: USER = None,
    password_file: PASSWORD = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    root: ROOT = "cycler",
    timeout: TIMEOUT = 10.0,
    group: Annotated[str, typer.Option(help="Ingesters of one group share the work.")] = "cycler-ingest",
    database_password_file: DATABASE_PASSWORD = None,
    as_json: JSON = False,
) -> None:
    """Store what the benches publish in PostgreSQL, each row once, and confirm it to them."""
    try:
        from hilcycler.ingest import check as checking
        from hilcycler.ingest.ingester import Ingester, Settings
    except ImportError:
        raise RequestError("the ingester needs psycopg: pip install 'hilcycler[server]'") from None
    if check is not None:
        compared = asyncio.run(checking.check(run_path(check, data), database, database_password_file))
        table([asdict(each) for each in compared], as_json=as_json, empty="nothing compared")
        if not all(each.equal for each in compared):
            raise typer.Exit(1)
        return
    if broker is None:
        raise RequestError("--broker is missing (or --check RUN)")
    settings = Settings(database, database_password_file, Topics(root), group)
    reach = Broker.at(
        broker,
        user=user,
        password_file=password_file,
        authority=ca,
        certificate=cert,
        key=key,
        patience=timeout,
    )
    reach.context()
    _until_ended(lambda: Ingester(settings, reach).run())


class _Inert(logging.Formatter):
    """One line a message, without anything that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


def _until_ended(work: Any) -> None:  # noqa: ANN401  (makes the coroutine inside the loop)
    """Until Ctrl-C or SIGTERM; what happens is one line each on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Inert("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("hilcycler")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    asyncio.run(_ending(work()))


async def _ending(work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)

        def stop(_: str) -> None:
            task.cancel()

        with on_ending(stop):
            await asyncio.wait([task])
