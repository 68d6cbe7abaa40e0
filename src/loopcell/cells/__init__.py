"""The cells of the library, one file a cell, and modifiers that wrap any cell."""

from loopcell.cells.modifiers import recurrent_dropout, residual, weight_dropout, without, zoneout
from loopcell.cells.registry import CELLS, get, names

__all__ = ["CELLS", "get", "names", "recurrent_dropout", "residual", "weight_dropout", "without", "zoneout"]
