"""What the documents point at exists, and what they show as code runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hilcycler.language import loads
from hilcycler.protocol import count_steps, resume
from hilcycler.steps import StepResult

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
OURS = re.compile(r"(?:cycler|drivers|protocols|simulators|tests|docs|\.ci)/[\w./-]*")


def documents(root: Path) -> list[Path]:
    top = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    beside_code = [
        path for folder in ("cycler", "drivers", "protocols") for path in (root / folder).rglob("*.md")
    ]
    return sorted(top + beside_code + list((root / "simulators").rglob("*.md")))


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_inside_the_project_leads_somewhere(root: Path) -> None:
    lost = []
    for document in documents(root):
        for target in LINK.findall(FENCE.sub("", document.read_text("utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            found = document if not path else document.parent / path
            if not found.exists() or (anchor and anchor not in anchors(found.read_text("utf-8"))):
                lost.append(f"{document.relative_to(root)}: {target}")
    assert lost == []


def test_every_path_named_in_the_documents_exists(root: Path) -> None:
    """Paths in backquotes that start with one of our folders; `<family>` stands for any."""
    lost = [
        f"{document.relative_to(root)}: {code}"
        for document in documents(root)
        for code in CODE.findall(FENCE.sub("", document.read_text("utf-8")))
        if OURS.fullmatch(code) and "__init__" not in code and not (root / code).exists()
    ]
    assert lost == []


def test_the_readme_shows_the_two_commands_that_start_knows(root: Path) -> None:
    blocks = "\n".join(body for _, body in FENCE.findall((root / "README.md").read_text("utf-8")))
    assert {"demo", "test"} == set(re.findall(r"^python3 start\.py (\w+)$", blocks, re.MULTILINE))


def test_the_readme_calls_only_commands_that_exist(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hilcycler", "--help"], check=True, capture_output=True, text=True
    )
    known = set(re.findall(r"^  ([a-z]+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE))
    text = (root / "README.md").read_text("utf-8")
    shown = [body for _, body in FENCE.findall(text)] + CODE.findall(text)
    called = set(re.findall(r"^cycler ([a-z]+)", "\n".join(shown), re.MULTILINE))
    assert len(called) > 5
    assert called - known == set()


def test_the_protocol_in_the_readme_can_be_run(root: Path) -> None:
    text = (root / "README.md").read_text("utf-8")
    (source,) = (body for language, body in FENCE.findall(text) if language == "yaml")
    assert count_steps(loads(source, "README.md").bind().body) == 201


def test_the_adaptive_protocol_in_decision_4_runs_and_can_be_resumed(root: Path) -> None:
    text = (root / "docs/decisions/0004-protocols-are-generators.md").read_text("utf-8")
    (source,) = (body for language, body in FENCE.findall(text) if language == "python")
    names: dict[str, object] = {}
    exec(source, names)
    make = names["until_it_rises"]
    assert callable(make)

    def result(voltage: float) -> StepResult:
        return StepResult(end=0, elapsed=3600.0, charge=0.0, last_voltage=voltage, last_current=None)

    history = [result(-0.01), result(0.01), result(-0.02), result(0.02)]
    _, third_cycle = resume(lambda: make(1e-3, 0.1), history)
    assert third_cycle is not None
    assert (third_cycle.index, third_cycle.cycle) == (1, 3)
    assert resume(lambda: make(1e-3, 0.1), [*history, result(-0.1), result(0.1)])[1] is None


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_the_front_of_the_house_is_there(root: Path, name: str) -> None:
    assert (root / name).stat().st_size > 500
