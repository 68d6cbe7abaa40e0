"""Tables whose rows are steps: consecutive rows make a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np

from loopcell.data import Origin, Record, Records
from loopcell.errors import DataError
from loopcell.tasks.core.from_files.config import FileExamples


def step_sequences(
    records: Records, columns: tuple[str, ...], target: str | None, spec: FileExamples
) -> Iterator[tuple[Origin, Any, list[Any] | None]]:
    """Put consecutive rows together.

    Args:
        records: the rows.
        columns: what makes a step; one column of words makes tokens, else all of them are numbers.
        target: the column of the labels; None reads none.
        spec: `by`, a column whose value changes where a sequence ends, and `window`, the most steps of a sequence.

    Yields:
        Where a sequence begins, its steps (a list of tokens, or an array [T, I]), and its labels.

    Raises:
        DataError: a cell is not a number; the sentence names the row.
    """
    wanted = tuple(dict.fromkeys([*columns, *([target] if target else []), *([spec.by] if spec.by else [])]))
    rows = records.read(wanted)
    for _, group in groupby(rows, key=lambda record: record.get(spec.by) if spec.by else None):
        while steps := list(islice(group, spec.window)):
            yield steps[0].origin, _values(steps, columns), [_label(step, target) for step in steps] if target else None


def _values(steps: list[Record], columns: tuple[str, ...]) -> Any:
    if len(columns) == 1 and not _is_number(steps[0].get(columns[0])):
        return [str(step.get(columns[0])) for step in steps]
    return np.array([[_number(step, name) for name in columns] for step in steps], dtype=np.float64)


def _label(step: Record, target: str) -> Any:
    cell = step.get(target)
    return None if cell is None or (isinstance(cell, str) and not cell.strip()) else cell


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _number(step: Record, name: str) -> float:
    cell = step.get(name)
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise DataError(f"{step.origin}: column {name!r} has {cell!r}, which is not a number") from None
