"""`cycler cells`: the list, one cell's truth, the papers' numbers, and a file of one's own."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from typer.testing import CliRunner

from hilcycler.cli import app
from hilcycler.cli import simulate as _commands  # noqa: F401  (adds its commands)
from hilcycler.errors import RequestError

PROFILE = files("hilcycler_simulators.cells") / "profiles" / "ss-ss" / "pp.toml"


def said(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["cells", *arguments], catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def test_the_list_names_every_profile_with_its_description() -> None:
    listed = json.loads(said("--json"))
    assert {
        "cell": "li-li/bn-pp",
        "description": "Li||Li, BN@PP separator, ether electrolyte, CR2032",
    } in listed
    assert len(listed) > 55


def test_a_cell_is_shown_with_its_truth() -> None:
    shown = said("show", "li-cu/pota-no3")
    assert "t_plus: 0.76" in shown
    assert "nucleation 49 mV" in shown
    assert json.loads(said("show", "li-cu/pota-no3", "--json"))["truth"]["t_plus"] == 0.76


def test_headlines_stand_beside_what_the_cell_shows() -> None:
    rows = json.loads(said("headlines", "ss-ss/pp", "--json"))
    assert [(row["quantity"], row["published"], row["verdict"]) for row in rows] == [
        ("conductivity", "1.59 mS/cm", "met")
    ]
    assert "cannot hold" in said("headlines", "li-li/wng-control")


def test_a_number_that_is_missed_without_a_reason_is_an_error(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        PROFILE.read_text(encoding="utf-8").replace('"1.59 mS/cm"', '"3 mS/cm"'), encoding="utf-8"
    )
    found = CliRunner().invoke(app, ["cells", "headlines", str(mine)])
    assert found.exit_code == 1
    assert "missed" in found.output


def test_a_wrong_profile_of_ones_own_is_refused_with_key_and_range(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        PROFILE.read_text(encoding="utf-8").replace('separator = "25 um"', 'separator = "25 mm"'),
        encoding="utf-8",
    )
    for command in ("show", "headlines"):
        found = CliRunner().invoke(app, ["cells", command, str(mine)])
        assert isinstance(found.exception, RequestError)
        assert "separator" in str(found.exception)
        assert "1 um to 2000 um" in str(found.exception)
    unknown = CliRunner().invoke(app, ["cells", "show", "li-li/nothing"])
    assert "li-li/bn-pp" in str(unknown.exception)
