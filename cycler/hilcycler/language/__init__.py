"""The protocol language: a file that reads like a methods section, and what it means.

`load` reads a file, `Document.bind` resolves it with a cell, `describe` says it in plain words.
"""

from hilcycler.language.course import longest, longest_of, outside, set_points
from hilcycler.language.description import describe, describe_step
from hilcycler.language.document import Document, load, load_cell, loads, of_experiment
from hilcycler.language.experiment import Experiment, experiment, experiments, parameter
from hilcycler.language.faults import Fault, FileError, Where
from hilcycler.language.template import template, written_out
from hilcycler.language.writing import to_yaml, tree_of

__all__ = [
    "Document",
    "Experiment",
    "Fault",
    "FileError",
    "Where",
    "describe",
    "describe_step",
    "experiment",
    "experiments",
    "load",
    "load_cell",
    "loads",
    "longest",
    "longest_of",
    "of_experiment",
    "outside",
    "parameter",
    "set_points",
    "template",
    "to_yaml",
    "tree_of",
    "written_out",
]
