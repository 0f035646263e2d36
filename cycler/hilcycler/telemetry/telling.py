"""One run that is being told: what of it has been said, and what the lab has confirmed."""

from __future__ import annotations

from hilcycler.journal import State
from hilcycler.quantities import Second
from hilcycler.telemetry import messages
from hilcycler.telemetry.cursor import Cursor
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.findings import Findings
from hilcycler.telemetry.messages import Data, Latest
from hilcycler.telemetry.proven import Proven


class Telling:
    """One run that is being told."""

    def __init__(self, feed: RunFeed, proven: Proven, *, acks: bool, results: bool, patience: Second) -> None:
        self.feed = feed
        self.rows = Cursor(proven.rows, acks, patience)
        self.events = Cursor(proven.events, acks, patience)
        self.findings = Findings(feed, proven.results, acks) if results else None
        self.standing: messages.State | None = None
        self.newest: Data | None = None
        self.latest: Latest | None = None
        self.told_latest: Second = float("-inf")
        self.born: Second = 0.0
        self.greeted = False

    def begin(self, now: Second) -> None:
        """A new connection: everything is told again but rows, events and findings."""
        self.feed.refresh()
        self.rows.begin(self.feed.rows)
        self.events.begin(self.feed.events)
        self.standing = self.latest = None
        self.told_latest = float("-inf")
        self.born, self.greeted = now, False

    @property
    def over(self) -> bool:
        """The run has ended, and the lab has all of it."""
        ended = self.feed.state in {State.ENDED, State.SEALED}
        told = self.rows.done(self.feed.rows) and self.events.done(self.feed.events)
        return ended and told and (self.findings is None or self.findings.done)

    def proven(self) -> Proven:
        findings = 0 if self.findings is None else self.findings.acked
        return Proven(self.rows.acked, self.events.acked, findings, self.over)
