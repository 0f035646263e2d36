"""Profiles: those of the catalogue, and a user's own, which is refused in words if it is wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler_simulators.cells import catalogue


def text_of(name: str) -> str:
    return (files("hilcycler_simulators.cells") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as refusal:
        catalogue.make(str(path), seed=1)
    assert str(path) in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_profile_describes_itself(name: str) -> None:
    described = catalogue.describe(name)
    json.dumps(described)
    assert described["description"]
    assert described["sources"]
    assert described["truth"]["clock_s"] == 0.0
    cell = catalogue.make(name, seed=1)
    assert cell.label.name == name
    seen = cell.galvanostatic(0.0, np.array([0.0, 10.0])).voltage
    assert np.isfinite(seen).all()
    assert np.isfinite(cell.impedance(np.array([1e5, 1.0, 0.01]))).all()


def test_the_catalogue_is_found_by_its_entry_point() -> None:
    assert any("li-li/bn-pp" in found.names() for found in registry.cells())


def test_a_users_own_profile_is_a_cell_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text_of("li-li/bn-pp").replace('"0.992 ohm cm2"', '"9.92 ohm cm2"'), encoding="utf-8")
    assert catalogue.make(str(path), seed=1).truth["R_b_ohm_cm2"] == pytest.approx(9.92)
    assert catalogue.describe(str(path))["truth"]["R_b_ohm_cm2"] == pytest.approx(9.92)


@pytest.mark.parametrize(
    ("wrong", "right", "key", "allowed"),
    [
        ('"0.992 ohm cm2"', '"-1 ohm cm2"', "bulk.resistance", "0.001 ohm cm2 to 100000 ohm cm2"),
        ("transference = 0.53", "transference = 1.2", "bulk.transference", "0.01 to 1"),
        ("transference = 0.53", 'transference = "half"', "bulk.transference", "a number from 0.01 to 1"),
        ('"1.131 cm2"', '"1.131 cm"', "cell.area", "expected a area"),
        ('"1.131 cm2"', "1.131", "cell.area", "in quotes"),
        ('"55 kJ/mol"', '"0.55 eV"', "film.activation_energy", "kJ/mol"),
        ("exponent = 0.9", "exponent = 0.2", "film.exponent", "0.5 to 1"),
        ('electrode = "Li"', 'electrode = "Mg"', "cell.electrode", "'Li', 'Na' or 'K'"),
        ("[life]", "[life]\nspeed = 3", "life.speed", "no key of this table"),
        ("[life]", '[life]\ngrowth_onset = "3 h"', "life", "growth_onset and growth_dry go together"),
        ('kind = "symmetric"', 'kind = "perpetual"', "kind", "'symmetric', 'plating'"),
        ('kind = "symmetric"\n', "", "kind", "symmetric"),
        ("separator = ", "separators = ", "bulk.separator", "is missing"),
    ],
)
def test_a_wrong_profile_is_refused_with_key_and_allowed_range(
    tmp_path: Path, wrong: str, right: str, key: str, allowed: str
) -> None:
    text = text_of("li-li/bn-pp")
    assert wrong in text
    said = refused(tmp_path, text.replace(wrong, right, 1))
    assert key in said
    assert allowed in said


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = (
        text_of("li-li/bn-pp")
        .replace("transference = 0.53", "transference = 2")
        .replace("exponent = 0.9", "exponent = 9")
    )
    said = refused(tmp_path, text)
    assert "bulk.transference" in said
    assert "film.exponent" in said


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, 'kind = "symmetric"\nkind = "plating"\n')


def test_unknown_names_and_missing_files_are_refused() -> None:
    with pytest.raises(RequestError, match="li-li/bn-pp"):
        catalogue.make("li-li/nothing", seed=1)
    with pytest.raises(RequestError, match="cannot be read"):
        catalogue.make("/nowhere/mine.toml", seed=1)
