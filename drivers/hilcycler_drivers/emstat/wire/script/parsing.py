"""Lines to a tree, with the syntax errors of the instrument where the instrument puts them.

Lines count from 1, the first after the `e`; a column points just past the token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hilcycler.errors import WireError
from hilcycler_drivers.emstat.wire.requests import LARGEST_SCRIPT, LONGEST_LINE
from hilcycler_drivers.emstat.wire.script.signatures import OPTIONS, SIGNATURES
from hilcycler_drivers.emstat.wire.script.tree import (
    Argument,
    Branch,
    Command,
    Comparison,
    If,
    Literal,
    Loop,
    MeasureLoop,
    Number,
    Option,
    Quoted,
    Script,
    Statement,
    Variable,
    VarType,
)

_OPERATORS: Final = ("==", "!=", "<", ">", "<=", ">=")
_DEEPEST: Final = 16
_LONGEST_PACKAGE: Final = 40
_LONGEST_NAME: Final = 32


class ScriptError(WireError):
    """The instrument's own syntax error: its code, the line and the column just past the token."""

    def __init__(self, code: int, line: int, column: int) -> None:
        super().__init__(f"script error {code:04X} in line {line}, column {column}")
        self.code, self.line, self.column = code, line, column


UNKNOWN_COMMAND: Final = 0x4001
UNEXPECTED_CHARACTER: Final = 0x4004
SCRIPT_TOO_LARGE: Final = 0x4005
BAD_OPTION: Final = 0x4008
NESTED_MEASUREMENT: Final = 0x400B
NOT_HERE: Final = 0x400C
TOO_DEEP: Final = 0x400D
BAD_SCOPE: Final = 0x400E
ENDED_UNEXPECTEDLY: Final = 0x4018
PACKAGE_ORDER: Final = 0x401B
PACKAGE_TOO_LARGE: Final = 0x401C
REDECLARED: Final = 0x4026
BAD_NAME: Final = 0x402B
NAME_TOO_LONG: Final = 0x402C
BAD_LITERAL: Final = 0x4039
BAD_VARTYPE: Final = 0x4209
EXTRA_ARGUMENT: Final = 0x420A
UNDECLARED: Final = 0x420B
LITERAL_NOT_ALLOWED: Final = 0x420D
VARIABLE_NOT_ALLOWED: Final = 0x420C
LINE_TOO_LONG: Final = 0x0008


def parse(source: str) -> Script:
    """The tree of a script's lines; ScriptError as the instrument would report it."""
    if len(source) > LARGEST_SCRIPT:
        line = source.count("\n", 0, LARGEST_SCRIPT) + 1
        raise ScriptError(SCRIPT_TOO_LARGE, line, 1)
    return _Parser(source).script()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    column: int  # just past it


_TOKEN: Final = re.compile(
    r'\s*(?:(?P<quoted>f?"[^"]*")|(?P<word>[A-Za-z_][A-Za-z0-9_]*:?(?:\[[A-Za-z0-9_]+\])?)'
    r"|(?P<number>[+-]?[0-9][0-9A-Za-z]*)|(?P<operator>==|!=|<=|>=|<|>)|(?P<bracket>[()]))"
)
_LITERAL: Final = re.compile(r"([+-]?[0-9]+)([afpnumkMGTPEi]?)|([+-]?)0([xb])([0-9A-Fa-f]+)i?")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class _Parser:
    """One pass over the lines, recursive over blocks."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        if self._lines[-1] == "":
            self._lines.pop()
        self._at = 0  # lines read so far, so the number of the current one
        self._tokens: list[_Token] = []
        self._declared: set[str] = set()
        self._measuring = False
        self._loops = 0
        self._package: int | None = None

    def script(self) -> Script:
        body, closer = self._block(0, ("on_finished:",))
        finished: tuple[Statement, ...] = ()
        if closer:
            finished, _ = self._block(0, ())
        return Script(body, finished)

    def _fail(self, code: int, token: _Token | None = None) -> ScriptError:
        column = token.column if token else len(self._lines[self._at - 1]) + 1 if self._at else 1
        return ScriptError(code, max(self._at, 1), column)

    def _next_line(self) -> bool:
        """Tokens of the next line that holds any; False at the end of the script."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if len(line) > LONGEST_LINE:
                raise ScriptError(LINE_TOO_LONG, self._at, LONGEST_LINE + 1)
            self._tokens = list(self._tokenise(line))
            if self._tokens:
                return True
        return False

    def _tokenise(self, line: str) -> Iterator[_Token]:
        at = 0
        while at < len(line.rstrip()) and line[at:].lstrip()[:1] != "#":
            match = _TOKEN.match(line, at)
            if match is None:
                blanks = len(line[at:]) - len(line[at:].lstrip())
                raise ScriptError(UNEXPECTED_CHARACTER, self._at, at + blanks + 2)
            yield _Token(match[0].strip(), match.end() + 1)
            at = match.end()

    def _block(self, depth: int, closers: tuple[str, ...]) -> tuple[tuple[Statement, ...], str]:
        """Statements up to one of `closers`, which is consumed; at depth 0 also up to the end."""
        if depth > _DEEPEST:
            raise self._fail(TOO_DEEP)
        body: list[Statement] = []
        while self._next_line():
            name = self._tokens[0].text
            if name in closers:
                return tuple(body), name
            if name in {"endloop", "endif", "else", "elseif", "on_finished:"}:
                raise self._fail(BAD_SCOPE, self._tokens[0])
            body.append(self._statement(depth))
        if depth:
            raise self._fail(ENDED_UNEXPECTEDLY)
        return tuple(body), ""

    def _statement(self, depth: int) -> Statement:
        name, line = self._tokens[0].text, self._at
        if name == "loop":
            condition = self._comparison()
            self._loops += 1
            body, _ = self._block(depth + 1, ("endloop",))
            self._loops -= 1
            return Loop(condition, body, line)
        if name == "if":
            return self._if(depth)
        command = self._command()
        if name.startswith("meas_loop_"):
            return self._measure_loop(command, depth)
        return command

    def _measure_loop(self, command: Command, depth: int) -> MeasureLoop:
        if self._measuring:
            raise self._fail(NESTED_MEASUREMENT, self._tokens[0])
        self._measuring, self._loops = True, self._loops + 1
        body, _ = self._block(depth + 1, ("endloop",))
        self._measuring, self._loops = False, self._loops - 1
        return MeasureLoop(command, body)

    def _if(self, depth: int) -> If:
        branches: list[Branch] = []
        otherwise: tuple[Statement, ...] = ()
        closer = "elseif"
        while closer == "elseif":
            condition, line = self._comparison(), self._at
            body, closer = self._block(depth + 1, ("elseif", "else", "endif"))
            branches.append(Branch(condition, body, line))
        if closer == "else":
            self._expect_end(1)
            otherwise, closer = self._block(depth + 1, ("endif",))
        return If(tuple(branches), otherwise)

    def _comparison(self) -> Comparison:
        self._need(4)
        _, left, operator, right = self._tokens[:4]
        if operator.text not in _OPERATORS:
            raise self._fail(UNEXPECTED_CHARACTER, operator)
        comparison = Comparison(self._number(left), operator.text, self._number(right))
        self._expect_end(4)
        return comparison

    def _command(self) -> Command:
        head = self._tokens[0]
        signature = SIGNATURES.get(head.text)
        if signature is None:
            raise self._fail(UNKNOWN_COMMAND, head)
        self._need(1 + len(signature))
        arguments = tuple(
            self._argument(kind, token)
            for kind, token in zip(signature, self._tokens[1 : 1 + len(signature)], strict=True)
        )
        options = tuple(self._options(head.text, 1 + len(signature)))
        command = Command(head.text, arguments, options, self._at)
        self._check_place(command, head)
        return command

    def _check_place(self, command: Command, head: _Token) -> None:
        match command.name:
            case "breakloop" if not self._loops:
                raise self._fail(NOT_HERE, head)
            case "pck_start":
                if self._package is not None:
                    raise self._fail(PACKAGE_ORDER, head)
                self._package = 0
            case "pck_add":
                if self._package is None:
                    raise self._fail(PACKAGE_ORDER, head)
                self._package += 1
                if self._package > _LONGEST_PACKAGE:
                    raise self._fail(PACKAGE_TOO_LARGE, head)
            case "pck_end":
                if self._package is None:
                    raise self._fail(PACKAGE_ORDER, head)
                self._package = None
            case _:
                pass

    def _options(self, command: str, at: int) -> Iterator[Option]:
        known = OPTIONS.get(command, {})
        while at < len(self._tokens):
            name = self._tokens[at]
            if at + 1 >= len(self._tokens) or self._tokens[at + 1].text != "(":
                raise self._fail(EXTRA_ARGUMENT, name)
            signature = known.get(name.text)
            if signature is None:
                raise self._fail(BAD_OPTION, name)
            end = at + 2 + len(signature)
            self._need(end + 1)
            if self._tokens[end].text != ")":
                raise self._fail(EXTRA_ARGUMENT, self._tokens[end])
            inside = zip(signature, self._tokens[at + 2 : end], strict=True)
            yield Option(name.text, tuple(self._argument(kind, token) for kind, token in inside))
            at = end + 1

    def _need(self, count: int) -> None:
        if len(self._tokens) < count:
            raise self._fail(UNEXPECTED_CHARACTER)

    def _expect_end(self, count: int) -> None:
        if len(self._tokens) > count:
            raise self._fail(EXTRA_ARGUMENT, self._tokens[count])

    def _argument(self, kind: str, token: _Token) -> Argument:
        match kind:
            case "d":
                return self._declare(token)
            case "v":
                return self._variable(token)
            case "n":
                return self._number(token)
            case "l":
                return self._literal(token)
            case "t":
                if not re.fullmatch(r"[a-z]{2}", token.text):
                    raise self._fail(BAD_VARTYPE, token)
                return VarType(token.text)
            case _:
                if not token.text.endswith('"') or len(token.text) < 2:
                    raise self._fail(UNEXPECTED_CHARACTER, token)
                formatted = token.text.startswith("f")
                return Quoted(token.text[1 + formatted : -1], formatted)

    def _number(self, token: _Token) -> Number:
        if token.text[0].isdigit() or token.text[0] in "+-":
            return self._literal(token)
        return self._variable(token)

    def _declare(self, token: _Token) -> Variable:
        if not _NAME.fullmatch(token.text):
            raise self._fail(BAD_NAME, token)
        if len(token.text) > _LONGEST_NAME:
            raise self._fail(NAME_TOO_LONG, token)
        if token.text in self._declared:
            raise self._fail(REDECLARED, token)
        self._declared.add(token.text)
        return Variable(token.text)

    def _variable(self, token: _Token) -> Variable:
        if token.text[0].isdigit() or token.text[0] in "+-":
            raise self._fail(LITERAL_NOT_ALLOWED, token)
        name, bracket, index = token.text.rstrip("]").partition("[")
        if not _NAME.fullmatch(name):
            raise self._fail(UNEXPECTED_CHARACTER, token)
        if name not in self._declared:
            raise self._fail(UNDECLARED, token)
        return Variable(name, self._number(_Token(index, token.column)) if bracket else None)

    def _literal(self, token: _Token) -> Literal:
        match = _LITERAL.fullmatch(token.text)
        if match is None:
            raise self._fail(BAD_LITERAL if token.text[0] in "+-0123456789" else VARIABLE_NOT_ALLOWED, token)
        if match[1] is not None:
            return Literal(int(match[1]), match[2])
        try:
            return Literal(int(match[3] + match[5], 16 if match[4] == "x" else 2), "i")
        except ValueError:
            raise self._fail(BAD_LITERAL, token) from None
