"""Notices reach real servers on this machine: an SMTP server and a web server of a few lines each.

`-s` shows how long each took.
"""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path
from typing import Any, Self

import pytest
from lab_servers import Mosquitto, cycler, until
from notice_servers import mail_server, web_server
from run_stories import RUN, story, tell
from troubled_run import troubled

from hilcycler.clock import process_time
from hilcycler.errors import RequestError
from hilcycler.journal import Journal
from hilcycler.records import Record
from hilcycler.telemetry.broker import Received
from hilcycler.telemetry.notify import Limit, Mail, Notice, Reader, Undelivered, Webhook
from hilcycler.telemetry.topics import Topics

END = Notice("end", "lab", "bench", "ch1", "run x: completed")


class Writing:
    """`with Writing(folder, records)`: a run that goes on; `end(records)` ends it."""

    def __init__(self, folder: Path, records: list[Record]) -> None:
        self._folder, self._records = folder, records
        self._rest: list[Record] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def end(self, records: list[Record]) -> None:
        self._rest = records
        self._over.set()
        self._thread.join()

    async def _write(self) -> None:
        async with Journal.create(self._folder, RUN) as journal:
            for record in self._records:
                journal.put(record)
            await journal.commit()
            await asyncio.to_thread(self._over.wait)
            for record in self._rest:
                journal.put(record)


def told_kinds(posts: list[Any]) -> list[str]:
    return [post["kind"] for post in posts]


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


def test_a_short_a_trip_a_full_disk_and_the_end_are_told(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    """The short while the run goes on, found by the installed evaluation; each once, with where and what."""
    log = tmp_path / "log"
    records = troubled()
    where = ("--data", runs, "--site", "lab", "--bench", "1", "--broker", broker.url, "--allow", "people")
    with web_server() as (http, posts), mail_server() as (smtp, mails):
        outlets = ["--webhook", f"http://localhost:{http}/hook", "--mail-to", "ada@lab"]
        outlets += ["--smtp", f"localhost:{smtp}"]
        with (
            cycler("notify", "--broker", broker.url, *outlets, log=log),
            cycler("publish", *where, log=log),
            Writing(runs, records[:-3]) as writing,
        ):
            began = process_time()
            until("the short", lambda: "short" in told_kinds(posts), patience=60.0)
            print(f"\nshort told after {process_time() - began:.1f} s")
            writing.end(records[-3:])
            began = process_time()
            until("the rest", lambda: len(posts) == 4, patience=60.0)
            print(f"disk, trip and end told after {process_time() - began:.1f} s")
            until("mails", lambda: len(mails) == 4)
    assert sorted(told_kinds(posts)) == ["disk", "end", "short", "trip"]
    by_kind = {post["kind"]: post["text"] for post in posts}
    assert "hard short" in by_kind["short"]
    assert "voltage nan, limits -1.0 to 1.0; output off" in by_kind["trip"].lower()
    assert "only 90 MB left" in by_kind["disk"]
    assert "tripped safety limit" in by_kind["end"]


def test_silence_is_told_within_a_minute(tmp_path: Path, runs: Path, broker: Mosquitto) -> None:
    """A bench that froze, a run whose process is gone, and a broker that is gone."""
    path = tell(runs, story(steps=1)[:-1])  # nobody writes it any more, and it has not ended
    log = tmp_path / "log"
    where = ("--data", runs, "--site", "lab", "--bench", "1", "--broker", broker.url, "--no-results")
    with web_server() as (http, posts):
        outlet = ("--webhook", f"http://localhost:{http}/hook", "--timeout", "5")
        with (
            cycler("notify", "--broker", broker.url, *outlet, log=log),
            cycler("publish", *where, log=log) as publisher,
        ):
            until("the run", lambda: told_kinds(posts) == ["interrupted"])
            assert path.name.split(".")[0] in posts[0]["text"]
            took = []
            publisher.send_signal(signal.SIGSTOP)
            for text in ("no longer connected", "nothing is known of any bench"):
                began = process_time()
                until(text, lambda text=text: text in posts[-1]["text"], patience=60.0)  # type: ignore[misc]
                took.append(process_time() - began)
                broker.kill()
            publisher.send_signal(signal.SIGCONT)
            print(f"\nfrozen bench told after {took[0]:.1f} s, broker gone after {took[1]:.1f} s")
            broker.start()
            until("back", lambda: "back" in told_kinds(posts))


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
