"""The bench around the cells: several instruments on one, the chamber, the leads, the wrong cell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hilcycler.errors import RequestError
from hilcycler_simulators.bench import Bench
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.chamber import Chamber, Lags, Ripple
from hilcycler_simulators.leads import Contact, Fault, Leads, Wire

HOUR = 3600.0
FREQUENCIES = np.logspace(5, -2, 40)


def test_one_cell_lives_once_whoever_drives_it() -> None:
    """Cycled with one instrument, measured with another: as one instrument would have found it."""
    bench = Bench()
    bench.place("A", "li-li/pp")
    cycler, analyser = bench.connect("cycler 1", "A"), bench.connect("EIS", "A")
    alone = catalogue.make("li-li/pp", 1)
    for number in range(40):
        current = (-1) ** number * 1.131e-3
        cycler.galvanostatic(current, np.empty(0)).commit(HOUR)
        alone.galvanostatic(current, np.empty(0)).commit(HOUR)
        if number % 10 == 9:
            analyser.galvanostatic(0.0, np.empty(0)).commit(60.0)
            alone.galvanostatic(0.0, np.empty(0)).commit(60.0)
            assert np.array_equal(analyser.impedance(FREQUENCIES), alone.impedance(FREQUENCIES))
    assert cycler.truth["clock_s"] == analyser.truth["clock_s"] == alone.truth["clock_s"]


def test_a_course_asked_for_before_another_instrument_drove_is_stale() -> None:
    bench = Bench()
    bench.place("A", "li-li/pp")
    first, second = bench.connect("1", "A"), bench.connect("2", "A")
    course = first.galvanostatic(1e-3, np.array([1.0]))
    second.galvanostatic(0.0, np.array([1.0])).commit(1.0)
    with pytest.raises(RuntimeError, match="lived on"):
        course.commit(1.0)


def test_channels_can_be_on_the_wrong_cell() -> None:
    bench = Bench()
    bench.place("A", "li-li/bn-pp")
    bench.place("B", "li-lfp/wng")
    one, two = bench.connect("1", "A"), bench.connect("2", "B")
    before = [each.galvanostatic(0.0, np.array([1.0])).voltage[0] for each in (one, two)]
    bench.permute(["1", "2"], ["2", "1"])
    assert [each.galvanostatic(0.0, np.array([1.0])).voltage[0] for each in (two, one)] == before
    assert one.label.name == "li-lfp/wng"


def test_a_bench_refuses_what_it_does_not_have() -> None:
    bench = Bench()
    bench.place("A", "li-li/pp")
    bench.connect("1", "A")
    with pytest.raises(RequestError, match="already"):
        bench.place("A", "li-li/pp")
    with pytest.raises(RequestError, match="no cell 'B'"):
        bench.connect("2", "B")
    with pytest.raises(RequestError, match="no channel '2'"):
        bench.permute(["1"], ["2"])
    with pytest.raises(RequestError, match="set-point"):
        bench.chamber.set(1000.0)


def test_a_chamber_warms_the_cell_with_the_lag_of_air_and_cell() -> None:
    """Against an independent integration of the two lags."""
    chamber = Chamber(lags=Lags(air=200.0, cell=700.0))
    cell = catalogue.make("li-li/pp", 1)
    chamber.put(cell)
    chamber.set(318.15)
    times = np.array([60.0, 300.0, 1200.0, 4000.0])
    expected = solve_ivp(
        lambda _, y: [(318.15 - y[0]) / 200.0, (y[0] - y[1]) / 700.0],
        (0.0, 4000.0),
        [298.15, 298.15],
        t_eval=times,
        rtol=1e-9,
    )
    for at, (air, inside) in zip(times, expected.y.T, strict=True):
        cell.galvanostatic(0.0, np.empty(0)).commit(float(at) - cell.clock)
        assert chamber.air == pytest.approx(air, abs=1e-3)
        assert cell.temperature == pytest.approx(inside, abs=1e-3)


def test_a_cell_in_a_warming_chamber_answers_as_it_warms() -> None:
    """Its resistance falls on the way; polled or left alone it is the same cell."""
    volts = []
    for polls in (1, 240):
        chamber, cell = Chamber(), catalogue.make("li-li/pp", 1)
        chamber.put(cell)
        cell.galvanostatic(1e-3, np.empty(0)).commit(600.0)
        chamber.set(318.15)
        for _ in range(polls):
            course = cell.galvanostatic(1e-3, np.array([2 * HOUR / polls]))
            course.commit(2 * HOUR / polls)
        volts.append(course.voltage[0])
        assert cell.temperature == pytest.approx(318.15, abs=0.1)
    assert volts[0] == pytest.approx(volts[1], abs=1e-9)
    still = catalogue.make("li-li/pp", 1).galvanostatic(1e-3, np.array([2 * HOUR])).voltage[0]
    assert volts[0] < 0.5 * still


def test_day_and_night_show_as_a_ripple() -> None:
    """Half a kelvin of the room is some 3 % of the voltage, once a day."""
    chamber, cell = Chamber(ripple=Ripple(amplitude=0.5)), catalogue.make("li-li/wn-mo2n", 1)
    chamber.put(cell)
    for _ in range(60):
        cell.galvanostatic(1e-3, np.empty(0)).commit(HOUR)
        cell.galvanostatic(-1e-3, np.empty(0)).commit(HOUR)
    volts = []
    for number in range(48):
        course = cell.galvanostatic((-1) ** number * 1e-3, np.array([0.5 * HOUR]))
        course.commit(HOUR)
        volts.append(abs(course.voltage[0]))
    seen = np.array(volts)
    assert 0.02 < np.ptp(seen) / seen.mean() < 0.10
    assert np.corrcoef(seen[:24], seen[24:])[0, 1] > 0.9


def test_two_wire_leads_add_their_resistance_everywhere() -> None:
    cell = catalogue.make("li-li/pp", 1)
    two_wire = Leads(cell, Wire(sensed=2.5))
    times = np.array([1.0, 100.0])
    bare = cell.galvanostatic(1e-3, times).voltage
    assert two_wire.galvanostatic(1e-3, times).voltage == pytest.approx(bare + 2.5e-3, abs=1e-12)
    assert two_wire.impedance(FREQUENCIES) == pytest.approx(cell.impedance(FREQUENCIES) + 2.5)
    found = two_wire.crossing(1e-3, 0.04, 100.0)
    assert found == pytest.approx(cell.crossing(1e-3, 0.0375, 100.0))
    held = two_wire.potentiostatic(np.array([0.03]), np.array([100.0])).current[0]
    without = cell.potentiostatic(np.array([0.03]), np.array([100.0])).current[0]
    steady = 0.03 / without
    assert 0.03 / held == pytest.approx(steady + 2.5, rel=0.02)


def test_an_open_force_lead_runs_the_source_to_its_compliance_and_spares_the_cell() -> None:
    cell = catalogue.make("li-li/pp", 1)
    leads = Leads(cell, Wire(fault=Fault.FORCE_OPEN, compliance=8.0))
    course = leads.galvanostatic(-1e-3, np.array([1.0, 2.0]))
    assert list(course.voltage) == [-8.0, -8.0]
    assert list(course.current) == [0.0, 0.0]
    course.commit(2.0)
    assert cell.truth["passed_C"] == 0.0
    leads.wire = Wire()
    assert abs(leads.galvanostatic(-1e-3, np.array([1.0])).voltage[0]) < 0.2


def test_an_open_sense_lead_reads_nothing_while_the_current_flows() -> None:
    cell = catalogue.make("li-lfp/wng", 1)
    leads = Leads(cell, Wire(fault=Fault.SENSE_OPEN))
    course = leads.galvanostatic(1e-4, np.array([60.0]))
    course.commit(60.0)
    assert course.voltage[0] == 0.0
    assert cell.truth["passed_C"] == pytest.approx(6e-3)


def test_exchanged_leads_exchange_the_signs() -> None:
    cell = catalogue.make("li-lfp/wng", 1)
    leads = Leads(cell, Wire(fault=Fault.REVERSED))
    assert leads.galvanostatic(0.0, np.array([1.0])).voltage[0] < -2.0
    leads.galvanostatic(-1e-4, np.empty(0)).commit(60.0)
    assert cell.truth["passed_C"] == pytest.approx(6e-3)


def test_a_bad_contact_is_noise_of_its_own_time_not_of_the_looking() -> None:
    contact = Contact(probability=0.02, ohm=5.0, seed=4)
    cell = catalogue.make("li-li/bn-pp", 1)
    noisy, clean = Leads(cell, Wire(contact=contact)), Leads(cell)
    times = np.arange(0.5, 2000.0)
    spikes = noisy.galvanostatic(1e-3, times).voltage - clean.galvanostatic(1e-3, times).voltage
    assert 20 <= np.count_nonzero(spikes) <= 65
    assert spikes.min() == 0.0
    once = (
        noisy.galvanostatic(1e-3, times[700:900]).voltage - clean.galvanostatic(1e-3, times[700:900]).voltage
    )
    assert once == pytest.approx(spikes[700:900], abs=1e-12)
