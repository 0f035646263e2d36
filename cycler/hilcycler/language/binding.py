"""From the tree that was written to the tree that will be done.

Every fault is collected with its place, so that a file is corrected once, not fault by fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from hilcycler.cell import Cell
from hilcycler.language import models
from hilcycler.language.course import longest, outside, too_large
from hilcycler.language.faults import Fault, Where
from hilcycler.language.models import Item
from hilcycler.language.resolve import Resolver
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, ends_of, with_ends
from hilcycler.steps import (
    NEXT,
    STOP,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Process,
    Rest,
    Sampling,
    SetTemperature,
    Step,
)

_NEGATIVE: Final = frozenset({Process.PLATE, Process.DISCHARGE})
_FREQUENCIES: Final = (1e-6, 1e8)


def bind(file: models.ProtocolFile, name: str, cell: Cell) -> tuple[Protocol, list[Fault]]:
    """The protocol for `cell`; it means nothing if there are faults."""
    resolver = Resolver(cell)
    safety = resolver.envelope(file.safety)
    body = _Tree(resolver, file.record, safety).nodes(file.steps or (), _Scope())
    protocol = Protocol(name=name, body=body, safety=safety, description=file.description or "")
    if not resolver.faults and (why := too_large(protocol)):
        resolver.fault(Where(key="steps"), why)
    return protocol, resolver.faults


class _Scope:
    """What is around a node: names that may be left, common ends, passes of the nearest repeat."""

    def __init__(
        self,
        names: tuple[str, ...] = (),
        common: tuple[End, ...] = (),
        passes: int = 0,
        *,
        inserted: bool = False,
    ) -> None:
        self.names = names
        self.common = common
        self.passes = passes
        self.inserted = inserted

    def inside(self, name: str, ends: tuple[End, ...], passes: int | None = None) -> _Scope:
        names = (*self.names, name) if name else self.names
        common = (*ends, *self.common)
        return _Scope(names, common, self.passes if passes is None else passes, inserted=self.inserted)


class _Tree:
    """Walks the items of one file."""

    def __init__(self, resolver: Resolver, record: models.Record | None, safety: Envelope) -> None:
        self._resolve = resolver
        self._record = record
        self._safety = safety

    def nodes(self, items: Iterable[Item], scope: _Scope) -> tuple[Node, ...]:
        return tuple(self._node(item, scope) for item in items)

    def _node(self, item: Item, scope: _Scope) -> Node:
        if item.steps is None:
            return self._step(item, scope)
        ends = self._resolve.ends(item.until)
        name = (item.name if item.repeat else item.group) or ""
        self._check_name(name, item.where, scope)
        inner = scope.inside(name, ends, item.repeat)
        self._check_targets(ends, item.where, inner)
        if item.repeat is not None:
            body = self.nodes(item.steps, inner)
            return Repeat(item.repeat, (Group(body, ends),) if ends else body, name)
        if item.group is not None:
            return Group(self.nodes(item.steps, inner), ends, name)
        self._check_insert(item, scope)
        inner.inserted = True
        body = self.nodes(item.steps, inner)
        return Insert((Group(body, ends),) if ends else body, item.every or 0, item.in_cycles or ())

    def _step(self, item: Item, scope: _Scope) -> Step:
        step = self._made(item)
        own = ends_of(step)
        self._check_targets(own, item.where, scope)
        whole = with_ends(step, scope.common)
        if not math.isfinite(longest(whole)):
            self._resolve.fault(item.where, _endless(whole, item.kind))
        if self._resolve.complete and (why := outside(step, self._safety)) is not None:
            self._resolve.fault(item.where, f"'{item.kind}': {why}")
        return step

    def _made(self, item: Item) -> Step:
        match item:
            case Item(rest=models.Rest() as rest):
                return Rest(self._ends(rest), self._sampling(rest), rest.name or "")
            case Item(plate=models.Driven() as driven):
                return self._driven(driven, Process.PLATE)
            case Item(strip=models.Driven() as driven):
                return self._driven(driven, Process.STRIP)
            case Item(charge=models.Driven() as driven):
                return self._driven(driven, Process.CHARGE)
            case Item(discharge=models.Driven() as driven):
                return self._driven(driven, Process.DISCHARGE)
            case Item(constant_current=models.SignedCurrentStep() as driven):
                return self._driven(driven, None)
            case Item(constant_voltage=models.Hold() as hold):
                return ConstantVoltage(
                    voltage=hold.voltage.si,
                    ends=self._ends(hold),
                    sampling=self._sampling(hold),
                    versus_open_circuit=hold.versus is not None,
                    process=Process(hold.process) if hold.process else None,
                    name=hold.name or "",
                )
            case Item(temperature=models.Chamber() as chamber):
                ends, sampling = self._ends(chamber), self._sampling(chamber)
                return SetTemperature(chamber.to.si, ends, sampling, chamber.name or "")
            case Item(pause=models.Pause() as pause):
                return OperatorPause(pause.message, pause.name or "")
            case _:
                return self._small_signal(item)

    def _small_signal(self, item: Item) -> Step:
        """Spectra and sweeps: steps that run a course of their own."""
        match item:
            case Item(peis=models.Peis() as peis):
                highest, lowest = self._frequencies(peis)
                return PotentiostaticImpedance(
                    amplitude=self._resolve.rms(peis.amplitude),
                    highest=highest,
                    lowest=lowest,
                    points_per_decade=peis.points_per_decade,
                    bias=peis.bias.si if peis.bias else None,
                    periods=peis.periods,
                    drift_check=peis.drift_check,
                    name=peis.name or "",
                )
            case Item(geis=models.Geis() as geis):
                highest, lowest = self._frequencies(geis)
                return GalvanostaticImpedance(
                    amplitude=self._resolve.rms(geis.amplitude),
                    highest=highest,
                    lowest=lowest,
                    points_per_decade=geis.points_per_decade,
                    bias=self._resolve.ampere(geis.bias) if geis.bias else 0.0,
                    periods=geis.periods,
                    drift_check=geis.drift_check,
                    name=geis.name or "",
                )
            case Item(linear_sweep=models.Sweep() as sweep):
                return LinearSweep(
                    start=sweep.from_.si,
                    stop=sweep.to.si,
                    rate=sweep.rate.si,
                    step=sweep.step.si if sweep.step else 1e-3,
                    versus_open_circuit=sweep.versus is not None,
                    ends=self._resolve.ends(sweep.until),
                    name=sweep.name or "",
                )
            case Item(cyclic_voltammetry=models.Voltammetry() as scan):
                return CyclicVoltammetry(
                    start=scan.start.si,
                    first_vertex=scan.first_vertex.si,
                    second_vertex=scan.second_vertex.si,
                    rate=scan.rate.si,
                    step=scan.step.si if scan.step else 1e-3,
                    scans=scan.scans,
                    versus_open_circuit=scan.versus is not None,
                    ends=self._resolve.ends(scan.until),
                    name=scan.name or "",
                )
            case _:
                raise AssertionError(f"an item that is nothing: {item.kind}")

    def _driven(
        self, driven: models.Driven | models.SignedCurrentStep, process: Process | None
    ) -> ConstantCurrent | ConstantCurrentConstantVoltage:
        current = self._resolve.ampere(driven.current) * (-1.0 if process in _NEGATIVE else 1.0)
        ends, sampling, name = self._ends(driven), self._sampling(driven), driven.name or ""
        if driven.hold_at is None:
            return ConstantCurrent(current, ends, sampling, process, name)
        return ConstantCurrentConstantVoltage(current, driven.hold_at.si, ends, sampling, process, name)

    def _ends(self, step: models.Timed) -> tuple[End, ...]:
        return self._resolve.ends(step.until, step.for_)

    def _sampling(self, step: models.Timed) -> Sampling:
        return self._resolve.sampling(step.record, self._record)

    def _frequencies(self, spectrum: models.Peis | models.Geis) -> tuple[float, float]:
        highest, lowest = spectrum.from_, spectrum.to
        for written in (highest, lowest):
            if not _FREQUENCIES[0] <= written.si <= _FREQUENCIES[1]:
                self._resolve.fault(
                    written.where, f"'{written}' is no frequency for a cell; expected 1 uHz to 100 MHz"
                )
                return 1.0, 1.0
        if highest.si < lowest.si:
            self._resolve.fault(
                highest.where, f"'{highest}' is below '{lowest}'; expected the highest frequency first"
            )
        return highest.si, lowest.si

    def _check_name(self, name: str, where: Where, scope: _Scope) -> None:
        if name in {NEXT, STOP}:
            self._resolve.fault(where, f"'{name}' has a meaning of its own; expected another name")
        elif name in scope.names:
            self._resolve.fault(
                where, f"'{name}' is also the name of what is around it; expected another name"
            )

    def _check_targets(self, ends: tuple[End, ...], where: Where, scope: _Scope) -> None:
        known = (NEXT, STOP, *scope.names)
        for end in ends:
            if end.then not in known:
                close = get_close_matches(end.then, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ";"
                self._resolve.fault(
                    where, f"nothing around it is named '{end.then}'{hint} expected {' or '.join(known)}"
                )

    def _check_insert(self, item: Item, scope: _Scope) -> None:
        if scope.passes == 0:
            self._resolve.fault(item.where, f"'{item.kind}' stands in no repeat; expected a repeat around it")
        elif scope.inserted:
            self._resolve.fault(
                item.where, f"'{item.kind}' stands in another insert; expected them side by side"
            )
        elif (latest := max(item.in_cycles or (0,))) > scope.passes:
            self._resolve.fault(
                item.where, f"'{item.kind}' names cycle {latest}, but the repeat has {scope.passes}"
            )


def _endless(step: Step, kind: str) -> str:
    wanted = "a time or a charge" if isinstance(step, ConstantCurrent) else "a time"
    return f"'{kind}' could last for ever: no condition is certain to be met; expected {wanted}, such as 'for: 24 h'"
