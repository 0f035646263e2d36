"""`cycler doctor`, `ports`, `new-bench`: what is found of a computer and a bench, with nothing energised."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
from spine import make_twin
from typer.testing import CliRunner

from hilcycler.bench_file import loads, schema
from hilcycler.bench_file.template import plugged_in, simulated
from hilcycler.bench_state import BenchState
from hilcycler.cli import app
from hilcycler.cli import bench_file as _doctor  # noqa: F401  (adds its commands)
from hilcycler.cli import protocols as _schema  # noqa: F401
from hilcycler.doctor import Checked, Verdict, examine_bench, examine_host
from hilcycler.doctor.host import file_system
from hilcycler.links.loop import run
from hilcycler.links.ports import Plugged
from hilcycler.protocol import Violation
from hilcycler.twin import Twin


@contextlib.asynccontextmanager
async def two_instruments(potentiostat: Twin, smu: Twin) -> AsyncIterator[tuple[str, str]]:
    """A simulated potentiostat on a pty and an SMU on TCP, whose output is off but, as delivered, not open."""
    async with potentiostat.listen("pty") as pty, smu.listen("tcp://127.0.0.1:0") as tcp:
        yield pty, tcp


def energised(twin: Twin) -> bool:
    return bool(twin.energised)  # type: ignore[attr-defined]


def instrument(name: str, driver: str, address: str, more: str = "") -> str:
    return (
        f'[instruments.{name}]\ndriver = "{driver}"\naddress = "{address}"\n{more}\n'
        f'[channels.{name}]\ninstrument = "{name}"\n'
    )


async def examined(text: str, folder: Path, *, ask: bool = True) -> dict[str, Checked]:
    bench = loads(f'name = "b"\ndata = "{folder}"\n{text}', folder / "bench.toml")
    (folder / "bench.toml").touch(0o600)
    return {each.what: each async for each in examine_bench(bench, ask=ask)}


def test_instruments_are_asked_who_they_are_and_not_energised(tmp_path: Path) -> None:
    potentiostat, smu = make_twin("emstat4-hr"), make_twin("keithley-2450")

    async def main() -> None:
        async with two_instruments(potentiostat, smu) as (pty, tcp):
            text = instrument("P", "emstat", pty) + instrument(
                "S", "keithley", tcp, 'model = "Keithley 2450"'
            )
            found = await examined(text, tmp_path)
            assert found["instrument P"].verdict is Verdict.FINE
            assert "EmStat4" in found["instrument P"].found
            assert found["instrument S"].verdict is Verdict.FINE
            assert (
                "if this computer dies: it holds the last set-point for ever" in found["instrument S"].found
            )

            strangers = instrument("P", "emstat", tcp) + instrument("S", "keithley", pty)
            found = await examined(strangers, tmp_path)
            assert found["instrument P"].verdict is Verdict.BAD
            assert found["instrument S"].verdict is Verdict.BAD

            other = await examined(instrument("S", "keithley", tcp, 'serial = "0441"'), tmp_path)
            assert other["instrument S"].verdict is Verdict.BAD
            assert "expected serial number 0441" in other["instrument S"].found

    run(main())


def test_what_an_instrument_cannot_measure_is_no_limit(tmp_path: Path) -> None:
    potentiostat, smu = make_twin("emstat4-hr"), make_twin("keithley-2450")

    async def main() -> None:
        async with two_instruments(potentiostat, smu) as (pty, _):
            text = '[envelope]\nvoltage = "-50 V to 50 V"\n' + instrument("P", "emstat", pty)
            found = (await examined(text, tmp_path))["instrument P"]
            assert found.verdict is Verdict.LOOK
            assert "the voltage limit -50 V lies beyond what it measures" in found.found

    run(main())


def test_nobody_there_is_said_and_not_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        text = instrument("P", "emstat", "/dev/no-such-port") + instrument(
            "S", "keithley", "tcp://127.0.0.1:1"
        )
        found = await examined(text, tmp_path)
        assert "no such port" in found["instrument P"].found
        assert found["instrument S"].verdict is Verdict.BAD
        unasked = await examined(text, tmp_path, ask=False)
        assert "instrument S" not in unasked

    asyncio.run(main())


def test_what_is_written_is_examined(tmp_path: Path) -> None:
    secret = tmp_path / "broker"
    text = (
        '[channels.A1.simulated]\n[channels.A2.simulated]\nmodel = "emstat9"\n'
        f'[telemetry]\nbroker = "mqtts://h"\npassword-file = "{secret}"\n'
    )
    BenchState(tmp_path).latch("A1", "20260101-aaaaaaaa", Violation("voltage", 1.2, -1.0, 1.0))

    async def main() -> None:
        found = await examined(text, tmp_path)
        assert found["channel A2"].verdict is Verdict.BAD
        assert "no simulated instrument named 'emstat9'" in found["channel A2"].found
        assert found["secret"].verdict is Verdict.BAD
        assert "no limit of voltage and current" in found["envelope"].found
        (tmp_path / "bench.toml").chmod(0o666)
        assert "others can change the limits" in (await examined(text, tmp_path))["bench file"].found

    asyncio.run(main())
    (tmp_path / "bench.toml").write_text(f'name = "b"\ndata = "{tmp_path}"\n{text}')
    said = CliRunner().invoke(app, ["doctor", "--bench", str(tmp_path / "bench.toml"), "--json"])
    assert said.exit_code == 1
    rows = json.loads(said.stdout)
    assert any("latched by a trip of run 20260101-aaaaaaaa" in row["found"] for row in rows)


def test_the_computer_is_examined(tmp_path: Path) -> None:
    found = {each.what: each for each in examine_host(tmp_path, 0)}
    assert found["fsync"].verdict in {Verdict.FINE, Verdict.LOOK}
    assert "median" in found["fsync"].found
    assert found["free space"].verdict is Verdict.FINE
    assert {each.what: each for each in examine_host(tmp_path, 1 << 60)}["free space"].verdict is Verdict.BAD
    tmp_path.chmod(0o777)
    assert next(examine_host(tmp_path, 0)).verdict is Verdict.LOOK
    tmp_path.chmod(0o755)
    assert file_system(Path("/proc/self")) == "proc"
    assert not list(tmp_path.iterdir())


def test_templates_are_benches() -> None:
    assert len(loads(simulated(8), Path("/lab/bench.toml")).channels) == 8
    found = [
        Plugged("/dev/ttyACM0", "/dev/serial/by-id/usb-x", 0x04D8, 0xA, "NX1", "PalmSens\nNexus"),
        Plugged("/dev/ttyS0", "", None, None, "", ""),
    ]
    bench = loads(plugged_in(found), Path("/lab/bench.toml"))
    assert str(bench.instruments["instrument-1"].usb) == "04D8:000A NX1"
    assert bench.instruments["instrument-2"].address == "/dev/ttyS0"
    assert "Nothing is plugged in" in plugged_in([])


def test_ports_says_what_is_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Plugged("/dev/ttyACM0", "/dev/serial/by-id/usb-x", 0x04D8, 0xA, "NX1", "\x1b[31mNexus")
    monkeypatch.setattr("hilcycler.cli.bench_file.plugged", lambda: [there])
    told = CliRunner().invoke(app, ["ports", "--no-visa"])
    assert "04D8:000A NX1" in told.stdout
    assert "\x1b" not in told.stdout


def test_the_schema_in_docs_is_current_and_accepts_a_bench() -> None:
    kept = Path(__file__).parents[2] / "docs" / "bench.schema.json"
    assert kept.read_text() == schema.text()
    jsonschema.validate(tomllib.loads(simulated(3)), schema.json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "b", "channels": {}, "nmae": 1}, schema.json_schema())
    assert json.loads(CliRunner().invoke(app, ["schema", "bench"]).stdout) == schema.json_schema()
