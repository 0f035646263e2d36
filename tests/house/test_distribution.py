"""The wheel: everything that is needed is inside, nothing that would hurt others."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGES = {"hilcycler", "hilcycler_drivers", "hilcycler_protocols", "hilcycler_simulators"}
FOLDERS = ("cycler", "drivers", "protocols", "simulators")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built offline by the hatchling of this environment."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(out), str(root)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("hilcycler-*.whl")
    return found


def test_it_holds_our_four_packages_and_no_package_called_cycler(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_it_holds_every_file_of_the_source_tree(root: Path, wheel: Path) -> None:
    """Modules, `py.typed`, cell profiles, schemas, protocol libraries: whatever lies beside the code."""
    source = {
        path.relative_to(root / folder).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed
    assert packed == source


def test_it_carries_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.split(".dist-info/")[1]: name for name in archive.namelist() if ".dist-info/" in name}
        assert "Apache License" in archive.read(names["licenses/LICENSE"]).decode()
        assert "cycler = hilcycler.cli:main" in archive.read(names["entry_points.txt"]).decode()


def test_it_imports_where_nothing_is_installed_in_editable_mode(wheel: Path, tmp_path: Path) -> None:
    """Our packages come from the unpacked wheel alone; only the libraries from this environment."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"import importlib; names = {sorted(PACKAGES)!r}\n"
        "print(*(importlib.import_module(name).__file__ for name in names), sep='\\n')\n"
        "import hilcycler.cli, hilcycler.engine, hilcycler.journal, hilcycler.export"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [Path(line).parents[1] for line in done.stdout.split()] == [tmp_path] * len(PACKAGES)
