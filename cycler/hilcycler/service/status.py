"""What the service says of itself: one model for the API, the command line and the screen."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from pydantic import BaseModel

from hilcycler.language import describe_step
from hilcycler.service.keeper import Keeper


class Waiting(BaseModel):
    """A run in the queue of a channel."""

    run: str
    actor: str
    reason: str
    utc: float


class ChannelStatus(BaseModel):
    """One channel now. SI units; `state` and `revision` are what commands are compared with.

    `state` is what its run is doing, or how the channel is without one; `pending` a pause or stop that
    waits for its boundary; `gaps` how many there are in the run since this service began.
    """

    channel: str
    state: str
    condition: str
    held: bool = False
    failure: str = ""
    latched: str = ""
    simulated: bool = False
    run: str = ""
    protocol: str = ""
    cell: str = ""
    instrument: str = ""
    if_this_computer_dies: str = ""
    planned_steps: int | None = None
    step: int = 0
    step_index: int = 0
    step_kind: str = ""
    doing: str = ""
    cycle: int = 0
    test_time: float = 0.0
    voltage: float | None = None
    current: float | None = None
    rows: int = 0
    gaps: int = 0
    revision: int = 0
    pending: str = ""
    remark: str = ""
    queue: list[Waiting] = []


class BenchStatus(BaseModel):
    """The whole bench. `entry`: number of the next entry of the bench's chain."""

    bench: str
    site: str
    data: str
    version: str
    reconciled: bool
    entry: int
    channels: list[ChannelStatus]


def of_channel(keeper: Keeper) -> ChannelStatus:
    """What `keeper` is at."""
    latch = keeper.latched
    status = ChannelStatus(
        channel=keeper.name,
        state=keeper.state,
        condition=keeper.condition.value,
        held=keeper.held,
        failure=keeper.failure,
        latched="" if latch is None else f"run {latch.run}: {latch.violation}",
        simulated=keeper.at.simulated is not None,
        queue=[
            Waiting(run=each.run, actor=each.actor, reason=each.reason, utc=each.utc)
            for each in keeper.waiting
        ],
    )
    return status if keeper.ready is None else status.model_copy(update=_of_the_run(keeper))


def _of_the_run(keeper: Keeper) -> Mapping[str, object]:
    ready, now = keeper.ready, keeper.now
    assert ready is not None
    header, execution, step = ready.header, ready.execution, now.step
    pending = execution.pending
    return {
        "run": header.run,
        "protocol": header.protocol_name,
        "cell": header.cell.name,
        "instrument": f"{header.instrument.model} {header.instrument.serial}".strip(),
        "if_this_computer_dies": execution.channel.capabilities.host_death.in_words,
        "planned_steps": header.planned_steps,
        "step": execution.step_count,
        "step_index": 0 if step is None else step.step_index,
        "step_kind": "" if step is None else step.step.kind,
        "doing": "" if step is None else describe_step(step.step),
        "cycle": now.cycle,
        "test_time": now.test_time,
        "voltage": _number(now.voltage),
        "current": _number(now.current),
        "rows": ready.journal.rows,
        "gaps": now.gaps,
        "revision": execution.count,
        "pending": "" if pending is None else f"{pending.verb} after {pending.detail.get('after', '')}",
        "remark": now.remark,
    }


def _number(value: float | None) -> float | None:
    """JSON has no NaN; what is not a number is not shown as one."""
    return value if value is not None and isfinite(value) else None
