"""A mark in every secret, and the mark in nothing that is written, said or sent.

Logs at their loudest, errors with the values of every variable, dumps of every setting, tables and JSON, the
bytes of every message. What a broker is told when a client connects is between the two, and encrypted by TLS.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from lab_servers import CYCLER, Mosquitto, Postgres, cycler, free_port, until
from notice_servers import mail_server
from run_stories import story, tell
from wire_tap import PUBLISH, Tap, packets

from hilcycler.cli import main
from hilcycler.errors import CyclerError
from hilcycler.ingest.check import check
from hilcycler.service.foreground_socket import ForegroundRuns
from hilcycler.telemetry.audit import Audit
from hilcycler.telemetry.broker import Broker, connect
from hilcycler.telemetry.commands import read_key
from hilcycler.telemetry.desk import Commands
from hilcycler.telemetry.notify import Mail, Notice, Undelivered, Webhook
from hilcycler.telemetry.publisher import Publisher, Settings
from hilcycler.telemetry.secrets import Secret, read_secret

CANARY = "canary-4f1d0c-"
END = Notice("end", "lab", "bench", "ch1", "run x: completed")


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, Path]:
    """A file each."""
    folder = tmp_path / "secrets"
    folder.mkdir(0o700)
    found = {}
    for name in ("broker", "database", "smtp", "webhook", "commands"):
        found[name] = folder / name
        found[name].write_text(f"{CANARY}{name}-of-thirty-two-characters\n")
        found[name].chmod(0o600)
    return found


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """Everything that any library logs, and its tracebacks, at the loudest."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    names = [name for name in logging.root.manager.loggerDict if name.startswith(("hilcycler", "psycopg"))]
    levels = {name: logging.getLogger(name).level for name in (*names, "asyncio")}
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def silent(text: str | bytes) -> None:
    assert CANARY not in (text if isinstance(text, str) else text.decode("utf-8", "replace"))


def with_values(error: BaseException) -> str:
    """The traceback as a crash reporter writes it: with the value of every variable of every frame."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def dumped(value: Any, depth: int = 4) -> str:
    """Everything that a value shows of itself and of what it holds."""
    inner: list[Any] = []
    if depth and is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, each.name) for each in fields(value)]
    elif depth and hasattr(value, "__dict__") and not isinstance(value, type):
        inner = list(vars(value).values())
    return "\n".join([repr(value), str(value), *(dumped(each, depth - 1) for each in inner)])


def test_settings_show_no_secret(tmp_path: Path, secrets: dict[str, Path]) -> None:
    broker = Broker.at("mqtts://broker.lab", user="bench", password_file=secrets["broker"])
    runs, audit = ForegroundRuns(tmp_path), Audit(tmp_path / "audit")
    commands = Commands(read_key(secrets["commands"]), runs, audit)
    settings = Settings(tmp_path, "lab", "1", commands=commands)
    mail = Mail("mail.lab", 25, "a@lab", ("b@lab",), "user", read_secret(secrets["smtp"]))
    hook = Webhook("https://hook.lab", read_secret(secrets["webhook"]))
    for each in (broker, settings, mail, hook, Publisher(settings, broker)):
        silent(dumped(each))
    with pytest.raises(TypeError):
        json.dumps({"password": Secret(CANARY)})


def test_errors_and_the_loudest_logs_show_no_secret(
    tmp_path: Path,
    secrets: dict[str, Path],
    heard: io.StringIO,
    make_broker: Callable[..., Mosquitto],
) -> None:
    """A broker that refuses, one that is not there, a database, a mail server and a webhook that are not."""
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    refusing = make_broker(f"password_file {passwords}")
    nowhere = free_port()

    async def enter(url: str) -> None:
        reach = Broker.at(url, user="bench", password_file=secrets["broker"], patience=3.0)
        async with connect(reach, "canary"):
            pass

    path = tell(tmp_path, story(steps=1))
    database = f"postgresql://ingest@127.0.0.1:{nowhere}/lab"
    mail = Mail(
        "localhost", nowhere, "a@lab", ("b@lab",), "user", read_secret(secrets["smtp"]), starttls=False
    )
    attempts: list[Callable[[], object]] = [
        lambda: asyncio.run(enter(refusing.url)),
        lambda: asyncio.run(enter(f"mqtt://localhost:{nowhere}")),
        lambda: asyncio.run(check(path, database, secrets["database"])),
        lambda: mail.send(END, 0),
        lambda: Webhook(f"http://localhost:{nowhere}", read_secret(secrets["webhook"])).send(END, 0),
    ]
    for attempt in attempts:
        with pytest.raises(CyclerError) as caught:
            attempt()
        silent(with_values(caught.value))
    with mail_server() as (port, _):  # which knows no AUTH
        refused = Mail("localhost", port, "a@lab", ("b@lab",), "user", mail.password, starttls=False)
        with pytest.raises(Undelivered) as caught:
            refused.send(END, 0)
        silent(with_values(caught.value))
    assert "Not authorized" in heard.getvalue() or refusing.log.count("not authorised")
    silent(heard.getvalue())


COMMANDS = {
    "publish": ("--site", "s", "--bench", "b", "--password-file", "{broker}", "--ca", "{broker}"),
    "ask": ("stop", "run", "--site", "s", "--bench", "b", "--actor", "a", "--reason", "r", "--json",
            "--commands-key", "{commands}", "--password-file", "{broker}", "--timeout", "1"),
    "ingest": ("--database", "postgresql://u@127.0.0.1:1/lab", "--check", "{run}", "--json",
               "--database-password-file", "{database}"),
    "notify": ("--smtp-password-file", "{smtp}", "--webhook", "ftp://hook", "--webhook-token-file", "{webhook}"),
    "lab": ("--password-file", "{broker}", "--ca", "{broker}"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_fails_says_no_secret(
    tmp_path: Path,
    secrets: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Text, JSON and exit code of each command that knows a secret, where it cannot do what it should."""
    known = {name: str(path) for name, path in secrets.items()} | {"run": str(tell(tmp_path, story(steps=1)))}
    given = [each.format(**known) for each in COMMANDS[command]]
    broker = [] if command == "ingest" else ["--broker", f"mqtts://localhost:{free_port()}"]
    monkeypatch.setattr(sys, "argv", ["cycler", command, *given, *broker])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {1, 2}
    said = capsys.readouterr()
    assert said.err
    silent(said.out + said.err)


@pytest.mark.parametrize("url", ["postgresql://u:canary-4f1d0c-@h/lab", "host=h password=canary-4f1d0c-"])
def test_a_password_in_an_address_is_refused_without_being_said(tmp_path: Path, url: str) -> None:
    path = tell(tmp_path, story(steps=1))
    with pytest.raises(CyclerError, match="does not belong there") as caught:
        asyncio.run(check(path, url))
    silent(str(caught.value))


def test_no_published_byte_holds_a_secret(
    tmp_path: Path, runs: Path, secrets: dict[str, Path], broker: Mosquitto, cluster: Postgres, database: str
) -> None:
    """Publisher, ingester and whoever asks: every message, every file and every word they leave behind."""
    tell(runs, story())
    log = tmp_path / "log"
    with Tap(broker.port) as tap:
        enter = (
            "--broker",
            f"mqtt://localhost:{tap.port}",
            "--user",
            "u",
            "--password-file",
            secrets["broker"],
        )
        store = ("--database", database, "--database-password-file", secrets["database"])
        tells = ("--data", runs, "--site", "lab", "--bench", "1", "--commands-key", secrets["commands"])
        with cycler("ingest", *store, *enter, log=log), cycler("publish", *tells, *enter, log=log):
            until("confirmed", lambda: b'"acked_seq":2100' in tap.everything, patience=30.0)
            who = ("--site", "lab", "--bench", "1", "--actor", "a", "--reason", "r")
            ask = (*CYCLER, "ask", "stop", "20260101-testtest", *who, "--commands-key", secrets["commands"])
            asked = subprocess.run([*map(str, (*ask, *enter))], check=False, capture_output=True, text=True)
            assert "refused" in asked.stdout  # the run has ended
            silent(asked.stdout + asked.stderr)
        messages = [body for stream in tap.sent for kind, body in packets(stream) if kind == PUBLISH]
        assert len(messages) > 10
        silent(b"".join(messages))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    assert left
    for path in left:
        silent(path.read_bytes())
    silent((cluster.folder / "log").read_bytes())
