"""Columns of files: those of the sequences, and that of what is known of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from loopcell.data import Column, Records
from loopcell.data.from_tables import demand_columns
from loopcell.data.readers.records import listed
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.long_tables import joined_names

# The columns that hold a sequence in kinds of files that name their own columns.
SEQUENCE_COLUMNS = ("text", "source", "sequence", "series", "tokens", "values", "path")
TARGET_COLUMNS = ("label", "labels", "target")
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def target_column(records: Records, spec: FileExamples) -> str | None:
    """Return the column of what is known of the sequences; UsageError where it is not clear which one.

    What remains of a unit is no column, but for one of this name; where units have labels in a file of their own there
    is None. Several columns of the labels of steps are named together, with commas between them.
    """
    if spec.target_counts_down and records.columns:
        return spec.target
    if spec.unit_labels is not None:
        return None
    if spec.of_steps and spec.targets and spec.target not in records.columns:
        demand_columns(records, spec.targets)
        return spec.target
    return _chosen(records, spec.target, TARGET_COLUMNS, "target", "--label")


def step_columns(records: Records, spec: FileExamples, target: str | None) -> tuple[str, ...]:
    """Return the columns that make a step; UsageError where none are named."""
    if spec.input is None:
        others = {target, *spec.units, *spec.time, *spec.static}  # those of a file of units are not there
        rest = [name for name in records.columns if name not in others]
        raise UsageError(f"say with --input which columns make a step, such as --input {','.join(rest[:20])}")
    joined, there = joined_names(spec), set(records.columns)
    own = tuple(name for name in spec.static if name not in joined)
    if spec.statics is None and own and not there & set(own):
        raise DataError(
            f"{records} has no column {own[0]!r}, which holds for all of a unit: where units have a table of their "
            "own, name it (--statics FILE)"
        )
    demand_columns(records, (*spec.units, *spec.time, *own))
    return demand_columns(records, spec.inputs)


def input_columns(records: Records, spec: FileExamples) -> tuple[str, ...]:
    """Return the column of the sequences, or the columns of numbers that make one together."""
    if len(spec.inputs) > 1 and spec.input not in records.columns:
        return demand_columns(records, spec.inputs)
    return (_chosen(records, spec.input, SEQUENCE_COLUMNS, "sequence", "--input"),)


def _chosen(records: Records, named: str | None, usual: Sequence[str], what: str, flag: str) -> str:
    if not records.columns:  # JSON lines without a line
        raise records.no_rows()
    if named is not None:
        return _present(records, named)
    found = [name for name in usual if name in records.columns]
    if len(found) != 1:
        raise UsageError(
            f"{records} has the columns {listed(records.columns)}: say with {flag} which one holds the {what}"
            f"{records.hint}"
        )
    return found[0]


def _present(records: Records, name: str) -> str:
    return demand_columns(records, (name,))[0]


def demand_sequences(X: Column) -> None:
    """Refuse a column with one number in each row: read as text it would be a sequence of digits.

    Raises:
        UsageError: it is one; the sentence says how rows become sequences, and how digits are read as text.
    """
    if all(_is_one_number(value) for value in X.values):
        raise UsageError(
            f"column {X.name!r} has one number in each row ({X.values[0]}), and a sequence was expected: where rows "
            "are the steps of sequences, say --by COLUMN (a unit each) or --window ROWS, or "
            "put those of a sequence into one row, as a list in JSON lines or an array in npz; to read the digits as "
            "text, say --tokens char"
        )


def _is_one_number(value: Any) -> bool:
    """Say whether a cell is a number; with leading zeros, or longer than any that is counted, it is a code."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
