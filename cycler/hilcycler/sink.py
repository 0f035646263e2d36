"""Whoever consumes the records of a run."""

from __future__ import annotations

from typing import Protocol

from hilcycler.records import Record


class Sink(Protocol):
    """A consumer of records, in the order in which they happened.

    The engine writes ahead: what announces that an output goes on is durable before it does. What
    announces that an output went off is written after it did.
    """

    def put(self, record: Record) -> None:
        """Take one record. Never waits. Raises JournalError if this sink can no longer keep its word."""
        ...

    async def commit(self) -> None:
        """Return when everything put so far is kept as this sink promises (for the journal: on disk)."""
        ...


class Fanout:
    """Several sinks behind one; each sees every record, and `commit` waits for all of them."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)

    def add(self, sink: Sink) -> None:
        """One more, for the records from now on."""
        self._sinks.append(sink)

    def put(self, record: Record) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.put(record)

    async def commit(self) -> None:
        """See Sink."""
        for sink in self._sinks:
            await sink.commit()
