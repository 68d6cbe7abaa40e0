"""Columns of files: those of the sequences, and that of what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

from loopcell.data import Records
from loopcell.data.readers.records import listed, twice_in
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.from_files.config import FileExamples

# The columns that hold a sequence in kinds of files that name their own columns.
SEQUENCE_COLUMNS = ("text", "source", "sequence", "series", "tokens", "values", "path")
TARGET_COLUMNS = ("label", "labels", "target")


def target_column(records: Records, spec: FileExamples) -> str:
    """Return the column of what is known of the sequences; UsageError where it is not clear which one."""
    return _chosen(records, spec.target, TARGET_COLUMNS, "target", "--label")


def step_columns(records: Records, spec: FileExamples, target: str | None) -> tuple[str, ...]:
    """Return the columns that make a step; UsageError where none are named."""
    if spec.input is None:
        rest = [name for name in records.columns if name not in (spec.by, target)]
        raise UsageError(f"say with --input which columns make a step, such as --input {','.join(rest[:20])}")
    return _all_present(records, spec.inputs)


def input_columns(records: Records, spec: FileExamples) -> tuple[str, ...]:
    """Return the column of the sequences, or the columns of numbers that make one together."""
    if len(spec.inputs) > 1 and spec.input not in records.columns:
        return _all_present(records, spec.inputs)
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
    return _all_present(records, (name,))[0]


def _all_present(records: Records, names: Sequence[str]) -> tuple[str, ...]:
    columns, twice = records.columns, twice_in(names)
    if twice is not None:
        raise UsageError(f"the column {twice!r} is named twice; each of --input stands there once")
    there = set(columns)
    for name in names:
        if name not in there:
            raise DataError(f"{records} has no column {name!r}; it has {listed(columns)}{records.hint}")
    return tuple(names)
