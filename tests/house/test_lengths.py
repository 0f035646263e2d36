"""The listing of long modules and functions lists them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def lengths() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lengths", Path(__file__).with_name("lengths.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _function(lines: int, docstring: str = "") -> str:
    """A function of exactly `lines` lines besides its docstring."""
    return "def f():\n" + docstring + "    pass\n" * (lines - 1)


def test_a_function_is_listed_from_its_41st_line(lengths: ModuleType) -> None:
    assert list(lengths.long_ones("m.py", _function(40))) == []
    assert list(lengths.long_ones("m.py", _function(41))) == [(41, "m.py:1 f")]


def test_a_docstring_does_not_count(lengths: ModuleType) -> None:
    assert list(lengths.long_ones("m.py", _function(40, '    """One\n\n    two.\n    """\n'))) == []


def test_a_module_is_listed_from_its_401st_line(lengths: ModuleType) -> None:
    assert list(lengths.long_ones("m.py", "x = 1\n" * 400)) == []
    assert list(lengths.long_ones("m.py", "x = 1\n" * 401)) == [(401, "m.py")]
