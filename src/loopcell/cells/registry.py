"""The cells by name."""

from __future__ import annotations

import difflib
from inspect import isfunction

from loopcell.cells.gru import gru, gru_keeps_before, gru_lets_after, gru_lets_before
from loopcell.cells.gru_decay import gru_d, gru_decay
from loopcell.cells.gru_layer_norm import gru_layer_norm
from loopcell.cells.indrnn import indrnn
from loopcell.cells.light_gru import light_gru
from loopcell.cells.lstm import lstm, lstm_coupled, lstm_peephole
from loopcell.cells.lstm_layer_norm import lstm_layer_norm
from loopcell.cells.lstm_projected import lstm_projected
from loopcell.cells.lstm_time_aware import lstm_time_aware
from loopcell.cells.mgu import mgu
from loopcell.cells.minimal import min_gru, min_lstm
from loopcell.cells.rnn import rnn, rnn_relu
from loopcell.cells.sru import sru
from loopcell.cells.ugrnn import ugrnn
from loopcell.equations import Cell
from loopcell.errors import InputError, UsageError

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        rnn,
        rnn_relu,
        lstm,
        lstm_peephole,
        lstm_coupled,
        lstm_projected,
        lstm_layer_norm,
        lstm_time_aware,
        gru,
        gru_keeps_before,
        gru_lets_before,
        gru_lets_after,
        gru_layer_norm,
        gru_decay,
        gru_d,
        mgu,
        light_gru,
        indrnn,
        min_gru,
        min_lstm,
        sru,
        ugrnn,
    )
}
"""The library's cells, by name."""


def names() -> list[str]:
    """Return the names of the library's cells."""
    return list(CELLS)


def get(cell: str | Cell) -> Cell:
    """Return a cell as it is, or the library's cell of a name; "LSTM" and "light-gru" are lstm and light_gru too.

    Whatever takes a cell, takes what this takes: `Recurrent`, `explain`, modifiers, estimators, `check_cell`.

    Args:
        cell: a name such as "gru", or a cell, made by `@cell`.

    Raises:
        UsageError: no cell has that name; the message offers the nearest.
        InputError: it is neither a name nor a cell.
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        raise InputError(f"a cell is made by @cell, or named as one of loopcell.cells; got {_described(cell)}")
    if ".py" in cell:
        raise UsageError(f"cell={cell!r} names a file, which only the command line runs; import its cell and pass that")
    return _named(cell)


def _described(value: object) -> str:
    if isfunction(value):
        return f"the function `{value.__name__}`: put @cell above it"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


def _named(name: str) -> Cell:
    plain = name.strip().lower().replace("-", "_")
    if plain in CELLS:
        return CELLS[plain]
    near = difflib.get_close_matches(plain, CELLS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the cells are {', '.join(CELLS)}"
    raise UsageError(f"no cell is named {name!r}; {hint}")
