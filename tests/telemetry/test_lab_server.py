"""The examples for the lab's server do what they say, on the servers that can be had here."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import psycopg
import yaml
from lab_servers import CYCLER, Mosquitto, cycler, until
from run_stories import story, tell

from hilcycler.ingest.check import check
from hilcycler.ingest.store import Arrived, Store, opened
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.published import schema
from hilcycler.telemetry.topics import Leaf, Place, Topics

LAB = Path(__file__).parents[2] / "docs/lab-server"


def stored(database: str, path: Path, *, but: int = 0) -> None:
    """Put the run into the database without a broker; its last `but` events are left out."""
    feed = RunFeed(path, "lab", "1", frozenset())

    async def keep() -> None:
        async with opened(database) as connection:
            store = Store(connection)
            said = [feed.meta(), *feed.data(0, feed.rows), *feed.happenings(0, feed.events - but)]
            for _ in range(2):  # twice: each row is there once
                await store.keep([Arrived(feed.place, each) for each in said])

    asyncio.run(keep())


def test_the_check_sees_every_kind_of_difference(database: str, runs: Path) -> None:
    path = tell(runs, story(steps=2))
    stored(database, path)
    assert all(each.equal for each in asyncio.run(check(path, database)))
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM sample WHERE seq = 17")
        connection.execute("UPDATE sample SET voltage_volt = voltage_volt + 1e-15 WHERE seq = 18")
        connection.execute(
            "INSERT INTO sample SELECT run_id, 99999, time, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM sample LIMIT 1"
        )
        connection.execute("UPDATE event SET record = record || '{\"step_count\": 9}' WHERE number = 1")
        connection.execute("DELETE FROM impedance WHERE step_count = 1")
        connection.execute("UPDATE impedance SET frequency_hertz = frequency_hertz * 2")
    rows, spectra, events = asyncio.run(check(path, database))
    assert (rows.missing, rows.different, rows.extra) == (1, 1, 1)
    assert (spectra.missing, spectra.different, spectra.extra) == (1, 1, 0)
    assert (events.missing, events.different, events.extra) == (0, 1, 0)


def test_the_overpotential_of_running_cells(database: str, runs: Path) -> None:
    """The SQL and the dashboard's queries are accepted, and see the run that has not ended."""
    stored(database, tell(runs, story(steps=2)), but=1)
    with psycopg.connect(database) as connection:
        found = connection.execute((LAB / "overpotential.sql").read_text()).fetchall()
        assert [row[3] for row in found] == ["20260101-testtest"]
        dashboard = json.loads((LAB / "grafana-dashboard.json").read_text())
        for panel in dashboard["panels"]:
            (target,) = panel["targets"]
            sql = re.sub(r"\$__timeGroup\((\w+), [^)]*\)", r"date_trunc('minute', \1)", target["rawSql"])
            sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 > '1960-01-01'", sql).replace("${bench}", "'1'")
            assert connection.execute(sql).fetchall() or panel["id"] == 4


def with_users(folder: Path, *users: str) -> dict[str, Path]:
    """A password file of the broker, and a secret file for each user."""
    passwords = folder / "passwords"
    passwords.touch(0o600)
    secrets = {user: folder / user for user in users}
    for user, secret in secrets.items():
        secret.write_text(f"word of {user}")
        secret.chmod(0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", passwords, user, f"word of {user}"], check=True, capture_output=True
        )
    return secrets


def test_the_access_list_confines_a_bench(
    tmp_path: Path, runs: Path, make_broker: Callable[..., Mosquitto]
) -> None:
    """With the users and the ACL of the example: a bench is told and confirmed, and reads nothing else."""
    with_users(tmp_path, "bench-1", "ingest")
    acl = tmp_path / "acl"
    acl.write_text((LAB / "acl").read_text())
    acl.chmod(0o600)
    broker = make_broker(f"password_file {tmp_path}/passwords", f"acl_file {acl}")
    path = tell(runs, story(steps=1))
    log = tmp_path / "log"
    names: list[str | Path] = [
        "--site",
        "lab",
        "--bench",
        "bench-1",
        "--no-results",
        "--data",
        runs,
        "--broker",
        broker.url,
    ]
    with cycler("publish", *names, "--user", "bench-1", "--password-file", tmp_path / "bench-1", log=log):
        until("published", lambda: "/data'" in broker.log)
    assert path.exists()
    assert not [line for line in broker.log.splitlines() if "Denied PUBLISH" in line]
    names[3] = "bench-2"
    with cycler("publish", *names, "--user", "bench-1", "--password-file", tmp_path / "bench-1", log=log):
        until("denied", lambda: "Denied PUBLISH" in broker.log)


def test_the_broker_of_the_example_takes_a_bench_by_tls(
    tmp_path: Path, runs: Path, certificates: Path, make_broker: Callable[..., Mosquitto]
) -> None:
    """docs/lab-server/mosquitto.conf itself; only its paths and its port are of this test."""
    made = {"ca.pem": "ca.pem", "broker.pem": "good.pem", "broker.key": "good.key"}
    for name, source in made.items():
        (tmp_path / name).write_bytes((certificates / source).read_bytes())
    (tmp_path / "acl").write_text((LAB / "acl").read_text())
    secret = with_users(tmp_path, "bench-1")["bench-1"]
    text = (LAB / "mosquitto.conf").read_text()
    text = text.replace("/mosquitto/config", str(tmp_path)).replace("/mosquitto/data/", f"{tmp_path}/")
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "listener 8883"))]
    first = [line for line in lines if line.startswith("per_listener")]
    broker = make_broker(*(line for line in lines if line not in first), before=first)
    tell(runs, story(steps=1))
    log = tmp_path / "log"
    names = ("--site", "lab", "--bench", "bench-1", "--no-results", "--data", runs)
    reach = ("--broker", f"mqtts://localhost:{broker.port}", "--ca", certificates / "ca.pem")
    with cycler("publish", *names, *reach, "--user", "bench-1", "--password-file", secret, log=log):
        until("published", lambda: "/data'" in broker.log)
    with cycler("publish", *names, *reach, log=log):
        until("nobody enters without a name", lambda: "Not authorized" in log.read_text())
    assert "Denied PUBLISH" not in broker.log


def test_telegraf_reads_what_is_published() -> None:
    """Its settings are TOML, and name keys that `latest` has. Telegraf itself was not to be had here."""
    (consumer,) = tomllib.loads((LAB / "telegraf.conf").read_text())["inputs"]["mqtt_consumer"]
    (parsing,) = consumer["topic_parsing"]
    topic = Topics().topic(Place("lab", "1", "ch1"), Leaf.LATEST).split("/")
    for pattern in (*consumer["topics"], parsing["topic"], parsing["measurement"], parsing["tags"]):
        assert len(pattern.split("/")) == len(topic)
    named = dict(zip(parsing["tags"].split("/"), topic, strict=True))
    assert (named["site"], named["bench"], named["channel"]) == ("lab", "1", "ch1")
    known = schema()["messages"][Leaf.LATEST]["properties"]
    (json_v2,) = consumer["json_v2"]
    assert json_v2["timestamp_path"] in known
    for field in (*json_v2["field"], *json_v2["tag"]):
        assert field["path"] in known
    kinds = {"int": "integer", "float": ["number"]}
    for field in json_v2["field"]:
        kind = known[field["path"]].get(
            "type", [each.get("type") for each in known[field["path"]].get("anyOf", ())][:1]
        )
        assert kind == kinds[field["type"]]


def test_the_compose_file_is_whole() -> None:
    """Files that are there or are made by whoever sets it up, secrets and volumes that are declared, our options."""
    whole = yaml.safe_load((LAB / "compose.yml").read_text())
    made = {"passwords", "ca.pem", "broker.pem", "broker.key"}
    for name, service in whole["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert source[2:] in made or (LAB / source).is_file(), source
            else:
                assert source in whole["volumes"]
        assert set(service.get("secrets", [])) <= set(whole["secrets"]), name
        assert set(service.get("depends_on", [])) <= set(whole["services"]), name
        asked = re.search(r"cycler (\w+)(.*)", service.get("command", ""), re.DOTALL)
        if asked is not None:
            shown = subprocess.run([*CYCLER, asked[1], "--help"], check=True, capture_output=True, text=True)
            for option in re.findall(r"--[a-z-]+", asked[2]):
                assert option in shown.stdout, f"cycler {asked[1]} {option}"
    for name in ("grafana-datasource.yml", "grafana-provider.yml"):
        assert yaml.safe_load((LAB / name).read_text())["apiVersion"] == 1
