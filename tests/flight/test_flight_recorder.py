"""The recorder: never in the way, whatever its disk does; files in a ring; what a crash leaves is readable."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from flown import FAULTS, order, performed, twin_with
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hilcycler.cli import app
from hilcycler.cli import flight as _decode  # noqa: F401  (adds its commands)
from hilcycler.clock import loop_time
from hilcycler.errors import CyclerError, JournalError, LinkLost, RequestError
from hilcycler.flight import (
    Closed,
    Flight,
    Happening,
    Lost,
    Opened,
    Received,
    Refused,
    Sent,
    flight_path,
    in_words,
    read_transcript,
    recording,
    transcript_files,
)
from hilcycler.flight.transcript import About, Missing, header, line
from hilcycler.journal import run_path
from hilcycler.links import Connect, Link
from hilcycler.links.memory import MemoryLink, memory_pair

RUN = "20260101-recorded"


def to(end: Link) -> Connect:
    async def opened() -> Link:
        return end

    return opened


async def talk(flight: Flight, questions: int) -> None:
    """Ask and answer over a recorded link."""
    ours, theirs = memory_pair("bench")
    link = await flight.recorded(to(ours))()
    for number in range(questions):
        await link.send(f"Q{number}?\n".encode())
        assert await theirs.receive(loop_time() + 1.0) == f"Q{number}?\n".encode()
        await theirs.send(b"\x00\xff\n")
        assert await link.receive(loop_time() + 1.0) == b"\x00\xff\n"
    await link.aclose()


def test_a_conversation_is_written_by_a_thread_of_its_own(tmp_path: Path) -> None:
    flight = Flight()

    async def main() -> None:
        flight.keep(tmp_path, RUN, "keithley")
        await talk(flight, 3)
        flight.close()

    asyncio.run(main())
    told = read_transcript(flight_path(tmp_path, RUN))
    kinds = [type(each) for each in told.happenings]
    assert kinds == [Opened, *[Sent, Received] * 3, Closed]
    assert told.happenings[2] == Received(told.happenings[2].time, b"\x00\xff\n")
    assert told.whole
    assert read_transcript(run_path(tmp_path, RUN)) == told


def test_what_passes_before_the_run_has_a_name_is_kept_and_without_one_nothing_is(tmp_path: Path) -> None:
    named, nameless = Flight(), Flight()

    async def main() -> None:
        await talk(named, 2)
        await talk(nameless, 2)
        named.keep(tmp_path, RUN, "emstat")

    asyncio.run(main())
    for each in (named, nameless):
        each.close()
    assert len(read_transcript(flight_path(tmp_path, RUN)).happenings) == 6
    assert len(list(tmp_path.iterdir())) == 1


def test_a_limit_of_nothing_records_nothing(tmp_path: Path) -> None:
    flight = Flight(0)
    ours, _ = memory_pair("bench")
    connect = to(ours)
    assert flight.recorded(connect) is connect
    flight.keep(tmp_path, RUN, "emstat")
    flight.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("disk", ["full", "gone", "in the way", "a link"])
def test_a_failing_disk_never_stops_the_conversation(disk: str, inline: bool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    match disk:
        case "full":
            folder = Path("/dev/fd/no-such-folder")
        case "gone":
            folder.rmdir()
        case "in the way":
            flight_path(folder, RUN).mkdir()
        case "a link":
            flight_path(folder, RUN).symlink_to(tmp_path / "elsewhere")
    flight = Flight(inline=inline)

    async def main() -> None:
        flight.keep(folder, RUN, "emstat")
        await talk(flight, 50)

    asyncio.run(main())
    flight.close()
    assert not (tmp_path / "elsewhere").exists()


def test_s17_a_planted_link_is_neither_written_through_nor_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(header(About(RUN, "emstat", 0.0, 0.0)) + line(Sent(0.0, b"canary")))
    folder = tmp_path / "data"
    folder.mkdir()
    flight_path(folder, RUN).symlink_to(secret)
    with pytest.raises(RequestError, match="no flight recorder's file"):
        read_transcript(run_path(folder, RUN))


def test_a_slow_disk_delays_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes nothing for a while: commands pass all the same, and what was not taken is counted."""
    monkeypatch.setattr(recording, "WAITING", 20)
    flight = Flight()

    async def main() -> None:
        await talk(flight, 30)  # nothing is written before `keep`, as if the disk took nothing
        flight.keep(tmp_path, RUN, "emstat")
        await asyncio.sleep(0.05)
        await talk(flight, 1)

    asyncio.run(main())
    flight.close()
    told = read_transcript(flight_path(tmp_path, RUN))
    assert not told.whole
    missing = [each for each in told.happenings if isinstance(each, Missing)]
    assert sum(each.count for each in missing) == 62 - 20
    assert "42 happenings are missing here" in "\n".join(in_words(told))


def test_files_go_round_and_the_first_stays(tmp_path: Path) -> None:
    flight = Flight(8_000, inline=True)

    async def main() -> None:
        flight.keep(tmp_path, RUN, "keithley")
        await talk(flight, 500)

    asyncio.run(main())
    flight.close()
    files = transcript_files(flight_path(tmp_path, RUN))
    assert len(files) == 8
    assert files[0] == flight_path(tmp_path, RUN, 1)
    assert sum(each.stat().st_size for each in files) < 2 * 8_000
    assert not read_transcript(files[3]).whole


def test_a_second_process_goes_on_beside_the_first(tmp_path: Path) -> None:
    for questions in (2, 3):
        flight = Flight(inline=True)

        async def main(flight: Flight = flight, questions: int = questions) -> None:
            flight.keep(tmp_path, RUN, "keithley")
            await talk(flight, questions)

        asyncio.run(main())
        flight.close()
    assert len(transcript_files(run_path(tmp_path, RUN))) == 2
    assert len(read_transcript(run_path(tmp_path, RUN)).happenings) == 6


class Broken:
    """A link that breaks at the second use; one that cannot be opened a second time."""

    def __init__(self, end: MemoryLink) -> None:
        self._end, self._opened = end, False

    async def __call__(self) -> Link:
        if self._opened:
            raise LinkLost("bench: no such port")
        self._opened = True
        return self._end


def test_what_breaks_is_noted_and_still_raised(tmp_path: Path) -> None:
    flight = Flight(inline=True)

    async def main() -> None:
        flight.keep(tmp_path, RUN, "emstat")
        ours, theirs = memory_pair("bench")
        connect = flight.recorded(Broken(ours))
        link = await connect()
        with pytest.raises(CyclerError):
            await link.receive(loop_time() + 0.01)
        theirs.sever()
        with pytest.raises(LinkLost):
            await link.send(b"x")
        await link.aclose()
        await link.aclose()
        with pytest.raises(LinkLost):
            await connect()

    asyncio.run(main())
    flight.close()
    kinds = [type(each) for each in read_transcript(flight_path(tmp_path, RUN)).happenings]
    assert kinds == [Opened, Lost, Sent, Lost, Closed, Refused]


HAPPENINGS: st.SearchStrategy[Happening] = st.one_of(
    st.builds(Opened, st.floats(0, 1e9), st.text(max_size=20)),
    st.builds(Sent, st.floats(0, 1e9), st.binary(max_size=50)),
    st.builds(Received, st.floats(0, 1e9), st.binary(max_size=50)),
    st.builds(Lost, st.floats(0, 1e9), st.text(max_size=20), st.booleans()),
    st.builds(Closed, st.floats(0, 1e9)),
    st.builds(Missing, st.floats(0, 1e9), st.integers(1, 10**6)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flights")


@settings(deadline=None)
@given(st.lists(HAPPENINGS, max_size=20), st.integers(0, 200))
def test_what_is_written_is_read_also_when_the_end_is_torn_off(
    folder: Path, happenings: list[Happening], torn: int
) -> None:
    path = flight_path(folder, RUN)
    text = header(About(RUN, "none", 1.0, 0.0)) + "".join(map(line, happenings))
    path.write_text(text, encoding="ascii")
    assert list(read_transcript(path).happenings) == happenings
    cut = max(len(text) - torn, len(header(About(RUN, "none", 1.0, 0.0))))
    path.write_text(text[:cut], encoding="ascii")
    kept = list(read_transcript(path).happenings)
    assert kept == happenings[: len(kept)]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_s11_any_file_is_read_or_one_typed_error(folder: Path, data: bytes) -> None:
    path = flight_path(folder, RUN)
    head = header(About(RUN, "none", 1.0, 0.0)).encode()
    for written in (data, head + data, head + b"[0.0, " + data + b"]\n"):
        path.write_bytes(written)
        try:
            read_transcript(path)
        except JournalError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_s23_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = flight_path(tmp_path, RUN)
    with path.open("wb") as file:
        file.write(header(About(RUN, "emstat", 0.0, 0.0)).encode())
        os.truncate(file.fileno(), 1 << 30)
    with pytest.raises(JournalError, match="longer than"):
        read_transcript(path)


def test_s18_what_an_instrument_says_is_shown_inert(tmp_path: Path) -> None:
    path = flight_path(tmp_path, RUN)
    said: list[Happening] = [
        Opened(0.0, "bench\x1b]0;x\x07"),
        Sent(0.0, b"*IDN?\n"),
        Received(0.1, b"\x1b]0;x\x07[red]\n"),
    ]
    path.write_text(header(About(RUN, "keithley", 0.0, 0.0)) + "".join(map(line, said)), "ascii")
    shown = CliRunner().invoke(app, ["decode", str(path)])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "[red]" in shown.stdout


def test_decode_and_compare_from_the_command_line(tmp_path: Path) -> None:
    twin = twin_with("keithley", FAULTS["no number"][0])
    wanted = order("keithley", twin.cell, twin.connect, tmp_path / "data")
    performed(replace(wanted, flight=recording.LIMIT))
    (file,) = (tmp_path / "data").glob("*.run.sqlite")

    runner, data = CliRunner(), ["--data", str(tmp_path / "data")]
    told = runner.invoke(app, ["decode", str(file), *data])
    assert "*IDN is KEITHLEY" in told.stdout
    assert "link opened" in told.stdout
    compared = runner.invoke(app, ["replay", str(file), "--compare", "--json", *data])
    assert compared.exit_code == 0, compared.stdout
    found = json.loads(compared.stdout)
    assert found["differences"] == []
    assert found["rows"] > 10
