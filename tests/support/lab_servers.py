"""A lab's servers for tests: those of the benchmarks, certificates for them, and a word where there are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hilcycler.ingest.servers import (
    CYCLER,
    MOSQUITTO,
    POSTGRES,
    Mosquitto,
    Postgres,
    cycler,
    free_port,
    memory_of,
    pass_time,
    until,
)

__all__ = [
    "CYCLER",
    "MOSQUITTO",
    "POSTGRES",
    "Mosquitto",
    "Postgres",
    "cycler",
    "free_port",
    "make_certificates",
    "memory_of",
    "need",
    "pass_time",
    "tls",
    "until",
]


def need(*programs: object) -> None:
    """Skip the test where the servers are not installed; `.ci/run` installs them."""
    if not all(programs):
        pytest.skip("mosquitto or postgresql is not installed (apt-get install mosquitto postgresql)")


def make_certificates(folder: Path) -> None:
    """An authority of our own (ca.pem), and for localhost a good, an expired and a wrongly named pair."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=folder, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=lab")
    for name, host, days in (
        ("good", "localhost", 2),
        ("expired", "localhost", -1),
        ("other", "elsewhere", 2),
    ):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        request = ("-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        signed_by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days))
        openssl("x509", "-req", *request, *signed_by)


def tls(folder: Path, name: str) -> tuple[str, ...]:
    """What a broker with the certificate `name` is configured with."""
    return (f"certfile {folder / name}.pem", f"keyfile {folder / name}.key", f"cafile {folder}/ca.pem")
