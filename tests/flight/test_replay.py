"""Acceptance: replaying a recorded run that met a fault gives the same records, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from flown import FAULTS, order, performed, twin_with

from hilcycler import registry
from hilcycler.errors import LinkLost, RequestError
from hilcycler.flight import Flight, Received, Sent, in_words, read_transcript
from hilcycler.journal import open_run
from hilcycler.links.address import connect
from hilcycler.links.loop import run as run_in_real_time
from hilcycler.service.foreground import perform
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.replaying import Replay
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

WORDS = {"emstat": "LoadScript", "keithley": ":OUTP ON"}


@pytest.mark.parametrize("driver", ["emstat", "keithley"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_recorded_run_gives_the_same_records_again(driver: str, fault: str, tmp_path: Path) -> None:
    faults, happened = FAULTS[fault]
    twin = twin_with(driver, faults)
    flight = Flight(inline=True)
    first = performed(order(driver, twin.cell, flight.recorded(twin.connect), tmp_path / "first"), flight)
    flight.close()
    transcript = read_transcript(tmp_path / "first" / "20260101-recorded.flight-1.jsonl")
    assert transcript.whole
    assert transcript.about.driver == driver

    replay = Replay(transcript)
    again = Flight(inline=True)
    second = performed(order(driver, twin.cell, again.recorded(replay.connect), tmp_path / "second"), again)
    again.close()
    assert replay.diverged == ""
    assert happened in b"".join(first)
    assert second == first
    heard = read_transcript(tmp_path / "second" / "20260101-recorded.flight-1.jsonl")
    assert heard.happenings == transcript.happenings
    told = "\n".join(in_words(transcript))
    assert WORDS[driver] in told


def test_what_is_asked_otherwise_is_told_so(tmp_path: Path) -> None:
    twin = twin_with("keithley", [])
    flight = Flight(inline=True)
    performed(order("keithley", twin.cell, flight.recorded(twin.connect), tmp_path / "first"), flight)
    flight.close()
    replay = Replay(read_transcript(tmp_path / "first" / "20260101-recorded.flight-1.jsonl"))

    async def main() -> None:
        link = await replay.connect()
        with pytest.raises(LinkLost, match=r"goes on with .*IDN.*, not with .*RST"):
            await link.send(b"*RST\n")

    run_in_virtual_time(main())


def test_a_recording_is_served_on_a_pty_to_whoever_asks_the_same(tmp_path: Path) -> None:
    """In real time and over real bytes, the instrument's own timer still gives the same samples."""
    cell = catalogue.make("li-li/bn-pp", 1)
    twin = EmStatTwin(cell)
    flight = Flight(inline=True)
    performed(order("emstat", twin.cell, flight.recorded(twin.connect), tmp_path / "first"), flight)
    flight.close()
    replay = Replay(read_transcript(tmp_path / "first" / "20260101-recorded.flight-1.jsonl"))

    async def main() -> Path:
        async with replay.listen("pty") as address:
            reach = connect(address, registry.driver("emstat").serial)
            return (await perform(order("emstat", twin.cell, reach, tmp_path / "second"))).path

    second = open_run(run_in_real_time(main()))
    (first,) = [open_run(each) for each in (tmp_path / "first").glob("*.run.sqlite")]
    for name, column in first.columns().items():
        assert column.tobytes() == second.columns()[name].tobytes(), name
    assert second.rows > 100


def test_a_recording_with_a_hole_is_read_but_not_replayed(tmp_path: Path) -> None:
    twin = twin_with("keithley", [])
    flight = Flight(40_000, inline=True)
    performed(order("keithley", twin.cell, flight.recorded(twin.connect), tmp_path / "first"), flight)
    flight.close()
    files = sorted((tmp_path / "first").glob("*.flight-*"))
    assert len(files) == 8
    assert sum(each.stat().st_size for each in files) < 60_000
    transcript = read_transcript(files[0])
    assert not transcript.whole
    assert any(isinstance(each, Sent) for each in transcript.happenings)
    assert any(isinstance(each, Received) for each in transcript.happenings)
    with pytest.raises(RequestError, match="is not whole"):
        Replay(transcript)
