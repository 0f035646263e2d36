"""A file to begin with: an experiment with all its parameters, what they mean, and what is not used yet."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from hilcycler.errors import RequestError
from hilcycler.language.document import of_experiment
from hilcycler.language.experiment import Experiment, experiment
from hilcycler.language.strict_model import Strict
from hilcycler.language.strict_yaml import Tree
from hilcycler.language.words import Reader
from hilcycler.language.writing import inline, to_yaml, tree_of

_WIDEST: Final = 98
_COLUMN: Final = 36


def template(name: str, parameters: Mapping[str, str] | None = None) -> str:
    """The short form, with a line and a comment for each parameter; those not used are commented out."""
    document = of_experiment(name, parameters)
    found = experiment(name)
    given = parameters or {}
    lines = [
        f"# {line}" for line in textwrap.wrap(f"{found.summary}. {found.parameters.__doc__ or ''}", _WIDEST)
    ]
    lines += [
        f"protocol: {document.name}",
        "# The cell: yours here, or in a file of its own (--cell).",
        f"# cell: {found.cell}",
        f"experiment: {name}",
        "with:",
        *_parameters(found, given),
    ]
    return "\n".join(lines) + "\n"


def written_out(name: str, parameters: Mapping[str, str] | None = None) -> str:
    """The long form: every step, to be changed at will. RequestError for one that decides as it goes."""
    found = experiment(name)
    if found.decide is not None:
        raise RequestError(f"{name} decides as it goes; no file of steps can say that")
    of_experiment(name, parameters)  # says what is wrong with the parameters, by name
    tree = tree_of(found.build(found.parameters.model_validate(dict(parameters or {}))))
    assert isinstance(tree, dict)
    return to_yaml(tree)


def _parameters(found: Experiment[Any], given: Mapping[str, str]) -> Iterator[str]:
    written = []
    for key, name in found.parameters.key_names().items():
        field = found.parameters.model_fields[name]
        value: Tree | None = given.get(key, tree_of(field.default))
        used = value is not None or field.default == {}
        shown = inline(value) if value is not None else _example(field)
        written.append((f"{'' if used else '# '}{key}: {shown}", field.description or ""))
    width = max(len(entry) for entry, _ in written if len(entry) <= _COLUMN)
    for entry, meaning in written:
        if len(entry) > _COLUMN:
            yield f"  # {meaning}:"
            yield f"  {entry}"
        else:
            yield f"  {entry:<{width}}  # {meaning}"


def _example(field: FieldInfo) -> str:
    """What might stand for a parameter that has no default: the defaults of its own keys, or one of its kind."""
    for kind in get_args(field.annotation) or (field.annotation,):
        if isinstance(kind, type) and issubclass(kind, Strict):
            inner = {key: tree_of(kind.model_fields[name].default) for key, name in kind.key_names().items()}
            return inline({key: value for key, value in inner.items() if value is not None})
    examples = [example for part in _parts(field) for example in part.schema().get("examples", ())]
    return str(examples[0]) if examples else "20"


def _parts(field: FieldInfo) -> Iterator[Any]:
    for kind in get_args(field.annotation):
        yield from (part for part in getattr(kind, "__metadata__", ()) if isinstance(part, Reader))
