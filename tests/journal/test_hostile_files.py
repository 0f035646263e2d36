"""Files whose checksums are right and whose content nobody of ours has written: typed errors, no harm."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_stories import RUN, story, tell

from hilcycler.errors import CyclerError
from hilcycler.journal import blocks, chain, open_run, resume_state, salvage, seal, verify
from hilcycler.journal.blocks import Keys
from hilcycler.journal.file import RunFile
from hilcycler.journal.names import run_path
from hilcycler.journal.proof import Segment
from hilcycler.journal.runs import summary

KINDS = ("run-started", "step-started", "step-ended", "impedance-point", "tripped", "run-ended", "x")
USES: tuple[Callable[[Path], object], ...] = (
    lambda path: open_run(path).columns(),
    lambda path: open_run(path).columns(t0=1.0, t1=2.0),
    lambda path: open_run(path).events(),
    lambda path: open_run(path).steps(),
    lambda path: open_run(path).spectra(),
    lambda path: open_run(path).cycles(),
    lambda path: open_run(path).event_table(),
    lambda path: open_run(path).since(1, 1),
    resume_state,
    salvage,
    verify,
    summary,
    seal,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "kind",
                    "step",
                    "step_count",
                    "test_time",
                    "result",
                    "stamp",
                    "utc",
                    "ends",
                    "condition",
                    "end",
                )
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


def forge(path: Path, events: list[tuple[str, str]], block: bytes, keys: Keys) -> None:
    path.touch()
    RunFile.create(path, Segment(RUN, 1, 0, 0, chain.START)).close()
    head = chain.START
    with sqlite3.connect(path) as database:
        for number, (kind, record) in enumerate(events):
            link = chain.link(head, number, 0, kind, record)
            head = link.hash
            database.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", link)
        crc = blocks.checksum(keys, block)
        database.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)", (*keys, crc, block))
        counts = (keys.sequence + keys.rows, len(events), head)
        crc = chain.counts_checksum(*counts)
        database.execute("INSERT INTO checkpoint VALUES (1, ?, ?, ?, ?)", (*counts, crc))
    database.close()


def use_it(path: Path) -> None:
    for use in USES:
        with contextlib.suppress(CyclerError):
            use(path)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), JSON.map(json.dumps) | st.text(max_size=20)), max_size=6),
    st.binary(max_size=60),
    st.builds(
        Keys,
        st.sampled_from((0, 0, 0, 5, 2**40, -1)),
        st.sampled_from((1, 3, 0, -1, 65_536, 2**40)),
        *[st.sampled_from((0.0, 1e300, -1e300, float("inf")))] * 3,
    ),
)
def test_nothing_but_our_own_errors(events: list[tuple[str, str]], block: bytes, keys: Keys) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = run_path(Path(folder), RUN)
        forge(path, events, block, keys)
        use_it(path)


@pytest.mark.parametrize(
    "record", ["[" * 100_000, '{"step": ' * 50_000, "{}", "null", '{"kind": "step-started", "step": 1e999}']
)
def test_records_that_are_no_events(tmp_path: Path, record: str) -> None:
    for kind in KINDS:
        path = run_path(tmp_path, f"{RUN}-{KINDS.index(kind)}")
        forge(path, [(kind, record), (kind, record)], b"", Keys(0, 1, 0.0, 0.0, 0.0))
        use_it(path)


def test_a_view_in_the_place_of_a_table_is_not_looked_at(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:-1])
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE block")
        database.execute(f"CREATE VIEW block(sequence) AS {forever}")
    database.close()
    for use in USES:
        assert "the tables are not those of format 1" in answer(use, path)


def answer(use: Callable[[Path], object], path: Path) -> str:
    try:
        return str(use(path))
    except CyclerError as error:
        return str(error)
