"""Every fault of a file in one sentence: the file, the line, the key, and what was expected."""

from __future__ import annotations

from textwrap import dedent

import pytest

from hilcycler.language.document import loads
from hilcycler.language.faults import FileError
from hilcycler.language.strict_yaml import MOST_BYTES, MOST_NODES

GOOD = """\
protocol: Li||Li symmetric cycling
cell: {working: Li, counter: Li, area: 1.131 cm2}
safety: {voltage: -1 V to 1 V, current: -5 mA to 5 mA, charge: 2 mAh}
record: {every: 10 s, voltage change: 5 mV}
steps:
  - rest: {for: 10 min}
  - repeat: 100
    name: cycling
    steps:
      - plate: {current: 1 mA/cm2, until: {charge: 1 mAh/cm2, voltage: below -0.5 V -> stop}}
      - strip: {current: 1 mA/cm2, until: {charge: 1 mAh/cm2, voltage: above 0.5 V -> stop}}
"""


def complaints(text: str) -> list[str]:
    with pytest.raises(FileError) as caught:
        loads(text, "my.yaml").bind()
    return str(caught.value).splitlines()


def changed(old: str, new: str) -> list[str]:
    assert GOOD.count(old) == 1
    return complaints(GOOD.replace(old, new))


def steps(text: str, cell: str = "cell: {working: Li, counter: Li}") -> list[str]:
    """What is wrong with these steps, which begin on line 4."""
    return complaints(f"protocol: p\n{cell}\nsteps:\n{dedent(text).strip()}\n")


STEP_KINDS = (
    "rest, plate, strip, charge, discharge, constant current, constant voltage, peis, geis, linear sweep, "
    "cyclic voltammetry, temperature, pause, repeat, group, every, in cycles"
)


def test_a_missing_unit() -> None:
    assert changed("{for: 10 min}", "{for: 10}") == [
        "my.yaml:6: steps[1].rest.for: '10' has no unit; expected a time (such as 10 s, 5 min, 1 h)"
    ]


def test_an_unknown_key() -> None:
    assert changed("voltage change", "voltage chnge") == [
        (
            "my.yaml:4: record.voltage chnge: is not a key here; did you mean 'voltage change'? "
            "expected every, voltage change, current change, points per decade, decide every"
        )
    ]


def test_a_misspelt_required_key_is_one_fault_not_two() -> None:
    assert changed("plate: {current", "plate: {curent") == [
        (
            "my.yaml:10: steps[2].steps[1].plate.curent: is not a key here; did you mean 'current'? "
            "expected for, until, record, name, current, hold at"
        )
    ]


def test_a_duplicate_key() -> None:
    assert changed("  - rest: {for: 10 min}", "  - rest: {for: 10 min, for: 20 min}") == [
        "my.yaml:6: steps[1].rest.for: is given twice (first on line 6); expected once"
    ]


def test_an_anchor_and_its_alias() -> None:
    assert complaints("protocol: &p name\ndescription: *p\nsteps: [rest: 1 min]\n") == [
        "my.yaml:1: protocol: anchors (&p) are not allowed; write values where they stand",
        "my.yaml:2: description: aliases (*p) are not allowed; write the value out",
    ]


def test_a_tag() -> None:
    assert complaints("protocol: !!python/name:os.system x\nsteps: [rest: 1 min]\n") == [
        (
            "my.yaml:1: protocol: tags ('tag:yaml.org,2002:python/name:os.system') are not allowed; "
            "every value is plain text"
        )
    ]


def test_a_merge_key() -> None:
    assert complaints("protocol: p\nsteps: [rest: {<<: x, for: 1 min}]\n") == [
        "my.yaml:2: steps[1].rest: merge keys ('<<') are not allowed; write the keys out"
    ]


def test_a_second_document() -> None:
    assert complaints(GOOD + "---\nprotocol: q\n") == [
        "my.yaml:12: a second document ('---') begins; expected one"
    ]


def test_a_directive() -> None:
    assert complaints("%TAG ! tag:x,2026:\n---\n" + GOOD) == [
        "my.yaml:1: YAML directives (%) are not allowed"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "my.yaml: is empty; expected a protocol"),
        ("- rest", "my.yaml:1: expected keys with values, such as 'protocol: name'; found a list"),
        ("rest", "my.yaml:1: expected keys with values, such as 'protocol: name'; found plain text"),
        ("a: {[1]: b}", "my.yaml:1: a: a list or mapping cannot be a key; expected a word"),
        ("a: b: c", "my.yaml:1: not readable as YAML: mapping values are not allowed here"),
        ("a:\n\tb: c", ("my.yaml:2: not readable as YAML: while scanning for the next token, "
         "found character '\\t' that cannot start any token")),
        ("a: b\nc: \x00", "my.yaml:2: not readable as YAML: character 0x0 is not allowed"),
        ('a: "\\UFFFFFFFF"', "my.yaml: not readable as YAML: an escape is no character"),
        ("a: " + "[" * 40, "my.yaml:1: nested more than 32 deep"),
        ("k" * 65 + ": 1", f"my.yaml:1: '{'k' * 60}...' is too long for a key"),
        ("a: " + "x" * MOST_BYTES, f"my.yaml: is {MOST_BYTES + 3} bytes; a protocol file has at most {MOST_BYTES} bytes"),
        ("a: [" + "1," * (MOST_NODES + 1) + "]", f"my.yaml:1: more than {MOST_NODES} values; use repeat"),
    ],
)  # fmt: skip
def test_not_a_file_of_ours(text: str, message: str) -> None:
    assert complaints(text) == [message]


def test_several_faults_each_on_its_line() -> None:
    text = (
        GOOD.replace("1.131 cm2", "1.131 cm")
        .replace("-1 V to 1 V", "1 V")
        .replace("repeat: 100", "repeat: 1.5")
    )
    assert complaints(text) == [
        "my.yaml:2: cell.area: '1.131 cm' is a length; expected an area (such as 1.131 cm2)",
        "my.yaml:3: safety.voltage: '1 V' is no range; expected 'LOW to HIGH', such as '-500 mV to 500 mV'",
        "my.yaml:7: steps[2].repeat: '1.5' is no count; expected a whole number from 1 to 1000000",
    ]


def test_neither_steps_nor_experiment() -> None:
    assert complaints("protocol: p\n") == [
        "my.yaml: expected either 'steps' or an 'experiment'; found neither"
    ]


def test_no_name() -> None:
    assert complaints("steps: [rest: 1 min]\n") == [
        "my.yaml: 'protocol' is missing; expected the protocol's name"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- rset: 10 min", f"my.yaml:4: steps[1].rset: is not a key here; did you mean 'rest'? expected {STEP_KINDS}"),
        ("- rest: 10 min\n  plate: {current: 1 mA}",
         f"my.yaml:4: steps[1]: found rest and plate; expected one of {STEP_KINDS}"),
        ("- plate: {current: 1 mA}\n  for: 10 min", "my.yaml:5: steps[1].for: belongs inside the step, indented once more"),
        ("- plate: {current: -1 mA}\n", "my.yaml:4: steps[1].plate.current: '-1 mA' must be greater than zero"),
        ("- plate: {for: 1 h}",
         "my.yaml:4: steps[1].plate.current: is missing; expected a positive current, such as 1 mA/cm2, 2 mA, C/10 or 170 mA/g"),
        ("- constant current: {current: 0 mA, for: 1 h}",
         "my.yaml:4: steps[1].constant current.current: '0 mA' must not be zero (write rest for zero current)"),
        ("- plate: {current: [1 mA, 2 mA], for: 1 h}",
         ("my.yaml:4: steps[1].plate.current: expected a current (such as 1 mA) or a current per area (such as 1 mA/cm2) "
         "or a current per active mass (such as 170 mA/g) or a C-rate (such as C/10); found a list")),
        ("- plate: {current: 1 mA, until: {voltage: -0.5 V}}",
         ("my.yaml:4: steps[1].plate.until.voltage: '-0.5 V' is no condition on the voltage; "
         "expected such as 'above 0.5 V' or 'below -0.5 V -> stop'")),
        ("- rest: {for: 1 h, until: {voltage change: below 1 mV}}",
         ("my.yaml:4: steps[1].rest.until.voltage change: 'below 1 mV' must say over what time; "
         "expected such as 'below 1 mV/h over 10 min'")),
        ("- peis: {amplitude: 10 mV, from: 1 MHz, to: 10 mHz}",
         "my.yaml:4: steps[1].peis.amplitude: amplitude '10 mV' must say rms or peak, as in '10 mV rms'"),
        ("- peis: {amplitude: 10 mV rms, from: 10 mHz, to: 1 MHz}",
         "my.yaml:4: steps[1].peis.from: '10 mHz' is below '1 MHz'; expected the highest frequency first"),
        ("- peis: {amplitude: 10 mV rms, from: 1 MHz, to: 10 mHz, drift check: maybe}",
         "my.yaml:4: steps[1].peis.drift check: 'maybe' is neither yes nor no"),
        ("- rest: {until: {voltage: above 1 V}}",
         ("my.yaml:4: steps[1]: 'rest' could last for ever: no condition is certain to be met; "
         "expected a time, such as 'for: 24 h'")),
        ("- plate: {current: 1 mA, until: {voltage: below -0.5 V}}",
         ("my.yaml:4: steps[1]: 'plate' could last for ever: no condition is certain to be met; "
         "expected a time or a charge, such as 'for: 24 h'")),
        ("- constant voltage: {voltage: 10 mV, until: {charge: 1 mAh}}",
         ("my.yaml:4: steps[1]: 'constant voltage' could last for ever: no condition is certain to be met; "
         "expected a time, such as 'for: 24 h'")),
        ("- plate: {current: 1 mA/cm2, for: 1 h}\n- strip: {current: 2 mA/cm2, for: 1 h}",
         "my.yaml:4: steps[1].plate.current: '1 mA/cm2' needs the area of the cell, such as 'area: 1.131 cm2'"),
        ("- charge: {current: C/2, for: 1 h}",
         ("my.yaml:4: steps[1].charge.current: 'C/2' needs the nominal capacity of the cell, "
         "such as 'nominal capacity: 2.04 mAh'")),
        ("- charge: {current: 170 mA/g, for: 1 h}",
         ("my.yaml:4: steps[1].charge.current: '170 mA/g' needs the active mass of the working electrode, "
         "such as 'active mass: 12.3 mg'")),
        ("- rest: {for: 1 h -> cycling}", ("my.yaml:4: steps[1].rest.for: '1 h -> cycling' has a target; "
         "expected a time (such as 10 s, 5 min, 1 h) (targets stand in 'until')")),
        ("- repeat: 2\n  name: cycling\n  steps:\n    - rest: {until: {time: 1 h -> cylcing}}",
         ("my.yaml:7: steps[1].steps[1]: nothing around it is named 'cylcing'; did you mean 'cycling'? "
         "expected next or stop or cycling")),
        ("- repeat: 2\n  name: stop\n  steps:\n    - rest: 1 h",
         "my.yaml:4: steps[1]: 'stop' has a meaning of its own; expected another name"),
        ("- repeat: 2\n  name: a\n  steps:\n    - repeat: 3\n      name: a\n      steps: [rest: 1 h]",
         "my.yaml:7: steps[1].steps[1]: 'a' is also the name of what is around it; expected another name"),
        ("- repeat: 2\n", "my.yaml:4: steps[1]: 'repeat' holds no steps; expected steps beside it"),
        ("- every: 5 cycles\n  steps: [rest: 1 h]",
         "my.yaml:4: steps[1]: 'every' stands in no repeat; expected a repeat around it"),
        ("- repeat: 10\n  steps:\n    - in cycles: 1, 20\n      steps: [rest: 1 h]",
         "my.yaml:6: steps[1].steps[1]: 'in cycles' names cycle 20, but the repeat has 10"),
        ("- rest: {for: 1 h, record: {points per decade: 0}}",
         "my.yaml:4: steps[1].rest.record.points per decade: '0' is no count; expected a whole number from 1 to 1000"),
        ("- rest: {for: 1 h, record: {points per decade: 5 s}}",
         "my.yaml:4: steps[1].rest.record.points per decade: '5 s' is no count; expected a whole number from 1 to 1000"),
        ("- rest: {for: 1 h, record: {every: 1 s, decide every: 2 s}}",
         "my.yaml:4: steps[1].rest.record.decide every: '2 s' is longer than the recording period; expected at most that"),
        ("- rest: {for: 1 h, until: {all of: {time: 3 h -> stop, voltage: above 0 V}}}",
         "my.yaml:4: steps[1].rest.until.all of.time: '3 h -> stop': inside 'all of' write the target once, as 'then: stop'"),
        ("- temperature: {to: 40 degC, for: 1 h, until: {temperature: within 25 degC for 1 h}}",
         "my.yaml:4: steps[1].temperature.until.temperature: '25 degC' is no tolerance; expected kelvin, such as '0.5 K'"),
        ("- repeat: 1000000\n  steps: [{repeat: 1000000, steps: [rest: 1 s]}]",
         "my.yaml: steps: the repeats come to 1e+12 steps; at most 10000000 are allowed"),
        ("- plate: {current: 1 nA, until: {charge: 1 Ah}}",
         "my.yaml: steps: the steps could last 1.14e+05 years; at most 100 are allowed"),
    ],
)  # fmt: skip
def test_steps_that_cannot_be(text: str, message: str) -> None:
    assert steps(text) == [message]


def test_set_points_outside_the_files_own_limits() -> None:
    assert changed("-5 mA to 5 mA", "-1 mA to 1 mA") == [
        "my.yaml:10: steps[2].steps[1]: 'plate': the current -0.001131 A is outside the safety limits -0.001 to 0.001 A",
        "my.yaml:11: steps[2].steps[2]: 'strip': the current 0.001131 A is outside the safety limits -0.001 to 0.001 A",
    ]


def test_a_safety_range_the_wrong_way_round() -> None:
    assert changed("-1 V to 1 V", "1 V to -1 V")[0] == (
        "my.yaml:3: safety.voltage: '1 V to -1 V' is empty; expected the lower value first"
    )


def test_an_unknown_experiment() -> None:
    found = complaints("experiment: symetric\n")
    assert found[0].startswith("my.yaml:1: experiment: no experiment is named 'symetric'; installed: ")


def test_a_parameter_that_is_not_declared() -> None:
    assert changed("for: 10 min", "for: $pause") == [
        "my.yaml:6: steps[1].rest.for: no parameter is named 'pause'; declared: none"
    ]
