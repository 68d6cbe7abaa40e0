"""Columns in memory whose numbers are arrays, where their file has them as numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from loopcell.data.readers.origins import Origins
from loopcell.data.readers.records import Column, Records
from loopcell.data.readers.row_block import plain_cells


def load_numbers(records: Records, names: Sequence[str], numbers: Collection[str]) -> tuple[Column, ...]:
    """Read some columns into memory, as `Records.load`, those of `numbers` as arrays if all their cells are numbers.

    Args:
        records: the rows.
        names: the columns.
        numbers: those of which only numbers are asked for: NaN is then what is not there.
    """
    records.check_columns(names)
    pieces: dict[str, list[Sequence[Any]]] = {name: [] for name in names}
    origins = Origins()
    for block in records.blocks(tuple(dict.fromkeys(names))):
        for name, cells in pieces.items():
            cells.append(block.cells[name] if name in numbers else plain_cells(block.cells[name]))
        origins.extend(block.origins)
    if not len(origins):
        raise records.no_rows()
    return tuple(Column(joined(pieces.pop(name)), origins, name) for name in names)


def joined(pieces: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return cells that came in pieces: an array where all of these are, else a list."""
    if all(isinstance(piece, np.ndarray) for piece in pieces):
        found: Sequence[Any] = np.concatenate(pieces)  # type: ignore[assignment]  # an array is one, but for its type
        return found
    return [cell for piece in pieces for cell in plain_cells(piece)]
