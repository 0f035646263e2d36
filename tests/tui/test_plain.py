"""Nothing that an instrument or a person wrote is obeyed by the terminal."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.tui.plain import LONGEST, plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b]0;x\x07[red]", "␛]0;x␇[red]"),
        ("a\r\nb\tc", "a␍␊b␉c"),
        ("\x9b31m", "\ufffd31m"),
        ("\x7f", "\ufffd"),
        ("off\u202egnidnep", "off\ufffdgnidnep"),
        ("a\u200bb\u2028c\ufeff", "a\ufffdb\ufffdc\ufffd"),
        ("\ud800", "\ufffd"),
        ("Li‖Li, 25 µm, 2 Ω·cm²", "Li‖Li, 25 µm, 2 Ω·cm²"),
        ("z" + "\u0336" * 50 + "z", "z\u0336\u0336z"),
        ("x" * 400, "x" * LONGEST + "…"),
    ],
)
def test_text_is_shown_and_not_obeyed(written: str, shown: str) -> None:
    assert plain(written) == shown


@settings(deadline=None)
@given(st.text(alphabet=st.characters()))
def test_every_character_is_one_that_is_only_shown(text: str) -> None:
    for character in plain(text):
        assert unicodedata.category(character)[0] != "C"
        assert character not in "\u2028\u2029"
