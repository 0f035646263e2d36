"""A protocol file, read: what it says before any cell is known, and the protocol once one is.

document = load(Path("symmetric.yaml"))
protocol = document.bind(cell)          # or document.bind() where the file describes the cell
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from hilcycler.cell import Cell, Electrode
from hilcycler.errors import RequestError
from hilcycler.language import binding, models
from hilcycler.language.experiment import experiment
from hilcycler.language.faults import Fault, FileError, Where
from hilcycler.language.resolve import Resolver, cell_of
from hilcycler.language.strict_yaml import MOST_BYTES, Text, Tree, place, read
from hilcycler.language.writing import to_yaml, tree_of
from hilcycler.protocol import Deciding, Protocol

_REFERENCE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_LONGEST_PARAMETER: Final = 200
_NO_CELL: Final = Cell("unnamed", Electrode("unknown"), Electrode("unknown"))

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """A protocol file that is right in itself.

    `text` is the file as written (rewritten where parameters were set from outside), so that it
    alone says what was run. `evaluations` names those that belong to its experiment, `deciding` what
    decides if that is adaptive.
    """

    name: str
    file: str
    text: str
    model: models.ProtocolFile
    evaluations: tuple[str, ...] = ()
    deciding: Deciding | None = None

    @property
    def cell(self) -> Cell | None:
        """The cell that the file describes, if it does."""
        if self.model.cell is None:
            return None
        resolver = Resolver(_NO_CELL)
        cell = cell_of(self.model.cell, resolver)
        if resolver.faults:
            raise FileError(self.file, resolver.faults)
        return cell

    def bind(self, cell: Cell | None = None) -> Protocol:
        """The protocol for `cell`, or for the file's own; FileError names all that it lacks."""
        protocol, faults = binding.bind(self.model, self.name, cell or self.cell or _NO_CELL)
        if faults:
            raise FileError(self.file, faults)
        return protocol if self.deciding is None else replace(protocol, deciding=self.deciding)


def load(path: Path | str, parameters: Mapping[str, str] | None = None) -> Document:
    """Read the protocol file at `path`; FileError says all that is wrong with it."""
    return loads(_text(Path(path)), str(path), parameters)


def loads(text: str, file: str = "protocol", parameters: Mapping[str, str] | None = None) -> Document:
    """Read a protocol file from its text; `file` is its name in messages.

    `parameters` set those that the file declares, or those of its experiment.
    """
    tree = read(text, file)
    if parameters:
        tree = _set(tree, parameters, file)
        text = to_yaml(tree)
    tree = _substituted(tree, file)
    model = _validated(models.ProtocolFile, tree, (), file)
    if model.experiment is None:
        return Document(model.protocol or "", file, text, model)
    return _expanded(model, tree, file, text)


def load_cell(path: Path | str) -> Cell:
    """Read a file that describes one cell, with the keys of a protocol file's `cell`."""
    tree = read(_text(Path(path)), str(path))
    resolver = Resolver(_NO_CELL)
    cell = cell_of(_validated(models.CellModel, tree, (), str(path)), resolver)
    if resolver.faults:
        raise FileError(str(path), resolver.faults)
    return cell


def of_experiment(name: str, parameters: Mapping[str, str] | None = None) -> Document:
    """The document of an experiment with `parameters` in place of its defaults."""
    return loads(to_yaml({"experiment": name}), name, parameters)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        return content.decode("utf-8")
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(str(path), [Fault(Where(line), "is not UTF-8 text")]) from None


def _validated(kind: type[M], tree: Mapping[str, Any], at: tuple[str, ...], file: str) -> M:
    """`tree` as a model; `at` is where it stands in its file, for messages."""
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        root: dict[str, Any] = dict(tree)
        for key in reversed(at):
            root = {key: root}
        faults = []
        for detail in error.errors(include_url=False, include_input=False):
            where = place(root, (*at, *detail["loc"]))
            faults.append(Fault(_with_last(where, detail), detail["msg"]))
        raise FileError(file, faults) from None


def _with_last(where: Where, detail: Any) -> Where:  # noqa: ANN401  (pydantic's ErrorDetails)
    """A missing key stands nowhere; name it at the place where it should."""
    if detail["type"] != "missing":
        return where
    missing = str(detail["loc"][-1])
    return Where(where.line, f"{where.key}.{missing}" if where.key else missing)


def _expanded(file_model: models.ProtocolFile, tree: Mapping[str, Any], file: str, text: str) -> Document:
    """The document that a file means by naming an experiment; its own keys come before the experiment's."""
    assert file_model.experiment is not None
    try:
        found = experiment(file_model.experiment)
    except RequestError as error:
        raise FileError(file, [Fault(place(dict(tree), ("experiment",)), str(error))]) from None
    chosen = _validated(found.parameters, tree.get("with", {}), ("with",), file)
    try:
        built = tree_of(found.build(chosen))
    except RequestError as error:
        raise FileError(file, [Fault(place(dict(tree), ("experiment",)), str(error))]) from None
    assert isinstance(built, dict), f"experiment {found.name} built nothing"
    model = _validated(models.ProtocolFile, built, (), f"{file} (experiment {found.name})")
    own = {
        name: value
        for name in ("protocol", "description", "cell", "safety", "record")
        if (value := getattr(file_model, name)) is not None
    }
    model = model.model_copy(update=own)
    name = model.protocol or found.name
    return Document(name, file, text, model, found.evaluations, found.deciding(chosen))


def _set(tree: dict[str, Tree], parameters: Mapping[str, str], file: str) -> dict[str, Tree]:
    """`tree` with parameters set from outside."""
    key = "with" if "experiment" in tree else "parameters"
    declared = tree.get(key)
    known = dict(declared) if isinstance(declared, dict) else {}
    if key == "parameters" and (unknown := [name for name in parameters if name not in known]):
        what = ", ".join(known) or "none"
        raise FileError(
            file, [Fault(Where(), f"declares no parameter '{unknown[0]}'; its parameters: {what}")]
        )
    return tree | {key: known | dict(parameters)}


def _substituted(tree: dict[str, Tree], file: str) -> dict[str, Tree]:
    """`tree` with every `$name` replaced by the parameter's value."""
    declared = tree.get("parameters", {})
    if not isinstance(declared, dict):
        return tree  # the model says what is wrong with it
    faults: list[Fault] = []
    values: dict[str, str] = {}
    for name, value in declared.items():
        where = value.where if isinstance(value, Text) else Where(key=f"parameters.{name}")
        if not _REFERENCE.fullmatch(f"${name}"):
            faults.append(
                Fault(where, "is no parameter name; expected letters, digits and _, such as current")
            )
        elif not isinstance(value, str) or "$" in value or len(value) > _LONGEST_PARAMETER:
            faults.append(Fault(where, f"expected a plain value of at most {_LONGEST_PARAMETER} characters"))
        else:
            values[str(name)] = str(value)
    used = {key: _filled(node, values, faults) for key, node in tree.items() if key != "parameters"}
    if faults:
        raise FileError(file, faults)
    return used


def _filled(node: Tree, values: Mapping[str, str], faults: list[Fault]) -> Tree:
    match node:
        case dict():
            return {key: _filled(entry, values, faults) for key, entry in node.items()}
        case list():
            return [_filled(entry, values, faults) for entry in node]
        case _ if "$" in node:
            where = node.where if isinstance(node, Text) else Where()

            def value(match: re.Match[str]) -> str:
                if match[1] not in values:
                    known = ", ".join(values) or "none"
                    faults.append(Fault(where, f"no parameter is named '{match[1]}'; declared: {known}"))
                return values.get(match[1], "")

            return Text(_REFERENCE.sub(value, node), where)
        case _:
            return node
