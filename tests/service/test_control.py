"""The control API with a whole service behind it: commands act once, streams are taken up again, clients come and go."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service_bench import Hosted, cycles, simulated_bench

from hilcycler.bench_state import Asked, BenchState, Queued
from hilcycler.control.client import Client, command_for, new_key
from hilcycler.control.places import within
from hilcycler.errors import CyclerError, RequestError
from hilcycler.journal import Verdict, open_run, verify
from hilcycler.service.desk import Answer, Command, Verb
from hilcycler.service.status import ChannelStatus


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Hosted]:
    with Hosted(simulated_bench(tmp_path)) as hosted:
        yield hosted


@pytest.fixture
def client(service: Hosted, tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path / "data", acting=True) as client:
        service.until(lambda: client.status().reconciled)
        yield client


def begin(service: Hosted, client: Client, channel: str = "c1") -> ChannelStatus:
    """Start a run and wait until it cycles."""
    client.ask(channel, Verb.START, Command(actor="ada", key=new_key(), request=cycles()))
    service.until(lambda: client.channel(channel).step >= 2)
    return client.channel(channel)


def asked(folder: Path) -> list[Asked]:
    return [each for each in BenchState(folder / "data").entries() if isinstance(each, Asked)]


def test_a_run_is_queued_run_paused_and_goes_on(service: Hosted, client: Client, tmp_path: Path) -> None:
    begin(service, client)
    second = client.ask("c1", Verb.START, Command(key=new_key(), request=cycles()))
    assert [each.run for each in client.channel("c1").queue] == [second.run]
    paused = client.ask("c1", Verb.PAUSE, command_for(client.channel("c1"), actor="ada", reason="tea"))
    assert "OFF" in paused.answer
    seen = client.channel("c1")
    assert seen.state == "parked"
    client.ask("c1", Verb.RESUME, command_for(seen, actor="ada"))
    client.ask("c1", Verb.EXTEND, command_for(client.channel("c1"), cycles=200))
    client.ask("c1", Verb.STOP, command_for(client.channel("c1"), reason="enough"))
    service.until(lambda: client.channel("c1").run == second.run)
    first = open_run(tmp_path / "data" / f"{seen.run}.run.sqlite")
    assert verify(first.path).verdict is Verdict.WHOLE
    assert [each.verb for each in asked(tmp_path)] == ["pause", "resume", "extend", "stop"]
    assert all(each.done for each in asked(tmp_path))


def test_two_operators_have_one_effect_each(service: Hosted, client: Client, tmp_path: Path) -> None:
    """The same request many times at once is done once; of two who saw the same, the second is told."""
    seen = begin(service, client)
    command = command_for(seen, actor="ada", cycles=200)

    def send(command: Command) -> Answer | str:
        with Client(tmp_path / "data", acting=True) as mine:
            try:
                return mine.ask("c1", Verb.EXTEND, command)
            except RequestError as refused:
                return str(refused)

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(send, [command] * 16))
    assert {str(each) for each in answers} == {str(answers[0])}, "the same answer to all of them"
    assert not isinstance(answers[0], str)
    stale = send(command_for(seen, actor="bob", cycles=200))
    assert isinstance(stale, str)
    assert "stale: revision" in stale
    current = client.channel("c1")
    both = [command_for(current, actor=name, step=current.step) for name in ("ada", "bob")]
    with ThreadPoolExecutor(2) as people:
        skipped = list(people.map(lambda each: _skip(tmp_path, each), both))
    assert sorted(skipped) == [False, True]
    entries = asked(tmp_path)
    assert len([each for each in entries if each.verb == "extend" and each.done]) == 1
    assert len([each for each in entries if each.verb == "extend" and not each.done]) == 1
    assert len([each for each in entries if each.verb == "skip" and each.done]) == 1
    assert all("(user " in each.actor for each in entries)


def _skip(folder: Path, command: Command) -> bool:
    with Client(folder / "data", acting=True) as mine:
        try:
            return mine.ask("c1", Verb.SKIP, command).done
        except RequestError:
            return False


def test_a_start_sent_twice_is_queued_once_even_over_a_restart(tmp_path: Path) -> None:
    bench, command = simulated_bench(tmp_path), Command(actor="ada", key=new_key(), request=cycles())
    answers = []
    for _ in range(2):
        with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
            service.until(lambda: client.status().reconciled)
            answers += [client.ask("c2", Verb.START, command) for _ in range(2)]
    assert len({each.run for each in answers}) == 1
    queued = [each for each in BenchState(tmp_path / "data").entries() if isinstance(each, Queued)]
    assert len(queued) == 1


def test_a_command_for_another_run_is_refused(service: Hosted, client: Client) -> None:
    seen = begin(service, client)
    for verb in (Verb.PAUSE, Verb.STOP, Verb.SKIP, Verb.EXTEND, Verb.SAFE):
        with pytest.raises(RequestError, match="is not on c1"):
            client.ask(
                "c1", verb, command_for(seen, actor="ada").model_copy(update={"run": "20200101-aaaaaaaa"})
            )
    assert client.channel("c1").state == "running"


def test_safe_all_parks_everything_and_holds_the_queues(service: Hosted, client: Client) -> None:
    begin(service, client)
    assert all(each.done for each in client.safe_all("ada", "smoke"))
    assert client.channel("c1").state == "parked"
    client.ask("c2", Verb.START, Command(key=new_key(), request=cycles()))
    service.live(0.3)
    held = client.channel("c2")
    assert (held.state, len(held.queue)) == ("held", 1)
    client.ask("c2", Verb.RESUME, command_for(held))
    service.until(lambda: client.channel("c2").state == "running")


def test_what_was_made_safe_stays_so_over_a_restart(tmp_path: Path) -> None:
    bench = simulated_bench(tmp_path)
    with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
        service.until(lambda: client.status().reconciled)
        client.safe_all("ada", "smoke")
    with Hosted(bench) as service, Client(tmp_path / "data", acting=True) as client:
        service.until(lambda: client.channel("c1").state == "held")
        client.ask("c1", Verb.START, Command(key=new_key(), request=cycles()))
        assert len(client.channel("c1").queue) == 1
        client.ask("c1", Verb.RESUME, command_for(client.channel("c1")))
        service.until(lambda: client.channel("c1").state == "running")


def test_a_stream_is_taken_up_where_it_broke_off(service: Hosted, client: Client) -> None:
    seen = begin(service, client)
    numbers: list[int] = []
    events, cursor = 0, "0.0"
    for _ in range(4):  # four connections, each broken off after one event
        for told in client.run_events(seen.run, cursor):
            numbers += told.data["columns"].get("test_time", [])
            events += len(told.data["events"])
            cursor = told.cursor
            break
        service.live(0.3)
    assert numbers == sorted(set(numbers)), "no row twice, none out of order"
    rows, count = map(int, cursor.split("."))
    assert (len(numbers), events) == (rows, count)
    entry = next(told for told in client.events(since=0) if told.kind == "entry")
    assert entry.data["kind"] == "queued"
    assert next(told for told in client.events(since=int(entry.cursor))).kind == "status"


def test_the_end_of_the_service_ends_its_streams(service: Hosted, client: Client) -> None:
    stream = client.events()
    assert next(stream).kind == "status"
    os.kill(service.pid, signal.SIGTERM)
    assert [told.kind for told in stream][-1] == "end"
    assert service.terminate() == 0


def test_a_client_that_is_stopped_changes_nothing(service: Hosted, client: Client, tmp_path: Path) -> None:
    """It has asked for the stream and never reads: everybody else is served, and so is the run."""
    seen = begin(service, client)
    with within(tmp_path / "data") as folder:
        frozen = []
        for _ in range(10):
            connection = socket.socket(socket.AF_UNIX)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(f"{folder}/view.sock")
            connection.sendall(f"GET /runs/{seen.run}/events HTTP/1.1\r\nHost: b\r\n\r\n".encode())
            frozen.append(connection)
        rows = client.channel("c1").rows
        service.until(lambda: client.channel("c1").rows > rows + 100)
        assert service.terminate() == 0, "open streams do not hold up the end"
        for connection in frozen:
            connection.close()


def test_a_second_service_is_impossible(service: Hosted, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, EOFError)), Hosted(tmp_path / "bench.toml"):
        pass
    with Client(tmp_path / "data") as client:
        assert client.status().bench == "simulated"


def test_the_document_names_every_verb(client: Client) -> None:
    document = json.loads(client._asked("GET", "/openapi.json").text)
    assert document["openapi"].startswith("3.")
    for verb in Verb:
        assert "post" in document["paths"][f"/channels/{{channel}}/{verb.value}"]


def test_nobody_is_found_where_no_service_runs(tmp_path: Path) -> None:
    with pytest.raises(CyclerError, match="no service runs"), Client(tmp_path):
        pass


def test_systemd_is_told(tmp_path: Path) -> None:
    """Ready when every channel has been asked, alive while the loop turns, stopping when told to end."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(30.0)
        environment = {**os.environ, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "200000"}
        environment.pop("WATCHDOG_PID", None)
        command = [sys.executable, "-m", "hilcycler", "serve", "--bench", str(simulated_bench(tmp_path))]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            told = ""
            while not ("READY=1" in told and told.count("WATCHDOG=1") >= 3):
                told += systemd.recv(4096).decode() + "\n"
            process.terminate()
            while "STOPPING=1" not in told:
                told += systemd.recv(4096).decode() + "\n"
            assert process.wait(60) == 0
