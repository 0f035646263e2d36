"""The security checklist, where it concerns the service; each test is named after its item."""

from __future__ import annotations

import ast
import importlib
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from service_bench import CYCLES, Hosted, simulated_bench
from typer.testing import CliRunner

from hilcycler.bench_file import loads
from hilcycler.bench_state import Asked, BenchState
from hilcycler.cli import app
from hilcycler.control.client import Client, new_key
from hilcycler.control.places import NOTE, within
from hilcycler.errors import CyclerError, JournalError, RequestError
from hilcycler.service.desk import Command, Verb
from hilcycler.service.request import RunRequest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "hilcycler.service"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where others may come, so that what keeps them out is the socket alone."""
    place = tmp_path_factory.mktemp("security")
    for each in (place, *place.parents):
        if each.name.startswith("pytest-"):
            each.chmod(0o755)
    return place


@pytest.fixture(scope="module")
def service(place: Path) -> Iterator[Hosted]:
    with Hosted(simulated_bench(place)) as hosted:
        with Client(place / "data") as client:
            hosted.until(lambda: client.status().reconciled)
        yield hosted


def asked(place: Path, request: bytes, name: str = "control.sock", most: int = 1 << 16) -> bytes:
    """What the service answers to these very bytes."""
    with within(place / "data") as folder, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10.0)
        connection.connect(f"{folder}/{name}")
        try:
            connection.sendall(request)
            return connection.recv(most)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def post(place: Path, path: str, body: bytes, name: str = "control.sock") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: b\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return asked(place, head.encode() + body, name)


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_s1_another_user_cannot_connect(service: Hosted, place: Path) -> None:
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    for name in ("control.sock", "view.sock"):
        with within(place / "data") as folder:
            path = f"{Path(folder).readlink()}/{name}"
        if len(path) > 100:
            pytest.skip("the path is too long for a socket's address")
        done = subprocess.run(
            ["/usr/bin/env", "python3", "-c", code, path],
            user="nobody", group="nogroup", extra_groups=[], capture_output=True, check=False, text=True,
        )  # fmt: skip
        assert "PermissionError" in done.stderr, done.stderr


def test_s2_every_verb_is_denied_on_the_view_socket(service: Hosted, place: Path) -> None:
    body = Command(key=new_key()).model_dump_json().encode()
    before = BenchState(place / "data").entries()
    for path in (*(f"/channels/c1/{verb.value}" for verb in Verb), "/safe"):
        answer = post(place, path, body, "view.sock")
        assert answer.startswith(b"HTTP/1.1 403"), (path, answer)
    assert BenchState(place / "data").entries() == before


def test_s3_nothing_listens_on_the_network(service: Hosted) -> None:
    listening = [each for each in psutil.Process(service.pid).net_connections() if each.status == "LISTEN"]
    assert listening == []


def test_s4_there_is_no_way_to_listen_on_the_network() -> None:
    """No address, no TLS, no token to forget: there is no such option, and no such key."""
    shown = CliRunner().invoke(app, ["serve", "--help"])
    importlib.import_module("hilcycler.cli.service")
    assert not re.search(r"--(host|port|listen|address|bind)", shown.output)
    for key in ("address", "host", "listen", "port"):
        with pytest.raises(CyclerError, match=key):
            loads(f'name = "b"\n[control]\n{key} = "0.0.0.0:80"\n', Path("bench.toml"))


def test_s11_any_protocol_text_is_taken_or_refused_in_words(service: Hosted, place: Path) -> None:
    chance, text = random.Random(11), CYCLES.format(cycles=3, name="x")
    with Client(place / "data", acting=True) as client:
        for _ in range(60):
            spoiled = list(text)
            for _ in range(chance.randrange(1, 6)):
                spoiled[chance.randrange(len(spoiled))] = chance.choice("{}[]:&*!|>%@`\"'\\\n\t\x00é0-9")
            # The cell is none, which refuses what the language would take.
            request = RunRequest(protocol="".join(spoiled), cell={"name": 7})
            with pytest.raises(CyclerError) as refused:
                client.ask("c2", Verb.START, Command(key=new_key(), request=request))
            assert "Traceback" not in str(refused.value)
        assert client.status().reconciled


def test_s12_no_protocol_leaves_the_bench_envelope(service: Hosted, place: Path) -> None:
    wide = (
        CYCLES.format(cycles=3, name="wide")
        .replace("-10 mA to 10 mA", "-1 A to 1 A")
        .replace("1 mA,", "50 mA,")
    )
    with Client(place / "data", acting=True) as client:
        run = client.ask("c2", Verb.START, Command(key=new_key(), request=RunRequest(protocol=wide))).run
        service.until(lambda: bool(client.channel("c2").failure))
        seen = client.channel("c2")
        assert seen.run == ""
        assert "outside the safety limits" in seen.failure, seen.failure
    assert not (place / "data" / f"{run}.run.sqlite").exists()


@pytest.mark.parametrize(
    "body",
    [
        b'{"key": "aaaaaaaaaaaa", "cycles": NaN}',
        b'{"key": "aaaaaaaaaaaa", "cycles": Infinity}',
        b'{"key": "aaaaaaaaaaaa", "key": "bbbbbbbbbbbb"}',
        b'{"key": "aaaaaaaaaaaa", "unknown": 1}',
        b'{"key": "short"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
)
def test_s13_json_is_read_strictly(service: Hosted, place: Path, body: bytes) -> None:
    assert post(place, "/channels/c1/extend", body).startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x", "a: !!python/object:os.system x", "safety: {a: 1, a: 2}"]
)
def test_s13_yaml_is_read_strictly(service: Hosted, place: Path, text: str) -> None:
    with Client(place / "data", acting=True) as client, pytest.raises(RequestError):
        client.ask("c1", Verb.START, Command(key=new_key(), request=RunRequest(protocol=text)))


SOURCES = [
    path for root in ("cycler", "drivers", "protocols", "simulators") for path in (ROOT / root).rglob("*.py")
]


def _named(tree: ast.AST) -> set[str]:
    """Every module that is imported, and every function that is called by its dotted name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names |= {alias.name.split(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.split(".")[0])
            case ast.Call(func=ast.Name() | ast.Attribute() as called):
                names.add(ast.unparse(called))
                names |= {f"{each.arg}=True" for each in node.keywords if ast.unparse(each.value) == "True"}
            case _:
                pass
    return names


def test_s14_nothing_that_is_read_can_become_code() -> None:
    """Nor does a shell see it. tests/house/test_source_rules.py shows that such rules catch their offences."""
    forbidden = {
        "pickle",
        "marshal",
        "shelve",
        "eval",
        "exec",
        "os.system",
        "os.popen",
        "yaml.load",
        "shell=True",
    }
    assert len(SOURCES) > 100
    offences = {path.name: _named(ast.parse(path.read_text("utf-8"))) & forbidden for path in SOURCES}
    assert {name: found for name, found in offences.items() if found} == {}


def test_s15_no_archive_is_ever_unpacked() -> None:
    """So there is nothing for a crafted one to escape from, or to blow up in."""
    archives = {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib.decompress", "shutil.unpack_archive"}
    offences = {path.name: _named(ast.parse(path.read_text("utf-8"))) & archives for path in SOURCES}
    assert {name: found for name, found in offences.items() if found} == {}


@pytest.mark.parametrize("name", ["../../etc/x", "a\\u0000b", "x" * 300, "CON", "\\u202eabc", "a\\nb"])
def test_s16_names_make_no_paths(service: Hosted, place: Path, name: str) -> None:
    """A protocol may be called anything; its file is called by the run's id alone."""
    text = CYCLES.format(cycles=1, name=f'"{name}"')
    with Client(place / "data", acting=True) as client:
        try:
            run = client.ask("c1", Verb.START, Command(key=new_key(), request=RunRequest(protocol=text))).run
        except RequestError:
            return
    assert re.fullmatch(r"\d{8}-[a-z0-9]{8}", run)
    allowed = re.compile(
        r"\d{8}-[a-z0-9]{8}\.(run\.sqlite(-wal|-shm)?|lock|reserve|flight\S*)|bench\.sqlite\S*|service\.(lock|json)|\w+\.sock"
    )
    assert [each.name for each in (place / "data").iterdir() if not allowed.fullmatch(each.name)] == []


@pytest.mark.parametrize("planted", ["service.lock", "bench.sqlite"])
def test_s17_a_planted_link_is_not_followed(tmp_path: Path, planted: str) -> None:
    bench, elsewhere = simulated_bench(tmp_path), tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / planted).symlink_to(elsewhere)
    with pytest.raises((AssertionError, EOFError)), Hosted(bench):
        pass
    assert elsewhere.read_text() == "mine"


def test_s17_a_planted_note_is_replaced_not_followed(tmp_path: Path) -> None:
    bench, elsewhere = simulated_bench(tmp_path), tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / NOTE).symlink_to(elsewhere)
    with Hosted(bench), Client(tmp_path / "data") as client:
        assert client.status().bench == "simulated"
    assert elsewhere.read_text() == "mine"


def test_s18_what_a_terminal_would_obey_is_inert(service: Hosted, place: Path) -> None:
    importlib.import_module("hilcycler.cli.service")
    with Client(place / "data", acting=True) as client, pytest.raises(RequestError):
        client.ask(
            "c2", Verb.PAUSE, Command(key=new_key(), actor="\x1b]0;x\x07[red]", run="\x1b[2J", state="parked")
        )
    shown = CliRunner().invoke(app, ["status", "--data", str(place / "data")])
    assert shown.exit_code == 0, shown.output
    assert "\x1b]0" not in shown.output
    last = BenchState(place / "data").entries()[-1]
    assert isinstance(last, Asked)
    assert last.actor.startswith("\x1b]0;x\x07[red] (user "), "kept as it was said, shown inert"


def test_s20_no_flipped_bit_and_no_missing_entry_goes_unnoticed(tmp_path: Path) -> None:
    bench = BenchState(tmp_path)
    for number in range(12):
        bench.append(
            Asked("c1", "pause", "ada", "tea", f"key-{number:04d}", "run", "running", True, "done", 1.0)
        )
    whole, chance = bench.path.read_bytes(), random.Random(20)
    good = bench.entries()
    noticed = 0
    for _ in range(200):
        bit = chance.randrange(8 * len(whole))
        spoiled = bytearray(whole)
        spoiled[bit // 8] ^= 1 << bit % 8
        bench.path.write_bytes(spoiled)
        try:
            assert bench.entries() == good, "a flipped bit changed what is read"
        except JournalError:
            noticed += 1
        for beside in tmp_path.glob("bench.sqlite-*"):
            beside.unlink()
    assert noticed > 20  # the rest lie in pages that hold nothing
    bench.path.write_bytes(whole)
    for change in ("DELETE FROM entry WHERE number = 5", "DELETE FROM entry WHERE number = 11"):
        shutil.copy(bench.path, tmp_path / "copy")
        with sqlite3.connect(bench.path) as connection:
            connection.execute(change)
        connection.close()
        with pytest.raises(JournalError):
            bench.entries()
        shutil.copy(tmp_path / "copy", bench.path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_s21_the_unit_is_hardened() -> None:
    """`systemd-analyze security` gives 0 (best) to 10; what is left are devices and sockets, which are the task."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(UNIT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"systemd-analyze cannot do it here: {done.stderr[:200]}")
    assert float(found[1]) <= 2.0, done.stdout


def test_s23_endless_lines_are_cut_off(service: Hosted, place: Path) -> None:
    """A head, a header line and a body without an end; the service's memory does not grow with them."""
    process = psutil.Process(service.pid)
    before = process.memory_info().rss
    chunk = b"a" * (1 << 20)
    heads = (
        b"GET /",
        b"GET / HTTP/1.1\r\nX: ",
        b"POST /safe HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    for head in heads:
        with within(place / "data") as folder, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5.0)
            connection.connect(f"{folder}/control.sock")
            sent = 0
            try:
                connection.sendall(head)
                for _ in range(1024):  # a gigabyte, if it were taken
                    body = b"%x\r\n%s\r\n" % (len(chunk), chunk) if b"chunked" in head else chunk
                    connection.sendall(body)
                    sent += len(body)
            except OSError:
                pass
            assert sent < 16 << 20, f"{sent} bytes of {head[:20]!r} were taken"
    assert process.memory_info().rss - before < 32 << 20
    with Client(place / "data") as client:
        assert client.status().reconciled


def test_all_verbs_are_audited(service: Hosted, place: Path) -> None:
    """Whatever is asked for, done or refused, is in the bench's chain with who asked."""
    state = BenchState(place / "data")
    for verb in Verb:
        if verb in {Verb.SAFE, Verb.START}:
            continue
        before = len(state.entries())
        with Client(place / "data", acting=True) as client, pytest.raises(RequestError):
            client.ask("c2", verb, Command(key=new_key(), actor="eve", reason="", run="none", state="no"))
        entry = state.entries()[before]
        assert isinstance(entry, Asked)
        assert (entry.verb, entry.done) == (verb.value, False)
        assert entry.actor.startswith("eve (user ")
