"""Protocols from the command line, as a newcomer meets them: new, check, run, export, convert."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hilcycler.cli import app
from hilcycler.cli import exchange as _exchange  # noqa: F401  (these add their commands)
from hilcycler.cli import exports as _exports  # noqa: F401
from hilcycler.cli import protocols as _protocols  # noqa: F401
from hilcycler.cli import runs as _runs  # noqa: F401
from hilcycler.errors import RequestError
from hilcycler.journal import open_run
from hilcycler.language import loads
from hilcycler.preflight.profile import MOST, Profile, draw, in_a_line


def cycler(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def small(tmp_path: Path) -> Path:
    told = cycler("new", "coulombic-efficiency", "--set", "cycles=2", "--set", "capacity=0.1 mAh/cm2")
    assert told.exit_code == 0
    path = tmp_path / "ce.yaml"
    path.write_text(told.stdout.replace("rest before: 6 h", "rest before: 10 min"))
    return path


def test_new_prints_every_parameter_with_its_meaning_or_every_step(tmp_path: Path) -> None:
    text = small(tmp_path).read_text()
    assert "  cycles: 2  " in text
    assert "# the voltage that ends stripping" in text
    steps = cycler("new", "coulombic-efficiency", "--steps").stdout
    assert "- strip: {current: 0.5 mA/cm2" in steps
    loads(steps)


def test_a_file_is_checked_drawn_run_and_exported_without_hardware(tmp_path: Path) -> None:
    path, figure = small(tmp_path), tmp_path / "ce.svg"
    checked = cycler("check", path, "--on", "twin", "--cell", "li-cu/wng", "--plot", figure)
    assert checked.exit_code == 0, checked.stdout
    assert "strip at 565.5 uA; until the voltage is at or above 500 mV" in checked.stdout
    assert "▁" in checked.stdout
    assert figure.read_text().startswith("<?xml")
    ran = cycler("run", path, "--on", "twin", "--cell", "li-cu/wng", "--data", tmp_path, "--json")
    assert ran.exit_code == 0, ran.stdout
    told = json.loads(ran.stdout)
    assert told["outcome"] == "completed"
    header = open_run(Path(told["file"])).header
    assert header.instrument.simulated
    assert "experiment: coulombic-efficiency" in header.protocol_text
    for form, ending in (("bdf-csv", "bdf.csv"), ("bdf-parquet", "bdf.parquet"), ("cellpy", "cellpy.yaml")):
        done = cycler("export", told["file"], "--format", form)
        assert done.exit_code == 0, done.stdout
        assert Path(told["file"].replace("run.sqlite", ending)).stat().st_size > 0


def test_run_wants_one_place_to_run(tmp_path: Path) -> None:
    for where in ([], ["--on", "twin", "--port", "/dev/null"]):
        refused = cycler("run", small(tmp_path), *where)
        assert isinstance(refused.exception, RequestError)
        assert "expected --port" in str(refused.exception)


def test_a_figure_needs_a_rehearsal_and_a_kind(tmp_path: Path) -> None:
    assert isinstance(cycler("check", small(tmp_path), "--plot", "x.svg").exception, RequestError)
    with pytest.raises(RequestError, match="expected a name that ends in"):
        draw(Profile().bars, "p", tmp_path / "p.gif")


def test_other_programs_protocols_are_converted_and_ours_into_theirs(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "cc.txt", tmp_path / "cc.yaml"
    theirs.write_text("Charge at 1 mA for 1 hour or until 4.1 V\nRest for 1 hour\n")
    ours.write_text(cycler("convert", theirs).stdout)
    assert "- charge: {current: 1 mA" in ours.read_text()
    assert cycler("convert", ours, "--to", "pybamm").stdout.splitlines() == [
        "Charge at 1.0 mA for 3600.0 seconds or until 4.1 V (10.0 second period)",
        "Rest for 3600.0 seconds (10.0 second period)",
    ]
    unicycler = tmp_path / "cc.json"
    unicycler.write_text(cycler("convert", ours, "--to", "unicycler").stdout)
    assert json.loads(unicycler.read_text())["method"][0]["current_mA"] == 1.0
    assert "- rest: " in cycler("convert", unicycler).stdout
    assert "Steps:" in cycler("convert", ours, "--to", "pyprobe").stdout
    for wrong in (
        [ours],
        [theirs, "--to", "pybamm"],
        [tmp_path / "x.doc"],
        [ours, "--to", "pybamm", "--accept", "x"],
    ):
        assert isinstance(cycler("convert", *wrong).exception, RequestError)


def test_a_profile_keeps_the_extremes_in_few_bars() -> None:
    rng, profile, time = np.random.default_rng(1), Profile(), 0.0
    lowest = highest = 0.0
    for size in rng.integers(1, 9000, 60):
        values = rng.normal(size=size)
        times = time + np.arange(1, size + 1)
        profile.add(times, values, -values)
        time = float(times[-1])
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
    bars = profile.bars
    assert MOST // 4 < len(bars.time) <= MOST
    assert (np.diff(bars.time) > 0.0).all()
    assert bars.time[-1] == time
    assert (bars.lowest_voltage.min(), bars.highest_voltage.max()) == (lowest, highest)
    assert (bars.lowest_current.min(), bars.highest_current.max()) == (-highest, -lowest)
    assert len(in_a_line(bars.time, bars.lowest_voltage, bars.highest_voltage)) == 72
