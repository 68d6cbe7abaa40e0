"""Forecasts as data frames of pandas or polars, and as tables of a notebook."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from loopcell.errors import MissingExtraError, UsageError

Library = Literal["pandas", "polars"]
Column = npt.NDArray[Any]


class PlainForecast(Protocol):
    """A `Forecast`, as far as a frame shows it: that class makes frames of itself, so it is not imported here."""

    @property
    def series(self) -> str:
        """Its name."""
        ...

    @property
    def times(self) -> Column:
        """The times of the f steps."""
        ...

    @property
    def target_names(self) -> Sequence[str]:
        """The names of the K targets."""
        ...

    @property
    def mean(self) -> Column:
        """The means [f, K]."""
        ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The Q levels."""
        ...

    @property
    def quantiles(self) -> Column:
        """The quantiles [f, K, Q]."""
        ...

    @property
    def zone(self) -> str | None:
        """The zone of the times."""
        ...

    @property
    def actual(self) -> Column | None:
        """The values that came, [f, K]; None before they did."""
        ...

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each step as a row."""
        ...


def to_frame(forecasts: Sequence[PlainForecast], library: Library | None, origins: Column | None = None) -> Any:
    """Return a data frame with a row for each step of each target of forecasts of one series.

    Args:
        forecasts: at least one, all with the same targets and levels.
        library: see `Forecast.to_frame`.
        origins: of each forecast the time of the last known step; None for no such column.

    Raises:
        UsageError: the library is neither.
        MissingExtraError: it is not installed.
    """
    tool = library_of(library)
    columns, zone = _columns(forecasts, origins), forecasts[0].zone
    times = [name for name in ("origin", "time") if name in columns and columns[name].dtype.kind == "M"]
    plain = {name: column.tolist() if column.dtype == object else column for name, column in columns.items()}
    frame = tool.DataFrame(plain)
    if zone is None:
        return frame
    if tool.__name__ == "pandas":
        return frame.assign(**{name: frame[name].dt.tz_localize("UTC").dt.tz_convert(zone) for name in times})
    return frame.with_columns(
        *(tool.col(name).dt.replace_time_zone("UTC").dt.convert_time_zone(zone) for name in times)
    )


def html_of(forecast: PlainForecast) -> str:
    """Return a forecast as a table: a row for each step, and for each target its mean and quantiles."""
    rows = list(forecast.rows())
    head = "".join(f"<th>{escape(str(name))}</th>" for name in rows[0]) if rows else ""
    lines = ("".join(f"<td>{_cell(value)}</td>" for value in row.values()) for row in rows)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"
    )


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def library_of(name: Library | None) -> Any:
    """Return pandas or polars: the one named, or the first that is installed; errors as `Forecast.to_frame`."""
    if name is not None and name not in get_args(Library):
        raise UsageError(f"library is 'pandas' or 'polars', got {name!r}")
    for found in get_args(Library) if name is None else (name,):
        if importlib.util.find_spec(found) is not None:
            return importlib.import_module(found)
    raise MissingExtraError(f"a data frame needs {name or 'pandas or polars'}: pip install {name or 'pandas'}")


def _columns(forecasts: Sequence[PlainForecast], origins: Column | None) -> dict[str, Column]:
    """Return the columns: a forecast after the other, of each a target after the other, of each its steps."""
    first, (count, targets) = forecasts[0], forecasts[0].mean.shape
    found: dict[str, Column] = {}
    size = len(forecasts) * targets * count
    if origins is not None:
        found["origin"] = np.repeat(origins, targets * count)
    if first.series:
        found["series"] = np.full(size, first.series, dtype=object)
    found["target"] = np.tile(np.repeat(np.array(first.target_names, dtype=object), count), len(forecasts))
    times = np.concatenate([np.tile(one.times, targets) for one in forecasts])
    if (times == times).all():  # noqa: PLR0124 - not NaT or NaN
        found["time"] = times
    found["step"] = np.tile(np.arange(1, count + 1), len(forecasts) * targets)
    found["mean"] = _long([one.mean for one in forecasts])
    for at, level in enumerate(first.levels):
        found[f"quantile_{level:g}"] = _long([one.quantiles[..., at] for one in forecasts])
    if first.actual is not None:
        found["actual"] = _long([one.actual for one in forecasts if one.actual is not None])
    return found


def _long(values: Sequence[Column]) -> Column:
    """Return values [f, K] of each forecast as one column."""
    return np.concatenate([one.T.ravel() for one in values])
