"""A view whose terminal is gone ends, though nobody tells it: over a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from hilcycler.tui.hangup import HUNG_UP


def test_a_view_ends_when_its_terminal_vanishes_without_a_signal(tmp_path: Path) -> None:
    """In a session of its own, where no SIGHUP reaches it: it would read the end of its input for ever."""
    master, slave = pty.openpty()
    show = "import sys, pathlib, hilcycler.tui as t; t.watch(pathlib.Path(sys.argv[1]))"
    view = subprocess.Popen(
        [sys.executable, "-c", show, str(tmp_path / "to-come.run.sqlite")],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    try:
        os.close(slave)
        shown = b""
        while b"close" not in shown:  # the footer: the view is drawn
            shown += os.read(master, 65536)
        assert view.poll() is None
        os.close(master)
        assert view.wait(timeout=30) == HUNG_UP
    finally:
        view.kill()
