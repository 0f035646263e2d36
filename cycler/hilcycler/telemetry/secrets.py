"""Secrets come from files that only their owner can read, never from options, settings or the environment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hilcycler.errors import RequestError

LONGEST = 4096


class Secret:
    """A secret that no log, dump or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"


def read_secret(path: Path) -> Secret:
    """The first line of a file with mode 0600 (or stricter), or of a systemd credential.

    A name without a folder is looked for in $CREDENTIALS_DIRECTORY first. RequestError names the file,
    never what it holds.
    """
    found = credential(path)
    private(found)
    try:
        text = found.read_text("utf-8")[:LONGEST]
    except (OSError, UnicodeError) as error:
        raise RequestError(f"secret file {found}: {type(error).__name__}") from None
    first = text.split("\n", 1)[0].strip("\r")
    if not first:
        raise RequestError(f"secret file {found}: its first line is empty")
    return Secret(first)


def credential(path: Path) -> Path:
    """`path`, or the systemd credential of that name if there is one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and path.name == str(path) and (Path(folder) / path).is_file():
        return Path(folder) / path
    return path


def private(path: Path) -> None:
    """RequestError unless `path` is a file that neither group nor others can read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise RequestError(f"secret file {path}: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise RequestError(
            f"secret file {path}: mode {stat.S_IMODE(mode):04o}; expected 0600 (chmod 600 {path})"
        )
