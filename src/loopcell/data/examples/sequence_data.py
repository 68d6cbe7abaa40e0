"""Sequences, and what stands beside each: values that hold for the whole sequence, and the times of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import Doubles, as_doubles
from loopcell.data.examples.tables import columns_by_name, is_table
from loopcell.data.readers.records import where
from loopcell.errors import DataError, InputError


class SequenceData(Sequence[Any]):
    """N sequences, with static values and times; it goes wherever an estimator takes X.

    An index gives a sequence by itself; a slice, or an array of numbers or truth values, gives a `SequenceData` of
    these, so that scikit-learn splits it as it splits X.

    Attributes:
        X: the sequences, as an estimator takes them.
        static: values that hold for a whole sequence, [N, S], floats or objects; None where there are none.
        static_names: the names of the S values, where they came in a frame.
        times: of each sequence the times of its steps, [T]; None where there are none.
    """

    def __init__(self, X: Any, *, static: Any = None, times: Any = None) -> None:
        """Put sequences and what stands beside them together.

        Args:
            X: N sequences.
            static: [N, S] numbers, texts or truth values, or [N]: an array, a list of rows, a frame.
            times: [N, T], or N arrays [T]: numbers in a unit of your own, or dates, which are counted in seconds.

        Raises:
            InputError: X has no length, or is a `SequenceData` already.
            DataError: there is not an entry for each sequence.
        """
        if isinstance(X, SequenceData):
            raise InputError("X is a SequenceData already: give static and times to it, and not beside it")
        if not hasattr(X, "__len__"):
            raise InputError(f"X has to be a list or an array of sequences, not a {type(X).__name__}")
        self.X = X
        self.static_names = tuple(str(name) for name in static.columns) if is_table(static) else None
        self.static = None if static is None else _as_rows(static)
        self.times = None if times is None else _in_order(times)
        for name, given in (("static", self.static), ("times", self.times)):
            if given is not None and len(given) != len(X):
                raise DataError(f"{name} has {len(given)} entries, and X has {len(X)} sequences")

    @property
    def shape(self) -> tuple[int]:
        """(N,): scikit-learn takes rows of what has a shape by arrays of their numbers."""
        return (len(self),)

    @property
    def timed(self) -> bool:
        """True where steps have times."""
        return self.times is not None

    @property
    def origins(self) -> Any:
        """The places that the sequences came from, where X knows them."""
        return self.X.origins

    def of(self, X: Any) -> SequenceData:
        """Return the same beside another form of X, as long as this one."""
        return self._made(X, self.static, self.times)

    def times_of(self, index: int, steps: int) -> Doubles | None:
        """Return the times of a sequence [T], of dates the seconds since 1970; None for none.

        Raises:
            DataError: they are not `steps` finite numbers or dates that never fall.
        """
        if self.times is None:
            return None
        name = f"the times of {where(self, index) if hasattr(self, 'origins') else f'X[{index}]'}"
        found = _as_times(self.times[index], name)
        if found.shape != (steps,):
            raise DataError(f"{name} have the shape {list(found.shape)}, and the sequence has {steps} steps")
        if not np.isfinite(found).all():
            raise DataError(f"{name} have none at step {int(np.argmin(np.isfinite(found))) + 1}")
        back = np.flatnonzero(np.diff(found) < 0)
        if len(back):
            raise DataError(f"{name} go back at step {int(back[0]) + 2}; sort the steps of a sequence by time")
        return found

    def __len__(self) -> int:
        return len(self.X)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: Any) -> SequenceData: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):  # [rows, ...] of scikit-learn
            index = index[0]
        if isinstance(index, int | np.integer):
            return _entry(self.X, int(index))
        rows = np.arange(len(self))[index]
        static = None if self.static is None else self.static[rows]
        times = None if self.times is None else [self.times[row] for row in rows]
        return self._made(_entries(self.X, rows), static, times)

    def __repr__(self) -> str:
        static = "" if self.static is None else f", {self.static.shape[1]} static values each"
        return f"<{len(self):,} sequences{static}{'' if self.times is None else ', with times'}>"

    def _made(self, X: Any, static: Any, times: Any) -> SequenceData:
        made = SequenceData(X, static=static, times=times)
        made.static_names = self.static_names
        return made


def with_beside(X: Any, static: Any, times: Any) -> Any:
    """Return X with what stands beside it; X itself where nothing does. Errors as `SequenceData`."""
    return X if static is None and times is None else SequenceData(X, static=static, times=times)


def _as_rows(static: Any) -> npt.NDArray[Any]:
    """Return static values as an array [N, S], of floats where all of them are numbers, else of objects."""
    if is_table(static):
        columns = [_objects(list(column)) for _, column in columns_by_name(static, "static")]
        rows = np.stack(columns, axis=1) if columns else np.empty((len(static), 0), dtype=object)
    else:
        rows = static if isinstance(static, np.ndarray) else _objects(static)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError(f"static has the shape {list(rows.shape)}; it is [N, S], S values for each sequence")
    if rows.dtype.kind in "biuf":
        return as_doubles(rows, "static")
    return rows.astype(object)


def _objects(given: Any) -> npt.NDArray[Any]:
    """Return a list of values, or of rows of them, as objects: NumPy would make texts of numbers beside texts."""
    rows = [list(row) if isinstance(row, list | tuple | np.ndarray) else row for row in given]
    if any(isinstance(row, list) for row in rows):
        sizes = {len(row) if isinstance(row, list) else 1 for row in rows}
        if len(sizes) > 1:
            raise DataError(f"static has rows of {min(sizes)} and of {max(sizes)} values; every sequence has the same")
    found = np.array(rows, dtype=object)
    plain = all(isinstance(one, int | float | np.number) and not isinstance(one, np.timedelta64) for one in found.flat)
    return found.astype(np.float64) if plain and found.size else found


def _in_order(times: Any) -> Any:
    """Return times by the numbers of sequences: a series of pandas is indexed by its labels."""
    return times.to_numpy() if hasattr(times, "iloc") else times


def _as_times(given: Any, name: str) -> Doubles:
    """Return times as numbers; dates as seconds since 1970, NaN where there is none."""
    found = np.asarray(given)
    if found.dtype.kind == "O" and found.size and all(isinstance(one, date) for one in found.flat):
        return np.array([_seconds(one) for one in found.flat])
    if found.dtype.kind == "U":
        try:
            found = found.astype("M8[us]")
        except ValueError as error:
            raise DataError(f"{name} cannot be read: {error}; write them as 2024-05-01T12:00") from error
    if found.dtype.kind == "M":
        seconds = found.astype("M8[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(found), np.nan, seconds)
    return as_doubles(given, name)


def _seconds(one: date) -> float:
    """Return the seconds of a date since 1970; without a zone it is taken for one of UTC."""
    if one != one:  # noqa: PLR0124 - NaT of pandas is a date that is not itself
        return float("nan")
    moment = one if isinstance(one, datetime) else datetime(one.year, one.month, one.day, tzinfo=UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _entry(X: Any, index: int) -> Any:
    return X.iloc[index] if hasattr(X, "iloc") else X[index]


def _entries(X: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Return some of the sequences in the form in which all came."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if isinstance(X, np.ndarray) or type(X).__module__.partition(".")[0] in ("torch", "polars"):
        return X[rows]
    return X.take(rows) if hasattr(X, "origins") and hasattr(X, "take") else [X[int(row)] for row in rows]
