"""The figures of a run hold what the run holds, say what they show, and are the same every time."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imagined_run import HOUR, ImaginedRun
from matplotlib.figure import Figure

from hilcycler.errors import RequestError
from hilcycler.journal import Journal, Settings
from hilcycler.records import Gap, OffState, Outcome, Record
from hilcycler.report import nyquist, per_cycle, report, voltage
from hilcycler.report.content import Content, read
from hilcycler_protocols.evaluation.impedance import fit, lithium_cell, measured
from hilcycler_protocols.evaluation.overpotential import Definition, Overpotentials

RUN = "20260101-7k2m9xq4"


def stored(folder: Path, records: Iterable[Record]) -> Path:
    """The file of a run with these records."""

    async def write() -> Path:
        async with Journal.create(folder, RUN, Settings(inline=True)) as journal:
            for record in records:
                journal.put(record)
            return journal.path

    return asyncio.run(write())


def story(run: ImaginedRun, cycles: int = 8) -> list[Record]:
    run.name = RUN
    return [run.started(), *run.cycles(1, cycles, spectra_every=4), run.ended()]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return read(stored(tmp_path, story(ImaginedRun())))


def test_a_report_is_the_same_files_every_time(tmp_path: Path) -> None:
    path = stored(tmp_path, story(ImaginedRun(), cycles=4))
    first = report(path, tmp_path / "a", ("png", "svg", "pdf"))
    second = report(path, tmp_path / "b", ("png", "svg", "pdf"))
    assert [p.name for p in first] == [
        f"{RUN}-{figure}.{kind}"
        for figure in ("voltage", "overpotential", "nyquist")
        for kind in ("png", "svg", "pdf")
    ]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_drawing_leaves_no_trace_in_the_users_own_settings(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    report(stored(tmp_path, story(ImaginedRun(), cycles=1)), tmp_path, ("svg",))
    assert dict(mpl.rcParams) == before


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="'bmp'; there are: png, svg, pdf"):
        report(tmp_path / "none", tmp_path, ("bmp",))


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"hilcycler\[report\]"):
        report(tmp_path / "none", tmp_path)


def test_the_profile_holds_the_run_and_its_first_and_last_cycles(content: Content) -> None:
    figure = drawn(voltage.figure(content))
    whole, first, last = figure.axes
    assert whole.get_xlim() == pytest.approx((0.0, content.time[-1] / HOUR))
    assert first.get_title(loc="left") == "cycles 1 to 3"
    assert first.get_xlim() == pytest.approx((0.0, 6.0 - 60.0 / HOUR))
    assert last.get_title(loc="left") == "cycles 6 to 8"
    assert first.get_ylim() == last.get_ylim()
    assert whole.get_ylabel() == "Voltage WE-CE (mV)"
    highest = np.nanmax(whole.lines[0].get_ydata())
    assert highest == pytest.approx(1e3 * np.nanmax(content.voltage))


def test_the_line_is_broken_where_a_spectrum_was_taken_and_where_nobody_looked(tmp_path: Path) -> None:
    run = ImaginedRun(name=RUN)
    records: list[Record] = [run.started(), *run.cycles(1, 2, spectra_every=1)]
    records += [Gap(6, 1000.0, 1100.0, 0.1, "restart", run.stamp()), run.ended()]
    content = read(stored(tmp_path, records))
    broken = np.flatnonzero(np.isnan(content.voltage))
    assert content.time[broken - 1] == pytest.approx([960.0, 2 * HOUR - 60.0])
    assert np.isnan(content.cycle[broken]).all()


def test_the_overpotential_is_that_of_the_evaluation_and_its_axis_says_which(content: Content) -> None:
    accumulator = Overpotentials()
    for record in story(ImaginedRun()):
        accumulator.put(record)
    (axes,) = drawn(per_cycle.figure(content)).axes
    x, y = axes.lines[0].get_data()
    assert np.asarray(x).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    expected = [1e3 * cycle.overpotential(Definition.CENTRAL) for cycle in accumulator.cycles]
    assert np.asarray(y) == pytest.approx(expected)
    assert axes.get_ylabel() == (
        "Overpotential (mV)\nmean over the central part of the charge\ncharge 25 to 75 %, two electrodes"
    )


def test_spectra_are_per_area_on_equal_scales_with_the_fitted_curve(content: Content) -> None:
    fitted = [
        replace(each, fit=fit(measured(each.frequency, each.impedance), lithium_cell()))
        for each in content.spectra
    ]
    (axes,) = drawn(nyquist.figure(replace(content, spectra=tuple(fitted)))).axes
    assert axes.get_aspect() == 1.0
    assert axes.get_xlabel() == "Z′ (Ω cm²)"
    points, curve = axes.lines[0], axes.lines[1]
    assert points.get_label() == "cycle 4"
    z = content.spectra[0].impedance * 1.131
    assert np.asarray(points.get_xdata()) == pytest.approx(z.real)
    assert np.asarray(points.get_ydata()) == pytest.approx(-z.imag)
    at = np.interp(z.real[10:14], np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata()))
    assert at == pytest.approx(-z.imag[10:14], rel=0.01)


def test_without_an_area_spectra_stay_in_ohm(content: Content) -> None:
    bare = replace(content, header=replace(content.header, cell=replace(content.header.cell, area=None)))
    (axes,) = drawn(nyquist.figure(bare)).axes
    assert axes.get_xlabel() == "Z′ (Ω)"


def test_a_figure_says_whose_it_is_and_that_it_is_simulated(content: Content) -> None:
    text = caption(drawn(voltage.figure(content)))
    assert text == f"Li-Li 07 · {RUN} · SIMULATED\nsymmetric cycling"


@pytest.mark.parametrize(("outcome", "said"), [(Outcome.TRIPPED, " · tripped"), (None, " · not ended")])
def test_a_figure_says_when_the_run_did_not_end_well(
    tmp_path: Path, outcome: Outcome | None, said: str
) -> None:
    run = ImaginedRun(name=RUN, simulated=False)
    records: list[Record] = [run.started(), *run.cycles(1, 1)]
    if outcome is not None:
        records.append(run.ended(outcome, "", OffState.OFF))
    text = caption(drawn(voltage.figure(read(stored(tmp_path, records)))))
    assert said in text
    assert "SIMULATED" not in text


def test_hostile_names_are_drawn_as_text(tmp_path: Path) -> None:
    """Control bytes, mathematics that does not close, and letters that no font here has."""
    run = ImaginedRun()
    run.cell_name = "\x1b]0;x\x07 $\\frac{1 \u202e \U00020000"
    run.protocol_name = "$" * 500
    path = stored(tmp_path, story(run, cycles=1))
    assert len(report(path, tmp_path, ("png", "svg"))) == 4
    assert caption(drawn(voltage.figure(read(path)))).startswith("␛]0;x␇ $\\frac{1 \ufffd ")


def test_a_run_without_samples_has_no_figures(tmp_path: Path) -> None:
    run = ImaginedRun(name=RUN)
    assert report(stored(tmp_path, [run.started(), run.ended(Outcome.FAILED)]), tmp_path) == []


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def caption(figure: Figure) -> str:
    title = figure.get_suptitle()
    assert isinstance(title, str)
    return title
