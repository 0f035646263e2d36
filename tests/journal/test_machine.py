"""Any history of a run file: append, commit, crash, tear, recover, seal, read.

A model of what was put and what was acknowledged stands beside the real file after every rule.
HILCYCLER_HISTORIES=10000 for the full count.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import in_memory
from run_stories import RUN, count

from hilcycler.clock import Stamp
from hilcycler.journal import DiskPolicy, Journal, Settings, State, Verdict, open_run, verify
from hilcycler.journal.bench import example_header, example_samples
from hilcycler.journal.names import run_path
from hilcycler.records import Note, OffState, Outcome, Record, RunEnded, SampleBlock, to_json

SECTOR = 512


class RunFileMachine(RuleBasedStateMachine):
    """One run, from one folder to the next: a crash leaves the old one behind, as a dead process does."""

    @initialize(inline_rows=st.sampled_from((1, 40, 300, 5000)), fold_every=st.sampled_from((1, 3, 256)))
    def begin(self, inline_rows: int, fold_every: int) -> None:
        self.root = Path(tempfile.mkdtemp(dir=in_memory()))
        self.settings = Settings(
            inline=True, inline_rows=inline_rows, disk=DiskPolicy(reserve=0, fold_every=fold_every)
        )
        self.folders = 0
        self.folder = self.root / "0"
        self.put_so_far: list[Record] = []
        self.ended = False
        self.open(Journal.create(self.folder, RUN, self.settings))
        self.put(example_header(RUN))

    def open(self, journal: Journal) -> None:
        self.journal: Journal | None = now(journal.__aenter__())
        self.rows = self.journal.rows

    @property
    def acknowledged(self) -> int:
        """Records on disk: those put and not waiting in the journal."""
        assert self.journal is not None
        return len(self.put_so_far) - len(self.journal._pending) - len(self.journal._unwritten)

    def put(self, record: Record) -> None:
        assert self.journal is not None
        self.put_so_far.append(record)
        self.journal.put(record)
        self.rows += len(record) if isinstance(record, SampleBlock) else 0

    # --- what an engine does ----------------------------------------------------------------

    @precondition(lambda self: self.journal and not self.ended)
    @rule(rows=st.sampled_from((1, 2, 30, 300, 3000)), step=st.integers(1, 4), warm=st.booleans())
    def samples(self, rows: int, step: int, warm: bool) -> None:
        columns = dict(example_samples(self.rows, rows).columns)
        if warm:
            columns["temperature"] = np.full(rows, 298.15, np.float32)
        self.put(SampleBlock(self.rows, step, 1, 0, columns))

    @precondition(lambda self: self.journal and not self.ended)
    @rule(words=st.text(max_size=30))
    def note(self, words: str) -> None:
        self.put(Note(words, Stamp(float(self.rows), float(self.rows))))

    @precondition(lambda self: self.journal)
    @rule()
    def commit(self) -> None:
        assert self.journal is not None
        self.journal._flush()
        assert self.acknowledged == len(self.put_so_far)

    @precondition(lambda self: self.journal and not self.ended)
    @rule()
    def end(self) -> None:
        self.put(RunEnded(Outcome.COMPLETED, "", OffState.OFF, Stamp(0.0, 0.0)))
        self.ended = True

    # --- what befalls it --------------------------------------------------------------------

    @precondition(lambda self: self.journal)
    @rule()
    def leave(self) -> None:
        assert self.journal is not None
        now(self.journal.__aexit__(None, None, None))
        self.journal = None

    @precondition(lambda self: self.journal)
    @rule()
    def crash(self) -> None:
        """The process dies: what it gave to the kernel is there."""
        acknowledged = self.acknowledged
        files = self.files()
        self.die(files, acknowledged, acknowledged)

    @precondition(lambda self: self.journal)
    @rule(seed=st.integers(0, 2**32))
    def tear(self, seed: int) -> None:
        """The power goes while a commit is written: any sectors of it may be there."""
        assert self.journal is not None
        acknowledged, before = self.acknowledged, self.files()
        fold, self.journal._store.look_after = self.journal._store.look_after, lambda: None  # type: ignore[method-assign]
        self.journal._flush()
        self.journal._store.look_after = fold  # type: ignore[method-assign]
        chance = random.Random(seed)
        torn = {
            name: torn_between(before.get(name, b""), after, chance) for name, after in self.files().items()
        }
        self.die(torn, acknowledged, len(self.put_so_far))

    def files(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in self.folder.glob("*.run.sqlite*")
            if not path.name.endswith("-shm")
        }

    def die(self, files: dict[str, bytes], at_least: int, at_most: int) -> None:
        assert self.journal is not None
        self.journal._store.abandon()
        self.journal = None
        self.folders += 1
        self.folder = self.root / str(self.folders)
        self.folder.mkdir()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        run = open_run(self.path)
        records = [
            length
            for length in range(at_least, at_most + 1)
            if extent(self.put_so_far[:length]) == (run.rows, run.event_count)
        ]
        assert records, "neither what was acknowledged, nor that and what was being written"
        self.put_so_far = self.put_so_far[: records[-1]]
        self.ended = run.ended is not None
        assert run.state in {State.INTERRUPTED, State.ENDED}

    @precondition(lambda self: not self.journal and not self.ended)
    @rule()
    def recover(self) -> None:
        self.open(Journal.reopen(self.path, self.settings))

    # --- what must hold ---------------------------------------------------------------------

    @property
    def path(self) -> Path:
        return run_path(self.folder, RUN)

    @invariant()
    def what_is_read_is_what_was_put(self) -> None:
        if not hasattr(self, "journal"):
            return
        there = self.put_so_far[: self.acknowledged] if self.journal else self.put_so_far
        run = open_run(self.path)
        assert (run.rows, run.event_count) == extent(there)
        assert [link.record for link in run.links()] == [
            to_json(record) for record in there if not isinstance(record, SampleBlock)
        ]
        columns = run.columns()
        blocks = [record for record in there if isinstance(record, SampleBlock)]
        for name in ("test_time", "voltage"):
            put = b"".join(block.columns[name].tobytes() for block in blocks)
            assert columns[name].tobytes() == put
        steps = [block.step_count for block in blocks for _ in range(len(block))]
        assert columns["step_count"].tolist() == steps

    @precondition(lambda self: bool(getattr(self, "put_so_far", ())))
    @rule(low=st.floats(-10, 5000), length=st.floats(0, 1000))
    def a_window_holds_what_lies_in_it(self, low: float, length: float) -> None:
        run = open_run(self.path)
        time = run.columns(("test_time",))["test_time"]
        window = run.columns(("test_time",), low, low + length)["test_time"]
        assert window.tobytes() == time[(time >= low) & (time <= low + length)].tobytes()

    @rule()
    def the_verdict_is_right(self) -> None:
        verdict = verify(self.path)
        sealed = self.ended and not self.journal and open_run(self.path).state is State.SEALED
        assert verdict.verdict is (Verdict.WHOLE if sealed else Verdict.OPEN), verdict

    def teardown(self) -> None:
        if hasattr(self, "root"):
            if self.journal:
                self.journal._store.abandon()
            shutil.rmtree(self.root)


def extent(records: list[Record]) -> tuple[int, int]:
    """Samples and events among `records`."""
    rows = sum(len(record) for record in records if isinstance(record, SampleBlock))
    return rows, sum(not isinstance(record, SampleBlock) for record in records)


def torn_between(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """`before`, with some of the sectors in which `after` differs, in any combination."""
    content = bytearray(before)
    for start in range(0, len(after), SECTOR):
        new = after[start : start + SECTOR]
        if new != before[start : start + SECTOR] and chance.random() < 0.5:
            content.extend(bytes(max(0, start + len(new) - len(content))))
            content[start : start + len(new)] = new
    return bytes(content)


def now(work: Coroutine[Any, Any, Any]) -> Any:
    """The outcome of what never waits: an inline journal has no need of a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


RunFileMachine.TestCase.settings = settings(
    max_examples=count("HILCYCLER_HISTORIES", 12),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRunFile = RunFileMachine.TestCase
