"""An ext4 of 12 MB on a loop device: a real disk that a test can fill and break."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 12 << 20


@contextmanager
def mounted_disk(folder: Path) -> Iterator[Path]:
    """Where it is mounted. OSError or CalledProcessError where that is not possible."""
    image, mounted = folder / "image", folder / "mounted"
    image.write_bytes(bytes(SIZE))
    mounted.mkdir()
    for command in (
        ["mkfs.ext4", "-q", "-e", "remount-ro", str(image)],
        ["mount", "-o", "loop", str(image), str(mounted)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


def error_trigger(mounted: Path) -> Path:
    """The kernel's file that makes this disk report an error, once something is written to it."""
    device = next(
        Path(line.split()[0]).name
        for line in Path("/proc/mounts").read_text().splitlines()
        if str(mounted) in line.split()
    )
    return Path("/sys/fs/ext4") / device / "trigger_fs_error"


@functools.cache
def available() -> bool:
    """Whether a disk can be mounted here, and be made to fail."""
    try:
        with tempfile.TemporaryDirectory() as folder, mounted_disk(Path(folder)) as mounted:
            return error_trigger(mounted).exists()
    except (OSError, subprocess.CalledProcessError):
        return False
