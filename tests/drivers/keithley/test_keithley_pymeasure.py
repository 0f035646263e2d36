"""PyMeasure's own instruments, unmodified, against the simulated SMUs over TCP through pyvisa-py.

The parser of the simulator was written from the grammar (see test_keithley_wire.py), not from this
client; that this client works is the independent judge of both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from pymeasure.instruments.keithley import Keithley2400, Keithley2450

from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu


def on_a_socket(model: str, use: Callable[[str], None]) -> KeithleyTwin:
    """Have `use` talk, in a thread, to a simulated `model` at the VISA resource it is given."""

    async def main() -> KeithleyTwin:
        twin = KeithleyTwin(Smu(MODELS[model], catalogue.make("li-li/bn-pp", 1)))
        async with twin.listen("tcp://127.0.0.1:0") as address:
            _, _, port = address.rpartition(":")
            await asyncio.to_thread(use, f"TCPIP0::127.0.0.1::{port}::SOCKET")
        return twin

    return asyncio.run(main())


def test_a_2450_sources_current_measures_and_shuts_down() -> None:
    def use(resource: str) -> None:
        smu = Keithley2450(resource, visa_library="@py", read_termination="\n", write_termination="\n")
        assert smu.id.startswith("KEITHLEY INSTRUMENTS,MODEL 2450,SIM")
        smu.reset()
        smu.apply_current(10e-3, compliance_voltage=5)
        smu.measure_voltage(nplc=0.1, voltage=20)
        smu.source_current = -1e-3
        assert smu.source_current == pytest.approx(-1e-3)
        smu.enable_source()
        assert smu.source_enabled
        assert -0.1 < smu.voltage < -0.001, "lithium is plated below 0 V"
        smu.source_current = 1e-3
        assert 0.001 < smu.voltage < 0.1
        assert smu.compliance_voltage == pytest.approx(5.0)
        smu.compliance_voltage = 0.02
        assert smu.voltage == pytest.approx(0.02, abs=2e-3), "the limit clamps"
        assert smu.values(":SOUR:CURR:VLIM:TRIP?") == [1.0], "and says so"
        smu.shutdown()
        assert not smu.source_enabled
        assert smu.check_errors() == []
        smu.adapter.close()

    twin = on_a_socket("2450", use)
    assert not twin.smu.output.on
    assert twin.smu.output.current == pytest.approx(0.0, abs=1e-6), "shutdown ramps to zero"


def test_a_2450_sources_voltage_and_measures_current() -> None:
    def use(resource: str) -> None:
        smu = Keithley2450(resource, visa_library="@py", read_termination="\n", write_termination="\n")
        smu.reset()
        smu.apply_voltage(2.0, compliance_current=1e-3)
        smu.measure_current(nplc=0.1, current=1e-3)
        smu.source_voltage = 0.005
        smu.enable_source()
        assert 1e-5 < smu.current <= 1e-3
        smu.source_voltage = 1.0
        assert smu.current == pytest.approx(1e-3, rel=0.01), "1 V is limited to the compliance current"
        smu.write(":SENS:CURR:RSEN ON")
        assert not smu.source_enabled, "changing the wiring opens the output"
        smu.shutdown()
        smu.adapter.close()

    assert not on_a_socket("2450", use).smu.output.on


def test_what_is_out_of_range_is_an_error_in_the_queue() -> None:
    def use(resource: str) -> None:
        smu = Keithley2450(resource, visa_library="@py", read_termination="\n", write_termination="\n")
        smu.reset()
        smu.write(":SOUR:FUNC CURR;:SOUR:CURR 5")
        smu.write(":NONSENSE 1")
        assert [int(each[0]) for each in smu.check_errors()] == [-222, -113]
        assert smu.check_errors() == []
        smu.adapter.close()

    on_a_socket("2450", use)


def test_a_2400_of_the_older_dialect() -> None:
    def use(resource: str) -> None:
        smu = Keithley2400(resource, visa_library="@py", read_termination="\n", write_termination="\n")
        assert "MODEL 2400" in smu.id
        smu.reset()
        smu.source_mode = "current"
        smu.source_current_range = 10e-3
        smu.compliance_voltage = 5
        smu.voltage_nplc = 0.1
        smu.wires = 4
        assert smu.wires == 4
        smu.source_current = -1e-3
        smu.source_enabled = True
        assert smu.source_enabled
        assert smu.current == pytest.approx(-1e-3, rel=1e-2)
        assert -0.1 < smu.voltage < -0.001
        assert smu.compliance_voltage == pytest.approx(5.0)
        assert smu.check_errors() == []
        smu.shutdown()
        assert not smu.source_enabled
        smu.adapter.close()

    assert not on_a_socket("2400", use).smu.output.on
