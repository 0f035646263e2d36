"""`cycler publish`, `ingest`, `notify`: from the bench to the lab's servers and its people."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilcycler.bench_file import Telemetry, bench_path, read_bench
from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON, run_path
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.service.folder import data_folder
from hilcycler.service.signals import on_ending
from hilcycler.telemetry.allowed import allowed
from hilcycler.telemetry.broker import Broker
from hilcycler.telemetry.topics import Topics

if TYPE_CHECKING:
    from hilcycler.telemetry.desk import Commands

BEHIND = 10
"""How far a publisher stands back (nice): whoever measures on this machine goes first."""

BROKER = Annotated[str, typer.Option("--broker", help="mqtts://HOST[:PORT], or mqtt:// on this machine.")]
USER = Annotated[str | None, typer.Option("--user", help="User name at the broker.")]
PASSWORD = Annotated[
    Path | None, typer.Option("--password-file", help="File (mode 0600) or systemd credential.")
]
PASSWORD_MAIL = Annotated[
    Path | None, typer.Option("--smtp-password-file", help="File (mode 0600) or systemd credential.")
]
TOKEN = Annotated[Path | None, typer.Option("--webhook-token-file", help="File (mode 0600) with its token.")]
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
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker", help="mqtts://HOST[:PORT]; without, all of this is read from the bench file."
        ),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Name of the laboratory.")] = None,
    bench: Annotated[str | None, typer.Option(help="Name of this bench; each has its own.")] = None,
    bench_file: Annotated[
        Path | None,
        typer.Option(help="Bench file; default $HILCYCLER_BENCH, or bench.toml in the data folder."),
    ] = None,
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
    commands_key: Annotated[
        Path | None,
        typer.Option(
            help="Take pause, stop and safe from whoever signs with the key in this file; see docs."
        ),
    ] = None,
) -> None:
    """Tell the lab, by MQTT, what the runs of this bench do. Reads the run files only; ends with Ctrl-C."""
    from hilcycler.telemetry.publisher import Publisher, Settings

    if broker is None:
        if any(each is not None for each in (site, bench, data, user, password_file, ca, cert, key)):
            raise RequestError(
                "--broker is missing: the other options belong to it; the bench file has its own"
            )
        whose, told = _described(bench_file)
    else:
        if site is None or bench is None:
            raise RequestError("--site and --bench are missing: who tells this broker")
        whose = data_folder(data), site, bench
        groups = allowed(filter(None, allow.split(",")))
        own = (user, password_file, ca, cert, key)
        told = Telemetry(broker, *own, root, groups, acks, results, home_assistant)
    folder, site, bench = whose
    settings = Settings(
        folder=folder,
        site=site,
        bench=bench,
        topics=Topics(told.root),
        allow=told.allow,
        acks=told.acks,
        commands=None if commands_key is None else _commands(folder, commands_key),
        results=told.results,
        home_assistant=told.home_assistant,
    )
    reach = Broker.at(
        told.broker,
        user=told.user,
        password_file=told.password_file,
        authority=told.authority,
        certificate=told.certificate,
        key=told.key_file,
        patience=timeout,
    )
    reach.context()
    os.nice(BEHIND)
    until_ended(lambda: Publisher(settings, reach).run())


def _described(path: Path | None) -> tuple[tuple[Path, str, str], Telemetry]:
    """Data folder, site and name of the bench that the bench file describes, and its broker."""
    bench = read_bench(bench_path(path))
    if bench.telemetry is None:
        raise RequestError(f"{bench.file}: no table [telemetry]; expected one, or --broker")
    bench.data.mkdir(parents=True, exist_ok=True)
    return (bench.data, bench.site, bench.name), bench.telemetry


def _commands(folder: Path, key: Path) -> Commands:
    """Who carries commands out on this bench: its service, or its runs in the foreground."""
    from hilcycler.control.commanded import BenchRuns
    from hilcycler.telemetry.audit import NAME, Audit
    from hilcycler.telemetry.commands import read_key
    from hilcycler.telemetry.desk import Commands

    return Commands(read_key(key), BenchRuns(folder), Audit(folder / NAME))


@app.command()
def ask(
    verb: Annotated[str, typer.Argument(help="pause, stop or safe.")],
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    broker: BROKER,
    site: Annotated[str, typer.Option(help="Name of the laboratory.")],
    bench: Annotated[str, typer.Option(help="Name of the bench.")],
    actor: Annotated[str, typer.Option(help="Who asks.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    commands_key: Annotated[Path, typer.Option(help="File (mode 0600) with the bench's key for commands.")],
    user: USER = None,
    password_file: PASSWORD = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    root: ROOT = "cycler",
    timeout: TIMEOUT = 10.0,
    as_json: JSON = False,
) -> None:
    """Ask a bench, by MQTT, to take the current off a run; exit code 1 unless it says that it has."""
    from hilcycler.telemetry.asking import ask as send
    from hilcycler.telemetry.asking import command
    from hilcycler.telemetry.commands import read_key
    from hilcycler.telemetry.messages import Verb

    if verb not in set(Verb):
        raise RequestError(f"{verb}: expected one of {', '.join(Verb)}")
    reach = Broker.at(
        broker,
        user=user,
        password_file=password_file,
        authority=ca,
        certificate=cert,
        key=key,
        patience=timeout,
    )
    signed = command(read_key(commands_key), Verb(verb), run, actor=actor, reason=reason)
    reply = asyncio.run(send(reach, signed, topics=Topics(root), site=site, bench=bench))
    if as_json:
        print_json(reply.model_dump(mode="json"))
    else:
        say(f"{reply.verdict}: {inert(reply.reason)}")
    if reply.verdict != "done":
        raise typer.Exit(1)


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
    until_ended(lambda: Ingester(settings, reach).run())


@app.command()
def notify(
    broker: BROKER,
    mail_to: Annotated[str, typer.Option(help="Addresses, with commas between.")] = "",
    mail_from: Annotated[str, typer.Option(help="Sender.")] = "cycler@localhost",
    smtp: Annotated[str, typer.Option(help="Mail server, HOST[:PORT].")] = "localhost:25",
    smtp_user: Annotated[str | None, typer.Option(help="User name at the mail server.")] = None,
    smtp_password_file: PASSWORD_MAIL = None,
    webhook: Annotated[str | None, typer.Option(help="https://... that takes JSON by POST.")] = None,
    webhook_token_file: TOKEN = None,
    each: Annotated[float, typer.Option(min=0.0, help="Seconds between two notices of one kind.")] = 600.0,
    hourly: Annotated[int, typer.Option(min=1, help="Notices an hour, in all.")] = 30,
    user: USER = None,
    password_file: PASSWORD = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    root: ROOT = "cycler",
    timeout: TIMEOUT = 10.0,
) -> None:
    """Tell people, by mail or webhook: trips, failures, shorts, ends of runs, disks, silent benches."""
    from hilcycler.telemetry.broker import LOOPBACK
    from hilcycler.telemetry.notify import Limit, Mail, Notifier, Outlet, Webhook
    from hilcycler.telemetry.secrets import read_secret

    outlets: list[Outlet] = []
    if mail_to:
        host, _, port = smtp.partition(":")
        if not port.isdecimal() and port:
            raise RequestError(f"--smtp {smtp}: expected HOST or HOST:PORT")
        secret = read_secret(smtp_password_file) if smtp_password_file else None
        recipients = tuple(each.strip() for each in mail_to.split(","))
        outlets.append(
            Mail(host, int(port or 25), mail_from, recipients, smtp_user, secret, host not in LOOPBACK)
        )
    if webhook is not None:
        outlets.append(Webhook(webhook, read_secret(webhook_token_file) if webhook_token_file else None))
    if not outlets:
        raise RequestError("nobody to tell: give --mail-to or --webhook")
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
    until_ended(lambda: Notifier(reach, Topics(root), outlets, Limit(each, hourly)).run())


class _Inert(logging.Formatter):
    """One line a message, without anything that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


def until_ended(work: Any) -> None:  # noqa: ANN401  (makes the coroutine inside the loop)
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
