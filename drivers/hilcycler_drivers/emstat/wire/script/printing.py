"""A tree to its lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from hilcycler_drivers.emstat.wire.script.tree import Command, If, Loop, MeasureLoop, Script, Statement


def print_script(script: Script) -> str:
    """The script's lines, each ended by LF."""
    lines = [*_lines(script.body, "")]
    if script.on_finished:
        lines += ["on_finished:", *_lines(script.on_finished, "")]
    return "".join(f"{line}\n" for line in lines)


def _lines(body: Iterable[Statement], indent: str) -> Iterator[str]:
    for statement in body:
        match statement:
            case Command():
                yield f"{indent}{statement}"
            case MeasureLoop(command, inner):
                yield f"{indent}{command}"
                yield from _lines(inner, indent + " ")
                yield f"{indent}endloop"
            case Loop(condition, inner):
                yield f"{indent}loop {condition}"
                yield from _lines(inner, indent + " ")
                yield f"{indent}endloop"
            case If(branches, otherwise):
                for n, branch in enumerate(branches):
                    yield f"{indent}{'elseif' if n else 'if'} {branch.condition}"
                    yield from _lines(branch.body, indent + " ")
                if otherwise:
                    yield f"{indent}else"
                    yield from _lines(otherwise, indent + " ")
                yield f"{indent}endif"
            case _:
                assert_never(statement)
