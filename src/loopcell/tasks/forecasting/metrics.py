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
        true: [N, f, K]; NaN where it is missing, which is not scored.
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
        MSE, RMSE and MAE; the same of errors divided by each target's deviation ("scaled"); MASE; "quantile loss", the
        mean over the levels of twice the pinball loss on that scale, so that of the median alone it is the scaled MAE;
        "WQL", the weighted quantile loss; "CRPS", of the distribution that the quantiles are points of, on that scale;
        "coverage", the share of values between the outer quantiles, where there are two.
    """
    error = _all((part.true - part.mean) for part in parts)
    scaled = _all((part.true - part.mean) / part.size for part in parts)
    found = {
        "MSE": float((error**2).mean()),
        "RMSE": float(np.sqrt((error**2).mean())),
        "MAE": float(np.abs(error).mean()),
        "scaled MSE": float((scaled**2).mean()),
        "scaled MAE": float(np.abs(scaled).mean()),
        "MASE": _mase(parts),
    }
    if levels:
        found["quantile loss"] = float(_all(_pinball(part, levels) / part.size[:, None] for part in parts).mean())
        found["WQL"] = _weighted(parts, levels)
        found["CRPS"] = float(_all(_crps(part, levels) / part.size for part in parts).mean())
    if len(levels) > 1 and all(part.quantiles is not None for part in parts):
        found[coverage_name(levels)] = float(_all(_covered(part) for part in parts).mean())
    return found


def squared_errors(parts: Sequence[Forecasts]) -> Floats:
    """Return the squared error of every value, part after part, [V]; NaN where it is missing."""
    return np.concatenate([((part.true - part.mean) ** 2).ravel() for part in parts])


def coverage_name(levels: Sequence[float]) -> str:
    """Return the name of the coverage between the outer levels."""
    return f"coverage {100 * (levels[-1] - levels[0]):.3g}%"


def _mase(parts: Sequence[Forecasts]) -> float:
    errors = _all(np.abs(part.true - part.mean) / np.where(part.naive > 0, part.naive, np.nan) for part in parts)
    there = errors[np.isfinite(errors)]  # a series that never changed before has no such scale
    return float(there.mean()) if len(there) else float("nan")


def _quantiles(part: Forecasts) -> Floats:
    """Return quantiles [N, f, K, Q]; a forecast without any says the same at every level, [N, f, K, 1]."""
    return part.mean[..., None] if part.quantiles is None else part.quantiles


def _pinball(part: Forecasts, levels: Sequence[float]) -> Floats:
    """Return twice the pinball loss [N, f, K, Q], in the data's units."""
    over, level = part.true[..., None] - _quantiles(part), np.array(levels)
    return 2 * np.maximum(level * over, (level - 1) * over)


def _weighted(parts: Sequence[Forecasts], levels: Sequence[float]) -> float:
    """Return the weighted quantile loss: twice the pinball losses over the absolute values, the mean over the levels.

    Park, Maddix, Aubet, Kan, Gasthaus, Wang: Learning Quantile Functions without Quantile Crossing, 2022 (arXiv
    2111.06581), section 5: sums are over all series, steps and targets. NaN where all values are zero.
    """
    whole = float(_all(np.abs(part.true) for part in parts).sum())
    losses = float(_all(_pinball(part, levels).mean(-1) for part in parts).sum())
    return losses / whole if whole else float("nan")


def _crps(part: Forecasts, levels: Sequence[float]) -> Floats:
    """Return the continuous ranked probability score [N, f, K], in the data's units, of a distribution by quantiles.

    It is the integral over all levels of twice the pinball loss (Gneiting, Raftery: Strictly Proper Scoring Rules,
    Prediction, and Estimation, 2007, section 4.2): the quantile function goes straight from one level to the next, and
    stays at the outer ones beyond them. Of a forecast without quantiles it is the absolute error.
    """
    if part.quantiles is None:
        return np.abs(part.true - part.mean)
    ends, quantiles = np.array([0.0, *levels, 1.0]), part.quantiles[..., [0, *range(len(levels)), -1]]
    pieces = zip(ends, ends[1:], np.moveaxis(quantiles, -1, 0), np.moveaxis(quantiles[..., 1:], -1, 0), strict=False)
    found: Floats = sum((_of_piece(part.true, *piece) for piece in pieces), np.zeros_like(part.true))
    return found


def _of_piece(true: Floats, low: float, high: float, first: Floats, last: Floats) -> Floats:
    """Integrate twice the pinball loss from one level to another, between which quantiles go from first to last.

    With u in [0, 1] along the piece, level a = low + u (high - low) and quantile q = first + u (last - first), the loss
    2 (x - q) (a - [x < q]) is a parabola in u on each side of where q passes x.
    """
    length, over, rise = high - low, true - first, last - first
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.where(rise > 0, np.clip(over / rise, 0, 1), over >= 0)
    every = over * low + (over * length - rise * low) / 2 - rise * length / 3  # of (x - q) a
    behind = over * (1 - turn) - rise * (1 - turn**2) / 2  # of (x - q), where q is above x
    found: Floats = 2 * length * (every - behind)
    return found


def _covered(part: Forecasts) -> Floats:
    assert part.quantiles is not None
    inside = (part.true >= part.quantiles[..., 0]) & (part.true <= part.quantiles[..., -1])
    return np.asarray(np.where(np.isnan(part.true), np.nan, inside))


def _all(arrays: Iterable[Floats]) -> Floats:
    """Return all numbers of some arrays, but for those of missing values."""
    found: Floats = np.concatenate([array.ravel() for array in arrays])
    there: Floats = found[~np.isnan(found)]
    return there
