"""What a publisher says and asks for on a real broker, judged by the broker's own log and stock clients."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from lab_servers import Mosquitto, cycler, need, tls, until
from run_stories import RUN, story, tell

from hilcycler.cli import main
from hilcycler.telemetry.messages import STATUS

DOCS = Path(__file__).parents[2] / "docs"
SUBSCRIBE = re.compile(r"Received SUBSCRIBE from (\S+)\n\d+: \s*(\S+) \(QoS")
SECRET = "canary-4f1d0c"


def watch(broker: Mosquitto, log: Path, *extra: str) -> subprocess.Popen[bytes]:
    """A stock `mosquitto_sub` on everything; one line a message: retained, topic, payload."""
    program = shutil.which("mosquitto_sub")
    need(program)
    command = [str(program), "-p", str(broker.port), "-t", "cycler/#", "-q", "1", "-F", "%r %t %p", *extra]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    until("mosquitto_sub listens", lambda: "cycler/#" in broker.log)
    return process


def told(runs: Path, broker: Mosquitto) -> list[str | Path]:
    return ["publish", "--data", runs, "--site", "lab", "--bench", "1", "--broker", broker.url]


def test_what_is_published_is_as_documented_and_followed_by_stock_clients(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    """mosquitto_sub and the paho script of the docs see the run; every byte is judged by the schemas."""
    tell(runs, story())
    seen = tmp_path / "seen"
    script = re.search(r"```python\n(.*?)```", (DOCS / "telemetry.md").read_text("utf-8"), re.DOTALL)
    assert script is not None
    assert len(script[1].splitlines()) <= 20
    (tmp_path / "follow.py").write_text(script[1])
    followed = tmp_path / "followed"
    stock = watch(broker, seen)
    with followed.open("wb") as out:
        follower = subprocess.Popen(
            [sys.executable, "-W", "error", tmp_path / "follow.py", "localhost", str(broker.port)],
            stdout=out,
            stderr=out,
        )
    try:
        until("the script listens", lambda: broker.log.count("/data (QoS") > 0)
        with cycler(*told(runs, broker), "--no-results", "--no-acks", log=tmp_path / "log"):
            until("rows came", lambda: "2099" in followed.read_text(), patience=20.0)
            until("offline", lambda: seen.read_text().count("offline") > 0)
    finally:
        stock.kill()
        follower.kill()
        stock.wait()
        follower.wait()
    schemas = json.loads((DOCS / "telemetry.schema.json").read_text("utf-8"))["messages"]
    leaves = set()
    for line in seen.read_text().splitlines():
        _, topic, payload = line.split(" ", 2)
        leaf = topic.rsplit("/", 1)[1]
        leaves.add(leaf)
        if leaf == "status":
            assert payload in STATUS
        else:
            jsonschema.Draft202012Validator(schemas[leaf]).validate(json.loads(payload))
    asked = [topic for who, topic in SUBSCRIBE.findall(broker.log) if who.startswith("cycler-")]
    assert asked == []  # watermarks are off: the publisher asks for nothing
    assert leaves == {"status", "meta", "state", "data", "eis", "event", "latest"}


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
    ],
)
def test_what_is_unsafe_is_refused_before_anything_is_sent(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    options: list[str],
    why: str,
) -> None:
    for name, mode in (("password", 0o600), ("open", 0o644)):
        (tmp_path / name).write_text(SECRET)
        (tmp_path / name).chmod(mode)
    given = [each.format(password=tmp_path / "password", open=tmp_path / "open") for each in options]
    command = ["publish", "--data", str(tmp_path), "--site", "s", "--bench", "b", "--broker", url, *given]
    monkeypatch.setattr(sys, "argv", ["cycler", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert why in said.err
    assert SECRET not in said.out + said.err
    assert "word" not in said.err.replace("password", "")
