"""Tables as sequences: the roles of columns, units of rows, windows of them, and what is known of each.

A row of a long table is a step: `roles.py` says what each column is for, `units.py` puts the rows of a unit together,
`windows.py` cuts them, `labels.py` says what is known of each piece, `sequences.py` goes through all of it in one pass,
and `gathering.py` keeps all of them. Where a row is an example: `row_examples.py`, and `wide_rows.py` for one of
several columns. `tables.py` has the one function for users.
"""

from loopcell.data.from_tables.gathering import cut_units
from loopcell.data.from_tables.labels import Given, capped
from loopcell.data.from_tables.roles import REMAINING, Roles, demand_columns
from loopcell.data.from_tables.row_examples import RowExamples, row_examples
from loopcell.data.from_tables.sequences import LongTable
from loopcell.data.from_tables.table_sequences import TableSequences, of_cuts, statics
from loopcell.data.from_tables.tables import as_names, demand_long_enough, sequences_from_table
from loopcell.data.from_tables.unit_values import UnitValues
from loopcell.data.from_tables.wide_rows import wide_row

__all__ = [
    "REMAINING",
    "Given",
    "LongTable",
    "Roles",
    "RowExamples",
    "TableSequences",
    "UnitValues",
    "as_names",
    "capped",
    "cut_units",
    "demand_columns",
    "demand_long_enough",
    "row_examples",
    "of_cuts",
    "sequences_from_table",
    "statics",
    "wide_row",
]
