"""Where people's commands arrive: judged, carried out once, written into the bench's chain, answered.

A command names the run that it means and what whoever sent it had seen of it; if that is no longer so it
is refused (compare and set). What takes current away is only asked for the run. A command carries a key
of its own: sent twice, it is done once and answered alike. Every command is audited, the refused ones too:
what takes current away after it is done, a start before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from hilcycler.bench_state import Asked, Latched, Queued
from hilcycler.clock import wall_clock
from hilcycler.engine import Boundary, By, Doing
from hilcycler.errors import CyclerError, RequestError
from hilcycler.journal import new_run_id
from hilcycler.protocol import Envelope
from hilcycler.quantities import Second
from hilcycler.records import OffState
from hilcycler.service.apart import apart
from hilcycler.service.books import QUEUED, Answered, Books
from hilcycler.service.keeper import Condition, Keeper
from hilcycler.service.order import check_steps
from hilcycler.service.request import RunRequest, bound, cell_of, plain
from hilcycler.service.running import Ready

PATIENCE: Final[Second] = 60.0
"""How long an answer waits for what was asked to be done."""

Word = Annotated[str, Field(max_length=200)]


class Verb(StrEnum):
    """Everything that can be asked for. All of them need the control socket."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    SKIP = "skip"
    SAFE = "safe"
    EXTEND = "extend"
    LIMITS = "limits"
    DROP = "drop"
    RESET = "reset"

    @property
    def de_energises(self) -> bool:
        """Whether it only takes current away: then it waits for no disk, and for nobody's second look."""
        return self in {Verb.PAUSE, Verb.STOP, Verb.SAFE}


class Command(BaseModel):
    """What somebody asks of one channel.

    `run`: the id of the run that is meant; `state`, `revision` and `step` as `status` showed them. `after`:
    when a pause or a stop acts. `key`: the request's own, so that it is never done twice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    actor: Word = ""
    reason: Word = ""
    key: Annotated[str, Field(min_length=8, max_length=64)]
    run: Word = ""
    state: Word = ""
    revision: int | None = None
    step: int | None = None
    after: Boundary = Boundary.NOW
    cycles: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    limits: Envelope | None = None
    request: RunRequest | None = None


class Answer(BaseModel):
    """What became of a command. `done` False: it was refused, and nothing was changed."""

    done: bool
    answer: str
    channel: str
    run: str = ""


class Desk:
    """Carries out commands on the channels of a bench."""

    def __init__(self, keepers: Mapping[str, Keeper], books: Books) -> None:
        self._keepers, self._books = keepers, books
        self._in_hand: dict[str, asyncio.Future[Answer]] = {}

    async def safe_all(self, actor: str, reason: str, key: str) -> list[Answer]:
        """Every output off, at once; nothing begins until somebody says so."""
        asked = [
            self.ask(name, Verb.SAFE, Command(actor=actor, reason=reason, key=f"{key}.{at}"), actor)
            for at, name in enumerate(self._keepers)
        ]
        return list(await asyncio.gather(*asked))

    async def ask(self, channel: str, verb: Verb, command: Command, actor: str) -> Answer:
        """Carry out `command` for `actor`, once; RequestError only if there is no such channel."""
        keeper = self._keepers.get(channel)
        if keeper is None:
            raise RequestError(f"no channel {channel!r}; there are: {', '.join(self._keepers)}")
        known = self._books.answered.get(command.key)
        if known is not None:
            return _again(known, channel, verb)
        if command.key in self._in_hand:
            return await asyncio.shield(self._in_hand[command.key])
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._in_hand[command.key] = future
        try:
            answer = await self._carried_out(keeper, verb, command, actor)
        except BaseException as error:
            future.set_exception(error if isinstance(error, Exception) else RequestError("cut off"))
            future.exception()  # whoever sent the same may never come to ask
            raise
        else:
            future.set_result(answer)
        finally:
            del self._in_hand[command.key]
        return answer

    async def _carried_out(self, keeper: Keeper, verb: Verb, command: Command, actor: str) -> Answer:
        seen = keeper.state
        meant = command.run or keeper.run
        try:
            if verb is Verb.START:
                return await self._start(keeper, command, actor)
            text = await self._do(keeper, verb, command, By(actor, command.reason, command.key))
            answer = Answer(done=True, answer=text, channel=keeper.name, run=meant)
        except CyclerError as refused:
            answer = Answer(done=False, answer=str(refused), channel=keeper.name, run=meant)
        await self._audit(verb, command, actor, seen, answer)
        return answer

    async def _audit(self, verb: Verb, command: Command, actor: str, seen: str, answer: Answer) -> None:
        asked = command.model_dump(mode="json", include={"after", "cycles", "limits", "revision", "step"})
        await self._books.append(
            Asked(
                channel=answer.channel,
                verb=verb.value,
                actor=actor,
                reason=command.reason,
                key=command.key,
                run=answer.run,
                expected=command.state,
                done=answer.done,
                answer=answer.answer,
                utc=wall_clock(),
                detail={
                    "state": seen,
                    **{name: str(each) for name, each in asked.items() if each is not None},
                },
            )
        )

    # --- starting ---------------------------------------------------------------------------

    async def _start(self, keeper: Keeper, command: Command, actor: str) -> Answer:
        """Into the queue: that it is durable there is the effect."""
        run = new_run_id()
        try:
            request = await self._judged(keeper, command)
        except CyclerError as refused:
            answer = Answer(done=False, answer=str(refused), channel=keeper.name)
            await self._audit(Verb.START, command, actor, keeper.state, answer)
            return answer
        queued = Queued(keeper.name, run, actor, command.reason, command.key, request, wall_clock())
        await self._books.append(queued)
        keeper.wake()
        return Answer(done=True, answer=QUEUED, channel=keeper.name, run=run)

    async def _judged(self, keeper: Keeper, command: Command) -> dict[str, object]:
        if command.request is None:
            raise RequestError("start: expected what is to be run")
        if command.state and command.state != keeper.state:
            raise RequestError(f"{keeper.name} is {keeper.state}, not {command.state}")
        _refuse_latched(keeper.latched)
        if keeper.condition is Condition.BROKEN:
            raise RequestError(f"{keeper.name} is broken: {keeper.failure}")
        asked = command.request
        instruments = keeper.instruments

        def read() -> dict[str, object]:
            cell = cell_of(asked, instruments)
            bound(asked, cell)
            return {**asked.model_dump(mode="json"), "cell": plain(cell)}

        return await apart(read, inline=self._books.inline)

    # --- the rest ---------------------------------------------------------------------------

    async def _do(self, keeper: Keeper, verb: Verb, command: Command, by: By) -> str:
        match verb:
            case Verb.SAFE:
                return await self._safe(keeper, command, by)
            case Verb.RESET:
                await apart(
                    lambda: self._books.state.reset(keeper.name, by.actor, by.reason),
                    inline=self._books.inline,
                )
                await self._books.refresh()
                keeper.wake()
                return "released"
            case Verb.DROP:
                return await self._drop(keeper, command)
            case Verb.RESUME if keeper.ready is None:
                if not keeper.held:
                    raise RequestError(f"{keeper.name} is {keeper.state}; there is nothing to resume")
                keeper.hold(held=False)
                return "the queue goes on"
            case _:
                return await self._of_the_run(keeper, verb, command, by)

    async def _safe(self, keeper: Keeper, command: Command, by: By) -> str:
        if command.run and command.run != keeper.run:
            raise RequestError(f"run {command.run} is not on {keeper.name}")
        off = await keeper.make_safe(by)
        if off is not OffState.OFF:
            raise RequestError(f"{keeper.name}: output {off.value.upper()}")
        return "output OFF; nothing begins here until: resume"

    async def _drop(self, keeper: Keeper, command: Command) -> str:
        if command.run not in {each.run for each in keeper.waiting}:
            raise RequestError(f"run {command.run!r} does not wait on {keeper.name}")
        await self._books.over(keeper.name, command.run, "dropped", command.reason)
        return "taken out of the queue"

    async def _of_the_run(self, keeper: Keeper, verb: Verb, command: Command, by: By) -> str:
        ready = keeper.ready
        if ready is None:
            raise RequestError(f"no run is on {keeper.name}; it is {keeper.state}")
        self._compare(keeper, ready, verb, command)
        execution = ready.execution
        match verb:
            case Verb.PAUSE:
                execution.pause(by, command.after)
                return await _until(ready, Doing.PARKED, command.after)
            case Verb.STOP:
                execution.stop(by.actor, by.reason, command.after, by.key)
                return await _until(ready, Doing.OVER, command.after)
            case Verb.RESUME:
                execution.resume(by)
                keeper.hold(held=False)
                return "going on"
            case Verb.SKIP:
                step = execution.step_count
                execution.skip(by, step if command.step is None else command.step)
                return f"step {step} is ended"
            case Verb.EXTEND:
                execution.extend(by, command.cycles or 0)
                return f"{command.cycles} cycles more"
            case _:
                if command.limits is None:
                    raise RequestError("limits: expected the tighter limits")
                tighter = execution.envelope.intersect(command.limits)
                check_steps(ready.order.protocol.body, execution.channel, tighter)
                execution.tighten(by, command.limits)
                return "judged by from now on; the instrument is given them with the next step"

    def _compare(self, keeper: Keeper, ready: Ready, verb: Verb, command: Command) -> None:
        """RequestError if whoever asked has not seen the run as it is."""
        if command.run != keeper.run:
            raise RequestError(f"run {command.run or 'unnamed'} is not on {keeper.name}; {keeper.run} is")
        if verb.de_energises:
            return
        execution = ready.execution
        for what, expected, found in (
            ("state", command.state or None, keeper.state),
            ("revision", command.revision, execution.count),
            ("step", command.step, execution.step_count),
        ):
            if expected is not None and expected != found:
                raise RequestError(f"stale: {what} is {found} by now, not {expected}; look again")
        if not command.state or (verb is Verb.SKIP and command.step is None):
            raise RequestError(f"{verb.value}: expected the state (and for skip the step) that was seen")


def _refuse_latched(latch: Latched | None) -> None:
    if latch is not None:
        raise RequestError(
            f"channel {latch.channel} is latched by a trip in run {latch.run} ({latch.violation}); "
            f"look at the cell, then: cycler reset {latch.channel} --actor NAME --reason TEXT"
        )


async def _until(ready: Ready, doing: Doing, after: Boundary) -> str:
    """Wait until it has been done; what is then so."""
    if after is not Boundary.NOW:
        return f"will be {doing.value} after the end of the next {after.value}"
    try:
        async with asyncio.timeout(PATIENCE):
            found = await ready.execution.until(doing)
    except TimeoutError:
        raise RequestError(f"asked for, but not done within {PATIENCE:g} s") from None
    if found is Doing.OVER and doing is not Doing.OVER:
        raise RequestError("the run ended meanwhile")
    return f"{found.value}, output OFF" if found is Doing.PARKED else "over"


def _again(known: Answered, channel: str, verb: Verb) -> Answer:
    """The answer to a request that was made before. RequestError if it was another one."""
    if (known.channel, known.verb) != (channel, verb.value):
        raise RequestError("this key belongs to another request")
    return Answer(done=known.done, answer=known.answer, channel=channel, run=known.run)
