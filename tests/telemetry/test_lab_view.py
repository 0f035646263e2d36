"""`cycler lab`: what somebody who looks on sees through a stock broker, and that looking on is all it does."""

from __future__ import annotations

import json
from pathlib import Path

from lab_servers import Mosquitto, cycler, until
from rich.console import Console
from run_stories import RUN, story, tell
from wire_tap import PUBLISH, Tap, packets, subscriptions

from hilcycler.cli.lab import picture, trail
from hilcycler.telemetry.board import Board
from hilcycler.telemetry.broker import Received
from hilcycler.telemetry.topics import Topics


def shown(board: Board, now: float = 0.0) -> str:
    console = Console(width=200, file=open("/dev/null", "w"), record=True)  # noqa: PTH123, SIM115
    console.print(picture(board, now))
    console.file.close()
    return console.export_text()


def test_any_bench_is_seen_through_the_broker_and_nothing_is_sent(
    tmp_path: Path, runs: Path, broker: Mosquitto
) -> None:
    """First a publisher, then whoever looks on, too late for the rows: what is retained is enough."""
    tell(runs, story())
    seen = tmp_path / "seen"
    bench = ("--data", runs, "--site", "lab", "--bench", "b 1", "--broker", broker.url, "--no-results")
    with cycler("publish", *bench, log=tmp_path / "log") as publisher:
        until("published", lambda: "/latest'" in broker.log)
        with Tap(broker.port) as tap:
            url = f"mqtt://localhost:{tap.port}"
            with cycler("lab", "--broker", url, "--json", log=seen):
                until("the newest row", lambda: '"online": true' in seen.read_text())
                publisher.kill()
                publisher.wait()
                until("silence", lambda: '"online": false' in seen.read_text().splitlines()[-1])
        (sent,) = [stream for stream in tap.sent if stream]
        assert not [kind for kind, _ in packets(sent) if kind == PUBLISH]
        assert len(subscriptions(sent)) == 4
        assert all(each.startswith("cycler/v1/+/+/+/") for each in subscriptions(sent))
    row = json.loads(seen.read_text().splitlines()[-1])
    assert (row["run"], row["bench"], row["test_time_second"]) == (RUN, "b 1", 2099.0)


def test_a_board_shows_what_a_person_wants_to_know() -> None:
    board = Board(Topics())
    latest = {
        "run": "r1", "site": "lab", "bench": "1", "channel": "ch1", "state": "running", "step_type": "CC",
        "step_id": 2, "step_count": 4, "cycle_count": 7, "unix_time_second": 1.0, "test_time_second": 60.0,
        "voltage_volt": -0.0123, "current_ampere": -0.001,
    }  # fmt: skip
    state = {"run": "r1", "state": "running", "step_count": 4, "step_id": 2, "step_type": "CC"}
    state |= {"cycle_count": 7, "rows": 9, "events": 3}
    trip = {"kind": "tripped", "violation": {"quantity": "voltage", "value": 1.2}, "off": "off"}
    said = [
        ("_/status", b"online"),
        ("ch1/status", b"online"),
        ("ch1/latest", json.dumps(latest).encode()),
        ("ch1/state", json.dumps(state).encode()),
        ("ch1/data", b"not asked for"),
        ("ch1/latest", b"no message"),
        ("ch1/event", json.dumps({"run": "r1", "number": 3, "events": [trip]}).encode()),
    ]
    for leaf, payload in said:
        board.put(Received(f"cycler/v1/lab/1/{leaf}", payload, retained=True), 10.0)
    text = shown(board, 12.0)
    for word in ("ch1", "r1", "running", "CC", "7", "-12.3 mV", "-1 mA", "1 min", "2 s", "trip: voltage 1.2"):
        assert word in text
    assert "SILENT" not in text
    board.put(Received("cycler/v1/lab/1/_/status", b"offline", retained=True), 20.0)
    assert "SILENT" in shown(board, 20.0)


def test_a_hostile_name_is_shown_as_dead_letters() -> None:
    board = Board(Topics())
    board.put(Received("cycler/v1/lab/1/%1B]0;x%07[red]/status", b"online", retained=True), 0.0)
    text = shown(board)
    assert "\x1b" not in text
    assert "[red]" in text


def test_a_trail_runs_between_its_extremes() -> None:
    assert trail([0.0, 1.0, float("nan"), 0.5]) == "▁█▅"
    assert trail([3.0, 3.0]) == "▁▁"
    assert trail([]) == ""
