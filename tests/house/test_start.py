"""start.py: what it says when something is missing, what it leaves alone, what CI does not let pass."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def start(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", root / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _hiding(module: str, root: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """`start.py demo` in a Python without `module`, as Debian's is without python3-venv."""
    code = (
        f"import runpy, sys; sys.modules[{module!r}] = None\n"
        f"sys.argv = ['start.py', '--environment', {str(place)!r}, 'demo']\n"
        f"runpy.run_path({str(root / 'start.py')!r}, run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_missing_part_of_python_is_named_with_its_package(module: str, root: Path, tmp_path: Path) -> None:
    done = _hiding(module, root, tmp_path / "environment")
    assert done.returncode == 2
    assert f"has no {module}" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "environment").exists()


def test_a_python_from_before_our_time_can_read_the_script(root: Path) -> None:
    """Otherwise it would answer with a syntax error instead of our sentence."""
    ast.parse((root / "start.py").read_text("utf-8"), feature_version=(3, 7))


def test_an_old_python_is_refused_by_name(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    with pytest.raises(start.CannotStart, match=r"this is Python 3\.10 .*3\.11 or newer is needed"):
        start._require_python()


def test_a_folder_that_is_not_ours_is_left_alone(start: ModuleType, tmp_path: Path) -> None:
    treasure = tmp_path / "thesis.txt"
    treasure.write_text("months of work")
    with pytest.raises(start.CannotStart, match="was not made by this script"):
        start.Environment(tmp_path).prepare("")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert treasure.read_text() == "months of work"


def test_a_place_nobody_may_write_to_is_one_clear_message(start: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(start.CannotStart, match="--environment DIR"):
        start.Environment(tmp_path / "file" / "environment").prepare("")


def test_our_own_folder_is_emptied_but_not_what_its_links_lead_to(start: ModuleType, tmp_path: Path) -> None:
    outside, place = tmp_path / "outside", tmp_path / "environment"
    (outside / "runs").mkdir(parents=True)
    place.mkdir()
    (place / "hilcycler.json").write_text("{}")
    (place / "lib").mkdir()
    (place / "link").symlink_to(outside)
    start.Environment(place)._empty()
    assert [path.name for path in place.iterdir()] == ["hilcycler.json"]
    assert (outside / "runs").is_dir()


def test_a_ready_environment_is_recognised_without_running_anything(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The interpreter in it is an empty file here: whoever ran it would fail."""
    environment = start.Environment(tmp_path)
    python = Path(environment.tool("python"))
    python.parent.mkdir()
    python.touch()
    home = f"{tmp_path} {sys.base_prefix} {sys.version_info[0]}.{sys.version_info[1]}"
    environment._write({"home": home, "pins": start._pins(), "extras": ["report", "test"]})
    environment.prepare("test")
    environment.prepare("report")
    assert capsys.readouterr().out.count("is ready") == 2


def test_other_pins_are_noticed(
    start: ModuleType, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    monkeypatch.setattr(start, "ROOT", tmp_path)
    before = start._pins()
    with (tmp_path / "constraints.txt").open("a") as constraints:
        constraints.write("# one line more\n")
    assert start._pins() != before


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_skipped_test_fails_in_ci_and_nowhere_else(
    start: ModuleType,
    tmp_path: Path,
    ci: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With this environment's own pytest, on one test that passes and one that is skipped."""
    tests = tmp_path / "test_two.py"
    tests.write_text(
        "import pytest\ndef test_one(): pass\n@pytest.mark.skip(reason='no broker here')\ndef test_two(): pass\n"
    )
    monkeypatch.setenv("CI", ci)
    arguments = ["--numprocesses=0", "-p", "no:cacheprovider", str(tests)]
    assert start.check(start.Environment(Path(sys.prefix)), ["tests"], arguments) == code
    said = capsys.readouterr().out
    assert "no broker here" in said
    assert "1 passed, 1 skipped" in said.splitlines()[-1]


def test_only_what_is_asked_for_is_run(start: ModuleType) -> None:
    assert start._test_arguments([])[0] == ["lint", "format", "types", "imports", "tests"]
    assert start._test_arguments(["--only", "types", "--", "-k", "rest"]) == (["types"], ["-k", "rest"])


def test_what_follows_demo_is_passed_on(start: ModuleType, tmp_path: Path) -> None:
    verb, place, rest = start._arguments(["--environment", str(tmp_path), "demo", "--seed", "7", "--json"])
    assert (verb, place, rest) == ("demo", tmp_path, ["--seed", "7", "--json"])
