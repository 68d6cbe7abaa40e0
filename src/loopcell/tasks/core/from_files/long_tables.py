"""Long tables of files: what was typed of their columns as roles, labels of units from a file of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loopcell.data import Column, Origin, Records, SequenceData, read
from loopcell.data.from_tables import Given, LongTable, Roles, TableSequences, UnitValues, demand_columns, of_cuts
from loopcell.data.readers import Units
from loopcell.data.readers.blocks import in_blocks
from loopcell.data.readers.without_missing import without_missing
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.opened import Tell


def long_table(
    records: Records,
    spec: FileExamples,
    columns: tuple[tuple[str, ...], str | None],
    *,
    each_step: bool,
    labels: Given = None,
) -> LongTable:
    """Return the rows of files as sequences.

    Args:
        records: the rows.
        spec: the files and what was typed of their columns.
        columns: those that make a step, and that of the target, or None.
        each_step: a sequence has a label for each step.
        labels: of units that no column has.

    Raises:
        DataError: the values of units cannot be read; the sentence names file and row.
        UsageError: what was typed makes no sense together.
    """
    values = None if spec.statics is None else UnitValues.read(_of_units(spec), spec.units, joined_names(spec))
    inputs, target = columns
    several = target is not None and target not in records.columns and spec.targets
    roles = roles_of(spec, inputs, None if several else target, each_step=each_step, labels=several or ())
    return LongTable(records, roles, labels, values)


def joined_names(spec: FileExamples) -> tuple[str, ...]:
    """Return the static columns that stand in the file of units, of which `static` names some, or none for all."""
    if spec.statics is None:
        return ()
    there = _of_units(spec).columns
    return tuple(name for name in (spec.static or there) if name in there and name not in spec.units)


def with_statics(spec: FileExamples) -> FileExamples:
    """Return files with the names of all static columns, where a file of units has them."""
    return spec if spec.statics is None or spec.static else spec.model_copy(update={"static": joined_names(spec)})


def _of_units(spec: FileExamples) -> Records:
    assert spec.statics is not None
    records = read(spec.statics)
    records.expect((*spec.units, *spec.static))
    return without_missing(records, spec.missing)


def roles_of(
    spec: FileExamples,
    inputs: tuple[str, ...],
    target: str | None,
    *,
    each_step: bool,
    labels: tuple[str, ...] = (),
) -> Roles:
    """Return the roles of columns; UsageError where what was typed makes no sense together."""
    return Roles(
        input=inputs,
        target=target,
        labels=labels,
        by=spec.units,
        time=spec.time,
        time_format=spec.time_format,
        static=spec.static,
        joined=joined_names(spec),
        carried=spec.carried,
        window=spec.window,
        stride=spec.stride,
        last=spec.last,
        each_step=each_step,
        cap=spec.cap,
    )


def with_beside(spec: FileExamples, X: Column, static: Any, times: Any = None) -> Any:
    """Return sequences with what stands beside them: static values, and the times of steps where they are asked for."""
    times = times if spec.time_input else None
    if static is None and times is None:
        return X
    found = SequenceData(X, static=static, times=times)
    found.static_names = spec.static or None
    return found


def told_by(X: Any, index: int) -> dict[str, Any]:
    """Return what a sequence that was cut from a unit is told by: its unit, its last time; nothing of others."""
    units = units_of(X)
    return {} if units is None else units.told_by(index)


def steps_of(X: Any, index: int) -> Sequence[Origin]:
    """Return where the rows came from that are the steps of a sequence with a label each; () where none are rows."""
    units = units_of(X)
    return () if units is None or units.steps is None else units.steps[index]


def units_of(X: Any) -> Units | None:
    """Return the units that sequences were cut from; None where rows are examples."""
    return column_of(X).units


def column_of(X: Any) -> Column:
    """Return sequences without what stands beside them."""
    found: Column = X.X if isinstance(X, SequenceData) else X
    return found


def demand_windows(spec: FileExamples) -> None:
    """Refuse what is said of units or windows where there are none; UsageError."""
    if spec.unit_labels is not None and not spec.of_steps:
        raise UsageError("labels of units (--unit-labels) go with --by: say which column tells the units apart")
    if spec.statics is not None and not spec.units:
        raise UsageError("values of units (--statics) go with --by: say which column tells the units apart")
    if spec.window is None and (spec.stride is not None or spec.last):
        flag = "--last" if spec.last else "--stride"
        raise UsageError(f"{flag} is about windows of rows: say how many rows one has (--window)")


def uneven_notes(table: LongTable, spec: FileExamples) -> Iterator[str]:
    """Yield a sentence where rows are unevenly spaced in time, which nobody is told of."""
    if table.uneven_note and not spec.time_input:
        yield f"{table.uneven_note}, which the model does not see; --time-input tells it the time from row to row"


def blocks_of(table: LongTable, size: int, tell: Tell) -> Iterator[TableSequences]:
    """Yield the sequences of a long table in blocks of at most `size`, and tell at the end what there is to know."""
    for cuts in in_blocks(table.cuts(), size):
        yield of_cuts(cuts, table)
    for note in table.notes:
        tell(note)


def unit_labels(spec: FileExamples) -> Mapping[Any, Any] | list[Any] | None:
    """Read the labels of units from the file that has them; None where none was named.

    It is a table with the columns of `by` and the target, or the last one; or it has one column, a row a unit.

    Raises:
        DataError: it cannot be read as that, or has two labels for one unit.
    """
    if spec.unit_labels is None:
        return None
    records = read(spec.unit_labels)
    if len(records.columns) == 1:
        return [_stripped(cell) for cell in records.column(records.columns[0])]
    demand_columns(records, spec.units)
    rest = [name for name in records.columns if name not in spec.units]
    name = spec.target if spec.target in rest else rest[-1]
    *keys, found = records.load(*spec.units, name)
    return _by_unit(spec.unit_labels, list(zip(*keys, strict=True)), [_stripped(cell) for cell in found])


def _stripped(cell: Any) -> Any:
    """Return a label without the blanks that a line has at its end."""
    return cell.strip() if isinstance(cell, str) else cell


def _by_unit(path: Path, keys: list[tuple[Any, ...]], found: list[Any]) -> Mapping[Any, Any]:
    known: dict[Any, Any] = {}
    for key, label in zip(keys, found, strict=True):
        name = key[0] if len(key) == 1 else key
        if name in known:
            raise DataError(f"{path} has two labels for unit {name!r}")
        known[name] = label
    return known
