"""Good files: what they mean, in which words, and that they survive being written again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.cell import Cell, Electrode
from hilcycler.language import (
    FileError,
    describe,
    experiments,
    load,
    load_cell,
    loads,
    of_experiment,
    schema,
    to_yaml,
)
from hilcycler.language.strict_yaml import MOST_BYTES, read
from hilcycler.protocol import Group, Insert, Repeat, walk
from hilcycler.steps import (
    NEXT,
    STOP,
    AllOf,
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentBelow,
    CurrentSettled,
    End,
    PotentiostaticImpedance,
    Process,
    Rest,
    Sampling,
    Step,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)

HERE = Path(__file__).parent
CELL = Cell("c", Electrode("LFP", active_mass=12e-6), Electrode("Li"), area=1.131e-4, nominal_capacity=7.344)


def one(step: str, cell: Cell = CELL) -> Step:
    """The step that one line of YAML means."""
    (node,) = loads(f"protocol: p\nsteps:\n  - {step}\n").bind(cell).body
    assert not isinstance(node, (Repeat, Group, Insert))
    return node


def test_plating_is_negative_and_stripping_positive() -> None:
    plate, strip = one("plate: {current: 1 mA, for: 1 h}"), one("strip: {current: 1 mA, for: 1 h}")
    assert isinstance(plate, ConstantCurrent)
    assert isinstance(strip, ConstantCurrent)
    assert (plate.current, plate.process) == (-1e-3, Process.PLATE)
    assert (strip.current, strip.process) == (1e-3, Process.STRIP)


def test_charging_is_positive_and_discharging_negative() -> None:
    charge, discharge = one("charge: {current: 1 mA, for: 1 h}"), one("discharge: {current: 1 mA, for: 1 h}")
    assert isinstance(charge, ConstantCurrent)
    assert isinstance(discharge, ConstantCurrent)
    assert (charge.current, discharge.current) == (1e-3, -1e-3)


@pytest.mark.parametrize(
    ("written", "ampere"),
    [
        ("1 mA", 1e-3),
        ("1 mA/cm2", 1.131e-3),
        ("170 mA/g", 2.04e-3),
        ("C/10", 0.204e-3),
        ("2 C", 4.08e-3),
    ],
)
def test_currents_are_resolved_with_the_cell(written: str, ampere: float) -> None:
    step = one(f"strip: {{current: {written}, for: 1 h}}")
    assert isinstance(step, ConstantCurrent)
    assert step.current == pytest.approx(ampere, rel=1e-12)


@pytest.mark.parametrize(
    ("written", "coulomb"),
    [("1 mAh", 3.6), ("1 mAh/cm2", 3.6 * 1.131), ("170 mAh/g", 2.04 * 3.6), ("50 %", 3.672), ("2 C s", None)],
)
def test_charges_are_resolved_with_the_cell(written: str, coulomb: float | None) -> None:
    text = f"strip: {{current: 1 mA, until: {{charge: {written}}}}}"
    if coulomb is None:
        with pytest.raises(FileError, match="is not a unit"):
            one(text)
        return
    step = one(text)
    assert isinstance(step, ConstantCurrent)
    (end,) = step.ends
    assert isinstance(end.condition, ChargeReached)
    assert end.condition.charge == pytest.approx(coulomb, rel=1e-12)


def test_a_way_out_comes_before_the_usual_end() -> None:
    """Where both are met at one sample, the run must leave: a cut-off is not masked by a charge."""
    step = one("plate: {current: 1 mA, for: 2 h, until: {charge: 1 mAh, voltage: below -0.5 V -> stop}}")
    assert isinstance(step, ConstantCurrent)
    assert [(type(end.condition), end.then) for end in step.ends] == [
        (VoltageBelow, STOP),
        (TimeReached, NEXT),
        (ChargeReached, NEXT),
    ]


def test_conditions_on_change_as_rate_or_as_change_over_a_window() -> None:
    rate = one("rest: {for: 1 h, until: {voltage change: below 3.6 mV/h}}")
    change = one("rest: {for: 1 h, until: {voltage change: below 1 mV over 1000 s}}")
    steady = one(
        "constant voltage: {voltage: 10 mV, for: 1 h, until: {current change: below 1 % over 10 min}}"
    )
    assert isinstance(rate, Rest)
    assert isinstance(change, Rest)
    assert isinstance(steady, ConstantVoltage)
    assert settling(rate) == pytest.approx((1e-6, 60.0))
    assert settling(change) == pytest.approx((1e-6, 1000.0))
    assert settling(steady) == pytest.approx((0.01 / 600.0, 600.0))


def settling(step: Rest | ConstantVoltage) -> tuple[float, float]:
    condition = step.ends[1].condition
    if isinstance(condition, CurrentSettled):
        return condition.relative_rate, condition.window
    assert isinstance(condition, VoltageSettled)
    return condition.rate, condition.window


def test_conditions_that_must_hold_together() -> None:
    step = one("rest: {for: 1 h, until: {all of: {time: 5 min, voltage: above 2.5 V, then: stop}}}")
    assert isinstance(step, Rest)
    assert step.ends[0] == End(AllOf((TimeReached(300.0), VoltageAbove(2.5))), STOP)


def test_cc_cv_is_one_step_with_one_time_limit() -> None:
    step = one("charge: {current: C/2, hold at: 4.2 V, until: {current: below C/20}, for: 5 h}")
    assert isinstance(step, ConstantCurrentConstantVoltage)
    assert step.voltage == 4.2
    assert [type(end.condition) for end in step.ends] == [TimeReached, CurrentBelow]


def test_a_steps_record_replaces_the_files_key_by_key() -> None:
    text = "protocol: p\nrecord: {every: 10 s, voltage change: 5 mV}\nsteps:\n  - rest: {for: 1 h, record: {every: 1 s}}\n"
    (step,) = loads(text).bind().body
    assert isinstance(step, Rest)
    assert step.sampling == Sampling(decide=1.0, every=1.0, voltage_change=5e-3)


@pytest.mark.parametrize(
    ("file", "step", "expected"),
    [
        ("{every: 10 s}", "{points per decade: 50}", Sampling(1.0, 60.0, points_per_decade=50)),
        (
            "{every: 10 s}",
            "{points per decade: 50, every: 1 h, decide every: 10 ms}",
            Sampling(0.01, 3600.0, points_per_decade=50),
        ),
        ("{points per decade: 20, every: 1 min}", "{every: 5 s}", Sampling(1.0, 5.0, points_per_decade=20)),
        ("{points per decade: 20}", "{decide every: 2 s}", Sampling(2.0, 60.0, points_per_decade=20)),
    ],
)
def test_points_by_the_decade_of_time(file: str, step: str, expected: Sampling) -> None:
    """The file's period is not that of a step which asks for points by the decade."""
    text = f"protocol: p\nrecord: {file}\nsteps:\n  - rest: {{for: 1 h, record: {step}}}\n"
    (found,) = loads(text).bind().body
    assert isinstance(found, Rest)
    assert found.sampling == expected


def test_a_fast_record_is_decided_as_fast() -> None:
    step = one("rest: {for: 1 h, record: {every: 50 ms}}")
    assert isinstance(step, Rest)
    assert step.sampling.decide == 0.05


def test_an_impedance_amplitude_becomes_rms() -> None:
    peak = one("peis: {amplitude: 10 mV peak, from: 100 kHz, to: 1 Hz}")
    assert isinstance(peak, PotentiostaticImpedance)
    assert peak.amplitude == pytest.approx(0.01 / 2**0.5)


def test_limits_of_a_repeat_are_those_of_its_steps() -> None:
    text = "protocol: p\nsteps:\n  - repeat: 2\n    until: {voltage: above 1 V -> stop}\n    steps: [rest: 1 h]\n"
    plan = walk(loads(text).bind())
    step = next(plan).step
    assert isinstance(step, Rest)
    assert step.ends[-1] == End(VoltageAbove(1.0), STOP)


def test_an_insert_may_be_rarer_than_its_repeat_is_long() -> None:
    """A run cut short by a parameter simply has none; a cycle that is named must be there."""
    text = "protocol: p\nsteps:\n  - repeat: 12\n    steps:\n      - rest: 1 h\n      - every: 20 cycles\n        steps: [rest: 1 h]\n"
    assert describe(loads(text).bind())[-1] == "12 steps, 12 h at most"


def test_the_cell_may_come_from_the_file_or_from_outside() -> None:
    text = "protocol: p\ncell: {working: Li, counter: Li, area: 1 cm2}\nsteps: [strip: {current: 1 mA/cm2, for: 1 h}]\n"
    document = loads(text)
    assert document.cell == Cell("Li||Li", Electrode("Li"), Electrode("Li"), area=1e-4)
    inside, outside = document.bind().body[0], document.bind(replace(CELL, area=2e-4)).body[0]
    assert isinstance(inside, ConstantCurrent)
    assert isinstance(outside, ConstantCurrent)
    assert (inside.current, outside.current) == pytest.approx((1e-3, 2e-3))


def test_a_cell_file(tmp_path: Path) -> None:
    path = tmp_path / "cell.yaml"
    path.write_text(
        "working: {material: LFP, active mass: 12 mg}\ncounter: Li\nnominal capacity: 170 mAh/g\n"
    )
    cell = load_cell(path)
    assert cell.nominal_capacity == pytest.approx(0.17 * 12 * 3.6)
    path.write_text("working: LFP\ncounter: Li\nnominal capacity: 170 mAh/g\n")
    with pytest.raises(FileError, match=r"cell.yaml:3: nominal capacity: '170 mAh/g' needs the active mass"):
        load_cell(path)


def test_parameters_have_defaults_and_can_be_set() -> None:
    text = "protocol: p\nparameters: {i: 1 mA, cut: 0.5}\nsteps:\n  - strip: {current: $i, for: 1 h, until: {voltage: above $cut V}}\n"
    assert "strip at 1 mA" in describe(loads(text).bind())[2]
    changed = loads(text, parameters={"i": "2 mA"})
    assert "strip at 2 mA" in describe(changed.bind())[2]
    assert loads(changed.text).bind() == changed.bind(), "the rewritten text alone says what was run"
    with pytest.raises(FileError, match="declares no parameter 'j'; its parameters: i, cut"):
        loads(text, parameters={"j": "2 mA"})


def test_everything_loads_and_is_described() -> None:
    lines = describe(load(HERE / "everything.yaml").bind())
    assert lines[0] == "safety: -1 V to 5 V, -56.55 mA to 56.55 mA, at most 10 mAh a step, 0 degC to 60 degC"
    assert lines[1] == "record every 10 s or 5 mV, decide every 1 s, unless said otherwise"
    assert [line.strip().split(".")[0] for line in lines if line.strip()[0].isdigit()] == [
        str(n) for n in range(1, 16)
    ] + [lines[-1]]
    assert lines[-1] == "317 steps, 13 d 8 h at most"


def test_a_protocol_in_words() -> None:
    text = (
        "protocol: p\nsafety: {voltage: -1 V to 1 V}\nsteps:\n  - repeat: 100\n    name: cycling\n    steps:\n"
        "      - plate: {current: 1 mA, until: {charge: 1 mAh, voltage: below -0.5 V -> stop}}\n"
        "      - every: 20 cycles\n        steps:\n          - peis: {amplitude: 10 mV rms, from: 100 kHz, to: 0.1 Hz}\n"
    )
    assert describe(loads(text).bind()) == [
        "safety: -1 V to 1 V",
        "record every 10 s, decide every 1 s",
        "repeat 100 times (cycling):",
        "  1. plate at 1 mA; until 1 mAh have passed; stop the run if the voltage is at or below -500 mV",
        "  every 20 cycles:",
        "    2. impedance, 100 kHz to 100 mHz with 10 points a decade, 10 mV rms about open circuit",
        "105 steps, 4 d 4 h at most",
    ]


# --- written again ----------------------------------------------------------------------------

KEYS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Co", "Cn"]), max_size=30).filter(
    lambda key: key != "<<"
)
TEXTS = KEYS | st.sampled_from(["<<", "so long that no line holds it, " * 8])
TREES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4),
        st.dictionaries(KEYS, inner, min_size=1, max_size=4),
    ),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4))
def test_any_tree_survives_being_written_and_read(tree: dict[str, object]) -> None:
    text = to_yaml(tree)  # type: ignore[arg-type]
    if len(text.encode()) <= MOST_BYTES:
        assert read(text, "again") == tree


def test_a_file_written_again_means_the_same() -> None:
    text = (HERE / "everything.yaml").read_text("utf-8")
    assert loads(to_yaml(read(text, "x"))).bind() == loads(text).bind()


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_loads_with_its_defaults(name: str) -> None:
    document = of_experiment(name)
    assert document.bind(CELL).body
    assert loads(document.text).bind(CELL) == document.bind(CELL)


# --- for editors ------------------------------------------------------------------------------


def test_the_published_schema_is_current() -> None:
    """`python -m hilcycler.language.schema > docs/protocol.schema.json` writes it."""
    assert (HERE.parents[1] / "docs" / "protocol.schema.json").read_text("utf-8") == schema.text()


def test_the_schema_accepts_what_we_accept() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    text = (HERE / "everything.yaml").read_text("utf-8")
    errors = [
        f"{list(error.absolute_path)}: {error.message}"
        for error in validator.iter_errors(yaml.safe_load(text))
    ]
    assert errors == []
    assert list(validator.iter_errors({"protocol": "p", "steps": [{"rset": "1 h"}]}))
    assert list(validator.iter_errors({"protocol": "p", "steps": [{"rest": {"for": 600}}]}))
    assert json.dumps(schema.json_schema())
