"""The examples for the lab's server do what they say, on the servers that can be had here."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import yaml
from lab_servers import Mosquitto, cycler, until
from run_stories import story, tell

from hilcycler.ingest.check import check
from hilcycler.ingest.store import Arrived, Store, opened
from hilcycler.telemetry.feed import RunFeed

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


def test_the_access_list_confines_a_bench(
    tmp_path: Path, runs: Path, make_broker: Callable[..., Mosquitto]
) -> None:
    """With the users and the ACL of the example: a bench is told and confirmed, and reads nothing else."""
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    for user in ("bench-1", "ingest"):
        secret = tmp_path / user
        secret.write_text(f"word of {user}")
        secret.chmod(0o600)
        subprocess.run(
            ["mosquitto_passwd", "-b", passwords, user, f"word of {user}"], check=True, capture_output=True
        )
    acl = tmp_path / "acl"
    acl.write_text((LAB / "acl").read_text())
    acl.chmod(0o600)
    broker = make_broker(f"password_file {passwords}", f"acl_file {acl}")
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


@pytest.mark.parametrize("name", ["compose.yml"])
def test_the_compose_file_names_files_that_are_there_or_are_secrets(name: str) -> None:
    services = yaml.safe_load((LAB / name).read_text())["services"]
    made = {"passwords", "ca.pem", "broker.pem", "broker.key"}
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source[2:] not in made:
                assert (LAB / source).is_file(), source
