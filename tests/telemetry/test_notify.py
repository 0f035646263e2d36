"""Notices reach real servers on this machine: an SMTP server and a web server of a few lines each."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from lab_servers import Mosquitto, cycler, until
from run_stories import story, tell

from hilcycler.errors import RequestError
from hilcycler.telemetry.broker import Received
from hilcycler.telemetry.notify import Limit, Mail, Notice, Reader, Undelivered, Webhook
from hilcycler.telemetry.topics import Topics

END = Notice("end", "lab", "bench", "ch1", "run x: completed")


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """Takes any mail: RFC 5321 without extensions."""
    mails: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, mails


@contextmanager
def web_server() -> Iterator[tuple[int, list[Any]]]:
    posts: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, posts


def test_the_end_of_a_run_and_a_dead_bench_are_told(tmp_path: Path, runs: Path, broker: Mosquitto) -> None:
    """By mail and webhook, from the run file through a real broker; well within a minute."""
    tell(runs, story(steps=1))
    log = tmp_path / "log"
    with mail_server() as (smtp, mails), web_server() as (http, posts):
        outlets = ["--mail-to", "ada@lab", "--smtp", f"localhost:{smtp}"]
        outlets += ["--webhook", f"http://localhost:{http}/hook"]
        bench: list[str | Path] = [
            "--data",
            runs,
            "--site",
            "lab",
            "--bench",
            "1",
            "--broker",
            broker.url,
            "--no-results",
        ]
        with cycler("notify", "--broker", broker.url, *outlets, log=log):
            until("notifier listens", lambda: "+/+/+/event" in broker.log)
            with cycler("publish", *bench, log=log) as publisher:
                until("end told", lambda: [post["kind"] for post in posts] == ["end"])
                publisher.kill()
            until("silence told", lambda: [post["kind"] for post in posts] == ["end", "silence"])
            until("mails", lambda: len(mails) == 2)
    assert "Subject: [cycler] end: 1" in mails[0]
    assert "completed" in mails[0]
    assert "To: ada@lab" in mails[1]


def test_nothing_is_told_twice() -> None:
    reader = Reader(Topics())
    event = {"kind": "tripped", "violation": {"quantity": "voltage", "value": "NaN"}, "off": "off"}
    payload = json.dumps({"run": "r", "number": 7, "events": [event]}).encode()
    received = Received("cycler/v1/lab/1/ch1/event", payload, retained=False)
    (notice,) = reader.notices(received)
    assert (notice.kind, notice.channel) == ("trip", "ch1")
    assert list(reader.notices(received)) == []
    gone = Received("cycler/v1/lab/1/_/status", b"offline", retained=True)
    assert [each.kind for each in (*reader.notices(gone), *reader.notices(gone))] == ["silence"]


def test_a_flood_is_held_back_and_counted() -> None:
    limit = Limit(each=600.0, hourly=3)
    assert [limit.lets(END, now) for now in (0.0, 1.0, 599.0, 600.0)] == [True, False, False, True]
    others = [Notice("trip", "lab", "bench", f"ch{at}", "") for at in range(5)]
    assert [limit.lets(each, 601.0) for each in others] == [True, False, False, False, False]
    assert limit.suppressed == 6


def test_a_name_cannot_write_mail_headers() -> None:
    with mail_server() as (port, mails):
        hostile = Notice("end", "lab", "b\r\nBcc: eve@lab", "ch\n1", "x\r\n.\r\nMAIL FROM:<eve>")
        Mail("localhost", port, "cycler@lab", ("ada@lab",), starttls=False).send(hostile, 3)
    (mail,) = mails
    assert not [line for line in mail.splitlines() if line.startswith(("Bcc", "MAIL"))]
    assert "3 further notices" in mail


def test_a_server_that_is_not_there_is_named_and_no_secret_is() -> None:
    with pytest.raises(Undelivered, match="mail by localhost:1:"):
        Mail("localhost", 1, "cycler@lab", ("ada@lab",), starttls=False).send(END, 0)
    with pytest.raises(Undelivered, match=r"webhook at localhost: \w+$"):
        Webhook("http://localhost:1/secret-path").send(END, 0)
    with pytest.raises(RequestError, match="https"):
        Webhook("http://elsewhere/hook")
