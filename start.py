"""The two commands that need nothing but Python: `python3 start.py demo`, `python3 start.py test`.

Each makes its own environment first (`.venv` in this checkout) from the pinned versions in
constraints.txt; a second call finds it ready and starts at once. This file alone must be readable
by Pythons older than the project needs, so that they can say so.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
VARIABLE = "HILCYCLER_ENVIRONMENT"
BUILD_TOOLS = ("hatchling", "editables")  # pinned like the rest, which pip's build isolation would not do
WORKERS = min(2, os.cpu_count() or 1)

# What `test` runs, in this order: a name, the tool, its arguments.
CHECKS = (
    ("lint", "ruff", ("check", ".")),
    ("format", "ruff", ("format", "--check", ".")),
    ("types", "mypy", ()),
    ("imports", "lint-imports", ()),
    ("tests", "pytest", ("-rs", f"--numprocesses={WORKERS}")),
)

_CLOSING = re.compile(
    r"\b(?:no tests ran|\d+ (?:passed|failed|skipped|deselected|xfailed|error)).* in [\d.]+s"
)
_NOT_RUN = re.compile(r"\b\d+ (?:skipped|deselected)\b")


class CannotStart(Exception):
    """One message that says what is wrong and what to do about it (exit code 2)."""


def main(argv: list[str]) -> int:
    """Do what the command line asks for; returns the exit code."""
    verb, place, rest = _arguments(argv)
    try:
        _require_python()
        environment = Environment(place)
        if verb == "demo":
            environment.prepare("report")
            return _become(environment.tool("cycler"), ["demo", *rest])
        names, extra_arguments = _test_arguments(rest)
        environment.prepare("test")
        return check(environment, names, extra_arguments)
    except CannotStart as problem:
        print(f"start.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstart.py: interrupted; call it again to go on", file=sys.stderr)
        return 130


def _arguments(argv: list[str]) -> tuple[str, Path, list[str]]:
    parser = argparse.ArgumentParser(
        prog="start.py",
        description="Make an environment for hilcycler, then run the demo or the tests in it.",
        epilog="What follows `demo` goes to `cycler demo`; see also `start.py test --help`.",
    )
    parser.add_argument(
        "--environment",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get(VARIABLE) or ROOT / ".venv"),
        help=f"where the environment is made (default: ${VARIABLE}, else .venv beside this file)",
    )
    parser.add_argument("verb", choices=("demo", "test"))
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...")
    found = parser.parse_args(argv)
    return found.verb, Path.cwd() / found.environment.expanduser(), found.rest


def _test_arguments(rest: list[str]) -> tuple[list[str], list[str]]:
    names = [name for name, _, _ in CHECKS]
    parser = argparse.ArgumentParser(prog="start.py test", description="Run the whole check, or parts of it.")
    parser.add_argument("--only", action="append", choices=names, help="run just this part (may be repeated)")
    parser.add_argument("pytest", nargs="*", metavar="-- ...", help="further arguments for pytest")
    found = parser.parse_args(rest)
    return found.only or names, found.pytest


def _require_python() -> None:
    if sys.version_info >= OLDEST:
        return
    newer = [name for name in (f"python3.{minor}" for minor in range(19, 10, -1)) if shutil.which(name)]
    advice = f"; try `{newer[0]} start.py`" if newer else ""
    have, wanted = (".".join(map(str, version)) for version in (sys.version_info[:2], OLDEST))
    raise CannotStart(f"this is Python {have} ({sys.executable}); {wanted} or newer is needed{advice}")


class Environment:
    """A virtual environment of our making.

    Its stamp, a small JSON file, is there from the first moment, which marks the folder as ours to
    empty, and says at the end what was installed from which pins.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._stamp = place / "hilcycler.json"
        self._scripts = place / ("Scripts" if os.name == "nt" else "bin")

    def tool(self, name: str) -> str:
        """The program `name` in this environment."""
        return str(self._scripts / (f"{name}.exe" if os.name == "nt" else name))

    def prepare(self, extra: str) -> None:
        """See that the environment is there with what `extra` needs; fast where it already is."""
        home = f"{self._place} {sys.base_prefix} {sys.version_info[0]}.{sys.version_info[1]}"
        pins = _pins()
        stamp = self._read()
        whole = stamp.get("home") == home and Path(self.tool("python")).exists()
        extras: set[str] = set(stamp.get("extras", ())) if whole and stamp.get("pins") == pins else set()
        if extra in extras:
            _say("environment", f"{self._place} is ready")
            return
        if not whole:
            self._make()
            self._write({"home": home})
        _say("packages", "installing the pinned versions; the first time this takes a minute or two")
        # What the demo imports is compiled on the way: halves the wait. The tests turn the warnings
        # that other people's code gives when compiled into errors, so for them pip compiles it all.
        late = () if extra == "test" else ("--no-compile",)
        project = f"{ROOT}[{extra}]"
        self._pip("install", *late, *BUILD_TOOLS)
        self._pip("install", *late, "--no-build-isolation", "--editable", project)
        self._write(
            {"home": home, "pins": pins, "extras": sorted({extra, "report"} | extras)}
        )  # `test` includes it

    def _make(self) -> None:
        lacking = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
        if lacking:
            raise CannotStart(
                f"{sys.executable} has no {' and no '.join(lacking)}, so it can make no environment. "
                "On Debian and Ubuntu: apt install python3-venv"
            )
        _say("environment", f"making {self._place} with Python {'.'.join(map(str, sys.version_info[:3]))}")
        try:
            self._empty()
        except OSError as error:
            raise CannotStart(f"{error}. Name a place that you may write to: --environment DIR") from error
        made = _run([sys.executable, "-m", "venv", str(self._place)], quiet=True)
        if made.returncode != 0:
            raise CannotStart(f"no environment could be made in {self._place}:\n{made.stdout.strip()}")

    def _empty(self) -> None:
        """An empty folder with our stamp in it; refuses to touch a folder that is not ours."""
        self._place.mkdir(parents=True, exist_ok=True)
        found = list(self._place.iterdir())
        if found and not self._stamp.exists():
            raise CannotStart(
                f"{self._place} was not made by this script. Move it away, or name another place: --environment DIR"
            )
        self._write({})
        for child in found:
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child != self._stamp:
                child.unlink()

    def _pip(self, verb: str, *arguments: str) -> None:
        command = [self.tool("python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq", verb]
        if _run([*command, "--constraint", str(ROOT / "constraints.txt"), *arguments]).returncode != 0:
            raise CannotStart(
                "pip could not install the packages; its own words stand above. The first time it needs the "
                "network: behind a proxy set HTTPS_PROXY, with a local mirror PIP_INDEX_URL. Then call this again"
            )

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, stamp: dict[str, Any]) -> None:
        fresh = self._stamp.with_suffix(".new")
        fresh.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self._stamp)


def check(environment: Environment, names: list[str], pytest_arguments: list[str]) -> int:
    """Run the named checks, all of them also after one has failed; the last line is pytest's own."""
    verdicts = {}
    closing = ""
    for name, tool, arguments in CHECKS:
        if name not in names:
            continue
        command = [environment.tool(tool), *arguments]
        if tool == "pytest":
            _say(name, " ".join([tool, *arguments, *pytest_arguments]))
            code, closing = _stream([*command, *pytest_arguments])
            verdicts[name] = _judge(code, closing)
            continue
        done = _run(command, quiet=True)
        verdicts[name] = "ok" if done.returncode == 0 else "FAILED"
        _say(name, " ".join([tool, *arguments]) + f": {verdicts[name]}")
        if done.returncode != 0:
            print(done.stdout)
    print("\n" + "  ".join(f"{name} {verdict}" for name, verdict in verdicts.items()))
    if closing:
        print(closing, flush=True)
    return 0 if all(verdict == "ok" for verdict in verdicts.values()) else 1


def _judge(code: int, closing: str) -> str:
    """In CI a test that did not run is a failure: there is nobody to notice that it was left out."""
    if code == 0 and os.environ.get("CI", "") not in ("", "0", "false") and _NOT_RUN.search(closing):
        return "FAILED (with CI set, nothing may be skipped; the list stands above)"
    return "ok" if code == 0 else "FAILED"


def _stream(command: list[str]) -> tuple[int, str]:
    """Run `command` with its output passed through; its exit code and pytest's closing line."""
    closing = ""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            if _CLOSING.search(line):
                closing = line.strip()
    return running.returncode, closing


def _run(command: list[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `command` here; `quiet`: keep all it says, for later."""
    out, err = (subprocess.PIPE, subprocess.STDOUT) if quiet else (None, None)
    return subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=out, stderr=err)


def _become(program: str, arguments: list[str]) -> int:
    """Hand this process over, so that Ctrl-C and signals reach the program and nobody between."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(program, [program, *arguments])
    return subprocess.run([program, *arguments], check=False).returncode


def _pins() -> str:
    """A hash over all that decides what gets installed, and from where."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _say(stage: str, what: str) -> None:
    print(f"{stage:<12} {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
