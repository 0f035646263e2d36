"""Certificates that end soon are told before they do. Judged against openssl, which made them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_servers import Mosquitto, cycler, tls, until
from run_stories import story, tell

from hilcycler.clock import wall_clock
from hilcycler.telemetry.expiry import WARN, ends, soonest, warning


@pytest.mark.parametrize("name", ["ca", "good", "expired", "other"])
def test_the_end_is_the_one_that_openssl_reads(certificates: Path, name: str) -> None:
    path = certificates / f"{name}.pem"
    said = subprocess.run(
        ["openssl", "x509", "-enddate", "-noout", "-in", path], capture_output=True, text=True, check=True
    ).stdout
    wanted = datetime.strptime(said.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    assert soonest(path) == wanted.timestamp()


def test_what_holds_no_certificate_ends_never(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("nothing")
    (tmp_path / "bad").write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    assert [soonest(tmp_path / name) for name in ("none", "bad", "missing")] == [None, None, None]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_refused(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        ends(data)


def test_thirty_days_before_it_is_said() -> None:
    assert warning("x", wall_clock() + WARN + 60.0) is None
    assert warning("x", None) is None
    said = warning("x", wall_clock() + WARN - 60.0)
    assert said is not None
    assert said.startswith("x ends in 30.0 days, on ")


def test_a_publisher_warns_of_certificates_that_end_soon(
    tmp_path: Path, runs: Path, certificates: Path, make_broker: Callable[..., Mosquitto]
) -> None:
    """Those of this test are good for two days; telemetry goes on meanwhile."""
    tell(runs, story(steps=1))
    broker = make_broker(*tls(certificates, "good"), "allow_anonymous true")
    log = tmp_path / "log"
    reach = ("--broker", f"mqtts://localhost:{broker.port}", "--ca", certificates / "ca.pem")
    told = ("--data", runs, "--site", "lab", "--bench", "1", "--no-results", "--no-acks")
    with cycler("publish", *told, *reach, log=log):
        until("warned", lambda: log.read_text().count("WARNING") == 2)
        until("published", lambda: "/data'" in broker.log)
    for what in ("our authority's certificate", f"the certificate of the broker localhost:{broker.port}"):
        assert f"WARNING {what} ends in 2.0 days" in log.read_text()
