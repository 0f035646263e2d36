"""Commands from end to end: a run on a simulated instrument, its publisher, a real broker, and whoever asks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from lab_servers import CYCLER, Mosquitto, cycler, until
from paho.mqtt.enums import CallbackAPIVersion
from service_bench import Hosted, cycles, simulated_bench
from wire_tap import Tap, subscriptions

from hilcycler.bench_state import BenchState
from hilcycler.clock import wall_clock
from hilcycler.control.client import Client, new_key
from hilcycler.errors import CyclerError
from hilcycler.journal import Run, State, find_run, open_run
from hilcycler.records import OperatorAction
from hilcycler.service.desk import Command, Verb
from hilcycler.telemetry.audit import NAME
from hilcycler.telemetry.commands import sign
from hilcycler.telemetry.messages import Unsigned
from hilcycler.telemetry.secrets import Secret
from hilcycler.telemetry.topics import Leaf

KEY = "5f0c" * 16
PROTOCOL = """\
protocol: one long plating
cell: {working: Li, counter: Li, area: 1 cm2}
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 20 mAh}
record: {every: 1 s}
steps:
  - plate: {current: 1 mA/cm2, until: {time: 10 h}}
"""


class Going:
    """A run that goes on, its publisher, and taps on the lines to the broker and to the instrument."""

    def __init__(self, folder: Path, runs: Path, broker: Tap, instrument: Tap, run: str) -> None:
        self.folder, self.runs, self.run = folder, runs, run
        self.broker, self.instrument = broker, instrument

    @property
    def file(self) -> Run:
        return open_run(find_run(self.runs, self.run))

    @property
    def rows(self) -> int:
        """0 while the file is being made."""
        with suppress(CyclerError):
            return self.file.rows
        return 0

    @property
    def audit(self) -> list[dict[str, Any]]:
        path = self.runs / NAME
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ask(self, verb: str, key: Path, *extra: str) -> subprocess.CompletedProcess[str]:
        who = ("--site", "lab", "--bench", "1", "--actor", "ada", "--reason", "smoke")
        reach = ("--broker", f"mqtt://localhost:{self.broker.port}", "--commands-key", key, *extra)
        command = (*CYCLER, "ask", verb, self.run, *who, *reach)
        return subprocess.run(
            list(map(str, command)), check=False, capture_output=True, text=True, timeout=90
        )


@contextmanager
def going(tmp_path: Path, runs: Path, broker: Mosquitto, *commands: str | Path) -> Iterator[Going]:
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text(PROTOCOL)
    said = tmp_path / "simulator"
    log = tmp_path / "log"
    with ExitStack() as stack:
        stack.enter_context(cycler("simulate", "emstat4-hr", "--tcp", "0", "--pace", "1", log=said))
        until("the simulator listens", lambda: "tcp://127.0.0.1:" in said.read_text())
        (port,) = re.findall(r"tcp://127\.0\.0\.1:(\d+)", said.read_text())[:1]
        line = stack.enter_context(Tap(int(port)))
        where = ("--port", f"tcp://127.0.0.1:{line.port}", "--channel", "ch1", "--data", runs)
        stack.enter_context(cycler("run", protocol, "--no-check-cell", *where, log=tmp_path / "run"))
        until("the run begins", lambda: list(runs.glob("*.run.sqlite")))
        run = next(runs.glob("*.run.sqlite")).name.removesuffix(".run.sqlite")
        tap = stack.enter_context(Tap(broker.port))
        reach = ("--site", "lab", "--bench", "1", "--broker", f"mqtt://localhost:{tap.port}")
        stack.enter_context(cycler("publish", "--data", runs, *reach, "--no-results", *commands, log=log))
        here = Going(tmp_path, runs, tap, line, run)
        until("rows", lambda: here.rows > 3)
        until("rows are told", lambda: b"/ch1/data" in tap.everything)
        yield here


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "commands.key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def signed(run: str, key: str = KEY, **changed: Any) -> bytes:
    now = wall_clock()
    fields: dict[str, Any] = {"verb": "stop", "run": run, "actor": "eve", "reason": "", "issued": now}
    fields |= {"expires": now + 20.0, "nonce": 32 * "e"} | changed
    try:
        signature = sign(Unsigned(**fields), Secret(key))
    except ValueError:  # a verb that does not exist
        signature = sign(Unsigned(**fields | {"verb": "stop"}), Secret(key))
    return json.dumps(fields | {"signature": signature}).encode()


def send(broker: Mosquitto, *messages: tuple[str, bytes, bool]) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("localhost", broker.port)
    client.loop_start()
    for topic, payload, retain in messages:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("verb", ["stop", "safe"])
def test_a_run_is_stopped_by_whoever_has_the_key(
    tmp_path: Path, runs: Path, broker: Mosquitto, key: Path, verb: str
) -> None:
    """The output is off, the run file says who asked, the audit too; after `safe` the channel is latched."""
    with going(tmp_path, runs, broker, "--commands-key", key) as run:
        paused = run.ask("pause", key)
        assert paused.returncode == 1
        assert "cannot pause" in paused.stdout
        asked = run.ask(verb, key)
        assert asked.stdout == "done: the run has ended, output OFF\n", asked.stderr
        assert asked.returncode == 0
        until("the file says so", lambda: run.file.state in {State.ENDED, State.SEALED})
        actions = [event for event in run.file.events() if isinstance(event, OperatorAction)]
        (action,) = [event for event in actions if event.verb == "stop"]
        assert (action.actor, action.reason) == ("ada, by MQTT", "smoke")
        latched = BenchState(runs).latched("ch1")
        assert (latched is not None) == (verb == "safe")
        assert [(line["command"]["verb"], line["verdict"]) for line in run.audit] == [
            ("pause", "refused"),
            (verb, "done"),
        ]
        asked_for = {each for stream in run.broker.sent for each in subscriptions(stream)}
        mine = {f"cycler/v1/lab/1/ch1/{Leaf.REPLY}", f"cycler/v1/lab/1/+/{Leaf.META}"}
        assert asked_for - mine == {"cycler/v1/lab/1/+/ack", "cycler/v1/lab/1/+/cmd"}
        assert KEY.encode() not in run.broker.everything
        everything = [path for path in tmp_path.rglob("*") if path.is_file() and path != key]
        assert all(KEY.encode() not in path.read_bytes() for path in everything)
        assert not list(runs.glob("*.control"))


def test_the_service_is_asked_where_the_run_is_the_services(
    tmp_path: Path, runs: Path, broker: Mosquitto, key: Path
) -> None:
    """Pause and stop over a real broker, publisher and control socket, to a simulated channel of a service."""
    data = tmp_path / "data"
    log = tmp_path / "log"
    reach = ("--broker", broker.url)
    whose = ("--site", "lab", "--bench", "1", "--commands-key", key)
    with Hosted(simulated_bench(tmp_path)) as service, Client(data, acting=True) as client:
        service.until(lambda: client.status().reconciled)
        client.ask("c1", Verb.START, Command(actor="ada", key=new_key(), request=cycles()))
        service.until(lambda: client.channel("c1").step >= 2)
        run = client.channel("c1").run
        with cycler("publish", "--data", data, *whose, *reach, "--no-results", log=log):
            until("told", lambda: "/c1/meta'" in broker.log)
            for verb, state in (("pause", "parked"), ("stop", "")):
                who = ("--actor", "eve", "--reason", "smoke")
                command = [*map(str, (*CYCLER, "ask", verb, run, *whose, *reach, *who))]
                asked = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
                assert asked.returncode == 0, asked.stdout + asked.stderr
                assert asked.stdout.startswith("done: ")
                seen = client.channel("c1")
                assert seen.run == (run if state else "")
                assert not state or seen.state == state
    actions = [event for event in open_run(find_run(data, run)).events() if isinstance(event, OperatorAction)]
    asked_for = [(each.verb, each.reason) for each in actions if each.actor.startswith("eve, by MQTT")]
    assert asked_for == [("parked", "smoke"), ("stop", "smoke")]
    said = [json.loads(line) for line in (data / NAME).read_text().splitlines()]
    assert [(line["command"]["verb"], line["verdict"]) for line in said] == [
        ("pause", "done"),
        ("stop", "done"),
    ]


def test_nothing_that_comes_by_mqtt_starts_or_raises_a_current(
    tmp_path: Path, runs: Path, broker: Mosquitto, key: Path
) -> None:
    """Forged, replayed, late, retained, misdirected, unknown: refused and audited; no byte reaches the instrument.

    Even what is signed with the right key: there are no words for it.
    """
    with going(tmp_path, runs, broker, "--commands-key", key) as run:
        base = "cycler/v1/lab/1/ch1"
        topic, other = f"{base}/cmd", "cycler/v1/lab/1/ch2/cmd"
        now = wall_clock()
        verbs = ("start", "resume", "proceed", "extend", "set-current", "run")
        hostile = [
            (topic, signed(run.run, key=64 * "0"), False),
            (topic, signed(run.run, issued=now - 100.0, expires=now - 80.0), False),
            (topic, signed(run.run, issued=now - 5.0, expires=now - 1.0), False),
            (topic, signed(run.run, expires=now + 3600.0), False),
            (topic, signed(run.run), True),  # to be retained: refused even now
            (other, signed(run.run), False),
            (topic, signed("another-run"), False),
            (topic, b"\xff\x00", False),
            *((topic, signed(run.run, verb=verb), False) for verb in verbs),
        ]
        before = run.instrument.sent
        send(broker, *hostile)
        until("all are audited", lambda: len(run.audit) == len(hostile))
        leaves = [leaf for leaf in Leaf if leaf not in {Leaf.COMMAND, Leaf.ACK}]
        send(broker, *((f"{base}/{leaf}", signed(run.run, verb="stop"), False) for leaf in leaves))
        rows = run.rows
        until("the run goes on", lambda: run.rows > rows + 1)
        assert run.instrument.sent == before
        assert {line["verdict"] for line in run.audit} == {"refused"}
        assert len(run.audit) == len(hostile)
        assert run.file.state is State.RUNNING
        good = signed(run.run, nonce=32 * "a")
        send(broker, (topic, good, False), (topic, good, False))  # and the same once more
        until("both are audited", lambda: len(run.audit) == len(hostile) + 2)
        assert sorted(line["verdict"] for line in run.audit[-2:]) == ["done", "refused"]


def test_by_default_no_command_is_heard(tmp_path: Path, runs: Path, broker: Mosquitto) -> None:
    """On the wire: the only thing that is ever asked for are the watermarks; with acks off nothing is."""
    for options, wanted in (((), ["cycler/v1/lab/1/+/ack"]), (("--no-acks",), [])):
        with Tap(broker.port) as tap:
            reach = ("--site", "lab", "--bench", "1", "--broker", f"mqtt://localhost:{tap.port}")
            with cycler("publish", "--data", runs, *reach, *options, log=tmp_path / "log"):
                until("online", lambda: b"online" in tap.everything)
                send(broker, ("cycler/v1/lab/1/ch1/cmd", signed("run"), False))
            assert [each for stream in tap.sent for each in subscriptions(stream)] == wanted
            assert b"/cmd" not in tap.everything
    assert not (runs / NAME).exists()
