"""Checks for a cell of one's own: check_cell, and what it is made of."""

from loopcell.errors import CheckFailed
from loopcell.testing.case import Case
from loopcell.testing.check import check_cell
from loopcell.testing.closeness import TOLERANCES, assert_all_close, assert_close
from loopcell.testing.laws import LAWS, Law
from loopcell.testing.laws.gradients import numerical_slope

__all__ = [
    "LAWS",
    "TOLERANCES",
    "Case",
    "CheckFailed",
    "Law",
    "assert_all_close",
    "assert_close",
    "check_cell",
    "numerical_slope",
]
