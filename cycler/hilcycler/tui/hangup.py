"""A view ends with its terminal, also where nobody says so.

A terminal that closes sends SIGHUP, but only to those of its session who listen: not to a view under
`nohup`, nor to one in a session of its own. To such a one the input is at its end for ever, which the
framework reads again and again with all the processor it can get.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import Final

HUNG_UP: Final = 129
"""The exit code of a process that SIGHUP ended."""


def end_with_the_terminal() -> None:
    """From now on this process ends when the terminal of its input is gone. It must have nothing to lose."""
    stdin = sys.__stdin__
    if stdin is None or not stdin.isatty() or not hasattr(select, "poll"):
        return
    threading.Thread(target=_wait, args=(stdin.fileno(),), name="terminal", daemon=True).start()


def _wait(terminal: int) -> None:
    """Sleep until there is no terminal: asked for nothing, `poll` still tells of a hang-up."""
    ends = select.poll()
    ends.register(terminal, 0)
    ends.poll()
    os._exit(HUNG_UP)  # whatever would be put in order is at the terminal, and writing there blocks or fails
