"""What a publisher says and asks for on a real broker, judged by the broker's own log and stock clients."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest
from lab_servers import CYCLER, Mosquitto, Postgres, cycler, need, tls, until
from run_stories import RUN, story, tell
from troubled_run import troubled

from hilcycler.cli import main
from hilcycler.ingest.live_run import LiveRun
from hilcycler.telemetry.topics import Leaf

DOCS = Path(__file__).parents[2] / "docs"
SUBSCRIBE = re.compile(r"Received SUBSCRIBE from (\S+)\n\d+: \s*(\S+) \(QoS")
SECRET = "canary-4f1d0c"


def watch(broker: Mosquitto, log: Path, *extra: str) -> subprocess.Popen[bytes]:
    """A stock `mosquitto_sub`, as in the docs; one line a message: retained, topic, payload."""
    program = shutil.which("mosquitto_sub")
    need(program)
    command = [str(program), "-p", str(broker.port), "-t", "cycler/#", "-q", "1", "-F", "%r %t %p", *extra]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    until("mosquitto_sub listens", lambda: "cycler/#" in broker.log)
    return process


def told(runs: Path, broker: Mosquitto) -> list[str | Path]:
    return ["publish", "--data", runs, "--site", "lab", "--bench", "1", "--broker", broker.url]


def test_stock_clients_follow_a_run_as_the_docs_say(tmp_path: Path, runs: Path, broker: Mosquitto) -> None:
    """The `mosquitto_sub` line and the paho script of docs/telemetry.md, but for the broker's address."""
    tell(runs, story())
    text = (DOCS / "telemetry.md").read_text("utf-8")
    script = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    line = re.search(r"`(mosquitto_sub .*?)`", text)
    assert script is not None
    assert line is not None
    assert len(script[1].splitlines()) <= 20
    (tmp_path / "follow.py").write_text(script[1])
    followed, newest = tmp_path / "followed", tmp_path / "newest"
    words = shlex.split(line[1].replace("-h broker.lab", f"-h localhost -p {broker.port}"))
    script_line = [sys.executable, "-W", "error", f"{tmp_path}/follow.py", "localhost", str(broker.port)]
    stock_line = [shutil.which(words[0]) or words[0], *words[1:]]
    with ExitStack() as stack:
        for command, said in ((script_line, followed), (stock_line, newest)):
            out = stack.enter_context(said.open("wb"))
            client = stack.enter_context(subprocess.Popen(command, stdout=out, stderr=out))
            stack.callback(client.kill)
        until("both listen", lambda: broker.log.count("Sending SUBACK") == 2)
        with cycler(*told(runs, broker), "--no-results", "--no-acks", log=tmp_path / "log"):
            until("rows came", lambda: "2099" in followed.read_text())
            until("the newest row", lambda: newest.read_text().count("\n") > 0)
    assert [int(each.split()[2]) for each in followed.read_text().splitlines()] == list(range(2100))
    assert json.loads(newest.read_text().splitlines()[0])["test_time_second"] == 2099.0
    asked = [topic for who, topic in SUBSCRIBE.findall(broker.log) if who.startswith("cycler-")]
    assert asked == []  # watermarks are off: the publisher asks for nothing


def test_every_kind_of_message_is_as_its_schema_says(
    tmp_path: Path, runs: Path, broker: Mosquitto, cluster: Postgres, database: str
) -> None:
    """Publisher, ingester, whoever asks, Home Assistant: all that a stock client hears on a real broker."""
    tell(runs, troubled())
    key = tmp_path / "key"
    key.write_text(64 * "a")
    key.chmod(0o600)
    seen, log = tmp_path / "seen", tmp_path / "log"
    stock = watch(broker, seen, "-t", "homeassistant/#")
    reach = ("--broker", broker.url)
    whose: tuple[str | Path, ...] = ("--site", "lab", "--bench", "1", "--commands-key", key)
    heard: dict[str, int] = {}
    try:
        with (
            cycler("ingest", "--database", database, *reach, log=log),
            cycler("publish", "--data", runs, *whose, *reach, "--home-assistant", "homeassistant", log=log),
        ):
            until("results", lambda: "/result {" in seen.read_text(), patience=60.0)
            asked = subprocess.run(
                [*map(str, (*CYCLER, "ask", "safe", RUN, *whose, *reach, "--actor", "a", "--reason", "r"))],
                check=False,
            )
            assert asked.returncode == 1  # the run has ended
            until("an answer", lambda: "/reply {" in seen.read_text())
    finally:
        stock.kill()
        stock.wait()
    schemas = json.loads((DOCS / "telemetry.schema.json").read_text("utf-8"))
    for line in seen.read_text().splitlines():
        retained, topic, payload = line.split(" ", 2)
        leaf = topic.rsplit("/", 1)[1]
        heard[leaf] = heard.get(leaf, 0) + 1
        if leaf == "status":
            assert payload in schemas["status"]["enum"]
        else:
            found = schemas["home assistant"] if leaf == "config" else schemas["messages"][leaf]
            jsonschema.Draft202012Validator(found).validate(json.loads(payload))
        assert retained == "0"  # the stock client was there before
    assert set(heard) == {*Leaf, "config"}


def test_by_default_the_only_subscription_is_to_the_watermarks(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    """And where nobody sends them nothing counts as delivered, though the broker took all of it."""
    tell(runs, story(steps=1))
    with cycler(*told(runs, broker), "--no-results", log=tmp_path / "log"):
        until("rows are published", lambda: "/data'" in broker.log)
    assert [topic for _, topic in SUBSCRIBE.findall(broker.log)] == ["cycler/v1/lab/1/+/ack"]
    (known,) = json.loads((runs / "telemetry.json").read_text()).values()
    assert known[RUN] == {"rows": 0, "events": 0, "results": 0, "done": False}


def test_the_bench_file_says_who_is_told_what(tmp_path: Path, broker: Mosquitto) -> None:
    """`cycler publish` without a broker: name, site, data folder and all of [telemetry] are the bench's."""
    data = tmp_path / "data"
    data.mkdir()
    tell(data, story(steps=1))
    file = tmp_path / "bench.toml"
    file.write_text(
        f'name = "bench-2"\nsite = "north"\ndata = "{data}"\n'
        '[channels.c1.simulated]\nmodel = "emstat4-hr"\ncell = "li-li/bn-pp"\n'
        f'[telemetry]\nbroker = "{broker.url}"\nroot = "cells"\nacks = false\nresults = false\n'
    )
    with cycler("publish", "--bench-file", file, log=tmp_path / "log"):
        until("published", lambda: "cells/v1/north/bench-2" in broker.log and "/data'" in broker.log)
    assert SUBSCRIBE.findall(broker.log) == []


def test_a_run_file_that_is_taken_away_stops_the_telling_of_no_other(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    """Also where the publisher has to begin again: the broker is started anew."""
    gone = tell(runs, story(steps=1))
    log = tmp_path / "log"
    with LiveRun(runs) as live, cycler(*told(runs, broker), "--no-results", log=log):
        until("both are told", lambda: all(f"/{run}/data'" in broker.log for run in (RUN, live.run)))
        gone.unlink()
        broker.kill()
        before = broker.log.count(f"/{live.run}/data'")
        broker.start()
        until("the other goes on", lambda: broker.log.count(f"/{live.run}/data'") > before + 2)
    assert f"run {RUN} is not told until this changes" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_publisher_that_dies_is_reported_by_the_broker(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    seen = tmp_path / "seen"
    stock = watch(broker, seen)
    try:
        with cycler(*told(runs, broker), log=tmp_path / "log") as publisher:
            until("online", lambda: "cycler/v1/lab/1/_/status online" in seen.read_text())
            publisher.kill()
            until("last will", lambda: "cycler/v1/lab/1/_/status offline" in seen.read_text())
    finally:
        stock.kill()
        stock.wait()


@pytest.mark.parametrize("certificate", ["expired", "other"])
def test_a_certificate_that_does_not_verify_lets_nothing_out(
    tmp_path: Path, runs: Path, certificates: Path, make_broker: Callable[..., Mosquitto], certificate: str
) -> None:
    """Nothing is published, no secret is in any log, and the run files are as they were."""
    tell(runs, story(steps=1))
    password = tmp_path / "password"
    password.write_text(SECRET)
    password.chmod(0o600)
    broker = make_broker(*tls(certificates, certificate), "allow_anonymous true")
    reach: list[str | Path] = [
        "--broker",
        f"mqtts://localhost:{broker.port}",
        "--ca",
        certificates / "ca.pem",
    ]
    log = tmp_path / "log"
    secret: list[str | Path] = ["--user", "bench", "--password-file", password]
    with cycler(*told(runs, broker)[:-2], *reach, *secret, log=log):
        until("refused", lambda: "CERTIFICATE_VERIFY_FAILED" in log.read_text())
    assert "PUBLISH" not in broker.log
    assert "CONNECT from" not in broker.log
    assert SECRET not in log.read_text() + broker.log
    assert not list(runs.glob("telemetry.json"))


def test_a_refused_password_is_in_no_log_and_no_byte(
    tmp_path: Path, runs: Path, make_broker: Callable[..., Mosquitto]
) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    broker = make_broker(f"password_file {passwords}")
    password = tmp_path / "password"
    password.write_text(SECRET)
    password.chmod(0o600)
    log = tmp_path / "log"
    tell(runs, story(steps=1))
    with cycler(*told(runs, broker), "--user", "bench", "--password-file", password, log=log):
        until("refused", lambda: "Not authorized" in log.read_text())
    everything = [path for path in tmp_path.rglob("*") if path.is_file() and path != password]
    assert all(SECRET.encode() not in path.read_bytes() for path in everything)


@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("mqtt://user:word@localhost", [], "do not belong"),
        ("http://localhost", [], "expected mqtt"),
        ("mqtt://broker.lab", ["--password-file", "{password}"], "in the clear"),
        ("mqtts://broker.lab", ["--password-file", "{open}"], "0644"),
        ("mqtt://localhost", ["--ca", "{open}"], "need mqtts"),
        ("mqtts://localhost", ["--ca", "{open}"], "certificates"),
        (None, [], "--broker is missing"),
    ],
)
def test_what_is_unsafe_is_refused_before_anything_is_sent(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str | None,
    options: list[str],
    why: str,
) -> None:
    for name, mode in (("password", 0o600), ("open", 0o644)):
        (tmp_path / name).write_text(SECRET)
        (tmp_path / name).chmod(mode)
    given = [each.format(password=tmp_path / "password", open=tmp_path / "open") for each in options]
    command = ["publish", "--data", str(tmp_path), "--site", "s", "--bench", "b", *given]
    command += [] if url is None else ["--broker", url]
    monkeypatch.setattr(sys, "argv", ["cycler", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert why in said.err
    assert SECRET not in said.out + said.err
    assert "word" not in said.err.replace("password", "")
