"""Generated aurora-unicycler protocols, as their JSON would hold them (0.4.6)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Entry = dict[str, Any]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: float(f"{value:.4g}"))


VOLTAGES = numbers(-5.0, 5.0).filter(lambda value: abs(value) > 1e-3)
TIMES = numbers(1.0, 1e6)
CURRENTS = st.one_of(numbers(0.01, 100.0), numbers(-100.0, -0.01))
RATES = st.one_of(numbers(0.01, 5.0), numbers(-5.0, -0.01), st.sampled_from(["C/2", "D/5", "1/5", "2C/3"]))


@st.composite
def currents(draw: st.DrawFn) -> Entry:
    entry: Entry = {"step": "constant_current"}
    entry |= {"rate_C": draw(RATES)} if draw(st.booleans()) else {"current_mA": draw(CURRENTS)}
    timed, limited = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    entry |= {"until_time_s": draw(TIMES)} if timed else {}
    return entry | ({"until_voltage_V": draw(VOLTAGES)} if limited else {})


@st.composite
def holds(draw: st.DrawFn) -> Entry:
    entry: Entry = {"step": "constant_voltage", "voltage_V": draw(VOLTAGES)}
    timed, limited = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    entry |= {"until_time_s": draw(TIMES)} if timed else {}
    return entry | ({"until_current_mA": draw(numbers(0.01, 10.0))} if limited else {})


@st.composite
def spectra(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(["amplitude_V", "amplitude_mA"]))
    high = draw(numbers(1e2, 1e6))
    return {
        "step": "impedance_spectroscopy",
        kind: draw(numbers(0.001, 1.0)),
        "start_frequency_Hz": high,
        "end_frequency_Hz": float(f"{high / draw(numbers(10.0, 1e5)):.4g}"),
        "points_per_decade": draw(st.integers(1, 20)),
        "measures_per_point": draw(st.integers(1, 10)),
    }


RESTS = TIMES.map(lambda time: {"step": "open_circuit_voltage", "until_time_s": time})
SCANS = st.builds(
    lambda start, step, rate: {
        "step": "voltage_scan",
        "start_voltage_V": start,
        "end_voltage_V": round(start + step, 6),
        "scan_rate_mV_per_s": rate,
    },
    VOLTAGES,
    numbers(0.01, 1.0),
    numbers(0.01, 100.0),
)
PLAIN = st.one_of(RESTS, currents(), holds(), spectra(), SCANS)


@st.composite
def methods(draw: st.DrawFn) -> list[Entry]:
    """Steps with loops back to a step, or to a tag, one after another or around each other."""
    method: list[Entry] = draw(st.lists(PLAIN, min_size=1, max_size=4))
    starts = [1]
    for loop in range(draw(st.integers(0, 3))):
        count = draw(st.integers(1, 50))
        if draw(st.booleans()):
            method.append({"step": "tag", "tag": f"tag {loop}"})
            starts.append(len(method))
            method += draw(st.lists(PLAIN, min_size=1, max_size=3))
            method.append({"step": "loop", "loop_to": f"tag {loop}", "cycle_count": count})
        else:
            method.append({"step": "loop", "loop_to": 1, "cycle_count": count})
        method += draw(st.lists(PLAIN, max_size=2))
    return method


@st.composite
def protocols(draw: st.DrawFn) -> Entry:
    record: Entry = {"time_s": draw(numbers(0.1, 600.0))}
    record |= {"voltage_V": draw(numbers(1e-3, 1.0))} if draw(st.booleans()) else {}
    safety: Entry = draw(
        st.sampled_from(
            [
                {},
                {"max_voltage_V": 100.0},
                {"min_voltage_V": -9.0, "max_voltage_V": 9.0, "max_capacity_mAh": 1e6},
            ]
        )
    )
    return {
        "unicycler": {"version": "0.4.6"},
        "sample": {"name": "a cell", "capacity_mAh": draw(numbers(0.5, 50.0))},
        "record": record,
        "safety": safety,
        "method": draw(methods()),
    }


def meaning(protocol: Entry) -> list[Entry]:
    """What a protocol does, step after step, with loops written out and rates as currents: to compare."""
    capacity = protocol["sample"].get("capacity_mAh")
    done: list[Entry] = []
    _run(protocol["method"], 1, len(protocol["method"]), capacity, done)
    return done


def _run(method: list[Entry], first: int, last: int, capacity: float | None, done: list[Entry]) -> None:
    """Passes through `method` as a cycler does, but each loop only twice: enough to see what it repeats."""
    at = first
    left: dict[int, int] = {}
    while at <= last:
        entry = method[at - 1]
        if entry["step"] == "loop":
            target = entry["loop_to"]
            if isinstance(target, str):
                target = next(n for n, e in enumerate(method, 1) if e.get("tag") == target)
            remaining = left.setdefault(at, min(2, entry["cycle_count"]) - 1)
            if remaining:
                left = {place: times for place, times in left.items() if not target <= place < at}
                left[at] = remaining - 1
                at = target
                continue
            done.append({"step": "loop", "cycle_count": entry["cycle_count"]})
        elif entry["step"] != "tag":
            done.append(_plain(entry, capacity))
        at += 1


def _plain(entry: Entry, capacity: float | None) -> Entry:
    known = {key: value for key, value in entry.items() if value not in {None, ""} and key != "id"}
    for rate, current in (("rate_C", "current_mA"), ("until_rate_C", "until_current_mA")):
        if rate in known:
            assert capacity is not None
            text = str(known.pop(rate))
            top, _, bottom = text.partition("/")
            sign = -1.0 if "D" in top else 1.0
            value = sign * float(top.strip("CD") or 1.0) / float(bottom or 1.0)
            known[current] = value * capacity
    if known["step"] == "impedance_spectroscopy":
        known.setdefault("points_per_decade", 10)
        known.setdefault("measures_per_point", 1)
        known.pop("drift_correction", None)
    return known
