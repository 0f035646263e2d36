"""The bench: instruments, channels, chambers and limits, as one file describes them (`bench.toml`)."""

from hilcycler.bench_file.bench import (
    AfterRestart,
    Bench,
    ChamberAt,
    ChannelAt,
    Control,
    InstrumentAt,
    Simulated,
    Storage,
    Telemetry,
    Usb,
)
from hilcycler.bench_file.reaching import reach, refuse_stranger, twin_of
from hilcycler.bench_file.reading import bench_path, loads, read_bench

__all__ = [
    "AfterRestart",
    "Bench",
    "ChamberAt",
    "ChannelAt",
    "Control",
    "InstrumentAt",
    "Simulated",
    "Storage",
    "Telemetry",
    "Usb",
    "bench_path",
    "loads",
    "reach",
    "read_bench",
    "refuse_stranger",
    "twin_of",
]
