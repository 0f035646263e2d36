"""What people ask of a run while it goes on: kept here, acted upon by `Execution` where it is safe."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from hilcycler.clock import Stamp
from hilcycler.engine.asked import Boundary, By, Doing, limits
from hilcycler.errors import RequestError
from hilcycler.protocol import Envelope, Extensions
from hilcycler.records import OperatorAction
from hilcycler.sink import Sink


class Requests:
    """The requests to one run. Each is accepted or refused (RequestError) at once; `until` says when it acted.

    `count` is how many have been accepted since the run began: who saw another count saw another run.
    `envelope` are the limits in force; `listener` is told when the run does something else.
    """

    def __init__(
        self,
        envelope: Envelope,
        sink: Sink,
        extensions: Extensions | None,
        at_boundary: OperatorAction | None,
        count: int,
    ) -> None:
        self.envelope = envelope
        self._sink, self._extensions = sink, extensions
        self.doing = Doing.STARTING
        self.listener: Callable[[], None] = lambda: None
        self.count = count
        self._changed = asyncio.Event()
        self._proceed = asyncio.Event()
        self._task: asyncio.Task[object] | None = None
        self._may_interrupt = False
        self._leaving = False
        self._stop: OperatorAction | None = None
        self._pausing: OperatorAction | None = None
        self._skipping: OperatorAction | None = None
        self._at_boundary = at_boundary

    @property
    @abstractmethod
    def step_count(self) -> int:
        """Of the step that is under way, or was last."""

    @abstractmethod
    def _stamp(self) -> Stamp: ...

    @property
    def pending(self) -> OperatorAction | None:
        """A pause or stop that waits for its boundary."""
        return self._at_boundary

    async def until(self, *doing: Doing) -> Doing:
        """Wait until the run is doing one of these, or over."""
        while self.doing not in {*doing, Doing.OVER}:
            await self._changed.wait()
        return self.doing

    # --- what takes current away ------------------------------------------------------------

    def stop(self, actor: str, reason: str, after: Boundary = Boundary.NOW, key: str = "") -> None:
        """End the run: the output goes off, then the file says who asked and why."""
        if self._stop is not None:
            return
        action = self._action("stop", By(actor, reason, key), after=after)
        if after is not Boundary.NOW:
            self._at_boundary = action
            self._accept(action)
            return
        self._stop = action
        self.count += 1
        if self._task is not None:
            self._task.cancel()

    def pause(self, by: By, after: Boundary = Boundary.NOW) -> None:
        """Switch off and wait for `resume`: at once, in the middle of a step, or after the end of something."""
        if self.doing in {Doing.PARKED, Doing.OVER} or self._stop is not None:
            raise RequestError(f"the run is {self.doing.value}; it cannot be paused")
        action = self._action("pause", by, after=after)
        if after is not Boundary.NOW:
            self._at_boundary = action
            self._accept(action)
            return
        self._pausing = self._pausing or action
        self.count += 1
        self._interrupt()

    def leave(self) -> None:
        """Let go without switching off: for an instrument that ends its step by itself; see LeftRunning."""
        self._leaving = True
        if self._task is not None:
            self._task.cancel()

    # --- what may bring current back --------------------------------------------------------

    def resume(self, by: By) -> None:
        """Go on from a pause, of a person's or of the protocol's."""
        if self.doing not in {Doing.PARKED, Doing.WAITING}:
            raise RequestError(f"the run is {self.doing.value}; there is nothing to resume")
        if self._proceed.is_set():
            raise RequestError("the run is going on already")
        self._accept(self._action("resume" if self.doing is Doing.PARKED else "proceed", by))
        self._proceed.set()

    def proceed(self, actor: str) -> None:
        """Go on from the protocol's own pause, now or when it comes."""
        self._accept(self._action("proceed", By(actor)))
        self._proceed.set()

    def skip(self, by: By, step_count: int) -> None:
        """End the step `step_count` here and go on with the next."""
        if self.doing is not Doing.RUNNING or self.step_count != step_count or not self._may_interrupt:
            raise RequestError(f"step {step_count} is not running; the run is at step {self.step_count}")
        if self._skipping is not None or self._pausing is not None:
            raise RequestError(f"step {step_count} is being ended already")
        self._skipping = self._action("skip-step", by)
        self.count += 1
        self._interrupt()

    def extend(self, by: By, cycles: int) -> None:
        """Add `cycles` to the repeat that is running; it is acted upon at its end."""
        if self._extensions is None:
            raise RequestError("this protocol decides for itself; it has no repeat to extend")
        if self.doing is Doing.OVER or self._stop is not None:
            raise RequestError("the run is over")
        cycle = self._extensions.add(cycles)
        self._accept(self._action("extend", by, cycle=str(cycle), cycles=str(cycles)))

    def tighten(self, by: By, envelope: Envelope) -> None:
        """Judge by tighter limits from now on; the instrument is given them with the next step."""
        if self.doing is Doing.OVER:
            raise RequestError("the run is over")
        self.envelope = self.envelope.intersect(envelope)
        self._accept(self._action("limits", by, **limits(self.envelope, self.step_count)))

    # --- within -----------------------------------------------------------------------------

    @property
    def _boundary(self) -> Boundary:
        """The one that a pause or stop waits for."""
        return Boundary.NOW if self._at_boundary is None else Boundary(self._at_boundary.detail["after"])

    @property
    def _to_be_interrupted(self) -> bool:
        """Whether the step under way is to end here, but not the run."""
        asked = self._pausing is not None or self._skipping is not None
        return asked and self._stop is None and not self._leaving

    def _action(self, verb: str, by: By, **detail: str) -> OperatorAction:
        return OperatorAction(by.actor, verb, by.reason, self._stamp(), by.detail(**detail))

    def _accept(self, action: OperatorAction) -> None:
        self._sink.put(action)
        self.count += 1

    def _interrupt(self) -> None:
        if self._may_interrupt and self._task is not None:
            self._may_interrupt = False  # once is enough
            self._task.cancel()

    def _set(self, doing: Doing) -> None:
        self.doing = doing
        self._changed.set()
        self._changed = asyncio.Event()
        self.listener()
