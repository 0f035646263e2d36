"""Rules over the whole source that no import contract can state; each shown to catch its offence."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
}
UNSAFE_ARGUMENTS = {"shell", "allow_pickle"}
CALENDAR = {"now", "utcnow", "today"}

Rule = Callable[[ast.AST], Iterator[str]]


def reads_a_clock(tree: ast.AST) -> Iterator[str]:
    """Importing `time`, asking the calendar for today, asking a loop for its time."""
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.split(".")[0] == "time":
                yield f"line {node.lineno}: imports {module}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = _dotted(node.func.value)
            if node.func.attr in CALENDAR and owner.split(".")[-1] in {"datetime", "date"}:
                yield f"line {node.lineno}: {owner}.{node.func.attr}()"
            if node.func.attr == "time" and not node.args:
                yield f"line {node.lineno}: {ast.unparse(node)}"


def runs_what_it_reads(tree: ast.AST) -> Iterator[str]:
    """Anything that can turn data into code: unpickling, evaluation, a shell."""
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.split(".")[0] in UNSAFE_MODULES:
                yield f"line {node.lineno}: imports {module}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Call):
            if (called := _dotted(node.func)) in UNSAFE_CALLS:
                yield f"line {node.lineno}: calls {called}"
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in UNSAFE_ARGUMENTS and not off:
                    yield f"line {node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case _:
            return []


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names, the last name alone of anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case ast.Call(func=func):
            return _dotted(func)
        case _:
            return ""


def offences(rule: Rule, paths: list[Path]) -> list[str]:
    return [f"{path} {offence}" for path in paths for offence in rule(ast.parse(path.read_text("utf-8")))]


def test_only_clock_reads_a_clock(root: Path, modules: list[Path]) -> None:
    clock = root / "cycler/hilcycler/clock.py"
    assert offences(reads_a_clock, [clock]), "the rule no longer sees what it is about"
    assert offences(reads_a_clock, [path for path in modules if path != clock]) == []


def test_nothing_read_is_ever_run(root: Path, modules: list[Path]) -> None:
    assert offences(runs_what_it_reads, [*modules, root / "start.py"]) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (reads_a_clock, "import time"),
        (reads_a_clock, "from time import monotonic as m"),
        (reads_a_clock, "import datetime\ndatetime.datetime.now(datetime.UTC)"),
        (reads_a_clock, "date.today()"),
        (reads_a_clock, "asyncio.get_running_loop().time()"),
        (runs_what_it_reads, "def f():\n    from pickle import loads"),
        (runs_what_it_reads, "eval(text)"),
        (runs_what_it_reads, "yaml.load(text, Loader=yaml.SafeLoader)"),
        (runs_what_it_reads, "numpy.load(path, allow_pickle=True)"),
        (runs_what_it_reads, "subprocess.run(command, shell=wanted)"),
    ],
)
def test_a_rule_catches_its_offence(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (reads_a_clock, "datetime.fromtimestamp(stamp.utc, UTC)"),
        (reads_a_clock, "from hilcycler.clock import loop_time\nloop_time()"),
        (runs_what_it_reads, "re.compile(pattern); yaml.parse(text); subprocess.run(c, shell=False)"),
    ],
)
def test_a_rule_lets_the_rest_pass(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source))) == []
