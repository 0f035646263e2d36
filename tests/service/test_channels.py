"""Channels are on their own: one that breaks stops alone, each has one owner, and each its own policy after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from service_bench import Hosted, bench_file, outputs, simulated_bench, simulators

from hilcycler.bench_state import BenchState, Refused
from hilcycler.control.client import Client, command_for, new_key
from hilcycler.errors import RequestError
from hilcycler.journal import Run, open_run
from hilcycler.records import Event, Gap, OperatorAction, Resumed, StepStarted
from hilcycler.service.desk import Command, Verb
from hilcycler.service.exclusive import alone, instrument_lock
from hilcycler.service.request import RunRequest

PROTOCOL = """
protocol: half-cycles in real time
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 100 ms, decide every: 100 ms}
steps:
  - repeat: 1000
    steps:
      - plate: {current: 1 mA, for: 20 s}
      - strip: {current: 1 mA, for: 20 s}
"""
CELL = {"name": "twin", "working": {"material": "Li"}, "counter": {"material": "Li"}, "area": 1e-4}
REQUEST = RunRequest(protocol=PROTOCOL, cell=CELL, check_cell=False)


def start(client: Client, channel: str) -> None:
    client.ask(channel, Verb.START, Command(actor="ada", key=new_key(), request=REQUEST))


def test_a_channel_that_does_not_answer_stops_no_other(tmp_path: Path) -> None:
    with simulators([("keithley-2450", "tcp")] * 2, tmp_path / "log") as (address, stranger):
        places = {
            "good": ("keithley", address),
            "gone": ("keithley", "tcp://127.0.0.1:9"),
            "other": ("keithley", stranger),
        }
        bench = bench_file(tmp_path, places)
        text = bench.read_text()
        bench.write_text(text.replace("[channels.other]", 'serial = "another one"\n[channels.other]'))
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.status().reconciled)
            gone, other = client.channel("gone"), client.channel("other")
            assert (gone.condition, other.condition) == ("unreachable", "broken")
            assert "127.0.0.1:9" in gone.failure
            assert "expected serial number another one" in other.failure
            start(client, "good")
            service.until(lambda: client.channel("good").rows > 5)
            with pytest.raises(RequestError, match="is broken"):
                start(client, "other")
            assert client.channel("gone").condition == "unreachable"


def test_after_a_restart_a_channel_may_wait_with_its_output_off(tmp_path: Path) -> None:
    with simulators([("keithley-2450", "tcp")] * 2, tmp_path / "log") as addresses:
        places = {f"c{at}": ("keithley", address) for at, address in enumerate(addresses)}
        bench = bench_file(tmp_path, places, **{"after-restart": "safe"})
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.status().reconciled)
            start(client, "c0")
            service.until(lambda: client.channel("c0").rows > 5)
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.channel("c0").state == "parked")
            seen = client.channel("c0")
            (path,) = (tmp_path / "data").glob("*.run.sqlite")
            events = open_run(path).events()
            (gap,) = [each for each in events if isinstance(each, Gap)]
            assert gap.charge_bound == pytest.approx(1e-3 * (gap.until - gap.since))
            (parked,) = [
                each for each in events if isinstance(each, OperatorAction) and each.verb == "parked"
            ]
            assert (parked.actor, parked.verb, parked.detail["output"]) == ("service", "parked", "off")
            client.ask("c0", Verb.RESUME, command_for(seen, actor="ada", reason="looked"))
            service.until(lambda: client.channel("c0").step_index == 0 and client.channel("c0").step > 1)
        first = next(each for each in events if isinstance(each, StepStarted))
        assert first.step_index == 1


def test_an_instrument_at_work_without_a_run_is_switched_off(tmp_path: Path) -> None:
    """Its run file is gone: nobody knows what it does, so it does nothing."""
    with simulators([("keithley-2450", "tcp")], tmp_path / "log") as (address,):
        bench = bench_file(tmp_path, {"c0": ("keithley", address)})
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.status().reconciled)
            start(client, "c0")
            service.until(lambda: client.channel("c0").rows > 5)
        for path in (tmp_path / "data").iterdir():
            path.unlink()
        with Hosted(bench) as service, Client(tmp_path / "data") as client:
            service.until(lambda: client.status().reconciled)
            said = [each for each in BenchState(tmp_path / "data").entries() if isinstance(each, Refused)]
            assert "switched off, output off" in said[-1].message


def test_a_service_has_its_folder_and_its_instruments_for_itself(tmp_path: Path) -> None:
    with instrument_lock("tcp://127.0.0.1:5025"):
        with (
            pytest.raises(RequestError, match="in use by another program"),
            instrument_lock("TCP://127.0.0.1:5025"),
        ):
            pass
        with pytest.raises(RequestError, match="in use"), alone("tcp://127.0.0.1:5025", tmp_path):
            pass
    with (
        Hosted(simulated_bench(tmp_path)),
        pytest.raises(RequestError, match="a service runs on"),
        alone("tcp://127.0.0.1:1", tmp_path / "data"),
    ):
        pass
    with alone("tcp://127.0.0.1:1", tmp_path / "data"):
        pass


def test_a_service_may_leave_steps_to_instruments_that_end_them(tmp_path: Path) -> None:
    """The EmStat goes on with its script and is adopted; the SMU, which would hold for ever, is off."""
    with simulators([("emstat4-hr", "tcp"), ("keithley-2450", "tcp")], tmp_path / "log") as addresses:
        bench = bench_file(tmp_path, {"c0": ("emstat", addresses[0]), "c1": ("keithley", addresses[1])})
        with Hosted(bench, leave=True) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.status().reconciled)
            start(client, "c0")
            start(client, "c1")
            service.until(lambda: all(each.rows > 5 for each in client.status().channels))
            assert service.terminate() == 0
        assert outputs(tmp_path / "log") == [True, False]
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: all(each.state == "running" for each in client.status().channels))
            left, parked = (
                open_run(tmp_path / "data" / f"{client.channel(name).run}.run.sqlite")
                for name in ("c0", "c1")
            )
            service.until(lambda: any(isinstance(each, Resumed) for each in _fresh(left)))
            service.until(lambda: any(getattr(each, "verb", "") == "resume" for each in _fresh(parked)))
        assert [each.adopted for each in _fresh(left) if isinstance(each, Resumed)] == [True]
        verbs = [each.verb for each in _fresh(parked) if isinstance(each, OperatorAction)]
        assert verbs[-2:] == ["parked", "resume"]


def _fresh(run: Run) -> list[Event]:
    run.refresh()
    return run.events()
