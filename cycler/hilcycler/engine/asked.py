"""What people may ask of a run while it goes on, and how a file says that they did.

Everything asked is an OperatorAction in the run's own file, so that a restart replays it: `replayed`.
Verbs: `pause`, `stop`, `skip-step`, `extend`, `limits`, `resume`; and `parked`, the moment when the output
was off and nothing went on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter

from hilcycler.errors import JournalError
from hilcycler.protocol import Envelope
from hilcycler.records import OperatorAction
from hilcycler.steps import Step

PARKED: Final = "parked"
_ENVELOPE: Final[TypeAdapter[Envelope]] = TypeAdapter(Envelope)


class Doing(StrEnum):
    """What a run is doing, as far as people may act on it."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting for a person"
    PARKED = "parked"
    OVER = "over"


class Boundary(StrEnum):
    """When a pause or a stop acts: at once, or after the end of something."""

    NOW = "now"
    STEP = "step"
    CYCLE = "cycle"
    PLATE = "plate"
    STRIP = "strip"
    CHARGE = "charge"
    DISCHARGE = "discharge"

    def after(self, step: Step) -> bool:
        """Whether the end of `step` is such a boundary; the end of a cycle is not known from a step."""
        process = getattr(step, "process", None)
        return self is Boundary.STEP or (process is not None and self.value == process.value)


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, and why. `key`: by which the same request, sent twice, is known."""

    actor: str
    reason: str = ""
    key: str = ""

    def detail(self, **more: str) -> dict[str, str]:
        """For the record of it."""
        return {**({"key": self.key} if self.key else {}), **more}


def limits(envelope: Envelope, step_count: int) -> dict[str, str]:
    """How tighter limits are written down: for steps that start after `step_count`."""
    # JSON has no word for infinity, and an envelope without limits is full of it: numbers as text.
    pairs = {name: list(map(str, getattr(envelope, name))) for name in ("voltage", "current", "temperature")}
    text = json.dumps({**pairs, "charge": str(envelope.charge)})
    return {"envelope": text, "step": str(step_count)}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was asked of a run before its process ended, and still holds.

    `parked`: nothing goes on until somebody says so. `stopped`: the run was to end, and its process ended
    first. `at_boundary`: a pause or stop that has not acted yet. `extensions` as for `protocol.Extensions`. `limits`: each with the step that was running.
    `count`: how many requests there were. `keys`: theirs.
    """

    parked: OperatorAction | None = None
    stopped: OperatorAction | None = None
    at_boundary: OperatorAction | None = None
    extensions: tuple[tuple[int, int], ...] = ()
    limits: tuple[tuple[int, Envelope], ...] = ()
    count: int = 0
    keys: dict[str, OperatorAction] = field(default_factory=dict)

    def envelope(self, header: Envelope, before_step: int | None = None) -> Envelope:
        """`header`'s, as tight as people have made it; `before_step`: as that step was started with."""
        for step, tighter in self.limits:
            if before_step is None or step < before_step:
                header = header.intersect(tighter)
        return header


def replayed(actions: Iterable[OperatorAction]) -> Replayed:
    """What `actions`, in the order of the file, leave to be done. JournalError if they make no sense."""
    parked = stopped = at_boundary = None
    extensions: list[tuple[int, int]] = []
    tighter: list[tuple[int, Envelope]] = []
    keys: dict[str, OperatorAction] = {}
    count = 0
    try:
        for action in actions:
            count += action.verb != PARKED
            if "key" in action.detail:
                keys[action.detail["key"]] = action
            match action.verb:
                case "pause" | "stop" if action.detail.get("after", Boundary.NOW) != Boundary.NOW:
                    at_boundary = action
                case "stop":
                    stopped = action
                case "parked":
                    parked, at_boundary = action, None
                case "resume":
                    parked = at_boundary = None
                case "extend":
                    extensions.append((int(action.detail["cycle"]), int(action.detail["cycles"])))
                case "limits":
                    envelope = _ENVELOPE.validate_json(action.detail["envelope"])
                    tighter.append((int(action.detail["step"]), envelope))
                case _:
                    pass
    except (KeyError, ValueError) as error:
        raise JournalError(f"what was asked of the run cannot be understood: {error}") from error
    return Replayed(parked, stopped, at_boundary, tuple(extensions), tuple(tighter), count, keys)
