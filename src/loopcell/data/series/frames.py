"""Time series from tables, frames and arrays: one or several, with covariates, checked when they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing_values import MissingValues
from loopcell.data.readers.files import read
from loopcell.data.readers.number_columns import load_numbers
from loopcell.data.readers.records import Records, missing_column, twice_in
from loopcell.data.series.categories import covariates_of
from loopcell.data.series.gaps import Filled, fill_gaps
from loopcell.data.series.given import arrays_of, as_arrays, as_column, as_table, demand_target, names_of
from loopcell.data.series.lacking import missing_in
from loopcell.data.series.numbers import Floats, cell_name, numbers_of, row_name
from loopcell.data.series.series import Series
from loopcell.data.series.several_columns import read_time_columns, with_rows
from loopcell.data.series.stamps import Stamps
from loopcell.data.series.static import one_value
from loopcell.data.series.steps import Step
from loopcell.data.series.times import Namer, check_rising, find_step
from loopcell.errors import DataError, UsageError

ALL = "all"  # as a target: every column that is nothing else


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The roles of a table's columns and the reading of its times: the arguments of `series_from`, and two more.

    Attributes:
        zone: on whose wall clock times without an offset are, and the calendar is read; None: as the times say.
        like: gives what is known of the step of a series, by its name.
        other: columns that are something else, which `target="all"` leaves out.
        static: columns that hold one value for each series.
        categories: columns of names, among the covariates; those of words are so in any case.
        fill_gaps: let rows that are missing among regular times be there, without values.
        ahead: let rows at the end without a target be steps that are to come. False: their values are missing.
        date_order: what stands first in dates, for columns that do not tell.
        missing_values: words and numbers that stand for what is not there, beside the usual ones.
    """

    target: str | Sequence[str] | None = None
    time: str | Sequence[str] | None = None
    series: str | None = None
    known: Sequence[str] = ()
    past: Sequence[str] = ()
    regular: bool = True
    missing: bool = False
    zone: str | None = None
    time_format: str | None = None
    like: Callable[[str], Step | None] = lambda _: None
    other: Sequence[str] = ()
    static: Sequence[str] = ()
    categories: Sequence[str] = ()
    fill_gaps: bool = False
    ahead: bool = False
    date_order: str = ""
    missing_values: Sequence[str | float] = ()


def series_from(  # noqa: PLR0913 - the roles of columns, and how they are read
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    series: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    regular: bool = True,
    missing: bool = False,
    time_format: str | None = None,
    missing_values: Sequence[str | float] = (),
) -> list[Series]:
    """Make time series of a table.

    Args:
        data: whatever `read` takes (a path, several, a polars or pandas frame), `Records`, a mapping of names to
            arrays, or an array `[T]` or `[T, K]`, all of whose columns are the target. A polars or pandas series is a
            target with a name; of a list of arrays each is a series.
        target: the column or columns to forecast, or "all" for those that are nothing else; needed unless `data` is an
            array or a series.
        time: the column with the times (see `read_times`), or several: year, month, day, hour, ..., or a date and a
            time of the day. None: a pandas index of time stamps or periods has them, and else rows are counted.
        series: the column that tells series apart; None: there is one series.
        known: covariates whose future is known.
        past: covariates known up to now only.
        regular: times have to be evenly spaced, in hours or in the calendar. False: they only have to rise.
        missing: let values that are not there be NaN: empty cells, and the usual words for them (NA, null, -, ?, ...).
            Rows at the end without any target are steps to come then.
        time_format: how times are written, where they are not as above: as `datetime.strptime` has it
            (`%d.%m.%y %H:%M`), or s, ms, us or ns for numbers since 1970. Several columns are one text, with blanks.
        missing_values: words and numbers that stand for what is not there, beside the usual ones: -999.

    Returns:
        The series in the order in which they first come.

    Raises:
        DataError: no such column; a value is missing or no number; a time comes twice, goes back, or there is a
            gap. The message names the file and the row.
        UsageError: no target, or a column is used twice.
    """
    layout = Layout(
        target=target,
        time=time,
        series=series,
        known=known,
        past=past,
        regular=regular,
        missing=missing,
        ahead=missing,
        time_format=time_format,
        missing_values=missing_values,
    )
    return read_layout(data, layout)


def read_layout(data: Any, layout: Layout) -> list[Series]:
    """Make time series of a table as a layout says; see `series_from`."""
    data = as_arrays(data)
    arrays = arrays_of(data)
    if arrays is not None:
        return _of_arrays(arrays, layout)
    targets = (layout.target,) if isinstance(layout.target, str) else tuple(layout.target or ())
    roles = tuple(tuple(names) for names in (layout.known, layout.past, layout.static))
    covariates = sum(roles, ())
    data, targets, times = as_table(data, targets, names_of(layout.time))
    numbers_only = set(covariates) - set(layout.categories)
    columns, targets = _columns(data, targets, (*times, layout.series, *covariates), layout.other, numbers_only)
    values = MissingValues.of(layout.missing_values)
    numbers = {name: numbers_of(name, columns[name], missing=layout.missing, values=values) for name in targets}
    more, labels = covariates_of(covariates, columns, layout.categories, missing=layout.missing, values=values)
    numbers |= more
    groups = (
        _groups(layout.series, columns[layout.series]) if layout.series else {"": np.arange(len(columns[targets[0]]))}
    )
    stamps = _stamps([columns[name] for name in times], times, layout)
    found = []
    for name, rows in groups.items():
        named = _namer(columns[targets[0]], rows, name)
        at = _times(stamps, rows, named, layout, name)
        target, known, past = (at.spread(_stack(numbers, some, rows)) for some in (targets, *roles[:2]))
        one = Series(name, at.times, at.step, target, known, past, targets, roles[0], roles[1])
        found.append(
            replace(
                one,
                zone=stamps.zone if stamps else None,
                notes=at.notes,
                date_order=stamps.order if stamps else "",
                ahead=_empty_at_the_end(target) if layout.ahead else 0,
                static=one_value(_stack(numbers, roles[2], rows), roles[2], labels, named),
                static_names=roles[2],
                categories=labels,
            )
        )
    lacking = missing_in(found)
    return [replace(one, notes=(*one.notes, *lacking)) for one in found] if lacking else found


def _empty_at_the_end(target: Floats) -> int:
    """Return how many rows at the end have no target [T, K]."""
    there = np.flatnonzero(np.isfinite(target).any(1))
    return len(target) - (int(there[-1]) + 1 if len(there) else 0)


def _of_arrays(arrays: Sequence[npt.NDArray[Any]], layout: Layout) -> list[Series]:
    """Return a series of each array, named by its place."""
    found: list[Series] = []
    for number, array in enumerate(arrays, 1):
        try:
            (one,) = read_layout(array, layout)
        except DataError as error:
            raise DataError(f"series {number} of {len(arrays)}: {error}") from error
        if found and one.target_names != found[0].target_names:
            raise DataError(
                f"series {number} of {len(arrays)} has {len(one.target_names)} columns, and the first has "
                f"{len(found[0].target_names)}; all series have the same"
            )
        found.append(replace(one, name=f"series_{number}"))
    return found


def _columns(
    data: Any, targets: tuple[str, ...], others: Sequence[str | None], left_out: Sequence[str], numbers: set[str]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the columns that are asked for, in memory, and the names of the targets."""
    if isinstance(data, np.ndarray):
        return _of_array(data, () if targets == (ALL,) else targets, others)
    table = data if isinstance(data, Mapping | Records) else read(data)
    there = tuple(table) if isinstance(table, Mapping) else table.columns
    if targets == (ALL,) and ALL not in there:
        left_out = (*left_out, *(table.placed if isinstance(table, Records) else ()))
        targets = tuple(name for name in there if name not in (*others, *left_out))
    names = [name for name in (*targets, *others) if name is not None]
    demand_target(targets, table, others)
    twice = twice_in(names)
    if twice is not None:
        raise UsageError(
            f"the column {twice!r} is used twice; each is one of target, time, series, known, past or static"
        )
    if isinstance(table, Mapping):
        return _of_mapping(table, names), targets
    return dict(zip(names, load_numbers(table, names, {*targets, *numbers}), strict=True)), targets


def _of_array(
    array: npt.NDArray[Any], targets: tuple[str, ...], others: Sequence[str | None]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if any(name is not None for name in others):
        raise UsageError(
            "an array has no named columns: give time, series and covariates in a frame, or a dict of arrays"
        )
    values = array[:, None] if array.ndim == 1 else array
    if values.ndim != 2 or not values.size:
        raise DataError(f"a time series is an array [T] or [T, K], got {list(array.shape)}")
    names = targets or tuple(f"target_{number}" for number in range(1, values.shape[1] + 1))
    if len(names) != values.shape[1]:
        raise UsageError(f"the array has {values.shape[1]} columns and there are {len(names)} target names")
    return dict(zip(names, values.T, strict=True)), names


def _of_mapping(data: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    for name in names:
        if name not in data:
            raise DataError(f"data: {missing_column(name, tuple(data))}")
    found = {name: _as_array(as_column(data[name], name)) for name in names}
    lengths = {name: len(column) if column.ndim == 1 else -1 for name, column in found.items()}
    if len(set(lengths.values())) > 1 or -1 in lengths.values() or 0 in lengths.values():
        raise DataError(f"the columns of a table are arrays [T] of one length, got {lengths}")
    return found


def _as_array(column: Any) -> npt.NDArray[Any]:
    """Return a column as an array; times of pandas or polars with a zone as objects, which keep it."""
    zoned = getattr(column, "tz", None) or any(
        getattr(getattr(column, "dtype", None), key, None) for key in ("tz", "time_zone")
    )
    if not zoned:
        return np.asarray(column)
    found = np.empty(len(column), object)
    found[:] = list(column)
    return found


def _groups(name: str, column: Sequence[Any]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the rows of each series."""
    rows: dict[str, list[int]] = {}
    for index in range(len(column)):
        if column[index] in (None, ""):
            raise DataError(f"{cell_name(name, column, index)}: the row does not say which series it belongs to")
        rows.setdefault(str(column[index]), []).append(index)
    return {name: np.array(found) for name, found in rows.items()}


def _stamps(columns: Sequence[Sequence[Any]], names: Sequence[str], layout: Layout) -> Stamps | None:
    """Return all times of a table at once, so that they are read in one way; None where rows are counted."""
    for argument, value in (("zone", layout.zone), ("time_format", layout.time_format)):
        if value is not None and not columns:
            raise UsageError(f"{argument}={value!r} is for time stamps: name their column (time=)")
    if not columns:
        return None
    cells = [with_rows(column) for column in columns]
    return read_time_columns(cells, names, layout.zone, layout.time_format, layout.date_order)


def _times(stamps: Stamps | None, rows: npt.NDArray[np.int64], named: Namer, layout: Layout, name: str) -> Filled:
    every = np.arange(len(rows))
    if stamps is None:
        return Filled(every, every, Step(1, clock=False))
    here = stamps._replace(times=stamps.times[rows])
    if not layout.regular:
        check_rising(here.times, named, here.zone)
        return Filled(here.times, every, None, stamps.notes)
    like = layout.like(name)
    if layout.fill_gaps:
        found = fill_gaps(here, named, like)
    else:
        step, notes = find_step(here, named, like)
        found = Filled(here.times, every, step, notes)
    return found._replace(notes=(*stamps.notes, *found.notes))


def _namer(column: Sequence[Any], rows: npt.NDArray[np.int64], name: str) -> Callable[[int], str]:
    """Return the function that names a step of a series in an error."""
    of = f" (series {name!r})" if name else ""
    return lambda at: f"{row_name(column, int(rows[at]))}{of}"


def _stack(numbers: Mapping[str, Floats], names: Sequence[str], rows: npt.NDArray[np.int64]) -> Floats:
    if not names:
        return np.empty((len(rows), 0))
    return np.stack([numbers[name][rows] for name in names], axis=1)
