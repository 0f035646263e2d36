"""Twins: simulated instruments with a simulated cell, found by entry points (`hilcycler.twins`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel
from hilcycler.links import Link
from hilcycler.records import Instrument


@dataclass(frozen=True, slots=True)
class TwinRequest:
    """Which twin: `model` of the family (such as es4_hr), cell profile, seed and speed.

    `pace` is simulated seconds per second; None: as fast as the machine can.
    """

    model: str
    cell: str
    seed: int = 1
    pace: float | None = None


class Twin(Protocol):
    """One simulated instrument with one cell on it.

    It lives as long as the object does, whoever connects; it has one physical port, so a second
    connection takes the place of the first.
    """

    @property
    def cell(self) -> Cell:
        """The description that a person would write on the cell's label."""
        ...

    @property
    def truth(self) -> dict[str, Any]:
        """What the simulated cell really is: for judging evaluations, never seen by them."""
        ...

    async def connect(self) -> Link:
        """A memory link to the instrument."""
        ...

    def listen(self, where: str) -> AbstractAsyncContextManager[str]:
        """Serve on `pty` or `tcp://HOST:PORT` (port 0: any); yields the address to connect to."""
        ...


class TwinFamily(Protocol):
    """What an entry point of `hilcycler.twins` names."""

    @property
    def driver(self) -> str:
        """The driver that talks to it."""
        ...

    @property
    def models(self) -> Sequence[str]:
        """The models it can be, the usual one first."""
        ...

    def make(self, request: TwinRequest) -> Twin:
        """A fresh instrument with a fresh cell; RequestError for an unknown model or cell."""
        ...

    def direct(self, request: TwinRequest, capabilities: Capabilities, instrument: Instrument) -> Channel:
        """A fresh cell straight on a channel, without bytes, for preflight; errors as in `make`.

        `capabilities` and `instrument` are what the driver found of a twin that was made.
        """
        ...


class CellCatalogue(Protocol):
    """What an entry point of `hilcycler.cells` names: profiles of simulated cells."""

    def names(self) -> Sequence[str]:
        """All profiles, such as `li-li/bn-pp`."""
        ...

    def describe(self, name: str) -> dict[str, Any]:
        """One profile, or the file of one: description, sources, truth; RequestError if there is none."""
        ...

    def headlines(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        """What was published of these profiles, or of all if none is named, and what the cells show.

        Each row has profile, quantity, published, twin, tolerance, verdict (met, missed, cannot hold),
        reason and where. The cells are cycled for it, as the papers cycled theirs.
        """
        ...


def published(cell: str) -> list[str]:
    """What is published of the cell that a profile stands for, in the profile's words."""
    from hilcycler import registry

    for catalogue in registry.cells():
        if cell in catalogue.names():
            return [str(each) for each in catalogue.describe(cell).get("published", ())]
    return []
