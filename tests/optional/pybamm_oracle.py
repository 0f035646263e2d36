"""Our PyBaMM experiment strings, read by PyBaMM itself.

It is a judge here and never a dependency, so it lives in an environment of its own:

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install pybamm==26.10.1.1
    PYTHONPATH=cycler /tmp/oracle/bin/python tests/optional/pybamm_oracle.py

Each exported string must be accepted, with the current (its sign is the other way round there), the
duration and the limit that were meant; and each of its own kinds of string must be read here.
"""

from __future__ import annotations

import pybamm

from hilcycler.cell import Cell, Electrode
from hilcycler.language import loads
from hilcycler.language.exchange import from_pybamm, to_pybamm

CELL = Cell("c", Electrode("LFP"), Electrode("Li"), area=1e-4, nominal_capacity=7.2)
OURS = """
protocol: p
record: {every: 10 s}
steps:
  - rest: 10 min
  - discharge: {current: 0.37 mA, for: 2.5 h, until: {voltage: below 0 V}}
  - plate: {current: 1 mA/cm2, until: {charge: 1 mAh/cm2, voltage: below -0.5 V}}
  - charge: {current: C/3, for: 4 h, until: {voltage: above 4.15 V}}
  - constant voltage: {voltage: 4.15 V, for: 1 h, until: {current: below C/50}}
  - constant voltage: {voltage: -0.1 V, for: 100 s}
"""
THEIRS = [
    "Rest for 1 hour",
    "Discharge at C/10 for 10 hours or until 3.3 V",
    "Charge at 1 A until 4.1 V",
    "Hold at 4.1 V until 50 mA",
    "Discharge at 1C for 0.5 hours",
    "Hold at 4.1 V for 10 minutes (1 minute period)",
]


def main() -> None:
    for line in to_pybamm(loads(OURS).bind(CELL)):
        step = pybamm.step.string(line)
        limits = [(type(limit).__name__, getattr(limit, "value", None)) for limit in step.termination]
        print(f"{line:100} {type(step).__name__:10} {step.value!s:22} {step.duration!s:>8} s {limits}")
        assert step.duration is not None
        if line.startswith("Charge"):
            assert step.value < 0.0
        if line.startswith("Discharge"):
            assert step.value > 0.0
    for line in THEIRS:
        pybamm.step.string(line)
        from_pybamm([line]).bind(CELL)
    print(f"{len(THEIRS)} of its own kinds read")


if __name__ == "__main__":
    main()
