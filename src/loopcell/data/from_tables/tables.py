"""Tables as sequences: one function for a data frame, a file, and what the command line reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loopcell.data.from_tables.gathering import cut_units
from loopcell.data.from_tables.labels import Given, capped
from loopcell.data.from_tables.roles import Roles, demand_columns
from loopcell.data.from_tables.row_examples import row_examples
from loopcell.data.from_tables.sequences import LongTable
from loopcell.data.from_tables.table_sequences import TableSequences, statics
from loopcell.data.from_tables.unit_values import UnitValues
from loopcell.data.readers.files import read
from loopcell.data.readers.records import Records, listed
from loopcell.data.readers.units import Units
from loopcell.errors import DataError, UsageError

Names = str | Sequence[str]


def sequences_from_table(  # noqa: PLR0913 - a role for each column, by the names of the flags
    table: Any,
    *,
    input: Names,  # noqa: A002 - as the flag is called
    target: str | Sequence[str] | None = None,
    by: Names = (),
    time: Names = (),
    time_format: str | None = None,
    static: Names = (),
    window: int | None = None,
    stride: int | None = None,
    last: bool = False,
    each_step: bool = False,
    cap: float | None = None,
    unit_labels: Given = None,
    statics: Any = None,
) -> TableSequences:
    """Return the sequences of a table, as estimators learn from them.

    With `by`, `time` or `window` a row is a step, and rows of one unit make a sequence, or windows of them do. Without,
    a row is an example: each column of `input` is a step of it, or has a list with a number for each step.

    Args:
        table: a data frame (pandas, polars, PyArrow), a path, several paths, or what `read` gives.
        input: the columns that make a step.
        target: the column of what is to be learned. A sequence has the label that all rows of its unit have, and a
            window that of its last row. "remaining", where no column has that name: the rows that the unit still has
            after the sequence. With `each_step` several columns of zeros and ones, of which each is a label of steps.
        by: the columns that tell units apart: a machine, a wearer, a sentence.
        time: the column with the times, or several (year, month, day), in whose order the rows of a unit are put. ()
            leaves them as they are.
        time_format: how times are written: as `datetime.strptime` has it, or s, ms, us or ns for numbers since 1970.
        static: columns with one value for each unit; with `each_step` they are numbers of every step.
        window: the rows of a sequence; a unit with fewer is one shorter sequence. None for all rows of a unit.
        stride: rows from one window to the next; None for 1, and with `each_step` for `window`.
        last: only the last window of each unit.
        each_step: y has a label for each step, as a tagger learns them.
        cap: the largest target; a larger one is read as this.
        unit_labels: labels of units that no column has: a dictionary by the name of the unit, or a list in the order of
            the units. With "remaining" it is what a unit still had after its last row.
        statics: a table with a row for each unit, as `table`, which has the columns of `by`; `static` names those of
            its columns that are read, or () for all.

    Raises:
        DataError: a column is not there, a cell is no number, a unit's rows do not stand together and there is no time,
            or its one label changes; `statics` has no row for a unit, or two. The sentence names the row.
        UsageError: what is asked for makes no sense together; or every unit is shorter than the window.
    """
    values = None if statics is None else _unit_values(statics, as_names(by), as_names(static))
    one, labels = (target, ()) if target is None or isinstance(target, str) else _several(tuple(target))
    roles = Roles(
        input=as_names(input),
        target=one,
        labels=labels,
        by=as_names(by),
        time=as_names(time),
        time_format=time_format,
        static=as_names(static) or (() if values is None else values.names),
        joined=() if values is None else values.names,
        window=window,
        stride=stride,
        last=last,
        each_step=each_step,
        cap=cap,
    )
    records = table if isinstance(table, Records) else read(table)
    demand_columns(records, roles.input)
    records.check_columns(roles.read(records.columns))
    if not roles.of_steps:
        if unit_labels is not None:
            raise UsageError("labels of units are for rows that are steps: say which column tells the units apart (by)")
        return _examples(records, roles)
    found = cut_units(LongTable(records, roles, unit_labels, values))
    demand_long_enough(found.units, window)
    return found


def _several(names: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the name of one target, and those of several."""
    return (names[0], ()) if len(names) == 1 else (None, names)


def _unit_values(statics: Any, by: tuple[str, ...], static: tuple[str, ...]) -> UnitValues:
    """Read a table of units; columns of `static` that it does not have are those of the long table."""
    records = statics if isinstance(statics, Records) else read(statics)
    there = set(records.columns)
    names = tuple(name for name in static if name in there)
    if static and not names:
        raise DataError(f"{records} has no column {static[0]!r}; it has {listed(records.columns)}{records.hint}")
    return UnitValues.read(records, by, names)


def demand_long_enough(units: Units | None, window: int | None) -> None:
    """Refuse a window that is longer than every unit, to learn from; UsageError."""
    longest = 0 if units is None else int(units.spans[:, 1].max())
    if units is not None and window is not None and window > longest:
        raise UsageError(
            f"a window of {window:,} rows is longer than every unit: the longest has {longest:,}; say fewer "
            "(window), or none for a sequence of each whole unit"
        )


def _examples(records: Records, roles: Roles) -> TableSequences:
    """Return the sequences of a table whose rows are examples."""
    beside = (*roles.static, *(() if roles.target is None else (roles.target,)))
    found = row_examples(records, roles.input, beside)
    static = statics(zip(*found.beside[: len(roles.static)], strict=True)) if roles.static else None
    if roles.target is None:
        return TableSequences(found.X, None, static, None, None, found.notes)
    y, note = capped(found.beside[-1], roles.cap)
    return TableSequences(found.X, y, static, None, None, (*found.notes, *([note] if note else [])))


def as_names(given: Names) -> tuple[str, ...]:
    """Return one name, or several."""
    return (given,) if isinstance(given, str) else tuple(given)
