"""Scores of a backtest: the model's beside those of the naive forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loopcell.tasks.core.paired import noise_of
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.forecasting.baselines import naive_error, seasonal_naive
from loopcell.tasks.forecasting.metrics import Forecasts, forecast_metrics, squared_errors
from loopcell.tasks.forecasting.results import Backtest


def scored(found: Sequence[Backtest], season: int, *, timed: bool = False) -> ScoreTable:
    """Measure errors, quantile loss and coverage of backtests, beside the last value and the value a season ago.

    What came before the first value of a column has no naive forecast: there only the model is scored.

    Args:
        found: of each series, at least one.
        season: steps of a season.
        timed: whether the network was told the times of the steps ahead, which are uneven.
    """
    levels, horizon = found[0].levels, found[0].mean.shape[1]
    parts = [_forecasts(one, season) for one in found]
    unknown, rows, errors = "", {"model": forecast_metrics(parts, levels)}, {"model": squared_errors(parts)}
    for name, steps in {"naive": 1, f"seasonal naive ({season})": season}.items():
        if name == "naive" or (steps > 1 and all(one.places[0] >= steps for one in found)):
            guesses = [_forecasts(one, season, repeated=steps) for one in found]
            if not all(np.isnan(part.true).all() for part in guesses):
                rows[name] = forecast_metrics(guesses, levels)
                errors[name] = squared_errors(guesses)
            unknown = _unknown(parts, guesses)
    many = f"{len(found):,} series, " if len(found) > 1 else ""
    left_out = f"{_missing(parts)}{unknown}{_mase_of(parts, season)}"
    about = f"{many}{sum(map(len, found)):,} forecasts of {horizon} steps{left_out}"
    about += " (the times of the steps ahead are known)" if timed else ""
    shown = {name: {key: one for key, one in row.items() if not np.isnan(one)} for name, row in rows.items()}
    return ScoreTable(about, shown, noise=noise_of("MSE", errors, _apart(found, horizon)))


def _apart(found: Sequence[Backtest], horizon: int) -> npt.NDArray[np.int64]:
    """Return a group for each forecast value: forecasts within a horizon of each other are of the same steps."""
    groups, first = [], 0
    for one in found:
        numbers = first + (one.places - one.places[0]) // horizon
        groups.append(np.repeat(numbers, one.mean[0].size))
        first = int(numbers[-1]) + 1
    return np.concatenate(groups)


def _missing(parts: Sequence[Forecasts]) -> str:
    """Say how many values are not scored since they are missing; "" for none."""
    missing, every = (
        sum(int(part.true.size if one else np.isnan(part.true).sum()) for part in parts) for one in (0, 1)
    )
    return f" ({missing:,} of {every:,} values are missing and not scored)" if missing else ""


def _unknown(parts: Sequence[Forecasts], guesses: Sequence[Forecasts]) -> str:
    """Say how many values have no naive forecast, since no value came before; "" for none."""
    count = sum(
        int((~np.isnan(part.true) & np.isnan(guess.true)).sum()) for part, guess in zip(parts, guesses, strict=True)
    )
    return f" (naive forecasts leave out {count:,} values: none came before)" if count else ""


def _mase_of(parts: Sequence[Forecasts], season: int) -> str:
    """Say what the mean absolute scaled error leaves out, and why; "" for nothing."""
    naive = np.concatenate([part.naive for part in parts])  # of every column of every series
    out = int((~(naive > 0)).sum())
    if not out:
        return ""
    short = bool(np.isnan(naive).any())
    same = "all before it is as it was one season earlier"
    why = f"fewer than {season + 1} steps lie before the first forecast" if short else same
    return f" (no MASE: {why})" if out == len(naive) else f" (MASE leaves out {out:,} of {len(naive):,} columns: {why})"


def _forecasts(one: Backtest, season: int, repeated: int | None = None) -> Forecasts:
    """Return a backtest for its metrics; or that of the value some steps ago, repeated."""
    before = one.series.target[: one.places[0]]
    naive = naive_error(before, season)
    if repeated is None:
        return Forecasts(one.true, one.mean, one.quantiles if one.levels else None, one.size, naive)
    guess = seasonal_naive(one.series.target, one.places, one.mean.shape[1], repeated)
    return Forecasts(np.where(np.isnan(guess), np.nan, one.true), guess, None, one.size, naive)
