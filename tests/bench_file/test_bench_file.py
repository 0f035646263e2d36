"""bench.toml: what it means, and what is said of each thing that can be wrong with it."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.bench_file import (
    AfterRestart,
    InstrumentAt,
    Simulated,
    Usb,
    bench_path,
    loads,
    read_bench,
    refuse_stranger,
)
from hilcycler.errors import CyclerError, RequestError, WrongInstrument
from hilcycler.language import FileError
from hilcycler.records import Instrument
from hilcycler.telemetry.allowed import Allowed

WHOLE = """\
name = "bench-2"
site = "electrochemistry"
data = "runs"

[envelope]
voltage = "-1 V to 5 V"
current = "-20 mA to 20 mA"
charge = "20 mAh"
temperature = "5 degC to 60 degC"

[instruments.nexus]
driver = "emstat"
usb = "04D8:000A NX0123"
serial = "NX0123"

[instruments.smu]
driver = "keithley"
address = "TCPIP::10.0.0.7::5025::SOCKET"
model = "Keithley 2450"
serial = "04412345"

[channels.A1]
instrument = "nexus"
chamber = "oven"

[channels.S1]
instrument = "smu"
after-restart = "safe"
envelope = { voltage = "-0.5 V to 0.5 V" }

[channels.T1.simulated]
model = "keithley-2450"
cell = "li-li/bn-pp"
seed = 7
pace = 60

[chambers.oven]
driver = "julabo"
address = "tcp://10.0.0.8:8050"
temperature = "10 degC to 45 degC"

[storage]
warn-below = "20 GB"
reserve = "2 MiB"
fallback = "/mnt/second"
flight-recorder = "10 MB"

[telemetry]
broker = "mqtts://broker.example"
user = "bench-2"
password-file = "broker-password"
allow = ["names", "chemistry"]

[control]
operators = "battery"
"""
LEAST = 'name = "b"\n[channels.A1.simulated]\n'


NEXUS = """\
name = "b"
[instruments.nexus]
driver = "emstat"
address = "/dev/ttyACM0"
[channels.A1]
instrument = "nexus"
"""


def refused(text: str, folder: Path = Path("/lab")) -> str:
    with pytest.raises(FileError) as caught:
        loads(text, folder / "bench.toml")
    return str(caught.value)


def test_a_whole_bench(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(WHOLE)
    bench = read_bench(tmp_path / "bench.toml")
    assert (bench.name, bench.site, bench.data) == ("bench-2", "electrochemistry", tmp_path / "runs")
    assert bench.envelope.charge == pytest.approx(72.0)
    nexus, smu = bench.instruments["nexus"], bench.instruments["smu"]
    assert nexus.usb == Usb(0x04D8, 0x000A, "NX0123")
    assert smu.address == "TCPIP::10.0.0.7::5025::SOCKET"
    a1, s1, t1 = (bench.channels[name] for name in ("A1", "S1", "T1"))
    assert a1.instrument == nexus
    assert a1.chamber == "oven"
    assert a1.envelope == bench.envelope
    assert s1.after_restart is AfterRestart.SAFE
    assert s1.envelope.voltage == (-0.5, 0.5)
    assert s1.envelope.current == (-0.02, 0.02)
    assert t1.instrument is None
    assert t1.simulated == Simulated("keithley-2450", "li-li/bn-pp", 7, 60.0)
    assert bench.chambers["oven"].envelope.temperature == pytest.approx((283.15, 318.15))
    assert (bench.storage.low, bench.storage.reserve) == (20_000_000_000, 2 << 20)
    assert bench.storage.flight == 10_000_000
    assert bench.telemetry is not None
    assert bench.telemetry.password_file == tmp_path / "broker-password"
    assert bench.telemetry.allow == {Allowed.NAMES, Allowed.CHEMISTRY}
    assert bench.control.operators == "battery"


def test_the_least_bench_needs_no_hardware() -> None:
    bench = loads(LEAST, Path("/lab/bench.toml"))
    assert bench.channels["A1"].simulated == Simulated("emstat4-hr", "li-li/bn-pp", 1, None)
    assert bench.channels["A1"].after_restart is AfterRestart.RESUME
    assert bench.envelope.voltage == (-math.inf, math.inf)


WRONG = [
    ('nmae = "b"\n[channels.A1.simulated]', ":1: nmae: is not a key here; did you mean 'name'?"),
    ("[channels.A1.simulated]", "name: is missing; expected the bench's name"),
    ('name = "b"', "channels: is missing"),
    ('name = "b"\n[channels]', "channels: is empty"),
    (LEAST + "[envelope]\nvoltage = 5", "'5' is no range"),
    (LEAST + '[envelope]\ncharge = "20"', "'20' has no unit; expected a charge (such as 1 mAh)"),
    (LEAST + '[envelope]\ncurrent = "-1 mA/cm2 to 1 mA/cm2"', "expected a current (such as 1 mA)"),
    (LEAST + '[envelope]\nvoltage = "5 V to 1 V"', ":4: envelope.voltage: '5 V to 1 V': the lower limit"),
    (LEAST + '[storage]\nwarn-below = "20"', "expected bytes with their unit, such as 10 GB"),
    (LEAST + "pace = 0", "expected simulated seconds per second"),
    ('name = "b"\n[channels.A1]', "channels.A1: expected either 'instrument' or 'simulated'; found neither"),
    (NEXUS.replace('"nexus"', '"nexsu"'), "is no instrument here; did you mean 'nexus'?"),
    (LEAST + '[instruments.x]\ndriver = "emstet"\naddress = "/dev/ttyACM0"', "did you mean 'emstat'?"),
    (LEAST + '[instruments.x]\ndriver = "emstat"\naddress = "ttyACM0"', "expected a serial port"),
    (LEAST + '[instruments.x]\ndriver = "emstat"\nusb = "ttyACM0"', "expected VENDOR:PRODUCT SERIAL"),
    (LEAST + '[instruments.x]\ndriver = "emstat"', "expected either 'address' or 'usb'"),
    (LEAST + "after-restart = 'safe'", "after-restart: is not a key here"),
    ('name = "b"\n[channels.A1]\nafter-restart = "go"\nsimulated = {}', "expected resume or safe"),
    ('name = "../b"\n[channels.A1.simulated]', "is no name; expected letters"),
    ('name = "b"\n[channels."a b".simulated]', "'a b' is no name"),
    ('name = "b"\nname = "c"\n', ":2: not readable as TOML: Cannot overwrite a value"),
    (LEAST + '[telemetry]\nbroker = "broker"', "expected mqtts://HOST[:PORT]"),
    (LEAST + '[telemetry]\nbroker = "mqtts://h"\nallow = ["all"]', "expected some of names, chemistry"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    message = refused(text)
    assert said in message
    assert message.startswith("/lab/bench.toml:")


def two(first: str, second: str, channels: str) -> str:
    return (
        f'name = "b"\n[instruments.x]\ndriver = "emstat"\n{first}\n'
        f'[instruments.y]\ndriver = "emstat"\n{second}\n{channels}'
    )


def test_two_channels_on_one_pair_of_leads() -> None:
    text = two(
        'address = "/dev/ttyACM0"',
        'address = "/dev/ttyACM1"',
        '[channels.A1]\ninstrument = "x"\n[channels.A2]\ninstrument = "x"\n',
    )
    assert ":11: channels.A2.instrument: channel 1 of 'x' is already that of 'A1'" in refused(text)


def test_two_names_for_one_instrument() -> None:
    text = two('address = "/dev/ttyACM0"', 'address = "/dev/ttyACM0"', '[channels.A1]\ninstrument = "x"\n')
    assert "instruments.y.address: /dev/ttyACM0 is already that of 'x'" in refused(text)


def test_a_channel_cannot_leave_the_bench_envelope() -> None:
    text = 'name = "b"\n[envelope]\nvoltage = "0 V to 1 V"\n[channels.A1]\nsimulated = {}\n'
    wider = loads(text + 'envelope = {voltage = "-5 V to 0.5 V"}', Path("/lab/bench.toml"))
    assert wider.channels["A1"].envelope.voltage == (0.0, 0.5)
    assert "leaves no voltage" in refused(text + 'envelope = {voltage = "2 V to 3 V"}')


@pytest.mark.parametrize(
    "key", ["password", "mqtt-password", "token", "api_key", "secret", "passphrase", "smtp-token", "key"]
)
def test_s8_a_secret_is_refused_with_the_right_place_and_never_shown(key: str) -> None:
    message = refused(f'{LEAST}[telemetry]\nbroker = "mqtts://h"\n{key} = "canary-7391"\n')
    assert ":5: telemetry." + key in message
    assert "-file = " in message
    assert "canary" not in message


def test_s8_a_secret_in_an_address_is_refused_and_never_shown() -> None:
    message = refused(f'{LEAST}[telemetry]\nbroker = "mqtts://bench:canary-7391@h"\n')
    assert "`password-file`" in message
    assert "canary" not in message


def test_s8_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "broker"
    secret.write_text("canary-7391\n")
    text = f'{LEAST}[telemetry]\nbroker = "mqtts://h"\npassword-file = "broker"\n'
    secret.chmod(0o640)
    message = refused(text, tmp_path)
    assert "has mode 0640; expected 0600" in message
    assert "canary" not in message
    secret.chmod(0o600)
    assert loads(text, tmp_path / "bench.toml").telemetry is not None


def test_a_systemd_credential_stands_in_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "broker").write_text("canary\n")
    bench = loads(
        f'{LEAST}[telemetry]\nbroker = "mqtts://h"\npassword-file = "broker"\n', Path("/lab/bench.toml")
    )
    assert bench.telemetry is not None
    assert bench.telemetry.password_file == tmp_path / "broker"


def test_who_must_answer() -> None:
    at = InstrumentAt("smu", "keithley", "tcp://h:1", model="Keithley 2450", serial="0441")
    refuse_stranger(at, Instrument("keithley", "Keithley 2450", "0441", "1.7"))
    refuse_stranger(at, Instrument("keithley", "unknown: busy", "", ""))
    with pytest.raises(WrongInstrument, match="Keithley 2450 0442 answers; expected serial number 0441"):
        refuse_stranger(at, Instrument("keithley", "Keithley 2450", "0442", "1.7"))
    with pytest.raises(WrongInstrument, match="expected model"):
        refuse_stranger(at, Instrument("keithley", "Keithley 2400", "0441", "1.7"))


def test_where_the_bench_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILCYCLER_BENCH", raising=False)
    monkeypatch.setenv("HILCYCLER_DATA", str(tmp_path))
    with pytest.raises(RequestError, match="no bench file"):
        bench_path()
    (tmp_path / "bench.toml").write_text(LEAST)
    assert bench_path() == tmp_path / "bench.toml"
    monkeypatch.setenv("HILCYCLER_BENCH", "/elsewhere.toml")
    assert bench_path() == Path("/elsewhere.toml")
    assert bench_path(Path("mine.toml")) == Path("mine.toml")


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read: No such file"):
        read_bench(tmp_path / "bench.toml")
    (tmp_path / "bench.toml").write_bytes(b'name = "b"\n\xff')
    with pytest.raises(FileError, match="toml:2: is not UTF-8"):
        read_bench(tmp_path / "bench.toml")


_PIECES = st.sampled_from(
    [
        *WHOLE.splitlines(),
        "=",
        "[",
        "]",
        '"',
        "[[x]]",
        "a.b.c = 1",
        "nan",
        "1e999",
        "[" * 3000,
        "\x00",
        "''''",
    ]
)


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=25), st.text(max_size=60))
def test_s11_whatever_a_file_holds_it_is_read_or_one_typed_error(pieces: list[str], text: str) -> None:
    for written in ("\n".join([*pieces, text]), WHOLE.replace(pieces[0] if pieces else "x", text)):
        with contextlib.suppress(CyclerError):
            assert loads(written, Path("/lab/bench.toml")).channels


def test_the_bench_in_the_documents_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "bench.md").read_text("utf-8")
    (source,) = (part.partition("```")[0] for part in text.split("```toml\n")[1:])
    bench = loads(source, Path("/lab/bench.toml"))
    assert list(bench.channels) == ["A1", "S1", "T1"]
