"""Tables to series, as an estimator was told, and whether they fit what it learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from loopcell.data import Series, Step
from loopcell.data.series import Layout, filled_between, read_layout, shown
from loopcell.data.series.given import names_of
from loopcell.errors import DataError, InputError, UsageError
from loopcell.tasks.forecasting.scaled import named, of
from loopcell.tasks.forecasting.settings import SeriesSettings

JITTER = 0.1  # of a step, by which times may be off
SLIGHT = 1e-6  # of a step, by which numbers may be off without a word


def nothing_known(_: str) -> Step | None:
    """Return what is known of the step of a series before anything was read."""
    return None


def read_series(
    data: Any, settings: SeriesSettings, like: Callable[[str], Step | None] = nothing_known, date_order: str = ""
) -> list[Series]:
    """Make the series of a table, a file, a frame or an array; a list of series is given back.

    Args:
        data: it.
        settings: which columns it has.
        like: gives what is known of the step of a series, by its name.
        date_order: what stands first in dates, for columns that do not tell.

    Raises:
        DataError: a column is not there, a time is missing or there twice; it names file and row.
        UsageError: no target is named, or a column twice; a calendar without times.
    """
    if isinstance(data, list) and data and all(isinstance(one, Series) for one in data):
        return data
    label: str | None = getattr(settings, "label", None)
    layout = Layout(
        target=settings.target or None,
        time=settings.time,
        series=settings.series,
        known=settings.known,
        past=settings.past,
        regular=settings.regular,
        static=settings.static,
        categories=settings.categories,
        missing=True,
        ahead=bool(settings.known) or not settings.regular,  # rows at the end whose target is to come
        fill_gaps=settings.fill_gaps,
        zone=settings.zone,
        time_format=settings.time_format,
        date_order=date_order,
        missing_values=settings.missing,
        like=like,
        other=() if label is None else (label,),
    )
    found = read_layout(data, layout)
    if (settings.calendar or settings.holidays) and found[0].times.dtype.kind != "M":
        names = ", ".join(names_of(settings.time))
        has = f", and column {names!r} has numbers" if names else ": name their column (time=)"
        raise UsageError(f"{'calendar' if settings.calendar else 'holidays'} needs time stamps{has}")
    _demand_categories(settings, found[0])
    return found


def _demand_categories(settings: SeriesSettings, series: Series) -> None:
    names = (*series.known_names, *series.past_names, *series.static_names)
    for name in settings.categories:
        if name not in names:
            raise UsageError(
                f"categories: {name!r} is no covariate; name it as what it is too (known=, past= or static=)"
            )


def same_step(one: Step, other: Step) -> bool:
    """Return whether two steps are as good as the same."""
    return one.same_kind(other) and _near(one.size, other.size)


def one_step(series: Sequence[Series]) -> Step | None:
    """Return the step of all series.

    Raises:
        DataError: two series have different steps.
    """
    found = [(one, one.step) for one in series if one.step is not None]
    if not found:
        return None
    first, step = found[0]
    for one, other in found:
        if not same_step(other, step):
            raise DataError(
                f"{of(first.name)} has steps of {step} and {of(one.name)} of {other}; a model is trained on one"
            )
    return step


def demand_zone(series: Series, zone: str | None) -> None:
    """Refuse times without a zone where those of training had one, or the other way round; DataError says so."""
    if (series.zone is None) == (zone is None):
        return
    here, there = series.zone or "no zone", zone or "none"
    raise DataError(
        f"{of(series.name)}: its times have {here}, and those of training had {there}; write them as there"
        + ("" if zone is None else f", or name the zone (zone={zone!r})")
    )


def notes_of(series: Sequence[Series]) -> list[str]:
    """Return remarks on how series were read, once: those that concern all, and of the others the first one."""
    every: list[str] = []
    some: dict[str, str] = {}
    for one in series:
        for note in one.notes:
            if all(note in other.notes for other in series[:2]):
                every += [note] if note not in every else []
            else:
                some.setdefault(one.name, note)
    if some:
        name, note = next(iter(some.items()))
        more = f" (and {len(some) - 1:,} more series are of this kind)" if len(some) > 1 else ""
        every.append(f"{of(name)}: {note}{more}")
    return every


def demand_values(series: Sequence[Series]) -> None:
    """Refuse targets without any value; DataError names the first one."""
    there = np.stack([np.isfinite(one.target).any(0) for one in series]).any(0)
    if not there.all():
        name = series[0].target_names[int(np.flatnonzero(~there)[0])]
        raise DataError(f"there is no value in the column {name!r}, which is to be learned: all of them are missing")


def demand_counts(series: Series) -> None:
    """Refuse targets that are no counts; DataError names the first one."""
    target = series.target[: series.steps]
    wrong = np.argwhere((target < 0) | (np.isfinite(target) & (target != np.round(target))))
    if len(wrong):
        at, column = wrong[0]
        raise DataError(
            f"{named(series, int(at))}: {series.target_names[column]!r} is {target[at, column]:g}, and "
            "head='negative-binomial' is for counts: whole numbers from 0 on"
        )


def demand_length(series: Sequence[Series], cuts: Sequence[int], settings: SeriesSettings, horizon: int) -> None:
    """Refuse series of whose first steps, those to train on, none has a history and a horizon; DataError says so."""
    needed = settings.history + horizon
    if settings.lags and settings.lags > settings.history:
        raise UsageError(f"lags is at most history ({settings.history}), got {settings.lags}")
    if max(cuts) >= needed:
        return
    longest = int(np.argmax(cuts))
    held = series[longest].steps - cuts[longest]
    raise DataError(
        f"a history of {settings.history} and a horizon of {horizon} need {needed} steps to train on, and the longest "
        f"series has {cuts[longest]}" + (f" (and {held} held out)" if held else "") + "; ask for a shorter history or "
        "horizon"
    )


def demand_like(series: Sequence[Series], targets: Sequence[str], step: Step | None) -> None:
    """Hold series against those of training: their columns and the step of their times.

    Raises:
        InputError: there are more or fewer targets.
        DataError: the steps are others.
    """
    for one in series:
        if len(one.target_names) != len(targets):
            raise InputError(
                f"the model was trained on {len(targets)} columns ({', '.join(targets)}), and {of(one.name)} has "
                f"{len(one.target_names)}"
            )
        if one.step and step and not same_step(one.step, step):
            raise DataError(f"{of(one.name)} has steps of {one.step}, and the model was trained on steps of {step}")


class LastRead(Protocol):
    """The end of what was read of a series: the time of the last step, and what lies between two times."""

    @property
    def time(self) -> Any:
        """The time of the last step that was read."""

    @property
    def step(self) -> Step | None:
        """The distance of two times; None where that was not asked for."""


def continued(series: Series, kept: LastRead, *, fill_gaps: bool = False) -> Series:
    """Continue a series that was read before by new rows, with its step; rows that were only counted count on.

    Args:
        series: the new rows.
        kept: the end of what was read.
        fill_gaps: let rows that are missing between both be there, without values; a note counts them.

    Raises:
        DataError: they do not begin one step after those that were read.
    """
    if kept.step is not None and not kept.step.clock and series.times.dtype.kind == "i" and series.times[0] == 0:
        series = replace(series, times=series.times + int(kept.time) + 1)
    if series.times.dtype.kind != np.asarray(kept.time).dtype.kind:
        raise DataError(f"{of(series.name)}: its times are of another kind than those that were read before")
    series = replace(series, step=series.step or kept.step)
    first = series.times[0]
    if first <= kept.time:
        raise DataError(
            f"{of(series.name)}: the new rows begin at {shown(first, series.zone)}, and it was read up to "
            f"{shown(kept.time, series.zone)} already"
        )
    if kept.step is None:
        return series
    whole = _with_missing(series, kept.time, kept.step) if fill_gaps else series
    why = "; rows are filled in at times of the step, at most a hundred for each that is there" if fill_gaps else ""
    return _from_the_next(whole, kept.time, kept.step, why)


def gap_before(series: Series, kept: LastRead) -> bool:
    """Return whether the times of a series begin later than one step after those that were read."""
    step = series.step or kept.step
    first, last = series.times[0], kept.time
    if last is None or step is None or first.dtype.kind != np.asarray(last).dtype.kind or first <= last:
        return False
    expected = step.after(last, 1)[0]
    return bool((first - expected) / (expected - last) > JITTER)


def _with_missing(series: Series, last: Any, step: Step) -> Series:
    """Return a series with the rows that are missing between a time and its first one; without values."""
    found = filled_between(last, series.times, step, series.zone)
    if found is None:
        return series
    target, known, past = (found.spread(part) for part in (series.target, series.known, series.past))
    ahead = series.ahead if series.steps else len(found.times)  # before rows that are to come: to come too
    notes = (*series.notes, *found.notes)
    return replace(series, times=found.times, target=target, known=known, past=past, ahead=ahead, notes=notes)


def _from_the_next(series: Series, last: Any, step: Step, why: str) -> Series:
    """Hold the first time of a series against the one that follows the last; DataError names a gap."""
    first, expected = series.times[0], step.after(last, 1)[0]
    away = abs((first - expected) / (expected - last))
    if away > JITTER:
        raise DataError(
            f"{of(series.name)}: a gap: it was read up to {shown(last, series.zone)}, and the new rows begin "
            f"at {shown(first, series.zone)}; the next time is {shown(expected, series.zone)}{why}"
        )
    if away <= SLIGHT or step.jitters:
        return series
    note = f"the new rows begin at {shown(first, series.zone)}, and {shown(expected, series.zone)} was expected"
    return replace(series, notes=(*series.notes, note))


def usual_season(step: Step | None) -> int:
    """Return the usual season's steps: a day of hours or minutes, a week of days, a year of weeks, months, quarters."""
    if step is None or not step.clock:
        return 1
    if step.calendar:
        return int(12 / step.size) if (12 / step.size).is_integer() else 1
    days = step.days_a_week
    if days:
        return int(days / step.size) if (days / step.size).is_integer() else 1
    minutes = step.size / 60e6
    seasons: Mapping[float, int] = {7 * 24 * 60: 52, 24 * 60: 7}
    if minutes in seasons:
        return seasons[minutes]
    day = 24 * 60 / minutes
    return round(day) if 1 <= minutes < 24 * 60 and _near(day, round(day)) else 1


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= JITTER * min(a, b)
