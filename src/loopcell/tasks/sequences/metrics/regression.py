"""Metrics of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def example_losses(
    metric: str, true: npt.NDArray[Any], given: npt.NDArray[Any], level: float | None
) -> npt.NDArray[np.float64]:
    """Return the losses [N, K] whose mean a metric is: MSE, MAE, or pinball at a level."""
    over = true - given
    if metric == "MSE":
        return np.asarray(over**2)
    level = 0.5 if metric == "MAE" or level is None else level
    return np.asarray(np.maximum(level * over, (level - 1) * over) * (2 if metric == "MAE" else 1))


def regression_metrics(
    true: npt.NDArray[Any], given: npt.NDArray[Any], mean: npt.NDArray[Any], level: float | None = None
) -> dict[str, float]:
    """Measure mean squared error and its root, absolute error, and R2: what share of the mean's squared error is gone.

    Args:
        true: [N, K].
        given: [N, K].
        mean: [K], the training part's, which is the baseline of R2.
        level: of a quantile, whose pinball loss is measured too; None for none.
    """
    squared = float(((true - given) ** 2).mean())
    spread = float(((true - mean) ** 2).mean())
    quantile = {} if level is None else {"pinball": float(example_losses("pinball", true, given, level).mean())}
    return {
        "MSE": squared,
        "RMSE": float(np.sqrt(squared)),
        "MAE": float(np.abs(true - given).mean()),
        "R2": 1.0 - squared / spread if spread else float("nan"),
        **quantile,
    }
