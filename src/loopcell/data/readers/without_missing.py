"""Rows in which what a user named as missing is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loopcell.data.examples.missing_values import MissingValues
from loopcell.data.readers.records import Record, Records
from loopcell.data.readers.row_block import NumberLists, RowBlock, plain_cells


def without_missing(records: Records, named: Sequence[str | float]) -> Records:
    """Return rows with None in place of the cells that have one of the named words or numbers."""
    return _WithoutMissing(records, MissingValues.of(named)) if named else records


class _WithoutMissing(Records):
    """Other rows, of which some cells are not there."""

    def __init__(self, records: Records, values: MissingValues) -> None:
        super().__init__()
        self._records, self._values = records, values

    def __str__(self) -> str:
        return str(self._records)

    @property
    def columns(self) -> tuple[str, ...]:
        """The same."""
        return self._records.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """The same."""
        return self._records.notes

    @property
    def placed(self) -> tuple[str, ...]:
        """The same."""
        return self._records.placed

    @property
    def of_whole_texts(self) -> bool:
        """The same."""
        return self._records.of_whole_texts

    @property
    def files(self) -> Sequence[Path]:
        """The same."""
        return self._records.files

    @property
    def hint(self) -> str:
        """The same."""
        return self._records.hint

    def expect(self, names: Sequence[str]) -> None:
        """Pass on, as `Records.expect`."""
        self._records.expect(names)

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped = self._records.skipped
        for record in self._records.read(columns):
            yield Record({name: self._there(cell) for name, cell in record.values.items()}, record.origin)

    def blocks(self, names: tuple[str, ...]) -> Iterator[RowBlock]:
        """Give some columns of all rows, as `Records.blocks`."""
        self.skipped = self._records.skipped
        for block in self._records.blocks(names):
            yield RowBlock({name: self._all_there(cells) for name, cells in block.cells.items()}, block.origins)

    def _all_there(self, cells: Sequence[Any]) -> Sequence[Any]:
        """Return a column with None in place of what is not there; numbers of an array that are all there stay one."""
        if isinstance(cells, np.ndarray) and not np.isin(cells, self._values.numbers).any():
            return cells
        if isinstance(cells, NumberLists):  # a number within a sequence is looked at by its input
            return cells
        return [self._there(cell) for cell in plain_cells(cells)]

    def _there(self, cell: Any) -> Any:
        return None if self._values.is_named(cell) else cell
