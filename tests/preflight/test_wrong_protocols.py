"""Deliberately wrong protocols: each gets the finding that names what is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilcycler.cli import app
from hilcycler.cli import protocols as _commands  # noqa: F401  (adds its commands)
from hilcycler.language import FileError, loads
from hilcycler.preflight import Severity, preflight, report, unreadable

ROOT = Path(__file__).parents[2]

LI = "cell: {working: Li, counter: Li, area: 1.131 cm2}\n"
LFP = "cell: {working: LiFePO4, counter: Li, area: 1.131 cm2, nominal capacity: 2 mAh}\n"
SAFE = "safety: {voltage: -1 V to 1 V, current: -20 mA to 20 mA, charge: 5 mAh}\n"
WIDE = "safety: {voltage: -5 V to 5 V, current: -20 mA to 20 mA}\n"
PLATE = "steps:\n  - plate: {current: 1 mA/cm2, until: {charge: 0.1 mAh/cm2}}\n"

WRONG: dict[str, tuple[str, str, str, Severity]] = {
    "wrong sign": (
        "wrong-sign", "emstat4-hr", LI + SAFE + "steps:\n  - plate: {current: -1 mA/cm2, for: 1 h}\n", Severity.ERROR
    ),
    "capacity that no such cell has": (
        "unreachable-capacity", "emstat4-hr",
        LFP + WIDE + "steps:\n  - charge: {current: 1C, until: {charge: 200 %, voltage: above 4 V}}\n", Severity.ERROR,
    ),
    "cut-off on the wrong side, plating": (
        "cut-off-on-wrong-side", "emstat4-hr",
        LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, for: 1 h, until: {voltage: above 0.5 V}}\n", Severity.ERROR,
    ),
    "cut-off on the wrong side, stripping": (
        "cut-off-on-wrong-side", "emstat4-hr",
        LI + SAFE + "steps:\n  - strip: {current: 1 mA/cm2, for: 1 h, until: {voltage: below -0.5 V}}\n", Severity.ERROR,
    ),
    "no area": ("missing-area", "emstat4-hr", "cell: {working: Li, counter: Li}\n" + SAFE + PLATE, Severity.ERROR),
    "no nominal capacity": (
        "missing-capacity", "emstat4-hr", LI + SAFE + "steps:\n  - charge: {current: C/10, for: 1 h}\n", Severity.ERROR
    ),
    "a current above all ranges": (
        "current-above-range", "emstat4-hr",
        LI + "safety: {voltage: -1 V to 1 V}\nsteps:\n  - plate: {current: 500 mA, for: 1 h}\n", Severity.ERROR,
    ),
    "a voltage outside the instrument's window": (
        "voltage-outside-window", "emstat4-hr",
        LI + "steps:\n  - rest: 5 min\n  - constant voltage: {voltage: 8 V, for: 1 h}\n", Severity.ERROR,
    ),
    "a charge that the time cuts off": (
        "never-fires", "emstat4-hr",
        LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, for: 10 min, until: {charge: 1 mAh/cm2}}\n", Severity.WARNING,
    ),
    "a current that cannot fall": (
        "never-fires", "emstat4-hr",
        LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, for: 10 min, until: {current: below 10 uA}}\n",
        Severity.WARNING,
    ),
    "a window longer than the step": (
        "never-fires", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: {for: 10 min, until: {voltage change: below 1 mV/h over 20 min}}\n",
        Severity.WARNING,
    ),
    "a spectrum that misses the arcs": (
        "spectrum-misses-the-arc", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - peis: {amplitude: 10 mV rms, from: 100 kHz, to: 0.1 kHz}\n",
        Severity.WARNING,
    ),
    "a polarisation above 10 mV": (
        "bias-above-10-mV", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - constant voltage: {voltage: 20 mV, versus: open circuit, for: 30 min,"
        " until: {current change: below 1 % over 10 min}}\n", Severity.WARNING,
    ),
    "a polarisation beyond RT/F": (
        "bias-beyond-thermal-voltage", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - constant voltage: {voltage: 50 mV, versus: open circuit, for: 30 min,"
        " until: {current change: below 1 % over 10 min}}\n", Severity.ERROR,
    ),
    "an amplitude that does not say which": (
        "amplitude-without-rms-or-peak", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - peis: {amplitude: 10 mV, from: 100 kHz, to: 1 Hz}\n", Severity.ERROR,
    ),
    "held for ever if the host dies": (
        "holds-for-ever", "keithley-2450", LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, for: 1 h}\n",
        Severity.WARNING,
    ),
    "a cut-off beyond the safety limit": (
        "beyond-safety", "emstat4-hr",
        LI + SAFE + "steps:\n  - strip: {current: 1 mA/cm2, for: 10 min, until: {voltage: above 2 V}}\n", Severity.WARNING,
    ),
    "a step that never ends": (
        "never-ends", "emstat4-hr",
        LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, until: {voltage: below -0.5 V}}\n", Severity.ERROR,
    ),
    "a frequency outside the band": (
        "frequency-outside-band", "emstat4-hr",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - peis: {amplitude: 10 mV rms, from: 1 MHz, to: 1 Hz}\n", Severity.ERROR,
    ),
    "sampling faster than deliverable": (
        "sampling-too-fast", "emstat4-hr",
        LI + SAFE + "steps:\n  - plate: {current: 1 mA/cm2, for: 1 min, record: {every: 1 ms, decide every: 1 ms}}\n",
        Severity.ERROR,
    ),
    "a technique that the instrument has not": (
        "technique-missing", "keithley-2450",
        LI + SAFE + "steps:\n  - rest: 5 min\n  - peis: {amplitude: 10 mV rms, from: 1 kHz, to: 1 Hz}\n", Severity.ERROR,
    ),
    "limits narrower than the cell's own voltage": (
        "trips", "emstat4-hr",
        LI + "safety: {voltage: -10 mV to 10 mV}\nsteps:\n  - plate: {current: 1 mA/cm2, for: 10 min}\n", Severity.ERROR,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_is_found_and_named(name: str) -> None:
    code, on, text, severity = WRONG[name]
    try:
        document = loads("protocol: wrong\n" + text)
        assert document.cell is not None
        findings = preflight(document.bind(), document.cell, on, "li-li/bn-pp").findings
    except FileError as fault:
        findings = unreadable(fault)
    assert (code, severity) in {(each.code, each.severity) for each in findings}, findings


GOOD = "protocol: good\n" + LI + SAFE + PLATE


def test_a_right_one_has_nothing_against_it() -> None:
    document = loads(GOOD)
    told = preflight(document.bind(), document.cell, "twin", "li-li/bn-pp")
    assert told.findings == ()
    assert told.rehearsed is not None
    assert told.rehearsed.charged == 0.0
    assert told.rehearsed.discharged == pytest.approx(0.1131 * 3.6, rel=1e-3)


def test_a_warning_is_accepted_by_its_code(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("protocol: wrong\n" + WRONG["held for ever if the host dies"][2])
    command = ["check", str(path), "--on", "keithley-2450", "--cell", "li-li/bn-pp", "--json"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    accepted = CliRunner().invoke(app, [*command, "--accept", "holds-for-ever"])
    assert accepted.exit_code == 0
    told = json.loads(accepted.stdout)
    assert told["rehearsal"]["outcome"] == "completed"
    assert [each["accepted"] for each in told["findings"]] == [True]


def test_an_error_cannot_be_accepted(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("protocol: wrong\n" + WRONG["a current above all ranges"][2])
    done = CliRunner().invoke(app, ["check", str(path), "--on", "twin", "--accept", "current-above-range"])
    assert done.exit_code == 2
    assert "[current-above-range]" in done.stdout


def test_every_code_is_explained() -> None:
    source = "".join(each.read_text("utf-8") for each in (ROOT / "cycler/hilcycler/preflight").glob("*.py"))
    codes = {"unreadable", *re.findall(r'(?:error|warning|note)\(\s*"([a-zA-Z0-9-]+)"', source)}
    codes |= {code for _, code in report._UNREADABLE}
    explained = set(re.findall(r"`([a-zA-Z0-9-]+)`", (ROOT / "docs/protocols.md").read_text("utf-8")))
    assert len(codes) >= 35
    assert codes <= explained
