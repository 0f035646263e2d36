"""How far one numbered stream of a run (its rows, or its events) has come: sent, and proven stored.

The newest goes first: what a connection finds on its beginning is backfill, what comes afterwards is
live. Only the lab's watermark proves anything; where it stays behind for too long, all from there on is
backfill once more. Positions are all there is to remember: the data stay in the run file.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from hilcycler.quantities import Second

PATIENCE: Final = 3.0
LONGEST_PATIENCE: Final = 60.0


@dataclass(slots=True)
class Cursor:
    """`acked`: everything before it is proven stored. `proven`: watermarks are what proves.

    Without watermarks `acked` is what the broker has taken, which proves nothing.
    """

    acked: int = 0
    proven: bool = True
    patience: Second = PATIENCE
    old: int = field(init=False, default=0)  # next to be sent of the backfill, which ends at `border`
    border: int = field(init=False, default=0)
    new: int = field(init=False, default=0)  # next to be sent of what is live
    _way: deque[int] = field(init=False, default_factory=deque)  # ends of backfill messages on their way
    _since: Second | None = field(
        init=False, default=None
    )  # when a watermark moved, or waiting for one began
    _waits: Second = field(init=False, default=0.0)

    def begin(self, there: int) -> None:
        """A new connection; `there` are there."""
        self.acked = min(self.acked, there)
        self.old, self.border, self.new = self.acked, there, there
        self._way.clear()
        self._since, self._waits = None, self.patience

    @property
    def backfill(self) -> tuple[int, int]:
        """From where to where backfill has to be sent."""
        return min(self.old, self.border), self.border

    @property
    def on_its_way(self) -> int:
        """Messages of backfill that no watermark covers yet."""
        return len(self._way)

    def sent_old(self, stop: int) -> None:
        """The broker has taken backfill up to `stop`."""
        self.old = stop
        self._way.append(stop)
        self._taken()

    def sent_new(self, stop: int) -> None:
        """The broker has taken what is live up to `stop`."""
        self.new = stop
        self._taken()

    def ack(self, mark: int, there: int, now: Second) -> None:
        """The lab has stored everything before `mark`; `there` are there.

        A lower mark than before means that the lab has lost something: it is sent again.
        """
        mark = min(mark, there)
        if mark < self.acked:
            self.old, self.border = mark, self.new
            self._way.clear()
        elif mark > self.acked:
            self._waits, self._since = self.patience, now
        self.acked = mark
        self.old, self.border, self.new = (max(each, mark) for each in (self.old, self.border, self.new))
        while self._way and self._way[0] <= mark:
            self._way.popleft()

    def stalled(self, now: Second) -> bool:
        """Whether something on its way has to be taken for lost; if so it is backfill from here on.

        To be asked regularly. While backfill waits for its turn nothing can be said of what is live.
        """
        waiting = bool(self._way) or (self.old >= self.border and self.acked < self.new)
        if not self.proven or not waiting:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since < self._waits:
            return False
        if self.acked >= self.border:
            self.border = self.new
        self.old = self.acked
        self._way.clear()
        self._since, self._waits = now, min(2.0 * self._waits, LONGEST_PATIENCE)
        return True

    def done(self, there: int) -> bool:
        """Whether all that is there is proven stored (without watermarks: was taken)."""
        return self.acked >= there

    def _taken(self) -> None:
        """Without watermarks nothing else is known."""
        if not self.proven:
            self._way.clear()
            if self.old >= self.border:
                self.acked = self.new
