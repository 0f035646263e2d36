"""The page of a run: everything in one file, nobody's text obeyed, nothing fetched."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from imagined_run import ImaginedRun
from spine import make_twin, on_memory

from hilcycler.errors import RequestError
from hilcycler.journal import Journal, Settings
from hilcycler.records import Gap, OffState, Outcome, Record
from hilcycler.report import page

RUN = "20260101-7k2m9xq4"
COPPER = """
protocol: Coulombic efficiency
safety: {voltage: -1 V to 6 V}
record: {every: 60 s}
steps:
  - repeat: 4
    steps:
      - plate: {current: 1 mA/cm2, until: {charge: 1 mAh/cm2, voltage: below -0.5 V -> stop}}
      - strip: {current: 1 mA/cm2, until: {voltage: above 0.5 V, charge: 1.2 mAh/cm2}}
"""


def stored(folder: Path, records: Iterable[Record]) -> Path:
    """The file of a run with these records."""

    async def write() -> Path:
        async with Journal.create(folder, RUN, Settings(inline=True)) as journal:
            for record in records:
                journal.put(record)
            return journal.path

    return asyncio.run(write())


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("copper")
    path = on_memory(make_twin(cell="li-cu/wng"), folder, COPPER).path
    return Page(page(path, folder / "run.html"))


def test_nothing_is_fetched_and_nothing_runs(copper: Page) -> None:
    assert not {tag for tag, _ in copper.tags} & {"script", "link", "iframe", "object", "form", "a"}
    for _, attributes in copper.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    outside = re.sub(r'src="data:[^"]*"', "", copper.source)
    assert "http:" not in outside
    assert "https:" not in outside
    assert "url(" not in outside
    assert "default-src 'none'" in copper.source


def test_it_says_what_was_found_done_and_proved(copper: Page) -> None:
    assert "mean Coulombic efficiency" in copper.text
    assert re.search(r"9\d(\.\d+)? ± [\d.]+%", copper.text)
    assert "4 × the voltage is at or above 500 mV" in copper.text
    assert "sealed and whole" in copper.text
    assert "simulated EmStat4 HR" in copper.text
    assert "positive current oxidises the working electrode" in copper.text
    assert "safety: {voltage: -1 V to 6 V}" in copper.text
    pictures = [attributes["alt"] for tag, attributes in copper.tags if tag == "img"]
    assert pictures == ["Voltage", "Overpotential of every cycle", "Coulombic efficiency of every cycle"]


def test_a_hostile_name_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    run = ImaginedRun(name=RUN)
    run.cell_name = '</title><script>alert(1)</script><img src=x onerror="alert(2)">\x1b[2J\u202e'
    run.protocol_name = "\"><svg onload='alert(3)'>"
    text = "# <script>alert(4)</script>\nsteps: {{ 7 * 7 }}\n"
    header = replace(run.started(), protocol_text=text, versions={"<b>bold</b>": "{{ 6 * 7 }}"})
    seen = Page(page(stored(tmp_path, [header, *run.cycles(1, 2), run.ended()]), tmp_path / "run.html"))
    tags = {tag for tag, _ in seen.tags}
    assert not tags & {"script", "svg", "b"}
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in seen.text
    assert "{{ 7 * 7 }}" in seen.text
    assert "\x1b" not in seen.source
    assert "\u202e" not in seen.source


def test_what_went_wrong_stands_at_the_top(tmp_path: Path) -> None:
    run = ImaginedRun(name=RUN)
    gap = Gap(2, 100.0, 700.0, 3.6, "the cable was pulled", run.stamp())
    records: list[Record] = [
        run.started(),
        *run.cycles(1, 2),
        gap,
        run.ended(Outcome.FAILED, "link", OffState.OFF),
    ]
    seen = Page(page(stored(tmp_path, records), tmp_path / "run.html"))
    assert seen.text.index("nothing was observed for 10 min; at most 1 mAh passed") < seen.text.index(
        "Results"
    )
    assert re.search(r"Li-Li 07\s+failed", seen.text)


def test_a_run_without_samples_has_a_page_too(tmp_path: Path) -> None:
    run = ImaginedRun(name=RUN)
    seen = Page(page(stored(tmp_path, [run.started(), run.ended(Outcome.FAILED)]), tmp_path / "run.html"))
    assert "No evaluation found a number" in seen.text


def test_many_cycles_stay_a_small_file(tmp_path: Path) -> None:
    """`cycler report RUN --html` of 1000 cycles is half a megabyte; the limit is 5."""
    run = ImaginedRun(name=RUN, every=600.0)
    records = [run.started(), *run.cycles(1, 60), run.ended()]
    written = page(stored(tmp_path, records), tmp_path / "run.html")
    assert written.stat().st_size < 500_000
    assert "60 cycles" in Page(written).text


def test_without_jinja_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(RequestError, match=r"hilcycler\[report\]"):
        page(tmp_path / "none", tmp_path / "run.html")
