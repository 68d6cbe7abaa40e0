"""Covariates: what a network is given beside the targets, from the columns of a table and from its times.

Those known ahead are, in this order: columns of the table, cycles of the calendar, parts of the date, holidays, the
time since the row before, which columns are missing; and at last what is static. Columns of categories are codes: 0 for
what was never seen or is missing, and from 1 on what training had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data import Series, calendar
from loopcell.data.examples import Scale
from loopcell.data.examples.missing import filled_forward
from loopcell.data.series import CYCLES, DATE_PARTS, date_part, is_holiday, shown, wall
from loopcell.errors import DataError
from loopcell.tasks.forecasting.elapsed import time_passed
from loopcell.tasks.forecasting.missing import last_there
from loopcell.tasks.forecasting.settings import FillName, SeriesSettings
from loopcell.tasks.forecasting.sizes import Sizes

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

MISSING = 0  # the code of what was never seen or is missing


class Before(NamedTuple):
    """The row before the first one: its time, and the newest numbers of the columns, [P + Q]."""

    time: Any
    newest: Floats


class Read(NamedTuple):
    """Covariates [T, P] known ahead and [T, Q] known up to now, and the newest numbers of the columns."""

    known: Floats32
    past: Floats32
    newest: Floats


class _Columns(NamedTuple):
    """Columns of a table [T, C], and the newest number of each before the first row."""

    names: Sequence[str]
    values: Floats
    newest: Floats

    def until(self, steps: int) -> Floats:
        """Return the rows before a step, after the one before the first."""
        return np.concatenate([self.newest[None], self.values[:steps]])


@dataclass(frozen=True)
class Covariates:
    """The covariates as training found them.

    Attributes:
        known: names of columns; `past`, `static` likewise.
        cycles: of the calendar, and the parts of dates.
        categories: of each column of categories the ones that training had.
        incomplete: columns of which training missed a value, and of which the network is told where.
        elapsed: the usual distance of two times, in their units (seconds, of time stamps); None for even times.
        holidays: days, as 2024-12-25.
        masked: whether the network is told which targets are missing.
        fill: what is read in place of a missing number.
        signed: as in `Sizes`.
    """

    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    cycles: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    elapsed: float | None = None
    holidays: tuple[str, ...] = ()
    masked: bool = False
    fill: FillName = "mask"
    signed: bool = True

    # --- columns ---------------------------------------------------------------------------------------------------

    def of_known(self) -> list[str]:
        """Return the names of what is known ahead but does not come from static columns, in order."""
        waves = [f"{cycle} {wave}" for cycle in self.cycles if cycle in CYCLES for wave in ("sine", "cosine")]
        parts = [cycle for cycle in self.cycles if cycle not in CYCLES]
        more = [*(["holiday"] if self.holidays else []), *(["dt"] if self.elapsed is not None else [])]
        return [*self.known, *waves, *parts, *more, *_told(self.known, self.incomplete)]

    def of_static(self) -> list[str]:
        """Return the names of what never changes within a series, in order."""
        return [*self.static, *_told(self.static, self.incomplete)]

    def of_past(self) -> list[str]:
        """Return the names of what is known up to now, in order."""
        return [*self.past, *_told(self.past, self.incomplete)]

    def sizes(self, targets: int, series: int) -> Sizes:
        """Return the sizes of the network's inputs, for K targets of S series."""
        known, static, past = self.of_known(), self.of_static(), self.of_past()
        return Sizes(
            *(targets, len(known) + len(static), len(past), series, len(static)),
            self.codes([*known, *static]),
            self.codes(past),
            None if self.elapsed is None else known.index("dt", len(self.known)),
            self.masked,
            self.signed,
        )

    def codes(self, names: Sequence[str]) -> dict[int, int]:
        """Return which of some columns are codes, and how many categories each has."""
        sizes = {name: len(texts) for name, texts in self.categories.items()}
        sizes |= {name: count for name in self.cycles if (count := DATE_PARTS.get(name, 0))}
        return {at: sizes[name] for at, name in enumerate(names) if name in sizes}

    def numbers(self) -> npt.NDArray[np.bool_]:
        """Say which of the table's columns, known, past and static, are numbers."""
        return np.array([name not in self.categories for name in (*self.known, *self.past, *self.static)], np.bool_)

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, series: Series, scale: Scale, zone: str | None, name: str, before: Before | None = None) -> Read:
        """Return the covariates of a series.

        Args:
            series: steps to come at its end, if they are to be known.
            scale: of the columns known, past and static, [P + Q + S].
            zone: on whose wall clock the calendar is read.
            name: of the series, for errors.
            before: what is known of the row before; None at the beginning.

        Raises:
            DataError: the calendar is to be read of steps whose times are not known; a number is too far from those of
                training.
        """
        first, end = len(self.known), len(self.known) + len(self.past)
        newest = np.full(end, np.nan) if before is None else before.newest
        columns = (
            _Columns(self.known, series.known, newest[:first]),
            _Columns(self.past, series.past[: series.steps], newest[first:]),
            _Columns(self.static, series.static[None], np.full(len(self.static), np.nan)),
        )
        cuts = (slice(first), slice(first, end), slice(end, None))
        scales = [Scale(scale.mean[cut], scale.size[cut]) for cut in cuts]
        known, past, static = (self._read(one, series, own, name) for one, own in zip(columns, scales, strict=True))
        always = np.tile(np.concatenate(static, axis=1), (len(series), 1))
        ahead = np.concatenate([known[0], *self._of_times(series, zone, name, before), known[1], always], axis=1)
        later = np.zeros((series.ahead, len(self.of_past())))
        return Read(
            ahead.astype(np.float32),
            np.concatenate([np.concatenate(past, axis=1), later]).astype(np.float32),
            np.concatenate([last_there(one.until(series.steps))[-1] for one in columns[:2]]),
        )

    def _read(self, columns: _Columns, series: Series, scale: Scale, title: str) -> tuple[Floats, Floats]:
        """Return columns [T, C] as they are read, and which of their numbers are missing."""
        values, names = columns.values, columns.names
        if not names:
            return np.zeros((len(values), 0)), np.zeros((len(values), 0))
        told = np.isnan(values[:, [at for at, name in enumerate(names) if name in self.incomplete]])
        found = values if self.fill == "mask" else filled_forward(values, columns.newest)
        found = np.nan_to_num(np.asarray(scale.read(found, title), np.float64), nan=0.0)
        for at, name in enumerate(names):
            if name in self.categories:
                found[:, at] = self._coded(values[:, at], series, name)
        return found, told.astype(np.float64)

    def _coded(self, values: Floats, series: Series, name: str) -> Floats:
        """Return the codes of training for those of a table."""
        own = {text: code for code, text in enumerate(self.categories[name], 1)}
        texts = series.categories[name]
        table = np.array([*(own.get(text, MISSING) for text in texts), MISSING], np.float64)
        return np.asarray(table[np.where(np.isnan(values), len(texts), values).astype(np.int64)])

    def _of_times(self, series: Series, zone: str | None, name: str, before: Before | None) -> Iterator[Floats]:
        """Yield columns [T, n] that come from the times."""
        if self.cycles or self.holidays:
            yield from self._of_dates(series, zone, name)
        if self.elapsed is not None:
            yield np.log(time_passed(series.times, self.elapsed, before and before.time))[:, None]

    def _of_dates(self, series: Series, zone: str | None, name: str) -> Iterator[Floats]:
        missing = int(np.isnat(series.times).sum())
        if missing:
            raise DataError(
                f"{name}: the calendar needs the times of the steps ahead, and of {missing} it is not "
                "known; add rows at the end of the table with their times and an empty target"
            )
        times = wall(series.times, zone)
        waves = tuple(cycle for cycle in self.cycles if cycle in CYCLES)
        yield from [calendar(times, waves)] if waves else []
        yield from (date_part(times, part)[:, None] for part in self.cycles if part not in CYCLES)
        yield from [is_holiday(times, self.holidays)[:, None]] if self.holidays else []

    # --- files -----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return what is not in the settings as JSON values."""
        found = {
            "categories": {name: list(texts) for name, texts in self.categories.items()},
            "incomplete": list(self.incomplete),
            "elapsed": self.elapsed,
            "holidays": list(self.holidays),
            "masked": self.masked,
            "signed": self.signed,
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_json(cls, given: Mapping[str, Any], settings: SeriesSettings) -> Covariates:
        """Read what `to_json` gave, beside the settings; ValueError or TypeError for anything else."""
        categories = {str(name): _texts(texts) for name, texts in given.get("categories", {}).items()}
        elapsed = given.get("elapsed")
        if elapsed is not None and not 0 < float(elapsed) < np.inf:
            raise ValueError("its distance of times is none")
        return cls(
            *(settings.known, settings.past, settings.static, settings.calendar),
            categories,
            _texts(given.get("incomplete", [])),
            None if elapsed is None else float(elapsed),
            _texts(given.get("holidays", [])),
            bool(given.get("masked", False)),
            settings.fill,
            bool(given.get("signed", False)),
        )


def demand_known(series: Series, steps: int, count: int, title: str) -> None:
    """Refuse covariates known ahead that are missing in the steps to come; DataError names column and times."""
    for column, name in enumerate(series.known_names):
        missing = np.flatnonzero(np.isnan(series.known[steps : steps + count, column]))
        if len(missing):
            times = ", ".join(shown(series.times[steps + at], series.zone) for at in missing[:5])
            more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
            raise DataError(
                f"{title}: {name!r} is missing of steps to come, which it has to be known of: {times}{more}"
            )


def _told(names: Sequence[str], incomplete: Sequence[str]) -> list[str]:
    return [f"{name} missing" for name in names if name in incomplete]


def _texts(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise ValueError("its categories are no texts")
    return tuple(given)
