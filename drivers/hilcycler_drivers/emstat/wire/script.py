"""MethodSCRIPT as a tree: parse and print. The driver prints what the instrument's side parses.

    Script        = statements [ "on_finished:" statements ]
    statement     = Command | MeasureLoop | Loop | If
    argument      = Variable | Literal | VarType | Quoted

One command a line; a blank line ends the script, so none is ever printed. A literal has no decimal
point and no exponent: 1.5 is `1500m`. Which commands exist, and what they take, is `SIGNATURES`.
Numbers of lines count from 1, the first after the `e`; a column points just past the token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias, assert_never

from hilcycler.errors import WireError
from hilcycler_drivers.emstat.wire.packages import PREFIXES, prefix_factor
from hilcycler_drivers.emstat.wire.requests import LARGEST_SCRIPT, LONGEST_LINE

# --- the tree -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, or one element of an array."""

    name: str
    index: Variable | Literal | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Literal:
    """`mantissa` times the SI prefix; the prefix `i` marks an integer."""

    mantissa: int
    prefix: str = ""

    @property
    def value(self) -> float:
        """In SI."""
        multiply, divide = prefix_factor(self.prefix or " ")
        return self.mantissa * multiply / divide

    @property
    def is_integer(self) -> bool:
        return self.prefix == "i"

    def __str__(self) -> str:
        return f"{self.mantissa}{self.prefix}"


@dataclass(frozen=True, slots=True)
class VarType:
    """What a variable means, as two letters: see `vartypes`."""

    code: str

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Quoted:
    """Text; with `formatted`, an f-string, in which `{x}` stands for a variable."""

    text: str
    formatted: bool = False

    def __str__(self) -> str:
        return f'{"f" * self.formatted}"{self.text}"'


Argument: TypeAlias = Variable | Literal | VarType | Quoted
Number: TypeAlias = Variable | Literal


@dataclass(frozen=True, slots=True)
class Option:
    """`nscans(2)`: an optional argument, after the others."""

    name: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        return f"{self.name}({' '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Command:
    """Any command that is a line of its own."""

    name: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return " ".join(map(str, (self.name, *self.arguments, *self.options)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`, the operator one of == != < > <= >=."""

    left: Number
    operator: str
    right: Number

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class MeasureLoop:
    """`meas_loop_...` with the body that runs after each measurement."""

    command: Command
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`loop`: repeats while the comparison holds."""

    condition: Comparison
    body: tuple[Statement, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of an If."""

    condition: Comparison
    body: tuple[Statement, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """`if`, any number of `elseif`, perhaps `else`."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Statement, ...] = ()


Statement: TypeAlias = Command | MeasureLoop | Loop | If


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script. `on_finished` runs at its end and on an abort, not after a runtime error."""

    body: tuple[Statement, ...]
    on_finished: tuple[Statement, ...] = ()


# --- literals -------------------------------------------------------------------------------

_LARGEST_MANTISSA: Final = 2**31


def number(value: float) -> Literal:
    """The shortest literal for `value`; exact to six significant digits at least, mostly to nine.

    The mantissa keeps within the 32 bits that a firmware's parser is sure to have. WireError for
    NaN, infinities and what is too large.
    """
    if not math.isfinite(value):
        raise WireError(f"{value} cannot be written in a script")
    exact = Decimal(repr(float(value)))
    for at in range(len(PREFIXES)):
        mantissa = int(exact.scaleb(18 - 3 * at).to_integral_value())
        if abs(mantissa) < _LARGEST_MANTISSA:
            return shortest(mantissa, at)
    raise WireError(f"{value} is too large for a script")


def shortest(mantissa: int, at: int) -> Literal:
    """`mantissa` times the prefix PREFIXES[at], without zeros that a larger prefix makes needless."""
    if mantissa == 0:
        return Literal(0)
    while mantissa % 1000 == 0 and at + 1 < len(PREFIXES):
        mantissa, at = mantissa // 1000, at + 1
    return Literal(mantissa, PREFIXES[at].strip())


def integer(value: int) -> Literal:
    """An integer literal: `3i`."""
    return Literal(value, "i")


# --- what each command takes ----------------------------------------------------------------

# v variable, d variable being declared, n variable or literal, l literal, t vartype, s text
SIGNATURES: Final[dict[str, str]] = {
    "var": "d", "array": "dl", "store_var": "vlt", "copy_var": "vv",
    "add_var": "vn", "sub_var": "vn", "mul_var": "vn", "div_var": "vn", "mod_var": "vn", "pow_var": "vn",
    "log_var": "vn", "alter_vartype": "vt", "int_to_float": "v", "float_to_int": "v",
    "mean": "vvn", "linear_fit": "vvvvn",
    "wait": "n", "timer_start": "", "timer_get": "v", "set_int": "n", "await_int": "",
    "set_pgstat_chan": "n", "set_pgstat_mode": "n", "set_max_bandwidth": "n",
    "set_range_minmax": "tnn", "set_range": "tn", "set_autoranging": "tnn",
    "set_acquisition_frac": "n", "set_acquisition_frac_autoadjust": "n",
    "set_e": "n", "set_i": "n", "cell_on": "", "cell_off": "", "meas": "nvt",
    "meas_loop_ocp": "vnn", "meas_loop_ca": "vvnnn", "meas_loop_cp": "vvnnn",
    "meas_loop_lsv": "vvnnnn", "meas_loop_lsp": "vvnnnn", "meas_loop_cv": "vvnnnnn",
    "meas_loop_eis": "vvvnnnnn", "meas_loop_geis": "vvvnnnnn",
    "pck_start": "", "pck_add": "n", "pck_end": "",
    "breakloop": "", "abort": "", "send_string": "s", "set_script_output": "n",
    "file_open": "sn", "file_close": "",
}  # fmt: skip

OPTIONS: Final[dict[str, dict[str, str]]] = {
    "cell_on": {"ocp": "n"},
    "meas_loop_cv": {"nscans": "n", "add_meas": "ntv"},
    "meas_loop_lsv": {"add_meas": "ntv"},
    "meas_loop_lsp": {"add_meas": "ntv"},
    "meas_loop_ca": {"add_meas": "ntv"},
    "meas_loop_cp": {"add_meas": "ntv"},
    "meas_loop_ocp": {"add_meas": "ntv"},
    "meas_loop_eis": {"eis_acdc": "vvvv", "eis_tdd": "vvnvn"},
    "meas_loop_geis": {"eis_acdc": "vvvv", "eis_tdd": "vvnvn"},
}

_OPERATORS: Final = ("==", "!=", "<", ">", "<=", ">=")
_DEEPEST: Final = 16
_LONGEST_PACKAGE: Final = 40
_LONGEST_NAME: Final = 32


# --- printing -------------------------------------------------------------------------------


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


# --- parsing --------------------------------------------------------------------------------


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
