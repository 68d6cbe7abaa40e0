"""Tables whose rows are examples: their sequences, and what is known of each, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.examples.arrays import EXACT
from loopcell.data.examples.missing_values import NONE_NAMED, missing_note
from loopcell.data.from_tables.wide_rows import wide_row
from loopcell.data.readers.growing import gather
from loopcell.data.readers.origins import Origin
from loopcell.data.readers.records import Column, Records
from loopcell.data.readers.row_block import RowBlock, plain_cells
from loopcell.data.readers.unchanged import unchanged

Counts = list[int]


class RowExamples(NamedTuple):
    """The rows of a table, as examples.

    Attributes:
        X: their sequences: of one column what is in it, with lists of numbers as arrays; of several a row of arrays.
        beside: the other columns.
        notes: what the user should know of how they were read.
        stored: the bytes of what is in files, since it is more than memory.
    """

    X: Column
    beside: tuple[Column, ...]
    notes: tuple[str, ...]
    stored: int


def row_examples(
    records: Records, inputs: Sequence[str], beside: Sequence[str], *, read: Callable[[Any], Any] = lambda cell: cell
) -> RowExamples:
    """Read the rows of a table as examples, into memory or, where they are more than that, into files.

    Args:
        records: the rows.
        inputs: the columns of the sequences.
        beside: columns of what is known of each.
        read: what is made of the cells of the last column of `beside`.

    Raises:
        DataError: there is no such column, or no row, or a row cannot be used; or a file changes while it is read.
        FileWriteError: the files' disk is full, ...
    """
    names = tuple(dict.fromkeys([*inputs, *beside]))
    records.check_columns(names)
    missing, count = [0] * len(inputs), 0

    def cells() -> Iterator[tuple[list[Sequence[Any]], Sequence[Origin]]]:
        nonlocal count
        for block in records.blocks(names):
            count += len(block)
            others = [plain_cells(block.cells[name]) for name in beside]
            if others:
                others[-1] = [read(cell) for cell in others[-1]]
            yield [_sequences(block, inputs, missing), *others], block.origins

    with unchanged(records):
        (first, *rest), origins, stored = gather(cells(), 1 + len(beside))
    if not count:
        raise records.no_rows()
    notes = [missing_note(name, lacking, count) for name, lacking in zip(inputs, missing, strict=True)]
    found = [Column(values, origins, name) for values, name in zip((first, *rest), (inputs[0], *beside), strict=True)]
    if len(inputs) > 1:
        found[0] = Column(first, origins, inputs[0], step_names=tuple(inputs))
    return RowExamples(found[0], tuple(found[1:]), tuple(note for note in notes if note), stored)


def _sequences(block: RowBlock, inputs: Sequence[str], missing: Counts) -> Sequence[Any]:
    """Return the sequences of some rows; of several columns of numbers, count those that are not there."""
    columns = [block.cells[name] for name in inputs]
    if len(columns) == 1:
        return columns[0].tolist() if isinstance(columns[0], np.ndarray) else list(map(as_numbers, columns[0]))
    if all(isinstance(cells, np.ndarray) for cells in columns):
        rows = np.stack([np.asarray(cells, np.float64) for cells in columns], axis=1)
        _count(missing, np.isnan(rows).sum(0).tolist())
        return list(rows)
    _count(missing, [sum(map(NONE_NAMED.in_numbers, plain_cells(cells))) for cells in columns])
    return [wide_row(cells, inputs, origin) for *cells, origin in zip(*columns, block.origins, strict=True)]


def _count(missing: Counts, more: Sequence[int]) -> None:
    for column, lacking in enumerate(more):
        missing[column] += lacking


def as_numbers(cell: Any) -> Any:
    """Return a list of numbers, or of lists of numbers of one length, as an array; anything else as it is.

    What would be another number than the list has, such as a whole one that float64 rounds, is left to who reads it.
    """
    if type(cell) is not list or not cell or type(cell[0]) not in (int, float, list):
        return cell
    flat = [one for row in cell for one in row] if type(cell[0]) is list else cell
    if type(cell[0]) is list and not all(type(row) is list and len(row) == len(cell[0]) for row in cell):
        return cell
    if not flat or not set(map(type, flat)) <= {int, float}:
        return cell
    try:
        found = np.array(cell)
    except (ValueError, OverflowError):
        return cell
    exact = found.dtype in (np.dtype(np.float64), np.dtype(np.int64))
    return found if exact and not (np.abs(found) >= EXACT).any() else cell
