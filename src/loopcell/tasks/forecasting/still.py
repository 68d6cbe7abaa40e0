"""Columns that never varied: nothing says on what scale to forecast them, so they are forecast to stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.examples import within_rounding
from loopcell.tasks.forecasting.missing import first_there
from loopcell.tasks.forecasting.scaled import of
from loopcell.tasks.forecasting.state import StoredHistory
from loopcell.tasks.forecasting.strategies import ForecastBatch

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


def never_varied(values: Floats) -> Flags:
    """Return whether each column of values [T, K] is one number up to each step, but for rounding: bool [T, K].

    Of what is missing nothing is known: a column without a value up to a step is no such column there.
    """
    return within_rounding(np.fmin.accumulate(values), np.fmax.accumulate(values))


def still_columns(series: Series) -> Flags:
    """Return which columns of a series never varied in the steps that have been, bool [K]; none without a step."""
    steps = series.steps
    return never_varied(series.target[:steps])[-1] if steps else np.zeros(series.target.shape[1], np.bool_)


def flags_at(places: Iterable[tuple[int, int]], series: int, columns: int) -> Flags:
    """Return flags [S, K] that are set at some places, as a model file keeps them; ValueError where one is none."""
    found = np.zeros((series, columns), np.bool_)
    for row, column in places:
        if not 0 <= row < series or not 0 <= column < columns:
            raise ValueError("its columns that never vary are none")
        found[row, column] = True
    return found


def moves_now(new: Series, before: StoredHistory | None) -> Flags:
    """Return which columns new rows let vary whose state was begun when they never had, bool [K]."""
    if before is None or not before.still.any():
        return np.zeros(new.target.shape[1], np.bool_)
    old = before.scale.undo(before.memory.recent[:, 0].cpu().numpy())
    quiet = never_varied(np.concatenate([old, new.target[: new.steps]]))[-1]
    return np.asarray(before.still & ~quiet)


def stay(futures: ForecastBatch, newest: Floats, still: Flags) -> ForecastBatch:
    """Let forecasts of columns that never varied be the newest value, and all of their quantiles too.

    A least width of the interval, such as `AnomalyDetector` has for its errors (1e-12 of the value), would be no more
    than rounding: what lies outside of the one is outside of the other.

    Args:
        futures: of N places, in the units of the series.
        newest: [N, K], the value just before each place.
        still: [N, K], which never varied up to there.
    """
    mean = np.where(still[:, None], newest[:, None], futures.mean)
    quantiles = np.where(still[:, None, :, None], newest[:, None, :, None], futures.quantiles)
    return ForecastBatch(mean, quantiles)


def still_notes(read: Sequence[tuple[Series, StoredHistory | None, StoredHistory]]) -> list[str]:
    """Return sentences about columns that stay and that no longer do, of new rows, with what was kept."""
    moves = [moves_now(new, before) for new, before, _ in read]
    staying = [(new, after.still & ~moving) for (new, _, after), moving in zip(read, moves, strict=True)]
    return [
        *staying_note(staying),
        *_moving_note([(new, moving) for (new, *_), moving in zip(read, moves, strict=True)]),
    ]


def staying_note(still: Sequence[tuple[Series, Flags]]) -> list[str]:
    """Return a sentence about columns [K] of series that are forecast to stay, of which the first one is named."""
    return _said(still, "never varies: it is forecast to stay as it is, with quantiles that are all the same")


def _moving_note(moved: Sequence[tuple[Series, Flags]]) -> list[str]:
    """Return a sentence about columns that vary in new rows and never did before, of which the first one is named."""
    told = (
        "varies now, and never did when its state was begun: so it has no scale, and its forecast is its newest value; "
        "predict from its whole history, without that state, and it will have one"
    )
    return _said(moved, told)


def _said(flags: Sequence[tuple[Series, Flags]], told: str) -> list[str]:
    found = [(one, int(column)) for one, flag in flags for column in np.flatnonzero(flag)]
    if not found:
        return []
    one, column = found[0]
    who = f"{of(one.name)}: {one.target_names[column]!r}" if one.name else repr(one.target_names[column])
    more = f" (and {len(found) - 1:,} more columns are of this kind)" if len(found) > 1 else ""
    return [f"{who} {told}{more}"]


def never_changes(values: Floats) -> npt.NDArray[np.bool_]:
    """Find the columns of values [T, K] that are one value throughout, where they are there."""
    return np.asarray(((values == first_there(values)) | np.isnan(values)).all(0))


def never_changed(quiet: Sequence[int], still: Sequence[int], targets: Sequence[str]) -> list[str]:
    """Return sentences about columns of one value in the whole quiet period, and those that are in training too."""
    found = []
    for columns, where, follows in (
        (still, "training and in the quiet period", "any other value will be an alarm"),
        ([column for column in quiet if column not in still], "the quiet period", "so small changes will be alarms"),
    ):
        if columns:
            names = ", ".join(repr(targets[column]) for column in columns[:5])
            names += f" and {len(columns) - 5:,} more" if len(columns) > 5 else ""
            verb = "changes" if len(columns) == 1 else "change"
            found.append(
                f"{names} never {verb} in {where}: {follows}, unless a quiet period is given that has the usual "
                "changes (validation=)"
            )
    return found
