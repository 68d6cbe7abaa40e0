"""Columns of a table of series that predictions carry over, found by series and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from loopcell.cli.predictions import PredictedRow, Row

if TYPE_CHECKING:
    from loopcell.data import Records

Key = tuple[str, Any]


class SeriesIds:
    """The cells that are carried over, of each row of a table of series.

    Args:
        model: of series; its settings say which columns have series and times, and how they are read.
        source: the table.
        names: of the columns that are carried over.
    """

    def __init__(self, model: Any, source: Records, names: Sequence[str]) -> None:
        from loopcell.data.series.given import names_of
        from loopcell.data.series.several_columns import read_time_columns
        from loopcell.tasks.core.settings import checked

        self._names, settings = tuple(names), checked(model)
        times = names_of(settings.time)
        asked = tuple(dict.fromkeys([*names, *times, *([settings.series] if settings.series else [])]))
        columns = dict(zip(asked, source.load(*asked), strict=True))
        count = len(columns[asked[0]])
        self._series = [str(name) for name in columns[settings.series]] if settings.series else [""] * count
        self._cells = [{name: columns[name][row] for name in names} for row in range(count)]
        self._stamps = None
        if times:
            form = (settings.zone, settings.time_format, model.date_order_)
            self._stamps = read_time_columns([columns[name] for name in times], times, *form)
        self._rows = {key: row for row, key in enumerate(self._keys())}

    def _keys(self) -> Iterator[Key]:
        """Yield what rows are told by: the series, and the time as predictions have it, or the number of the row."""
        from loopcell.tasks.forecasting.results import time_row

        counts: dict[str, int] = {}
        for row, name in enumerate(self._series):
            if self._stamps is None:
                counts[name] = counts.get(name, -1) + 1
                yield name, counts[name]
            else:
                yield name, time_row(self._stamps.times[row], self._stamps.zone)["time"]

    def of_steps(self, rows: Iterable[Row]) -> list[PredictedRow]:
        """Return predictions of steps that have been, in the order of the table."""
        placed: list[tuple[int, PredictedRow]] = []
        for row in rows:
            at = self._rows.get((row.get("series", ""), row.get("time")))
            if at is None:  # a row that was missing among regular times: it stands behind the one before it
                placed.append((placed[-1][0] if placed else -1, PredictedRow(dict.fromkeys(self._names), row)))
            else:
                placed.append((at, PredictedRow(self._cells[at], row)))
        return [prediction for _, prediction in sorted(placed, key=lambda one: one[0])]

    def of_the_future(self, rows: Iterable[Row]) -> Iterator[PredictedRow]:
        """Yield forecasts, with the cells of the last row of their series."""
        ends = {name: row for row, name in enumerate(self._series)}
        for row in rows:
            yield PredictedRow(self._cells[ends[row.get("series", "")]], row)
