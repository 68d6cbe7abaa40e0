"""Metrics of forecasts: of their mean, and of their quantiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Forecasts(NamedTuple):
    """Forecasts of one series and what came.

    Attributes:
        true: [N, f, K]; NaN where a value is missing, which is not scored.
        mean: [N, f, K].
        quantiles: [N, f, K, Q]; None where there are none.
        size: [K], the deviation by which errors are divided to be comparable between targets.
        naive: [K], the seasonal naive forecast's mean absolute error before the test (MASE divides by it).
    """

    true: Floats
    mean: Floats
    quantiles: Floats | None
    size: Floats
    naive: Floats


def forecast_metrics(parts: Sequence[Forecasts], levels: Sequence[float]) -> dict[str, float]:
    """Measure errors of the mean in the data's units, on the model's scale and beside the naive one; quantiles.

    Args:
        parts: of each series; every value of every forecast counts alike.
        levels: Q levels.

    Returns:
        MSE and MAE; the same of errors divided by each target's deviation ("scaled"); MASE; "quantile loss", the mean
        over the levels of twice the pinball loss on that scale, so that of the median alone it is the scaled MAE;
        "coverage", the share of values between the outer quantiles, where there are two.
    """
    error = _all((part.true - part.mean) for part in parts)
    scaled = _all((part.true - part.mean) / part.size for part in parts)
    found = {
        "MSE": float((error**2).mean()),
        "MAE": float(np.abs(error).mean()),
        "scaled MSE": float((scaled**2).mean()),
        "scaled MAE": float(np.abs(scaled).mean()),
        "MASE": _mase(parts),
    }
    if levels:
        found["quantile loss"] = float(_all(_pinball(part, levels) for part in parts).mean())
    if len(levels) > 1 and all(part.quantiles is not None for part in parts):
        found[coverage_name(levels)] = float(_all(_covered(part) for part in parts).mean())
    return found


def coverage_name(levels: Sequence[float]) -> str:
    """Return the name of the coverage between the outer levels."""
    return f"coverage {100 * (levels[-1] - levels[0]):.3g}%"


def _mase(parts: Sequence[Forecasts]) -> float:
    errors = _all(np.abs(part.true - part.mean) / np.where(part.naive > 0, part.naive, np.nan) for part in parts)
    there = errors[np.isfinite(errors)]  # a series that never changed before has no such scale
    return float(there.mean()) if len(there) else float("nan")


def _pinball(part: Forecasts, levels: Sequence[float]) -> Floats:
    """Return twice the pinball loss; a forecast without quantiles says the same at every level."""
    quantiles = part.mean[..., None] if part.quantiles is None else part.quantiles
    over = (part.true[..., None] - quantiles) / part.size[:, None]
    level = np.array(levels)
    return 2 * np.maximum(level * over, (level - 1) * over)


def _covered(part: Forecasts) -> Floats:
    assert part.quantiles is not None
    inside = (part.true >= part.quantiles[..., 0]) & (part.true <= part.quantiles[..., -1])
    return np.asarray(np.where(np.isnan(part.true), np.nan, inside))


def _all(arrays: Iterable[Floats]) -> Floats:
    """Return all numbers of some arrays, but for those of missing values."""
    found: Floats = np.concatenate([array.ravel() for array in arrays])
    there: Floats = found[~np.isnan(found)]
    return there
