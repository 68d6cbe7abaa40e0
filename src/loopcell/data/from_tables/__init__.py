"""Tables as sequences: the roles of columns, units of rows, windows of them, and what is known of each.

A row of a long table is a step: `roles.py` says what each column is for, `units.py` puts the rows of a unit together,
`windows.py` cuts them, `labels.py` says what is known of each piece, and `sequences.py` goes through all of it in one
pass. A row of a wide table is an example: `wide_rows.py`. `tables.py` has the one function for users.
"""

from loopcell.data.from_tables.labels import Given, capped
from loopcell.data.from_tables.roles import REMAINING, Roles, demand_columns
from loopcell.data.from_tables.sequences import LongTable
from loopcell.data.from_tables.tables import (
    TableSequences,
    as_names,
    cut_units,
    demand_long_enough,
    of_cuts,
    sequences_from_table,
    statics,
)
from loopcell.data.from_tables.unit_values import UnitValues
from loopcell.data.from_tables.wide_rows import WideRows, lacking, wide_row

__all__ = [
    "REMAINING",
    "Given",
    "LongTable",
    "Roles",
    "TableSequences",
    "UnitValues",
    "WideRows",
    "as_names",
    "capped",
    "cut_units",
    "demand_columns",
    "demand_long_enough",
    "lacking",
    "of_cuts",
    "sequences_from_table",
    "statics",
    "wide_row",
]
