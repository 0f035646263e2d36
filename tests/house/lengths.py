"""`python tests/house/lengths.py`: modules and functions that ask to be thought about again.

A listing for readers, never a failure: some tables are long and some state machines are whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LONGEST_MODULE = 400
LONGEST_FUNCTION = 40
SOURCES = ("cycler", "drivers", "protocols", "simulators", "start.py")


def long_ones(name: str, source: str) -> Iterator[tuple[int, str]]:
    """Length in lines and name of the module and of each function in it beyond the bounds.

    A function counts without its docstring: an explanation is not what makes it hard to follow.
    """
    lines = source.count("\n")
    if lines > LONGEST_MODULE:
        yield lines, name
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring(node)
            if length > LONGEST_FUNCTION:
                yield length, f"{name}:{node.lineno} {node.name}"


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _modules(root: Path) -> Iterator[Path]:
    for source in SOURCES:
        path = root / source
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def main() -> None:
    """Print the listing, longest first."""
    root = Path(__file__).parents[2]
    found = [
        entry
        for path in _modules(root)
        for entry in long_ones(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    ]
    for length, name in sorted(found, reverse=True):
        print(f"{length:5d}  {name}")
    print(f"{len(found)} beyond {LONGEST_MODULE} lines a module or {LONGEST_FUNCTION} a function")


if __name__ == "__main__":
    main()
