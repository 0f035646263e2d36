"""How each kind of published number is measured: a protocol for the wire, and an evaluation of its run.

Long lives are shortened: the cell spends the hours before the stated one on itself, by the
simulation's own exact steps, and arrives aged; the last cycles go through driver, wire, simulated
instrument and journal. Every number says what it did. With `whole` nothing is shortened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hilcycler.errors import RequestError
from hilcycler.journal import Run
from hilcycler_protocols.evaluation.cell_activation import activation_energies
from hilcycler_protocols.evaluation.cell_capacity import CellCapacity
from hilcycler_protocols.evaluation.cell_efficiency import CellEfficiency
from hilcycler_protocols.evaluation.cell_impedance import CellImpedance
from hilcycler_protocols.evaluation.cell_lifetime import CellLifetime
from hilcycler_protocols.evaluation.cycling import Discharge, Reference, retention
from hilcycler_protocols.evaluation.lifetime import Criteria, Sign, lifetime
from hilcycler_protocols.evaluation.overpotential import Definition, Overpotentials, quoted
from hilcycler_protocols.evaluation.results import Result
from hilcycler_simulators.cells import procedures, targets
from hilcycler_simulators.reproduce.bench import Bench, evaluated
from hilcycler_simulators.reproduce.findings import Measured

_HOUR: Final = 3600.0
_LAST: Final = 10
"""Cycles of a shortened life that go through the wire."""
_SAMPLES: Final = 40  # a half-cycle
_POLARISED: Final = 2.2  # V: a half-cycle that needs more ends the run
_RUNAWAY: Final = 4.8  # V: where a short is waited for, the polarisation before it is let go on
_ROOM: Final = 1.2  # V from there to the safety limits: a cell that dries out jumps
_EDGE: Final = 3  # cycles at each end of a shortened life of a full cell
_BETWEEN: Final = 12  # stretches of so many cycles of which a mean over a long life is made
_CELSIUS: Final = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)


def measure(target: targets.Target, bench: Bench) -> Iterator[Measured]:
    """The numbers of `target`, in its order, on the fresh cell of `bench`."""
    match target:
        case targets.Overpotential():
            yield _overpotential(target, bench)
        case targets.Outlives():
            yield _outlives(target, bench)
        case targets.Short():
            yield _short(target, bench)
        case targets.Onset():
            yield _onset(target, bench)
        case targets.Transference():
            yield _of(
                evaluated(bench.run(_TRANSFERENCE), "transference")[0].summary(),
                1.0,
                "EIS 200 kHz to 10 mHz, 10 mV sampled every 1 s, EIS",
            )
        case targets.ConductivityTarget():
            yield _of(
                evaluated(bench.run(_CONDUCTIVITY), "conductivity")[0].summary(),
                10.0,
                "EIS 200 kHz to 100 Hz",
                exact=True,
            )
        case targets.ActivationEnergy():
            yield _activation(target, bench)
        case targets.ExchangeCurrent():
            yield _exchange_current(target, bench)
        case targets.Interface():
            yield _interface(target, bench)
        case targets.Efficiency():
            yield _efficiency(target, bench)
        case targets.ReservoirEfficiency():
            found = evaluated(bench.run(_RESERVOIR), "reservoir-efficiency")[0].summary()
            yield _of(
                found,
                100.0,
                "sampled every 10 s, reservoir 4 mAh/cm2, ten cycles of 1 mAh/cm2, cut-off judged every 1 s",
            )
        case targets.Nucleation():
            yield _nucleation(target, bench)
        case targets.Capacity() | targets.Retention() | targets.MeanEfficiency():
            yield _full(target, bench)
        case targets.RateCapacity():
            yield from _rates(target, bench)
        case _:
            raise RequestError(f"nobody has said how {type(target).__name__} is measured")


def tolerance(target: targets.Target) -> float | None:
    """Absolute tolerance of the quantities that have one of their own, in the unit of the target."""
    match target:
        case targets.Short() | targets.Onset():
            return max(target.charge / target.current / _HOUR, 0.02 * target.value / _HOUR)
        case targets.Retention():
            return 0.5
        case _:
            return None


def _of(found: object, factor: float, how: str, *, exact: bool = False) -> Measured:
    """The first result of a summary; `exact` leaves its interval out: the rule is one of per cent."""
    results = list(found)  # type: ignore[call-overload]
    if not results:
        raise RequestError("the evaluation refused a number")
    return _number(results[0], factor, how, exact=exact)


def _number(result: Result, factor: float, how: str, *, exact: bool = False) -> Measured:
    interval = None
    if result.interval is not None and not exact:
        interval = (result.interval[0] * factor, result.interval[1] * factor)
    flags = "".join(f"; {flag.code}" for flag in result.flags)
    return Measured(result.value * factor, how + flags, interval)


# Symmetric cells


def _cycles(current: float, charge: float, cycles: int, limit: float) -> tuple[str, float]:
    """Plating and stripping, and the sampling interval."""
    every = max(charge / current / _SAMPLES, 1.0)
    density, amount = f"{current / 10.0:.9g} mA/cm2", f"{charge / 3.6e4:.9g} mAh/cm2"
    text = f"""
protocol: plating and stripping
safety: {{voltage: -{limit + _ROOM:g} V to {limit + _ROOM:g} V}}
record: {{every: {every:.6g} s}}
steps:
  - repeat: {cycles}
    name: cycling
    steps:
      - plate: {{current: {density}, until: {{charge: {amount}, voltage: below -{limit:g} V -> stop}}}}
      - strip: {{current: {density}, until: {{charge: {amount}, voltage: above {limit:g} V -> stop}}}}
"""
    return text, every


def _aged(target: targets.Symmetric, bench: Bench, hours: float, last: int) -> tuple[int, float]:
    """Age the cell of `bench` to `last` cycles before `hours`; the cycles that are left, hours passed."""
    half = target.charge / target.current / _HOUR
    total = max(2, math.floor(hours / half + 1e-9))
    left = total if bench.whole else min(total, 2 * last)
    before = total - left - (total - left) % 2
    if before:
        procedures.cycle_symmetric(bench.cell, target.current, target.charge, before * half)
    return max((total - before) // 2, 1), before * half


def _how(every: float, cycles: int, aged: float) -> str:
    before = f"; the {aged:g} h before passed on the simulated cell alone" if aged else ""
    return f"sampled every {every:g} s, {cycles} cycles through the wire{before}"


def _levels(run: Run) -> Overpotentials:
    found, _ = evaluated(run, "overpotential")
    assert isinstance(found, Overpotentials)
    return found


def _overpotential(target: targets.Overpotential, bench: Bench) -> Measured:
    cycles, aged = _aged(target, bench, target.after / _HOUR, _LAST)
    text, every = _cycles(target.current, target.charge, cycles, _POLARISED)
    result = quoted(_levels(bench.run(text)).summary(1))
    return Measured(result.value * 1e3, f"{result.formula}; {_how(every, cycles, aged)}")


def _watched(run: Run) -> CellLifetime:
    found, _ = evaluated(run, "lifetime")
    assert isinstance(found, CellLifetime)
    return found


def _outlives(target: targets.Outlives, bench: Bench) -> Measured:
    half = target.charge / target.current / _HOUR
    cycles, aged = _aged(target, bench, target.value / _HOUR + 2.0 * half, _LAST)
    text, every = _cycles(target.current, target.charge, cycles, _POLARISED)
    result = _watched(bench.run(text)).verdict.alive
    alive = "still alive" if result.has("lower-bound") else "failed"
    return Measured(aged + result.value / _HOUR, f"{alive}; {_how(every, cycles, aged)}")


def _short(target: targets.Short, bench: Bench) -> Measured:
    """The first half-cycle whose level has fallen for good.

    A cell that polarises beyond what the potentiostat can drive passes those cycles on itself.
    """
    half = target.charge / target.current / _HOUR
    cycles, aged = _aged(target, bench, target.value / _HOUR + 8.0 * half, _LAST)
    text, every = _cycles(target.current, target.charge, cycles, _RUNAWAY)
    run = bench.run(text)
    marked = list(_watched(run).marked)
    how = _how(every, cycles, aged)
    if len(marked) < 2 * cycles:
        beyond = _alone(target, bench, half)
        how += f"; {beyond:g} h beyond {_RUNAWAY:g} V on the simulated cell alone"
        since = run.last_test_time + beyond * _HOUR
        text, _ = _cycles(target.current, target.charge, 4, _RUNAWAY)
        marked += [replace(each, ends=since + each.ends) for each in _watched(bench.run(text)).marked]
    verdict = lifetime(marked, Criteria(polarisation=math.inf, most=math.inf))
    shorts = {Sign.DROP, Sign.LEVEL, Sign.HARD}
    if verdict.half_cycle is None or not shorts.intersection(verdict.signs):
        raise RequestError("no short was seen")
    return Measured(aged + marked[verdict.half_cycle].ends / _HOUR, f"short; {how}")


def _alone(target: targets.Short, bench: Bench, half: float) -> float:
    """Hours of cycles on the simulated cell alone until it can be driven again."""
    passed = 0.0
    while passed < target.value / _HOUR:
        cycled = procedures.cycle_symmetric(bench.cell, target.current, target.charge, 2.0 * half)
        passed += 2.0 * half
        if cycled.voltage[-1] < _RUNAWAY:
            return passed
    raise RequestError(f"the cell never came back below {_RUNAWAY:g} V")


def _onset(target: targets.Onset, bench: Bench) -> Measured:
    """The first half-cycle 10 % above the level of half the hour."""
    hours, half = target.value / _HOUR, target.charge / target.current / _HOUR
    cycles, aged = _aged(target, bench, 0.5 * hours, 2)
    text, _ = _cycles(target.current, target.charge, cycles, _POLARISED)
    reference = quoted(_levels(bench.run(text)).summary(1)).value
    passed = aged + 2.0 * cycles * half
    skipped = 0 if bench.whole else 2 * math.floor((0.9 * hours - passed) / half / 2.0)
    if skipped > 0:
        procedures.cycle_symmetric(bench.cell, target.current, target.charge, skipped * half)
        passed += skipped * half
    left = math.ceil((1.3 * hours - passed) / half / 2.0)
    text, every = _cycles(target.current, target.charge, left, _POLARISED)
    for at, cycle in enumerate(_levels(bench.run(text)).cycles):
        for number, level in enumerate((cycle.plated, cycle.stripped)):
            if level.levels[Definition.CENTRAL].magnitude > 1.1 * reference:
                return Measured(passed + (2 * at + number + 1) * half, _how(every, left, passed))
    raise RequestError("the polarisation did not rise")


# Spectra

_TRANSFERENCE: Final = """
protocol: transference number
experiment: bruce-vincent
with:
  bias: 10 mV
  at most: 6000 s
  rest before: 10 min
  spectrum: {from: 200 kHz, to: 10 mHz}
"""

_CONDUCTIVITY: Final = """
protocol: conductivity
experiment: conductivity
with: {leads: no, repeats: 1, rest before: 1 min, from: 200 kHz}
"""

_SPECTRUM: Final = """
protocol: spectrum
safety: {voltage: -1 V to 5 V}
record: {every: 60 s}
steps:
  - rest: %s
  - peis: {amplitude: 5 mV rms, from: 200 kHz, to: %s}
"""


def _fitted(run: Run) -> CellImpedance:
    found, _ = evaluated(run, "impedance")
    assert isinstance(found, CellImpedance)
    if not found.fits:
        raise RequestError(f"no fit: {'; '.join(found.refused.values())}")
    return found


def _activation(target: targets.ActivationEnergy, bench: Bench) -> Measured:
    spectra = []
    for celsius in _CELSIUS:
        bench.cell.temperature = 273.15 + celsius
        fits = _fitted(bench.run(_SPECTRUM % ("2 h", "100 mHz"))).fits
        spectra.append((273.15 + celsius, fits[max(fits)]))
    found, refused = activation_energies(spectra)
    for result in found:
        if target.of in result.name or target.of in str(result.inputs):
            how = f"ln(1/R) at {len(spectra)} temperatures (the cell's own set; no chamber on the wire), EIS 200 kHz to 0.1 Hz"
            return _number(result, 1e-3, how, exact=True)
    raise RequestError("; ".join(refused) or f"no energy of {target.of}")


def _exchange_current(target: targets.ExchangeCurrent, bench: Bench) -> Measured:
    procedures.cycle_symmetric(bench.cell, 10.0, 3.6e4, target.after / _HOUR)
    found, _ = evaluated(bench.run(_SPECTRUM % ("10 h", "10 mHz")), "exchange-current")
    how = f"RT/(F R_ct) of each of two electrodes, EIS 200 kHz to 10 mHz after {target.after / _HOUR:g} h of cycling on the simulated cell alone"
    return _of(found.summary(), 0.1, how, exact=True)


def _interface(target: targets.Interface, bench: Bench) -> Measured:
    """Of a full cell down to 0.1 Hz only: below, the cathode's diffusion says nothing of the arcs."""
    if target.cycle:
        procedures.cycle_full(bench.cell, target.window, [1.0] * target.cycle)
    full = bench.cell.label.nominal_capacity is not None
    lowest = "100 mHz" if full else "10 mHz"
    fits = _fitted(bench.run(_SPECTRUM % ("10 min", lowest))).fits
    fitted = fits[max(fits)]
    value = sum(fitted[part].value for part in target.of.split(" + "))
    aged = f" after {target.cycle} cycles on the simulated cell alone" if target.cycle else ""
    return Measured(value, f"EIS 200 kHz to {lowest}{aged}")


# Copper


def _efficiency(target: targets.Efficiency, bench: Bench) -> Measured:
    last = target.cycle if bench.whole else min(target.over, target.cycle)
    before = target.cycle - last
    if before:
        procedures.plating_efficiencies(bench.cell, target.current, target.charge, target.cutoff, before)
    every = target.charge / target.current / _SAMPLES
    density, charge = f"{target.current / 10.0:.9g} mA/cm2", f"{target.charge / 3.6e4:.9g} mAh/cm2"
    text = f"""
protocol: Coulombic efficiency
safety: {{voltage: -1 V to 6 V}}
record: {{every: {every:.6g} s}}
steps:
  - repeat: {last}
    name: cycling
    steps:
      - plate: {{current: {density}, until: {{charge: {charge}, voltage: below -0.5 V -> stop}}}}
      - strip: {{current: {density}, until: {{voltage: above {target.cutoff:g} V, charge: {1.2 * target.charge / 3.6e4:.9g} mAh/cm2}}}}
"""
    found, _ = evaluated(bench.run(text), "coulombic-efficiency")
    assert isinstance(found, CellEfficiency)
    mean = found.over(found.cycles[-target.over :]).mean
    aged = f"; the {before} cycles before passed on the simulated cell alone" if before else ""
    how = f"sampled every {every:g} s, cut-off judged every 1 s, {last} cycles through the wire{aged}"
    return _number(mean, 100.0, how)


_RESERVOIR: Final = """
protocol: Coulombic efficiency, reservoir method
experiment: aurbach-ce
with: {conditioning: 4 mAh/cm2, reservoir: 4 mAh/cm2, rest before: 1 min}
"""


def _nucleation(target: targets.Nucleation, bench: Bench) -> Measured:
    text = f"""
protocol: nucleation
experiment: galvanostatic-nucleation
with: {{current: {target.current / 10.0:.9g} mA/cm2, capacity: {target.charge / 3.6e4:.9g} mAh/cm2, rest before: 1 min}}
"""
    found = evaluated(bench.run(text), "nucleation")[0].summary()
    at = {"tip": 0, "plateau": 1, "difference": 2}[target.of]
    return _of(
        list(found)[at:],
        1e3,
        "sampled every 100 ms at first; plateau: mean of 50 to 90 % of the charge",
        exact=True,
    )


# Full cells


def _steps(rate: float, window: tuple[float, float], first: str) -> str:
    longest = f"time: {3.0 / rate:.6g} h"
    up = f"      - charge: {{current: {rate:g} C, until: {{voltage: above {window[1]:g} V, {longest}}}}}\n"
    down = (
        f"      - discharge: {{current: {rate:g} C, until: {{voltage: below {window[0]:g} V, {longest}}}}}\n"
    )
    return down + up if first == "discharge" else up + down


def _segment(bench: Bench, window: tuple[float, float], rates: list[tuple[float, int]]) -> Run:
    """Cycles at each rate, that many, through the wire."""
    first = "discharge" if bench.cell.label.working.material == "S" else "charge"
    every = _every([rate for rate, _ in rates])
    body = "".join(
        f"  - repeat: {n}\n    name: at {r:g} C {at}\n    steps:\n{_steps(r, window, first)}"
        for at, (r, n) in enumerate(rates)
    )
    return bench.run(
        f"""
protocol: full-cell cycling
safety: {{voltage: {window[0] - 0.6:g} V to {window[1] + 0.3:g} V}}
record: {{every: {every:.6g} s}}
steps:
  - rest: 1 min
{body}"""
    )


def _every(rates: list[float]) -> float:
    """The sampling interval: at the fastest rate a half-cycle has _SAMPLES."""
    return _HOUR / max(rates) / _SAMPLES


def _full(target: targets.Capacity | targets.Retention | targets.MeanEfficiency, bench: Bench) -> Measured:
    """A number from many cycles at one rate: some of them through the wire, the others on the cell alone.

    A mean is that of the cycles that went through the wire: at both ends and evenly between.
    """
    mean = isinstance(target, targets.MeanEfficiency)
    count = target.cycle if isinstance(target, targets.Capacity) else target.cycles
    activation = [(rate, 1) for rate in target.first]
    segments: list[tuple[Run, int]] = []
    passed = 0
    for at in _starts(count, _BETWEEN if mean else 2, whole=bench.whole):
        if at > passed:
            procedures.cycle_full(bench.cell, target.window, [target.rate] * (at - passed))
        cycles = min(_EDGE, count - at) if not bench.whole else count
        rates = [*([] if segments else activation), (target.rate, cycles)]
        segments.append((_segment(bench, target.window, rates), at + len(activation) * bool(segments)))
        passed = at + cycles
    through = min(len(segments) * _EDGE, count) if not bench.whole else count
    how = f"sampled every {_every([target.rate]):g} s, cut-offs judged every 1 s; " + (
        f"{through} of {count} cycles through the wire, the others on the simulated cell alone"
        if through < count
        else f"all {count} cycles through the wire"
    )
    if mean:
        return _mean_efficiency([run for run, _ in segments], len(activation), how)
    discharges, capacity = _discharges(segments, len(activation))
    if isinstance(target, targets.Capacity):
        return _number(capacity.capacity(discharges[-1]), 1.0 / _HOUR, how, exact=True)
    return _number(retention(discharges, reference=Reference.FIRST).retained, 100.0, how, exact=True)


def _starts(count: int, places: int, *, whole: bool) -> list[int]:
    """After how many cycles each stretch of _EDGE cycles begins that goes through the wire."""
    if whole:
        return [0]
    last = max(count - _EDGE, 0)
    return sorted(
        {round(at * last / (places - 1)) for at in range(places)}
        if count > places * _EDGE
        else set(range(0, count, _EDGE))
    )


def _discharges(segments: list[tuple[Run, int]], activation: int) -> tuple[list[Discharge], CellCapacity]:
    """Those of all segments without the activation, numbered through."""
    numbered: list[Discharge] = []
    capacity = CellCapacity()
    for run, before in segments:
        found, _ = evaluated(run, "retention")
        assert isinstance(found, CellCapacity)
        capacity = found
        numbered += [Discharge(before + at, each.passed) for at, each in enumerate(found.discharges, 1)]
    return numbered[activation:], capacity


def _mean_efficiency(runs: list[Run], activation: int, how: str) -> Measured:
    """Without the first cycle of each later stretch, whose charge begins after a rest."""
    found = [evaluated(run, "coulombic-efficiency")[0] for run in runs]
    first, *later = (each.cycles for each in found if isinstance(each, CellEfficiency))
    last = found[-1]
    assert isinstance(last, CellEfficiency)
    cycles = [*first[activation:], *(cycle for each in later for cycle in each[1:])]
    return _number(last.over(cycles).mean, 100.0, f"{how}; mean of {len(cycles)} cycles")


def _rates(target: targets.RateCapacity, bench: Bench) -> Iterator[Measured]:
    run = _segment(bench, target.window, [(rate, target.each) for rate in target.rates])
    discharges, capacity = _discharges([(run, 0)], 0)
    for at, _ in enumerate(target.rates, 1):
        yield _number(
            capacity.capacity(discharges[at * target.each - 1]),
            1.0 / _HOUR,
            f"sampled every {_every(list(target.rates)):g} s, {target.each} cycles at each rate, all through the wire",
            exact=True,
        )
