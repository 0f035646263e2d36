"""The journal's promise: what is refused, what is on disk when, and how a run goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from journal_children import hold
from run_stories import RUN, Content, story, tell, written_columns

from hilcycler import disk
from hilcycler.clock import Stamp
from hilcycler.errors import JournalError, RequestError
from hilcycler.journal import (
    DiskPolicy,
    Journal,
    Settings,
    State,
    Verdict,
    open_run,
    resume_state,
    seal,
    verify,
)
from hilcycler.journal.bench import example_header, example_samples, example_step
from hilcycler.journal.journal import Written
from hilcycler.journal.names import lock_path, new_run_id, run_path
from hilcycler.protocol import Violation
from hilcycler.records import (
    Note,
    OffState,
    Outcome,
    Record,
    RunEnded,
    SampleBlock,
    StepEnded,
    Tripped,
    from_json,
    to_json,
)
from hilcycler.steps import StepResult

INLINE = Settings(inline=True)
ENDED = RunEnded(Outcome.STOPPED, "enough", OffState.OFF, Stamp(9.0, 9.0))


def on_disk(path: Path) -> tuple[int, int]:
    """Samples and events that another process would find now."""
    run = open_run(path)
    return run.rows, run.event_count


# --- what is written, is read ---------------------------------------------------------------


@pytest.mark.parametrize("settings", [INLINE, Settings()], ids=["inline", "threads"])
def test_what_is_put_is_read_back(tmp_path: Path, settings: Settings) -> None:
    records = story()
    path = tell(tmp_path, records, settings)
    run = open_run(path)
    assert run.state is State.SEALED
    expected = written_columns(records)
    found = run.columns()
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    events = [record for record in records if not isinstance(record, SampleBlock)]
    assert run.events() == events
    assert verify(path).verdict is Verdict.WHOLE


def test_order_between_samples_and_events_is_kept(tmp_path: Path) -> None:
    records = story()
    rows = 0
    expected = []
    for record in records:
        if isinstance(record, SampleBlock):
            rows += len(record)
        else:
            expected.append((rows, record.kind))
    run = open_run(tell(tmp_path, records))
    assert [(link.rows, link.kind) for link in run.links()] == expected


def test_infinities_and_nan_in_events_come_back(tmp_path: Path) -> None:
    trip = Tripped(1, Violation("voltage", -np.inf, 0.0, np.inf), "host", OffState.OFF, Stamp(0.0, 0.0))
    assert from_json(to_json(trip)) == trip
    assert from_json(to_json(example_header(RUN))) == example_header(RUN)


# --- when it is on disk -----------------------------------------------------------------------


def test_commit_returns_when_all_of_it_is_on_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Journal.create(tmp_path, RUN) as journal:
            for at, record in enumerate(story(steps=1)):
                journal.put(record)
                if at % 3 == 0:
                    await journal.commit()
                    rows, events = on_disk(journal.path)
                    assert (rows, rows + events) == (journal.rows, journal.rows + at + 1 - rows_put(at))

    def rows_put(at: int) -> int:
        return sum(isinstance(record, SampleBlock) for record in story(steps=1)[: at + 1])

    asyncio.run(scenario())


def test_samples_follow_within_the_period_and_a_change_of_state_at_once(tmp_path: Path) -> None:
    """With a period of an hour, what gets onto the disk without a commit went there at once."""

    async def scenario() -> None:
        seen = asyncio.Event()
        loop = asyncio.get_running_loop()

        def observe(_: Written) -> None:
            loop.call_soon_threadsafe(seen.set)

        settings = Settings(period=3600.0, observe=observe)
        async with Journal.create(tmp_path, RUN, settings) as journal:
            journal.put(example_header(RUN))
            await journal.commit()
            for record in (example_step(1, 0.0), example_samples(0, 10)):
                seen.clear()
                journal.put(record)
                await asyncio.wait([asyncio.create_task(seen.wait())], timeout=10)
            assert on_disk(journal.path) == (10, 2)
            seen.clear()
            journal.put(example_samples(10, 10))  # neither the first of its step nor a change of state
            journal.put(Note("the instrument was asked again", Stamp(20.0, 20.0)))  # but this is
            await asyncio.wait([asyncio.create_task(seen.wait())], timeout=10)
            assert on_disk(journal.path) == (20, 3)

    asyncio.run(scenario())


def test_samples_alone_are_written_after_the_period(tmp_path: Path) -> None:
    async def scenario() -> Written:
        told: asyncio.Queue[Written] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def observe(each: Written) -> None:
            loop.call_soon_threadsafe(told.put_nowait, each)

        async with Journal.create(tmp_path, RUN, Settings(period=0.2, observe=observe)) as journal:
            journal.put(example_header(RUN))
            journal.put(example_samples(0, 5))
            await journal.commit()
            journal.put(example_samples(5, 7))
            while (last := await told.get()).entries != 7:
                pass
            assert on_disk(journal.path)[0] == 12
        return last

    assert asyncio.run(scenario()).waited >= 0.2


# --- what is refused --------------------------------------------------------------------------


def refused(tmp_path: Path, records: list[Record]) -> str:
    with pytest.raises(JournalError) as caught:
        tell(tmp_path, records)
    return str(caught.value)


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    records: list[Record] = [example_header(RUN), example_samples(0, 10), example_samples(11, 10)]
    assert "samples from 11, 10 come next" in refused(tmp_path, records)


def test_a_run_begins_with_its_header_and_has_one(tmp_path: Path) -> None:
    assert "RunStarted" in refused(tmp_path, [ENDED])
    (tmp_path / "b").mkdir()
    assert "RunStarted" in refused(tmp_path / "b", [example_header(RUN), example_header(RUN)])
    (tmp_path / "c").mkdir()
    assert "names 'other'" in refused(tmp_path / "c", [example_header("other")])


def test_nothing_follows_the_end(tmp_path: Path) -> None:
    assert "has ended" in refused(tmp_path, [example_header(RUN), ENDED, example_samples(0, 1)])


def test_a_run_file_is_never_written_over(tmp_path: Path) -> None:
    tell(tmp_path, story())
    assert "File exists" in refused(tmp_path, story())


@pytest.mark.parametrize("name", ["../escape", "", "a/b", "A", "x" * 65, "nul\0", "é", "-a", ".hidden"])
def test_names_that_are_not_ours_never_become_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="run id"):
        Journal.create(tmp_path, name)


def test_new_names_are_ours_and_differ(tmp_path: Path) -> None:
    names = {new_run_id() for _ in range(100)}
    assert len(names) == 100
    assert {run_path(tmp_path, name).parent for name in names} == {tmp_path}


def test_two_writers_are_refused_and_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1])
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    writer = spawn.Process(target=hold, args=(str(path), held, done), daemon=True)
    writer.start()
    assert held.wait(30)
    assert open_run(path).state is State.RUNNING
    with pytest.raises(JournalError, match=f"process {writer.pid}"):
        tell_more(path, [])
    with pytest.raises(JournalError, match="held by another writer"):
        seal(path)
    writer.kill()
    writer.join()
    assert open_run(path).state is State.INTERRUPTED
    tell_more(path, [ENDED])
    assert open_run(path).state is State.SEALED
    assert sorted(tmp_path.iterdir()) == [path]


def test_two_writers_in_one_process_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Journal.create(tmp_path, RUN) as journal:
            with pytest.raises(JournalError, match=f"process {os.getpid()}"):
                async with Journal.reopen(journal.path):
                    pass

    asyncio.run(scenario())


def change(path: Path, statement: str) -> None:
    path.chmod(0o644)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 2", "newer hilcycler (format 2; this one reads up to 1)"),
        ("PRAGMA application_id = 7", "not a run file"),
    ],
)
def test_files_that_we_do_not_know_are_refused(tmp_path: Path, statement: str, message: str) -> None:
    path = tell(tmp_path, story()[:-1])
    change(path, statement)
    for use in (open_run, verify, resume_state, seal, lambda path: tell_more(path, [])):
        with pytest.raises(JournalError) as caught:
            use(path)
        assert message in str(caught.value)


def test_text_folders_links_and_nothing_are_no_run_files(tmp_path: Path) -> None:
    path = tell(tmp_path, story())
    text, link = tmp_path / f"a{path.name}", tmp_path / f"b{path.name}"
    text.write_text("not a database at all, but long enough to be one" * 100)
    link.symlink_to(path)
    for wrong in (text, link, tmp_path, tmp_path / "nothing.run.sqlite"):
        with pytest.raises(JournalError, match=str(wrong)):
            open_run(wrong)


# --- going on ---------------------------------------------------------------------------------


def tell_more(path: Path, records: list[Record], settings: Settings = INLINE) -> None:
    async def write() -> None:
        async with Journal.reopen(path, settings) as journal:
            for record in records:
                journal.put(record)

    asyncio.run(write())


@pytest.mark.parametrize("at", [1, 2, 11, 13, 20])
def test_an_interrupted_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path, at: int) -> None:
    records = story()
    (tmp_path / "whole").mkdir()
    whole = Content(tell(tmp_path / "whole", records))
    path = tell(tmp_path, records[:at])
    assert verify(path).verdict is Verdict.OPEN
    tell_more(path, records[at:])
    assert verify(path).verdict is Verdict.WHOLE
    assert Content(path).equals(whole)


def test_what_a_resuming_engine_is_told(tmp_path: Path) -> None:
    header, rest = example_header(RUN), StepResult(0, 10.0, 0.0, 0.123, 0.0)
    half = SampleBlock(20, 3, 7, 1, example_samples(20, 5).columns)
    path = tell(
        tmp_path,
        [
            header,
            example_step(1, 0.0),
            example_samples(0, 20),
            StepEnded(1, rest, 20.0, Stamp(20.0, 20.0)),
            example_step(3, 20.0),
            half,
        ],
    )
    state = resume_state(path)
    assert state.header == header
    assert state.results == (rest,)
    assert (state.next_sequence, state.next_step_count) == (25, 4)
    assert state.last_test_time == 24.0
    assert state.last_utc == 20.0
    assert state.open_circuit is None  # that step was no rest
    assert state.tripped is None
    (cut_off,) = state.cut_off
    assert cut_off.started == example_step(3, 20.0)
    assert cut_off.elapsed == 4.0
    current = half.columns["current"]
    assert cut_off.charge == pytest.approx(np.trapezoid(current, dx=1.0), rel=1e-12)
    assert (cut_off.last_voltage, cut_off.last_current) == (half.columns["voltage"][-1], current[-1])


def test_a_run_that_has_ended_cannot_go_on(tmp_path: Path) -> None:
    path = tell(tmp_path, story())
    for use in (resume_state, lambda path: tell_more(path, [])):
        with pytest.raises(JournalError, match=r"ended|sealed"):
            use(path)


# --- sealing ----------------------------------------------------------------------------------


def test_a_sealed_run_is_one_file_that_is_not_written_to(tmp_path: Path) -> None:
    path = tell(tmp_path, story(), Settings())
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    before = path.read_bytes()
    seal(path)
    Content(path)
    verify(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_run_that_has_not_ended_is_not_sealed(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1])
    with pytest.raises(JournalError, match="not ended"):
        seal(path)
    assert open_run(path).state is State.INTERRUPTED


def test_sealing_waits_for_a_reader_that_lets_go(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1])
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM block").fetchone()
    tired = threading.Timer(0.3, reader.close)
    tired.start()
    tell_more(path, [ENDED])
    tired.join()
    assert open_run(path).state is State.SEALED
    assert sorted(tmp_path.iterdir()) == [path]


def test_sealing_names_a_reader_that_does_not_let_go_and_can_be_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilcycler.journal.sealing.PATIENCE", 0.2)
    path = tell(tmp_path, story()[:-1])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM block").fetchone()
    warnings: list[str] = []
    tell_more(path, [ENDED], Settings(inline=True, disk=DiskPolicy(warn=warnings.append)))
    assert "a reader does not let go" in warnings[0]
    assert open_run(path).ended == ENDED
    reader.close()
    seal(path)
    assert sorted(tmp_path.iterdir()) == [path]
    assert verify(path).verdict is Verdict.WHOLE


def test_damage_is_found_before_it_is_sealed(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1], Settings(inline=True, inline_rows=600))
    change(path, "UPDATE block SET crc = crc + 1 WHERE sequence = 0")
    with pytest.raises(JournalError, match="block at sample 0 is damaged"):
        tell_more(path, [ENDED])
    assert open_run(path).state is State.ENDED


# --- locks ------------------------------------------------------------------------------------


def test_asking_whether_a_run_is_written_never_refuses_its_writer(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1])
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            disk.locked(lock_path(path))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(200):
            lock = disk.Lock(lock_path(path))
            lock.take()
            lock.release()
    finally:
        stop.set()
        asker.join()
