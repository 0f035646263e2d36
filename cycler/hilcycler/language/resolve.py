"""Values as written, resolved with the cell: areal, specific and C-rate quantities to SI."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import assert_never

from hilcycler import quantities
from hilcycler.cell import Cell, Electrode
from hilcycler.language import models
from hilcycler.language.faults import Fault, Where
from hilcycler.language.words import Goal, Span, Written
from hilcycler.protocol import Envelope
from hilcycler.quantities import AMPERE_HOUR, Ampere, Amplitude, Coulomb, CRate, Quantity
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    End,
    Sampling,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)

_FINEST = 1e-6
_LONGEST = 60.0
"""Between two samples that are spread by decades, unless the file says otherwise: silence must mean trouble."""
_NEEDS = {
    "area": "area of the cell, such as 'area: 1.131 cm2'",
    "active mass": "active mass of the working electrode, such as 'active mass: 12.3 mg'",
    "nominal capacity": "nominal capacity of the cell, such as 'nominal capacity: 2.04 mAh'",
}


@dataclass(slots=True)
class Resolver:
    """Resolves with `cell` and collects what is wrong. What the cell lacks counts as 1, for the time being."""

    cell: Cell
    faults: list[Fault] = field(default_factory=list)
    _missed: set[str] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether the cell has had all that was asked of it."""
        return not self._missed

    def fault(self, where: Where, message: str) -> None:
        """Remember what is wrong."""
        self.faults.append(Fault(where, message))

    def ampere(self, written: Written) -> Ampere:
        """A current: absolute, per area, per active mass, or a C-rate."""
        match written.value:
            case CRate():
                return (
                    written.value.per_hour
                    * self._need(self.cell.nominal_capacity, "nominal capacity", written)
                    / AMPERE_HOUR
                )
            case _:
                return self._scaled(written)

    def coulomb(self, written: Written) -> Coulomb:
        """A charge: absolute, per area, per active mass, or a share of the nominal capacity."""
        return self._scaled(written)

    def envelope(self, safety: models.Safety | None) -> Envelope:
        """The limits of a file; what it does not name is without limit."""
        if safety is None:
            return Envelope()
        open_ended = Envelope()
        return Envelope(
            voltage=self._span(safety.voltage, open_ended.voltage),
            current=self._span(safety.current, open_ended.current),
            charge=self.coulomb(safety.charge) if safety.charge else math.inf,
            temperature=self._span(safety.temperature, open_ended.temperature),
        )

    def sampling(self, record: models.Record | None, default: models.Record | None) -> Sampling:
        """The step's own `record`, key by key in place of the file's.

        Where the step wants points by the decade, an `every` of the file is not the step's.
        """
        chosen = [key for key in (record, default) if key is not None]

        def first(name: str) -> Written | None:
            return next((value for key in chosen if (value := getattr(key, name)) is not None), None)

        plain = Sampling()
        by_decade = next((key for key in chosen if key.points_per_decade is not None), None)
        every, decide = first("every"), first("decide_every")
        if by_decade is not None and by_decade is record:
            every = record.every
        moved, current = first("voltage_change"), first("current_change")
        period = every.si if every else _LONGEST if by_decade else plain.every
        assert period is not None
        if decide is not None and decide.si > period:
            self.fault(decide.where, f"'{decide}' is longer than the recording period; expected at most that")
        for written in (every, decide):
            if written is not None and written.si < _FINEST:
                self.fault(written.where, f"'{written}' is too short; expected at least 1 us")
        return Sampling(
            decide=decide.si if decide else min(plain.decide, period),
            every=period,
            voltage_change=moved.si if moved else None,
            current_change=self.ampere(current) if current else None,
            points_per_decade=by_decade.points_per_decade if by_decade else None,
        )

    def ends(self, until: models.Until | None, after: Written | None = None) -> tuple[End, ...]:
        """Those that leave the usual course first: where two are met at one sample, they win."""
        ends = [End(TimeReached(after.si))] if after else []
        if until is not None:
            ends += [End(self.condition(goal), goal.then) for goal in until.goals]
            for group in until.all_of:
                if len(group.goals) < 2:
                    self.fault(group.where, "'all of' needs at least two conditions")
                ends.append(End(AllOf(tuple(self.condition(goal) for goal in group.goals)), group.then))
        return tuple(sorted(ends, key=lambda end: end.then == "next"))

    def condition(self, goal: Goal) -> Condition:
        """One condition in SI."""
        window = goal.window.si if goal.window else None
        match goal.kind:
            case "time":
                return TimeReached(goal.value.si)
            case "charge":
                return ChargeReached(self.coulomb(goal.value))
            case "voltage above":
                return VoltageAbove(goal.value.si)
            case "voltage below":
                return VoltageBelow(goal.value.si)
            case "current above":
                return CurrentAbove(self.ampere(goal.value))
            case "current below":
                return CurrentBelow(self.ampere(goal.value))
            case "voltage settled":
                rate = _per_second(goal, quantities.VOLTAGE)
                return VoltageSettled(rate, window) if window else VoltageSettled(rate)
            case "current settled":
                rate = _per_second(goal, quantities.RATIO)
                return CurrentSettled(rate, window) if window else CurrentSettled(rate)
            case "temperature settled":
                assert window is not None
                return TemperatureSettled(goal.value.si, window)
            case _:
                assert_never(goal.kind)

    def rms(self, written: Written) -> float:
        """An amplitude in V or A rms."""
        assert isinstance(written.value, Amplitude)
        scale = 1.0
        if written.value.dimension == quantities.AREAL_CURRENT:
            scale = self._need(self.cell.area, "area", written)
        return written.value.rms * scale

    def _span(self, span: Span | None, otherwise: tuple[float, float]) -> tuple[float, float]:
        if span is None:
            return otherwise
        low = self._scaled_or_rate(span.low) if span.low else otherwise[0]
        high = self._scaled_or_rate(span.high) if span.high else otherwise[1]
        if not low < high and self.complete:
            self.fault(span.where, f"'{span}' is empty; expected the lower value first")
        return low, high

    def _scaled_or_rate(self, written: Written) -> float:
        return self.ampere(written) if isinstance(written.value, CRate) else self._scaled(written)

    def _scaled(self, written: Written) -> float:
        assert isinstance(written.value, Quantity)
        match written.value.dimension:
            case quantities.AREAL_CURRENT | quantities.AREAL_CHARGE:
                return written.si * self._need(self.cell.area, "area", written)
            case quantities.SPECIFIC_CURRENT | quantities.SPECIFIC_CHARGE:
                return written.si * self._need(self.cell.working.active_mass, "active mass", written)
            case quantities.RATIO:
                return written.si * self._need(self.cell.nominal_capacity, "nominal capacity", written)
            case _:
                return written.si

    def _need(self, value: float | None, what: str, written: Written) -> float:
        """`value`, or one fault, at the first place that needs it."""
        if value is not None:
            return value
        if what not in self._missed:
            self._missed.add(what)
            self.fault(written.where, f"'{written}' needs the {_NEEDS[what]}")
        return 1.0


def cell_of(model: models.CellModel, resolver: Resolver) -> Cell:
    """The cell that a file describes. Its nominal capacity may be per area or per active mass."""
    nominal = model.nominal_capacity
    bare = Cell(
        name=model.name or f"{model.working.material}||{model.counter.material}",
        working=_electrode(model.working),
        counter=_electrode(model.counter),
        reference=_electrode(model.reference) if model.reference else None,
        area=model.area.si if model.area else None,
        separator_thickness=model.separator_thickness.si if model.separator_thickness else None,
        electrolyte=model.electrolyte or "",
        notes=model.notes or {},
    )
    resolver.cell = bare
    if nominal is None:
        return bare
    return replace(bare, nominal_capacity=resolver.coulomb(nominal))


def _electrode(model: models.ElectrodeModel) -> Electrode:
    return Electrode(
        material=model.material,
        area=model.area.si if model.area else None,
        active_mass=model.active_mass.si if model.active_mass else None,
    )


def _per_second(goal: Goal, change: quantities.Dimension) -> float:
    """A rate as it is, a change divided by the window it is taken over."""
    assert isinstance(goal.value.value, Quantity)
    if goal.value.value.dimension != change:
        return goal.value.si
    assert goal.window is not None
    return goal.value.si / goal.window.si
