"""The house stands as docs/decisions/0001-layout.md says."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "cycler": "hilcycler",
    "drivers": "hilcycler_drivers",
    "protocols": "hilcycler_protocols",
    "simulators": "hilcycler_simulators",
}


def test_a_top_level_folder_is_no_package(root: Path) -> None:
    """One `cycler/__init__.py` and matplotlib breaks for whoever stands in the checkout."""
    assert [str(path) for folder in PACKAGES for path in (root / folder).glob("*.py")] == []


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_each_folder_holds_its_package_and_nothing_else(root: Path, folder: str, package: str) -> None:
    found = {path.name for path in (root / folder).iterdir() if any(path.rglob("*.py"))}
    assert found == {package}
    assert (root / folder / package / "py.typed").is_file()


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_each_package_is_imported_from_the_checkout(root: Path, folder: str, package: str) -> None:
    """Otherwise the rest of the tests would judge something that is installed elsewhere."""
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == root / folder / package


@pytest.mark.parametrize("here", [".", "cycler", "tests"])
def test_the_cycler_of_matplotlib_is_what_it_was(root: Path, here: str) -> None:
    """`python -c` puts the current folder first on the path, as a shell or a notebook would."""
    code = "import cycler; print(cycler.cycler(color=['r', 'g']).by_key()); import matplotlib.rcsetup"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root / here, check=False, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("{'color': ['r', 'g']}", "")
