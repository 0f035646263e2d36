"""Whether what is in a run file is a beginning of what was put into it, and holds all that was promised."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from journal_children import endless, the_end

from hilcycler.journal import Journal, Settings, Verdict, open_run, verify
from hilcycler.records import Record, SampleBlock, to_json


def check_prefix(path: Path, seed: int, promised: tuple[int, int]) -> int:
    """The run at `path` is a beginning of the endless run `seed` that holds `promised` samples and events.

    Returns how many of its records are there in full. Everything is checked to the last bit.
    """
    run = open_run(path)
    links = list(run.links())
    columns = run.columns()
    assert run.rows == len(columns["test_time"])
    assert (run.rows, len(links)) >= promised
    assert run.rows >= promised[0]
    if links and links[-1].kind == "run-ended":
        ended = links.pop()
        assert (ended.rows, ended.record) == (run.rows, to_json(the_end(run.rows)))
    rows = taken = 0
    for taken, record in enumerate(endless(seed)):  # noqa: B007
        if isinstance(record, SampleBlock):
            if rows + len(record) > run.rows:
                break
            _check_samples(record, {name: column[rows:] for name, column in columns.items()})
            rows += len(record)
        else:
            if not links:
                break
            link = links.pop(0)
            assert (link.rows, link.record) == (rows, to_json(record))
    assert rows == run.rows, "samples beyond the last whole record"
    assert not links, "events beyond the last one that was put"
    return taken


def finish(path: Path, seed: int, taken: int, more: int = 20) -> None:
    """Go on with the run at `path` where it was cut off, end it, and find it whole."""

    async def write(records: Iterable[Record]) -> None:
        async with Journal.reopen(path, Settings(inline=True, inline_rows=50)) as journal:
            for record in records:
                journal.put(record)
            journal.put(the_end(journal.rows))

    asyncio.run(write(islice(endless(seed), taken, taken + more)))
    assert verify(path).verdict is Verdict.WHOLE
    check_prefix(path, seed, (0, 0))


def _check_samples(record: SampleBlock, found: dict[str, np.ndarray]) -> None:
    for name, column in record.columns.items():
        assert column.astype(found[name].dtype).tobytes() == found[name][: len(record)].tobytes(), name
    for name in ("step_count", "step_index", "cycle"):
        assert (found[name][: len(record)] == getattr(record, name)).all(), name
